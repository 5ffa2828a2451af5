package sim

import "math/bits"

// Logarithm, power, cosine and square root in integers, for the lengths of sessions: package math may round differently from
// one processor to the next, and a length decides when something happens. About 150 ns a call, for a few calls a session.

// fixed is a number with 48 bits behind the point: from -32,768 to 32,767, in steps of 3.6e-15.
type fixed int64

const (
	point       = 48
	whole fixed = 1 << point
)

const (
	ln2    = 0x2c5c85fdf473de6a // ln 2 · 2^62
	halfPi = 0x6487ed5110b4611a // π/2 · 2^62
	log2e  = 0x171547652b82f    // 1/ln 2 · 2^48
)

// log2 is the logarithm of x, which is at least 1; never too large, and too small by less than 4e-15. Each squaring of the
// mantissa brings one bit to light.
func log2(x uint64) fixed {
	zeros := bits.LeadingZeros64(x)
	m := x << zeros // from 1 to 2, with 63 bits behind the point
	r := fixed(63-zeros) << point
	for bit := whole >> 1; bit > 0; bit >>= 1 {
		hi, lo := bits.Mul64(m, m)
		if hi>>63 == 1 {
			m, r = hi, r|bit
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return r
}

// most is what a product is cut down to: 146 years in nanoseconds.
const most = 1 << 62

// timesPower is m·2^e, at most 1<<62, with a relative error below 1e-14 and then rounded down.
func timesPower(m uint64, e fixed) uint64 {
	x := mul62(uint64(e&(whole-1))<<(62-point), ln2)
	sum, term := uint64(1<<62), uint64(1<<62) // the series of the exponential function
	for i := uint64(1); term > 0; i++ {
		term = mul62(term, x) / i
		sum += term
	}
	hi, lo := bits.Mul64(m, sum)
	shift := 62 - int(e>>point)
	switch {
	case m == 0 || shift >= 128:
		return 0
	case shift >= 64:
		return min(hi>>(shift-64), most)
	case shift < 0 || hi>>shift != 0:
		return most
	}
	return min(hi<<(64-shift)|lo>>shift, most)
}

// timesFixed is m·f, at most 1<<62, for f of 0 or more.
func timesFixed(m uint64, f fixed) uint64 {
	hi, lo := bits.Mul64(m, uint64(f))
	if hi>>point != 0 {
		return most
	}
	return min(hi<<(64-point)|lo>>point, most)
}

// cosine is that of 2π·x/2^64 times 2^62, to a few units of the last place.
func cosine(x uint64) int64 {
	quarter, t := x>>62, x<<2
	if quarter&1 == 1 {
		t = ^t
	}
	a, _ := bits.Mul64(t, halfPi)
	square := mul62(a, a)
	sum, term := int64(0), uint64(1<<62) // the series of the cosine, whose signs alternate
	for i := uint64(1); term > 0; i += 2 {
		if i&2 == 0 {
			sum += int64(term)
		} else {
			sum -= int64(term)
		}
		term = mul62(term, square) / (i * (i + 1))
	}
	if quarter == 1 || quarter == 2 {
		return -sum
	}
	return sum
}

// normal is a draw of the standard normal distribution from two words, by the method of Box and Muller (1958); good to 4e-9.
func normal(x, y uint64) fixed {
	// sqrt(-2 ln u): the square has 56 bits behind the point, the root 28.
	r := root(uint64(surprise(x).times(2*log2eInverse, 1<<point)) << 8)
	c := cosine(y)
	hi, lo := bits.Mul64(r, uint64(max(c, -c)))
	z := fixed(hi<<(64-42) | lo>>42) // 28+62-48
	if c < 0 {
		return -z
	}
	return z
}

// log2eInverse is ln 2 · 2^48.
const log2eInverse = ln2 >> (62 - point)

// surprise is -log2 of the chance (x+1)/2^64, more than 0 and at most 64: the exponential distribution whose median is 1.
func surprise(x uint64) fixed {
	if x == 1<<64-1 {
		return 1
	}
	return 64<<point - log2(x+1)
}

// times is f·a/b for a b above 0, and at most 16,384 either way.
func (f fixed) times(a, b uint64) fixed {
	hi, lo := bits.Mul64(uint64(max(f, -f)), a)
	q := uint64(most)
	if hi < b {
		q, _ = bits.Div64(hi, lo, b)
		q = min(q, most)
	}
	if f < 0 {
		return -fixed(q)
	}
	return fixed(q)
}

// root is the square root of x, rounded down.
func root(x uint64) uint64 {
	r := uint64(0)
	for bit := uint64(1) << 31; bit > 0; bit >>= 1 {
		if t := r | bit; t*t <= x {
			r = t
		}
	}
	return r
}

// mul62 multiplies two numbers with 62 bits behind the point.
func mul62(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<2 | lo>>62
}
