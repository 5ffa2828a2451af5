package sim

import "github.com/kadbench/kadbench/kad"

// The nodes of an eclipse have ids that lie near one node's, their victim's, so that they belong into the deep buckets of its
// table, and each shows itself to the victim once a minute. Whatever they are asked, by whomever, they name only each other.
// They keep nothing, and say that they did.

// eclipseEvery is how often each asks the victim something: a node that leaves the table comes back into it.
const eclipseEvery = kad.Time(kad.Minute)

func (s *shard) eclipse(l *foe, p kad.Peer, n *node, m *message) bool {
	if !s.pretend(p, n, m) {
		s.nameOnly(l.group, p, n, m, anyone)
	}
	return true
}

// visit asks the victim for the peers near itself; the answer does not matter.
func (s *shard) visit(l *foe, p kad.Peer, n *node) {
	s.send(p, n, l.patient, &message{kind: kad.FindNodeReq, asker: p, asked: s.now, key: s.w.dir.ID(l.patient)})
}
