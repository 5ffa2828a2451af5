// Package fixed is logarithms and powers in integers, exact on every machine. Go may fuse floating-point operations
// differently from processor to processor, and math.Log is in assembly on some; what decides when something happens in a
// simulation must not depend on that.
//
// A Q is a number with 32 bits behind the point.
package fixed

import (
	"math/big"
	"math/bits"
	"sync"
)

// Q is a number of 2^-32: 1<<32 is one.
type Q = int64

// One is 1.
const One Q = 1 << 32

// ln2 is the natural logarithm of 2 in units of 2^-64.
const ln2 = 0xB17217F7D1CF79AB

// Log2 is the logarithm of x to base 2, at most 2^-31 too small; of 0 it is that of 1.
//
// Squaring a number doubles its logarithm. So each squaring of the mantissa, kept within [1, 2), yields one more bit: one
// if the square reached 2. What a square loses by rounding doubles with each of the 32 that follow: 2^-63 becomes 2^-31.
func Log2(x uint64) Q {
	if x == 0 {
		return 0
	}
	whole := bits.Len64(x) - 1
	q := Q(whole)
	m := x << (63 - whole) // 63 bits behind the point
	for range 32 {
		hi, lo := bits.Mul64(m, m) // 126 bits behind the point, 62 of them in hi
		q <<= 1
		if hi>>63 == 1 {
			q |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return q
}

// Exp2 is 2^q, rounded down to a whole number: 0 if q is negative, the greatest there is from q = 64 on.
func Exp2(q Q) uint64 {
	switch {
	case q < 0:
		return 0
	case q >= 64*One:
		return 1<<64 - 1
	}
	m := uint64(1) << 63
	for i, root := range roots() {
		if q>>(31-i)&1 == 1 {
			m, _ = bits.Mul64(m, root) // 62 bits behind the point
			m <<= 1
		}
	}
	return m >> (63 - q>>32)
}

// roots are 2^(1/2), 2^(1/4), … with 63 bits behind the point, each the root of the one before.
var roots = sync.OnceValue(func() (r [32]uint64) {
	// 2 with 254 bits behind the point: its root has 127, and the 64 that are not kept hold what 32 roots lose.
	x := new(big.Int).Lsh(big.NewInt(1), 128)
	for i := range r {
		x.Sqrt(x.Lsh(x, 127))
		r[i] = new(big.Int).Rsh(x, 64).Uint64()
	}
	return r
})

// Exponential turns 64 random bits into a draw of an exponential distribution with mean 1: -ln(u) for u in (0, 1]. The
// greatest is 44.4.
func Exponential(random uint64) Q {
	q := uint64(64*One - Log2(random|1)) // in (0, 64]
	hi, _ := bits.Mul64(q, ln2)
	return Q(hi)
}
