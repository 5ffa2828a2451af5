package stats

import (
	"math"
	"math/big"
	"math/bits"
)

// Z is the 97.5th percentile of the normal distribution: all intervals here hold the truth in 95 of 100 runs.
const Z = 1.959963984540054

// Interval is an estimate with its 95 % confidence interval.
type Interval struct {
	Value, Low, High float64
}

// Proportion is how many of so many. The zero value is none of none.
type Proportion struct {
	Count, Of uint64
}

// Add counts one.
func (p *Proportion) Add(yes bool) {
	p.Of++
	if yes {
		p.Count++
	}
}

// Merge adds what another has counted.
func (p *Proportion) Merge(q Proportion) {
	p.Count += q.Count
	p.Of += q.Of
}

// Interval is that of Wilson (1927), which stays within 0 and 1 and is of use at either end too: 0 of 100 is 0 to 3.7 %.
// Of nothing nothing is known: NaN, 0 to 1.
func (p Proportion) Interval() Interval {
	if p.Of == 0 {
		return Interval{math.NaN(), 0, 1}
	}
	return wilson(float64(p.Count)/float64(p.Of), float64(p.Of))
}

// wilson is the interval of a share that was seen among n independent samples; n need not be whole.
func wilson(share, n float64) Interval {
	middle := share + Z*Z/(2*n)
	half := Z * math.Sqrt(share*(1-share)/n+Z*Z/(4*n*n))
	i := Interval{share, (middle - half) / (1 + Z*Z/n), (middle + half) / (1 + Z*Z/n)}
	i.Low, i.High = max(0, min(i.Low, share)), min(1, max(i.High, share)) // rounding
	return i
}

// Mean is the mean of whole numbers. Its sums are integers of 128 bits, so the order of adding and merging changes
// nothing: of numbers up to MaxValue there may be 2^32. The zero value is of no numbers.
type Mean struct {
	n       uint64
	sum     wide
	squares wide
}

// MaxValue of a number in a Mean: three days in nanoseconds, 281 terabytes. Greater ones count as this one.
const MaxValue = 1<<48 - 1

// Add takes one number.
func (m *Mean) Add(x uint64) { m.AddTimes(x, 1) }

// AddTimes takes the same number several times, 2^32 at most.
func (m *Mean) AddTimes(x, times uint64) {
	x = min(x, MaxValue)
	m.n += times
	m.sum.addProduct(x, times)
	hi, lo := bits.Mul64(x, x)
	m.squares.addWide(wide{hi, lo}, times)
}

// Merge adds the numbers of another.
func (m *Mean) Merge(o Mean) {
	m.n += o.n
	m.sum.addWide(o.sum, 1)
	m.squares.addWide(o.squares, 1)
}

// N is how many numbers there are.
func (m Mean) N() uint64 { return m.n }

// Interval is the mean with the interval of Student's t. That of one number has no end on either side, and no number has
// no mean: NaN.
func (m Mean) Interval() Interval {
	if m.n == 0 {
		return Interval{math.NaN(), math.Inf(-1), math.Inf(1)}
	}
	n := new(big.Int).SetUint64(m.n)
	value, _ := new(big.Rat).SetFrac(m.sum.big(), n).Float64()
	if m.n == 1 {
		return Interval{value, math.Inf(-1), math.Inf(1)}
	}
	// The sum of squares about the mean, times n, is n·Σx² - (Σx)²: exact, where floats would cancel.
	about := new(big.Int).Mul(m.squares.big(), n)
	about.Sub(about, new(big.Int).Mul(m.sum.big(), m.sum.big()))
	variance, _ := new(big.Rat).SetFrac(about, n.Mul(n, new(big.Int).SetUint64(m.n-1))).Float64()
	half := Student(m.n-1) * math.Sqrt(variance/float64(m.n))
	return Interval{value, value - half, value + half}
}

