package kadtest

import (
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

var verbKnow = verb{
	usage: "know A B… [addr=TEXT] (A is told the address of each B, without a connection)",
	do: func(e *Env, a args) error {
		if len(a.words) < 2 {
			return fmt.Errorf("two nodes wanted")
		}
		from, err := e.Node(a.words[0])
		if err != nil {
			return err
		}
		return e.each(a.words[1:], func(to *Node) error {
			addr := []byte(a.get("addr", string(to.Addr)))
			res := e.Step(from, kad.Input{Kind: kad.OpAddAddress, Peer: info(to), Addr: addr}, false)
			if res.Update != kad.UpdateSuccess {
				e.printf("%s knows %s: %s", from.Name, to.Name, res.Update)
			}
			return nil
		})
	},
}
