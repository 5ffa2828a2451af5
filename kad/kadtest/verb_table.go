package kadtest

import (
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

var verbTable = verb{
	usage: "table A… (the buckets that are not empty)",
	do: func(e *Env, a args) error {
		return e.each(a.words, func(n *Node) error {
			t := n.K.Table()
			for b := range t.Depth() {
				var words []string
				t.Entries(b, func(v kad.EntryView) bool {
					words = append(words, e.entry(n, v))
					return true
				})
				if len(words) > 0 {
					e.printf("%s bucket %d: %s", n.Name, b, strings.Join(words, " "))
				}
			}
			if t.Len() == 0 {
				e.printf("%s knows nobody", n.Name)
			}
			return nil
		})
	},
}

// entry prints an entry: + connected, - not connected, ? waiting for a place.
func (e *Env) entry(n *Node, v kad.EntryView) string {
	mark := map[bool]string{true: "+", false: "-"}[v.Connected]
	if v.Pending {
		mark += "?"
	}
	var list []string
	for addr := range v.Addrs.All() {
		list = append(list, string(addr))
	}
	return fmt.Sprintf("%s%s(%s)", mark, e.names(n).Peer(v.PeerInfo), strings.Join(list, ","))
}
