package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// crowd is a directory of n peers. Of some the keys lie close together, as those of sybils do: ids are tried until a key
// shares ten bits with the first.
func crowd(n, close int) *kad.Directory {
	dir := kad.NewDirectory()
	id := func(i uint64) []byte { return peerID(11, kad.Peer(i)) }
	next := uint64(1)
	first := kad.KeyOf(id(1))
	for i := range n {
		for ; i > 0 && i <= close; next++ {
			key := kad.KeyOf(id(next))
			if next > 1 && (key.Prefix64()^first.Prefix64())>>54 == 0 {
				break
			}
		}
		dir.Intern(id(next))
		next++
	}
	dir.Freeze()
	return dir
}

// The nearest that the index finds are those of a look at everybody, for keys by chance and for those of nodes, whoever is
// left out.
func TestClosest(t *testing.T) {
	const n = 500
	dir := crowd(n, 40)
	filters := map[string]func(kad.Peer) bool{
		"all":     anyone,
		"half":    func(p kad.Peer) bool { return p%2 == 0 },
		"few":     func(p kad.Peer) bool { return p%97 == 1 },
		"nobody":  func(kad.Peer) bool { return false },
		"crowded": func(p kad.Peer) bool { return p <= 41 },
	}
	x := newIndex(dir, n, anyone)
	for i := range uint64(200) {
		target := kad.KeyOf(recordKey(1, Put, i))
		if i%2 == 1 {
			target = *dir.Key(kad.Peer(1 + i)) // half of them are of the crowd
		}
		for name, is := range filters {
			for _, k := range []int{1, 20, n + 1} {
				var want []kad.Peer
				for p := kad.Peer(1); p <= n; p++ {
					if is(p) {
						want = append(want, p)
					}
				}
				slices.SortFunc(want, func(a, b kad.Peer) int { return target.Compare(dir.Key(a), dir.Key(b)) })
				want = want[:min(k, len(want))]
				got := x.closest([]kad.Peer{7}, &target, k, is)
				require.Equal(t, kad.Peer(7), got[0], "it appends")
				require.True(t, slices.Equal(want, got[1:]), "%s, %d of key %d: want %v, got %v", name, k, i, want, got[1:])
			}
		}
	}
}

// An ideal table has in each bucket K of those that belong there, or all; nobody twice, nobody who was left out, and
// never its owner.
func TestIdeal(t *testing.T) {
	const n, k = 2000, 20
	dir := crowd(n, 30)
	keep := func(p kad.Peer) bool { return p%5 != 0 }
	x := newIndex(dir, n, keep)
	shared := func(a, b kad.Peer) int { // leading bits
		return 63 - int(math.Floor(math.Log2(float64(dir.Key(a).Prefix64()^dir.Key(b).Prefix64()))))
	}
	for p := kad.Peer(1); p <= 200; p++ { // those who are left out have tables, too: clients
		belong := map[int]int{}
		for q := kad.Peer(1); q <= n; q++ {
			if keep(q) && q != p {
				belong[shared(p, q)]++
			}
		}
		got := map[int]int{}
		seen := map[kad.Peer]bool{}
		for _, q := range x.ideal(nil, 1, p, k) {
			require.NotEqual(t, p, q, "itself")
			require.True(t, keep(q), "one that was left out")
			require.False(t, seen[q], "twice")
			seen[q] = true
			got[shared(p, q)]++
		}
		for b, n := range belong {
			require.Equal(t, min(n, k), got[b], "bucket %d of node %d", b, p)
		}
	}
	assert.Equal(t, x.ideal(nil, 1, 3, k), x.ideal(nil, 1, 3, k))
	assert.NotEqual(t, x.ideal(nil, 1, 3, k), x.ideal(nil, 2, 3, k), "another seed")
}

// Each of those that belong into a bucket has the same chance to be in it: over 4,000 tables the counts are those of a fair
// draw, by chi squared, for many of few and for few of many.
func TestIdealIsFair(t *testing.T) {
	const draws = 4000
	for _, c := range []struct{ nodes, k int }{{300, 20}, {300, 1}, {30, 2}, {30, 10}} {
		dir := crowd(c.nodes, 0)
		x := newIndex(dir, c.nodes, anyone)
		r := rand.New(rand.NewPCG(1, 1))
		counts := map[kad.Peer]int{} // of the far half of node 1: bucket 0
		far := dir.Key(1).Prefix64() >> 63
		for p := kad.Peer(2); int(p) <= c.nodes; p++ {
			if dir.Key(p).Prefix64()>>63 != far {
				counts[p] = 0
			}
		}
		half := len(counts)
		require.Greater(t, half, c.k)
		for range draws {
			for _, q := range x.ideal(nil, r.Uint64(), 1, c.k)[:c.k] {
				_, ok := counts[q]
				require.True(t, ok, "the far bucket comes first")
				counts[q]++
			}
		}
		want := float64(draws*c.k) / float64(half)
		chi := 0.0
		for _, n := range counts {
			chi += (float64(n) - want) * (float64(n) - want) / want
		}
		// Draws without replacement vary by so much less than independent ones. 5 standard deviations.
		chi /= 1 - float64(c.k-1)/float64(half-1)
		freedom := float64(half - 1)
		assert.InDelta(t, freedom, chi, 5*math.Sqrt(2*freedom), "%d of %d peers, %.0f times each: %v", c.k, half, want, counts)
	}
}
