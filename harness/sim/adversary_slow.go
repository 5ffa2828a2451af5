package sim

import "github.com/kadbench/kadbench/kad"

// A slow node answers truly, and so late that the answer arrives just before its asker's host gives the request up: who waits
// for it waits PeerTimeout (10 s), and who does not has asked for nothing.

// slowMargin is how long before the end of the wait the answer arrives.
const slowMargin kad.Time = 1e6

// hold keeps a request until its answer will be just in time. One that has no answer, or that is late already, is served at
// once.
func (s *shard) hold(p kad.Peer, n *node, m *message) bool {
	w := s.w
	if m.kind == kad.AddProvider {
		return false
	}
	longest := s.delay(p, m.asker, n.seq+1) + kad.Time(w.links.slowBy(p)+w.cfg.Links.Jitter)
	at := m.asked + w.timeout - longest - slowMargin
	if at <= s.now {
		return false
	}
	held := *m
	held.deed = toHarm
	s.deed(at, p, &held)
	return true
}

// serveHeld answers a request that was held.
func (s *shard) serveHeld(p kad.Peer, n *node, m *message) {
	m.deed = noDeed
	s.serve(p, n, m.asker, m)
}
