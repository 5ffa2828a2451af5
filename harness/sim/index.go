package sim

import (
	"cmp"
	"slices"
	"sort"

	"github.com/kadbench/kadbench/kad"
)

// index is all nodes in the order of their keys, so that those which share a prefix stand together: the oracle finds the
// closest to a key in it, and ideal tables are drawn from it.
type index struct {
	dir   *kad.Directory
	nodes []indexed
}

type indexed struct {
	prefix uint64 // the first 64 bits of the key
	peer   kad.Peer
}

// newIndex sorts the nodes for which keep says so.
func newIndex(dir *kad.Directory, n int, keep func(kad.Peer) bool) *index {
	x := &index{dir: dir, nodes: make([]indexed, 0, n)}
	for p := kad.Peer(1); int(p) <= n; p++ {
		if keep(p) {
			x.nodes = append(x.nodes, indexed{dir.Key(p).Prefix64(), p})
		}
	}
	slices.SortFunc(x.nodes, func(a, b indexed) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Compare(a.peer, b.peer)
	})
	return x
}

// from is the place of the first node whose prefix is v or more.
func (x *index) from(lo, hi int, v uint64) int {
	return lo + sort.Search(hi-lo, func(i int) bool { return x.nodes[lo+i].prefix >= v })
}

// closest appends the n nodes that are nearest to the target among those for which is says so, nearest first. It walks the
// trie that the order of the keys is: of each two halves the one that shares the next bit with the target is nearer as a
// whole.
func (x *index) closest(dst []kad.Peer, target *kad.Key, n int, is func(kad.Peer) bool) []kad.Peer {
	return x.walk(dst, target, len(dst)+n, 0, len(x.nodes), 0, is)
}

// few is how many nodes are sorted rather than halved further.
const few = 32

func (x *index) walk(dst []kad.Peer, target *kad.Key, want, lo, hi, bit int, is func(kad.Peer) bool) []kad.Peer {
	if lo == hi || len(dst) >= want {
		return dst
	}
	t := target.Prefix64()
	if hi-lo <= few || bit >= 64 {
		// What is known here decides nearly always; only those that tie in it need their whole keys.
		leaf := slices.Clone(x.nodes[lo:hi])
		slices.SortFunc(leaf, func(a, b indexed) int {
			if a.prefix != b.prefix {
				return cmp.Compare(a.prefix^t, b.prefix^t)
			}
			return target.Compare(x.dir.Key(a.peer), x.dir.Key(b.peer))
		})
		for _, n := range leaf {
			if len(dst) == want {
				break
			}
			if is(n.peer) {
				dst = append(dst, n.peer)
			}
		}
		return dst
	}
	// All of lo..hi agree in the bits before; those with this bit set come second.
	first := x.nodes[lo].prefix
	mask := uint64(1) << (63 - bit)
	split := x.from(lo, hi, first&^(mask<<1-1)|mask)
	near, nearTo, far, farTo := lo, split, split, hi
	if t&mask != 0 {
		near, nearTo, far, farTo = split, hi, lo, split
	}
	dst = x.walk(dst, target, want, near, nearTo, bit+1, is)
	return x.walk(dst, target, want, far, farTo, bit+1, is)
}

// bucket is where in the index the nodes stand that share exactly b bits with a prefix; lo and hi are those that share at
// least b. deeper is where those stand that share more.
func (x *index) bucket(prefix uint64, b, lo, hi int) (from, to, deeperFrom, deeperTo int) {
	mask := uint64(1) << (63 - b)
	split := x.from(lo, hi, prefix&^(mask<<1-1)|mask)
	if prefix&mask != 0 {
		return lo, split, split, hi
	}
	return split, hi, lo, split
}

// ideal appends the peers of an ideal table of p, far buckets first: in each bucket k of those that belong there, drawn by
// the node's own chance, or all if they are no more. p is in none, as it shares all bits with itself.
func (x *index) ideal(dst []kad.Peer, seed uint64, p kad.Peer, k int) []kad.Peer {
	prefix := x.dir.Key(p).Prefix64()
	lo, hi := 0, len(x.nodes)
	for b := 0; b < 64 && lo < hi; b++ {
		var from, to int
		from, to, lo, hi = x.bucket(prefix, b, lo, hi)
		n := to - from
		if n <= k {
			for i := from; i < to; i++ {
				dst = append(dst, x.nodes[i].peer)
			}
			continue
		}
		// Floyd's way to draw k of n: each draw is from one more than the last, and who is drawn twice makes room for the
		// newest.
		base := len(dst)
		key := mix(seed, uint64(forTable), uint64(p), uint64(b))
		for j := n - k; j < n; j++ {
			i := int(below(stir(key^uint64(j)), uint64(j+1)))
			if q := x.nodes[from+i].peer; !slices.Contains(dst[base:], q) {
				dst = append(dst, q)
			} else {
				dst = append(dst, x.nodes[from+j].peer)
			}
		}
	}
	return dst
}
