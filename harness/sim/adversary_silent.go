package sim

import "github.com/kadbench/kadbench/kad"

// A silent node accepts connections and requests, and answers none of them. What wants no answer (ADD_PROVIDER) looks to its
// sender as if it had been kept.

func (s *shard) answerNothing(p kad.Peer, n *node, m *message) bool {
	if m.kind != kad.AddProvider || !s.pretend(p, n, m) {
		s.silence(p, n)
	}
	return true
}
