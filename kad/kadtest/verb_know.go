package kadtest

import "github.com/kadbench/kadbench/kad"

var verbKnow = verb{
	usage: "know A B… [addr=TEXT] (A is told the address of each B, without a connection)",
	do: func(e *Env, a args) error {
		return e.pairs(a, func(from, to *Node) error {
			addr := []byte(a.get("addr", string(to.Addr)))
			res := e.Step(from, kad.Input{Kind: kad.OpAddAddress, Peer: info(to), Addr: addr}, false)
			if res.Update != kad.UpdateSuccess {
				e.printf("%s knows %s: %s", from.Name, to.Name, res.Update)
			}
			return nil
		})
	},
}
