package load

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/kadbench/kadbench/internal/fixed"
)

// arrivals are the moments of one line. They come in two steps: first as points of a process with one shot in each unit,
// at the whole numbers (Even) or at exponential distances (Poisson), then each point goes to the moment by which the rate
// has brought so many shots. So a constant rate and a ramp are one thing, and so are even and random arrivals.
type arrivals struct {
	line    Line
	flat    Rate // of a line without a ramp; N is 0 if all shots are due at once
	ramp    *ramp
	random  *rand.PCG
	point   uint64 // the next one, with 32 bits behind the point
	made    uint64
	due     time.Duration
	pending bool // due is of a shot
}

func newArrivals(l Line, random *rand.PCG) *arrivals {
	a := &arrivals{line: l, flat: l.rate(), random: random}
	if l.To != (Rate{}) {
		a.ramp = newRamp(l.Rate, l.To, l.For)
	}
	if l.Arrivals == Poisson {
		a.point = uint64(fixed.Exponential(random.Uint64()))
	}
	a.seek()
	return a
}

// rate is that of a line without a ramp.
func (l Line) rate() Rate {
	if l.Rate == (Rate{}) && l.For > 0 {
		return Rate{l.Count, l.For}
	}
	return l.Rate
}

func (r Rate) per() time.Duration {
	if r.Per == 0 {
		return time.Second
	}
	return r.Per
}

// advance passes over the moment that is due.
func (a *arrivals) advance() {
	if a.line.Arrivals == Poisson {
		a.point += uint64(fixed.Exponential(a.random.Uint64()))
	} else {
		a.point += 1 << 32
	}
	a.made++
	a.seek()
}

// seek finds when the next point is due.
func (a *arrivals) seek() {
	a.pending = false
	if a.line.Count > 0 && a.made == a.line.Count {
		return
	}
	after, ok := a.at(a.point)
	if ok && (a.line.For == 0 || after < a.line.For) {
		a.due, a.pending = a.line.From+after, true
	}
}

// at is the moment of a point, counted from From; ok is false if it is later than any line can last.
func (a *arrivals) at(point uint64) (after time.Duration, ok bool) {
	if a.ramp != nil {
		return a.ramp.at(point)
	}
	if a.flat.N == 0 {
		return 0, true
	}
	// No more than 64 bits come out: the point before was within MaxTime, the step to this one is 45 units at most, and a
	// unit, which has one shot in MaxTime at least, is no longer than that: 460 years of the 584.
	hi, lo := bits.Mul64(point, uint64(a.flat.per()))
	q, _ := bits.Div64(hi, lo, a.flat.N<<32)
	return time.Duration(q), q <= uint64(MaxTime)
}

// ramp is a rate that goes in a straight line from one value to another. If a shots would come over its length at the
// first rate and b at the last, then a·s + (b-a)·s²/2 have come after the part s of it. That is point for
//
//	s = 2·point / (a + √(a² + 2·(b-a)·point))
//
// a form in which nothing cancels. Three multiplications and a root in big integers take about 1 us.
type ramp struct {
	length      *big.Int
	a           *big.Int // with 32 bits behind the point
	square      *big.Int // a²
	twice       *big.Int // 2·(b-a)
	root, point *big.Int // of the last call
}

func newRamp(from, to Rate, length time.Duration) *ramp {
	whole := func(r Rate) *big.Int {
		n := new(big.Int).SetUint64(r.N)
		n.Mul(n, big.NewInt(int64(length)))
		return n.Div(n.Lsh(n, 32), big.NewInt(int64(r.per())))
	}
	a, b := whole(from), whole(to)
	return &ramp{
		length: big.NewInt(int64(length)), a: a,
		square: new(big.Int).Mul(a, a),
		twice:  new(big.Int).Lsh(b.Sub(b, a), 1),
		root:   new(big.Int), point: new(big.Int),
	}
}

func (r *ramp) at(point uint64) (after time.Duration, ok bool) {
	p := r.point.SetUint64(point)
	root := r.root.Mul(r.twice, p)
	root.Add(root, r.square)
	if root.Sign() < 0 {
		return 0, false // falling, it never brings so many
	}
	root.Add(root.Sqrt(root), r.a)
	if root.Sign() == 0 {
		return 0, point == 0 // the first shot of a rate that rises from nothing
	}
	p.Mul(p.Lsh(p, 1), r.length)
	p.Div(p, root)
	return time.Duration(p.Int64()), p.IsInt64() && p.Int64() <= int64(MaxTime)
}
