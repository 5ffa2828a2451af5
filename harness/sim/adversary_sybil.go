package sim

import (
	"bytes"

	"github.com/kadbench/kadbench/kad"
)

// A sybil's id lies near a key, nearer than honest nodes' do (adversary_ids.go). Asked for that key it names other sybils,
// and has no record and no provider; told to keep something under it, it says that it did. In all else it is as honest as
// others, so that it gets into their tables.

func (s *shard) answerAsSybil(l *foe, p kad.Peer, n *node, m *message) bool {
	if !bytes.Equal(m.key, l.Key) {
		return false
	}
	if !s.pretend(p, n, m) {
		s.nameOnly(l.group, p, n, m, anyone)
	}
	return true
}
