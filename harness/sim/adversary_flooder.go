package sim

import (
	"encoding/binary"

	"github.com/kadbench/kadbench/kad"
)

// A flooder sends Rate requests a second, each to the neighbour nearest to a random key and for that key: all of its table has
// its turn, and whoever is asked has work to do. Their answers do not matter to it. It answers what it is asked, as others do.
//
// In this simulation work takes no time, so a flood shows in the load of the nodes and in bytes, not in delays.

func (s *shard) flood(p kad.Peer, n *node) {
	key := make([]byte, 32)
	binary.BigEndian.PutUint64(key, mix(s.w.cfg.Seed, uint64(forHarm), uint64(p), uint64(n.deeds)))
	target := kad.KeyOf(key)
	for _, near := range s.w.kads[p].Table().Nearest(nil, &target, 1) {
		// The session is none of this node's: what comes back is dropped unread.
		s.send(p, n, near.Peer, &message{kind: kad.FindNodeReq, asker: p, asked: s.now, key: key})
	}
}
