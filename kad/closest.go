package kad

import "slices"

// Near is a peer and the first 64 bits of its distance from some target.
type Near struct {
	Dist      uint64
	Peer      Peer
	Connected bool
}

// Nearest appends to dst the n peers of the table that are nearest to the target, nearest first, without those to skip.
//
// Buckets need no sorting among each other. If the target belongs to bucket c, then the peers of bucket c share more than c
// bits with it; those of all deeper buckets share exactly c; and those of a shallower bucket b share exactly b. So the
// groups c, all deeper ones as one, c-1, c-2, ... 0 are each strictly farther than the one before, and only within a
// group must anything be compared. On a full table the first group nearly always suffices.
func (t *Table) Nearest(dst []Near, target *Key, n int, skip ...Peer) []Near {
	base, want := len(dst), len(dst)+n
	c := t.local.CommonPrefix(target)
	from, to := t.bucket(c)
	dst = t.take(dst, base, want, t.entries[from:to], target, skip)
	if len(dst) < want {
		dst = t.take(dst, len(dst), want, t.entries[to:], target, skip)
	}
	for b := min(c, len(t.offs)-1) - 1; b >= 0 && len(dst) < want; b-- {
		from, to = t.bucket(b)
		dst = t.take(dst, len(dst), want, t.entries[from:to], target, skip)
	}
	return dst
}

// take adds the nearest of one group to dst[base:], which it keeps sorted, up to a length of want. Inserting into a sorted
// run beats sorting the group: a run is short, and what is farther than its last member costs one comparison.
func (t *Table) take(dst []Near, base, want int, group []entry, target *Key, skip []Peer) []Near {
	tp := target.Prefix64()
	for i := range group {
		e := &group[i]
		d := Near{e.prefix ^ tp, e.peer, e.connected()}
		full := len(dst) == want
		if full && (want == base || !t.less(d, dst[want-1], target)) || slices.Contains(skip, e.peer) {
			continue
		}
		if !full {
			dst = append(dst, d)
		}
		j := len(dst) - 1
		for ; j > base && t.less(d, dst[j-1], target); j-- {
			dst[j] = dst[j-1]
		}
		dst[j] = d
	}
	return dst
}

// less orders by distance; a tie of the first 64 bits is decided by the whole keys.
func (t *Table) less(a, b Near, target *Key) bool {
	if a.Dist != b.Dist {
		return a.Dist < b.Dist
	}
	return t.dir.nearer(target, a.Peer, b.Peer)
}

// countBetween is how many peers of the table are nearer to the key than the local one, up to a limit.
func (t *Table) countBetween(key *Key, limit int) int {
	own := Near{Dist: t.local.Prefix64() ^ key.Prefix64()}
	n := 0
	for _, e := range t.entries {
		d := e.prefix ^ key.Prefix64()
		if d < own.Dist || d == own.Dist && key.Compare(t.dir.Key(e.peer), &t.local) < 0 {
			if n++; n == limit {
				break
			}
		}
	}
	return n
}
