package kadtest

import "strings"

var verbAddresses = verb{
	usage: "addresses A B… (those by which A would dial each B, in its order)",
	do: func(e *Env, a args) error {
		return e.pairs(a, func(from, to *Node) error {
			var list []string
			for addr := range from.K.PeerAddresses(to.ID).All() {
				list = append(list, string(addr))
			}
			e.printf("%s dials %s by (%s)", from.Name, to.Name, strings.Join(list, ","))
			return nil
		})
	},
}
