package kadtest

import (
	"strings"
	"time"

	"github.com/kadbench/kadbench/kad"
)

var verbStore = verb{
	usage: "store A… (records and providers with what is left of their time)",
	do: func(e *Env, a args) error {
		return e.each(a.words, func(n *Node) error {
			names, empty := e.names(n), true
			for r := range n.K.Store().Records() {
				e.printf("%s record %s→%s %s", n.Name, r.Key, r.Value, e.left(r.Expires))
				empty = false
			}
			for p := range n.K.Store().AllProviders() {
				var list []string
				for addr := range p.Addrs.All() {
					list = append(list, string(addr))
				}
				who := names.Peer(kad.PeerInfo{Peer: p.Provider})
				e.printf("%s provider %s: %s(%s) %s", n.Name, p.Key, who, strings.Join(list, ","), e.left(p.Expires))
				empty = false
			}
			if empty {
				e.printf("%s stores nothing", n.Name)
			}
			return nil
		})
	},
}

// left is how long until a moment.
func (e *Env) left(at kad.Time) string {
	if at == 0 {
		return "forever"
	}
	return "for " + time.Duration(at-e.Now).String()
}
