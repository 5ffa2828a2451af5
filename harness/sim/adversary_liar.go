package sim

import "github.com/kadbench/kadbench/kad"

// A liar answers each search with peers that do not exist: of those that it has made up, the K nearest to the key, nearer
// than those that the asker knows. Whoever believes it spends a dial and its timeout on each. It keeps nothing, and says that
// it did.
//
// The made-up peers have ids as any other, of which the keys lie where they happen to: who answers at once cannot grind ids
// for the key that it was asked for. All liars of a world share one stock of them, of which each uses its own half, so that
// several liars name more than one.

// ghostsEach is how many there are for each node of the world: with four the K nearest of a liar's half lie one bit nearer than
// the K nearest nodes.
const ghostsEach = 4

// maxGhosts bounds what they take in memory: 40 MB. In a world of more than 32,768 nodes there are fewer than four for each
// node, and in one of a million the nearest ghosts lie four bits farther than the nearest nodes: they mislead on the
// way, not at the end.
const maxGhosts = 1 << 17

func ghostsOf(nodes int) int { return min(max(nodes*ghostsEach, 256), maxGhosts) }

func (s *shard) lie(p kad.Peer, n *node, m *message) bool {
	if !s.pretend(p, n, m) {
		s.nameOnly(s.w.foes.lies, p, n, m, func(q kad.Peer) bool {
			return hits(mix(s.w.cfg.Seed, uint64(forHarm), uint64(p), uint64(q)), One/2)
		})
	}
	return true
}
