package load

import (
	"math/bits"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/kadbench/kadbench/internal/fixed"
)

// Defaults of Keys.
const (
	defaultSkew  = 1_000_000
	defaultShare = 900_000
	million      = 1_000_000
)

// chooser draws the keys of one part.
type chooser struct {
	keys    Keys
	inTurn  bool // Uniform, of what does not seek
	turn    uint64
	zipf    zipf
	random  *rand.PCG
	ledger  *ledger // Published: where the numbers come from
	visible int     // how many entries of the ledger are old enough
}

// newChooser takes the part's place among all parts of the load, so that numbers without an end, of what has nothing to do
// with other parts, are none of theirs.
func newChooser(p Part, place int, random *rand.PCG, l *ledger) *chooser {
	k := p.Keys
	seeks := published[p.Kind] != ""
	if k.Skew == 0 {
		k.Skew = defaultSkew
	}
	if k.Share == 0 {
		k.Share = defaultShare
	}
	if k.HotOf == 0 {
		k.HotOf = 1
	}
	if k.Of == 0 && k.First == 0 && !seeks && !publishes(p.Kind) {
		k.First = uint64(place) << 32
	}
	c := &chooser{keys: k, inTurn: k.Order == Uniform && !seeks, zipf: zipf{skew: k.Skew}, random: random}
	if k.Published {
		c.ledger = l
	}
	return c
}

func publishes(k Kind) bool {
	for _, p := range published {
		if p == k {
			return true
		}
	}
	return false
}

// draw is the number for a shot at this moment; ok is false if nothing has been published.
func (c *chooser) draw(at time.Duration) (key uint64, ok bool) {
	if c.inTurn {
		n := c.turn
		c.turn++
		if c.keys.Of > 0 {
			n %= c.keys.Of
		}
		return c.keys.First + n, true
	}
	n := c.keys.Of
	if c.ledger != nil {
		c.visible = c.ledger.before(at-c.keys.Lag, c.visible)
		if n == 0 || n > uint64(c.visible) {
			n = uint64(c.visible)
		}
	}
	if n == 0 {
		return 0, false
	}
	i := c.index(n)
	if c.ledger != nil {
		return c.ledger.entries[i].key, true
	}
	return c.keys.First + i, true
}

// index is one of the numbers below n.
func (c *chooser) index(n uint64) uint64 {
	switch c.keys.Order {
	case Zipf:
		return c.zipf.draw(c.random, n)
	case Hot:
		hot := min(c.keys.HotOf, n)
		if hot == n || below(c.random, million) < uint64(c.keys.Share) {
			return below(c.random, hot)
		}
		return hot + below(c.random, n-hot)
	}
	return below(c.random, n)
}

// below is a number in [0, n), by the upper half of a product: it favours some numbers by n in 2^64, which nobody can see.
func below(random *rand.PCG, n uint64) uint64 {
	hi, _ := bits.Mul64(random.Uint64(), n)
	return hi
}

// zipf draws numbers with weights 1/(i+1)^skew, in units of 2^-40. The table of their sums grows as it is needed: a draw
// among fewer numbers uses the front of it. MaxZipf numbers take 8 MiB and, once, 0.3 s.
type zipf struct {
	skew uint32 // millionths
	sums []uint64
}

// MaxZipf is how many numbers a Zipf order has at most; those beyond would have been drawn once in 10 million times at a
// skew of 1.
const MaxZipf = 1 << 20

func (z *zipf) draw(random *rand.PCG, n uint64) uint64 {
	n = min(n, MaxZipf)
	for uint64(len(z.sums)) < n {
		rank := uint64(len(z.sums)) + 1
		weight := max(fixed.Exp2(40*fixed.One-fixed.Log2(rank)*int64(z.skew)/million), 1)
		if rank > 1 {
			weight += z.sums[rank-2]
		}
		z.sums = append(z.sums, weight)
	}
	sums := z.sums[:n]
	r := below(random, sums[n-1])
	return uint64(sort.Search(len(sums), func(i int) bool { return sums[i] > r }))
}

// ledger is which numbers have been published, each at its first time, in the order of the times.
type ledger struct {
	entries []entry
	seen    map[uint64]bool
}

type entry struct {
	due time.Duration
	key uint64
}

func (l *ledger) publish(key uint64, due time.Duration) {
	if l.seen[key] {
		return
	}
	l.seen[key] = true
	l.entries = append(l.entries, entry{due, key})
}

// before counts the entries up to a moment, of which the first from are known to be.
func (l *ledger) before(at time.Duration, from int) int {
	for from < len(l.entries) && l.entries[from].due <= at {
		from++
	}
	return from
}
