package sim

import "github.com/kadbench/kadbench/kad"

// How nodes come and go. What the churn does is told by the node's own sessions: who comes knows when it will leave, and who
// leaves knows when it will come back.

// do carries out what the world does to a node.
func (s *shard) do(p kad.Peer, n *node, m *message) {
	switch m.deed {
	case toJoin:
		if !n.up && !n.gone {
			s.join(p, n, m)
		}
	case toLeave:
		if n.up && (m.session == 0 || m.session == n.session) {
			s.leave(p, n, m.session != 0)
		}
	case toOperate:
		s.operate(p, n, m)
	case toHarm:
		if n.up {
			s.harm(p, n, m)
		}
	}
}

// introductions is how many seeds a newcomer is told of: with three, one that is slow or lost keeps nobody out.
const introductions = 3

// join lets a node come, for the first time or as a new one with its old id.
func (s *shard) join(p kad.Peer, n *node, m *message) {
	w := s.w
	n.up, n.wake, n.conns = true, 0, nil
	n.session++
	s.changes = append(s.changes, change{p, s.now})
	w.initKad(p)
	s.step(p, n, &kad.Input{Kind: kad.Tick}) // the first step, from which its jobs count
	seeds := seedCount(&w.cfg)
	if w.cfg.Growth.First > 0 {
		seeds = min(seeds, w.cfg.Growth.First)
	}
	draw := mix(w.cfg.Seed, uint64(forSeed), uint64(p), uint64(n.session))
	for i := range min(introductions, seeds) {
		if q := kad.Peer(1 + (below(draw, uint64(seeds))+uint64(i))%uint64(seeds)); q != p {
			s.step(p, n, &kad.Input{Kind: kad.OpAddAddress, Peer: kad.PeerInfo{Peer: q}})
		}
	}
	if w.cfg.Churn.Kind != NoChurn && int(p) > seedCount(&w.cfg) {
		stay := m.asked - s.now // the rest of a session that was under way when the world began
		if m.asked == 0 {
			stay = kad.Time(w.sessions.stay(p, n.session-1))
		}
		s.deed(s.now+max(stay, 1), p, &message{deed: toLeave, session: n.session})
	}
	s.arm(p, n)
	s.setWake(p, n)
}

// leave lets a node vanish without a word: its core, its connections and what its application waits for are gone.
func (s *shard) leave(p kad.Peer, n *node, returns bool) {
	n.up, n.wake, n.conns = false, 0, nil
	s.changes = append(s.changes, change{p, 0})
	s.w.kads[p] = kad.Kademlia{}
	s.abandonAll(p, n)
	if returns {
		s.deed(s.now+max(kad.Time(s.w.sessions.absence(p, n.session-1)), 1), p, &message{deed: toJoin})
	}
}
