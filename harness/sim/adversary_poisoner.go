package sim

import "github.com/kadbench/kadbench/kad"

// A poisoner answers each GET_VALUE with a record that looks like the newest and is not valid, beside the peers that an
// honest node would name, so that nobody avoids it for want of them. It keeps nothing, and says that it did. In all else it is
// as honest as others.

func (s *shard) poison(p kad.Peer, n *node, from kad.Peer, m *message) bool {
	if m.kind != kad.GetRecord {
		return s.pretend(p, n, m)
	}
	a := answerTo(m)
	target := kad.KeyOf(m.key)
	for _, near := range s.w.kads[p].Table().Nearest(nil, &target, s.w.servers.K, from) {
		a.name(near.Peer)
	}
	x := a.more()
	x.found, x.record = true, kad.Record{Key: m.key, Value: poisoned(m.key)}
	s.reply(p, n, &a)
	return true
}

// poisoned is a value of a number that no honest one will reach, with a check that is wrong by one bit.
func poisoned(key []byte) []byte {
	v := recordValue(key, 1<<62)
	v[15] ^= 1
	return v
}
