package fixed

import "math/bits"

// Mul is the product of two numbers, its last bit cut off; it must be below 2^31 either way.
func Mul(a, b Q) Q {
	hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(max(b, -b)))
	q := Q(hi<<32 | lo>>32)
	if (a < 0) != (b < 0) {
		return -q
	}
	return q
}

// Sqrt is the square root of a number of 0 or more, with a relative error below 2^-30; of 0 it is 2^-16.
func Sqrt(q Q) Q { return Q(Exp2(Log2(uint64(q))/2 + 16*One)) }

// Cos is the cosine of a whole turn times x/2^64, in units of 2^-62, to a few of them.
func Cos(x uint64) int64 {
	const halfPi = 0x6487ed5110b4611a // π/2 in units of 2^-62
	quarter, t := x>>62, x<<2
	if quarter&1 == 1 {
		t = ^t
	}
	angle, _ := bits.Mul64(t, halfPi)
	square := mul62(angle, angle)
	sum, term := int64(0), uint64(1<<62) // the series 1 - a²/2! + a⁴/4! - …
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

// Normal turns twice 64 random bits into a draw of the normal distribution with mean 0 and deviation 1, by the method of Box
// and Muller (1958), good to 1e-8. The greatest is 9.4 either way.
func Normal(x, y uint64) Q {
	r, c := Sqrt(2*Exponential(x)), Cos(y)
	hi, lo := bits.Mul64(uint64(r), uint64(max(c, -c)))
	z := Q(hi<<2 | lo>>62)
	if c < 0 {
		return -z
	}
	return z
}

// mul62 multiplies two numbers with 62 bits behind the point.
func mul62(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<2 | lo>>62
}