// student is the 97.5th percentile of Student's t for 1 to 10 degrees of freedom.
var student = [...]float64{12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818, 2.4469118, 2.3646243, 2.3060041, 2.2621572, 2.2281389}

// Student is the 97.5th percentile of Student's t: from a table up to 10 degrees of freedom, then by the expansion of
// Abramowitz and Stegun, 26.7.5, which is right to 2e-4.
func Student(degrees uint64) float64 {
	if degrees <= uint64(len(student)) {
		return student[degrees-1]
	}
	const z3, z5, z7 = Z * Z * Z, Z * Z * Z * Z * Z, Z * Z * Z * Z * Z * Z * Z
	v := float64(degrees)
	return Z + (z3+Z)/(4*v) + (5*z5+16*z3+3*Z)/(96*v*v) + (3*z7+19*z5+17*z3-15*Z)/(384*v*v*v)
}

// Ratio is a sum of parts over a sum of wholes, one pair from each operation: recall is all that was found over all that
// there was. The pairs are independent of each other, what is in one pair is not, and the interval goes by that.
type Ratio struct {
	n                   uint64
	part, whole         uint64
	parts, cross, whose wide // Σ part², Σ part·whole, Σ whole²
}

// Add takes one operation, part of whole.
func (r *Ratio) Add(part, whole uint32) {
	p, w := uint64(part), uint64(whole)
	r.n++
	r.part += p
	r.whole += w
	r.parts.addProduct(p, p)
	r.cross.addProduct(p, w)
	r.whose.addProduct(w, w)
}

// Merge adds the operations of another.
func (r *Ratio) Merge(o Ratio) {
	r.n += o.n
	r.part += o.part
	r.whole += o.whole
	r.parts.addWide(o.parts, 1)
	r.cross.addWide(o.cross, 1)
	r.whose.addWide(o.whose, 1)
}

// N is how many operations there are, Sums their parts and wholes.
func (r Ratio) N() uint64                  { return r.n }
func (r Ratio) Sums() (part, whole uint64) { return r.part, r.whole }

// Interval is the ratio with Wilson's interval for as many samples as have the variance that the operations show. If all
// of them are the same (each found everything) they count as one sample each, so 1.0 of 1,000 operations is 0.9962 to 1.
func (r Ratio) Interval() Interval {
	if r.whole == 0 {
		return Interval{math.NaN(), 0, 1}
	}
	n, ratio := float64(r.n), float64(r.part)/float64(r.whole)
	samples := n
	if r.n > 1 {
		// Σ(part - ratio·whole)², times the square of the sum of wholes, in integers.
		p, w := new(big.Int).SetUint64(r.part), new(big.Int).SetUint64(r.whole)
		residual := new(big.Int).Mul(r.parts.big(), new(big.Int).Mul(w, w))
		residual.Sub(residual, new(big.Int).Mul(new(big.Int).Lsh(r.cross.big(), 1), new(big.Int).Mul(p, w)))
		residual.Add(residual, new(big.Int).Mul(r.whose.big(), new(big.Int).Mul(p, p)))
		if residual.Sign() > 0 {
			f, _ := new(big.Float).SetInt(residual).Float64()
			variance := f / (float64(r.whole) * float64(r.whole)) / (float64(r.whole) * float64(r.whole)) * n / (n - 1)
			samples = ratio * (1 - ratio) / variance
		}
	}
	return wilson(min(ratio, 1), samples)
}

// wide is an unsigned integer of 128 bits.
type wide struct{ hi, lo uint64 }

func (w *wide) addProduct(x, y uint64) {
	hi, lo := bits.Mul64(x, y)
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, lo, 0)
	w.hi += hi + carry
}

// addWide adds a number several times.
func (w *wide) addWide(x wide, times uint64) {
	w.addProduct(x.lo, times)
	w.hi += x.hi * times
}

func (w wide) big() *big.Int {
	b := new(big.Int).SetUint64(w.hi)
	return b.Or(b.Lsh(b, 64), new(big.Int).SetUint64(w.lo))
}
