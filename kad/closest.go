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

// take adds the nearest of one group to dst[base:], which it keeps sorted, up to a length of want. The usual case is done by
// takeFew; the rest, and whatever ties in its first bits, by whole comparisons.
// Both ways of choosing within a group give the same peers in the same order, for any keys; a test holds them against a full
// scan, with keys that tie in their first 64 bits.
func (t *Table) take(dst []Near, base, want int, group []entry, target *Key, skip []Peer) []Near {
	tp := target.Prefix64()
	if got, ok := takeFew(dst, want-base, group, tp, skip); ok {
		return got
	}
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

// few is how many peers takeFew can choose, and indexBits how many bits of a distance it gives up for the entry's place in
// the group: 51 bits are left, and two of 20 random keys that agree in so many after their common prefix are a tie once
// in 10^10 calls.
const (
	few       = 32
	indexBits = 13
	indexMask = 1<<indexBits - 1
)

// takeFew appends the n nearest of a group. It sorts distances that carry the entry's place in their last bits, by an
// insertion of minima and maxima in which nothing is to be guessed by the processor, of two entries at a time, neither of which
// waits for the other: 20 of 20 take 110 ns, one at a time 150, and 420 by an insertion that branches. It declines what is too
// large for it and what ties.
func takeFew(dst []Near, n int, group []entry, tp uint64, skip []Peer) ([]Near, bool) {
	if n > few || len(group) > indexMask {
		return dst, false
	}
	var best [few]uint64
	have, cut := 0, uint64(0) // the lowest distance that found no place
	var one Peer
	if len(skip) == 1 { // the asker of a request: the usual case
		one, skip = skip[0], nil
	}
	single, waits := uint64(0), false // the first of a pair
	for i := range group {
		e := &group[i]
		if e.peer == one || len(skip) > 0 && slices.Contains(skip, e.peer) {
			continue
		}
		d := (e.prefix^tp)&^indexMask | uint64(i)
		switch {
		case have+2 <= n && !waits:
			single, waits = d, true
		case have+2 <= n:
			for j := range have {
				b := best[j%few]
				b, single = min(b, single), max(b, single)
				best[j%few], d = min(b, d), max(b, d)
			}
			best[have%few], best[(have+1)%few] = min(single, d), max(single, d)
			have += 2
			waits = false
		case have == n && (n == 0 || d > best[(n-1)%few]):
			cut = lowest(cut, d)
		default:
			if d = push(&best, have, d); have < n {
				best[have%few] = d
				have++
			} else {
				cut = lowest(cut, d)
			}
		}
	}
	if waits {
		best[have%few] = push(&best, have, single)
		have++
	}
	for i := 1; i < have; i++ {
		if best[i%few]>>indexBits == best[(i-1)%few]>>indexBits {
			return dst, false
		}
	}
	if cut != 0 && have > 0 && cut>>indexBits == best[(have-1)%few]>>indexBits {
		return dst, false
	}
	for _, b := range best[:have] {
		e := &group[b&indexMask]
		dst = append(dst, Near{e.prefix ^ tp, e.peer, e.connected()})
	}
	return dst, true
}

// push puts a distance at its place among the first of those that are sorted, and returns the one that is left over.
func push(best *[few]uint64, have int, d uint64) uint64 {
	for j := range have {
		b := best[j%few]
		best[j%few], d = min(b, d), max(b, d)
	}
	return d
}

// lowest is the smaller of two, where 0 is none.
func lowest(a, b uint64) uint64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// less orders by distance; a tie of the first 64 bits is decided by the whole keys.
func (t *Table) less(a, b Near, target *Key) bool {
	if a.Dist != b.Dist {
		return a.Dist < b.Dist
	}
	return t.dir.nearer(target, a.Peer, b.Peer)
}

// countBetween is how many peers of the table are nearer to the key than the local one, up to a limit. It looks at all of
// them, 300 in a full table, which takes as long as one Nearest: nearer peers may stand in any bucket at which the key
// and the local key differ.
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
