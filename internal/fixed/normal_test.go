package fixed

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNormalAgreesWithMath(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20000 {
		x, y := random.Uint64()>>(i%64), random.Uint64()
		assert.InDelta(t, math.Cos(2*math.Pi*float64(y)/(1<<64)), float64(Cos(y))/(1<<62), 2e-15, "Cos(%d)", y)
		a, b := Q(x>>27)*Q(i%3-1), Q(y>>33) // up to 32 and a half
		assert.InDelta(t, float64(a)*float64(b)/(1<<32), float64(Mul(a, b)), 1+1e-15*math.Abs(float64(a)*float64(b)/(1<<32)), "Mul(%d, %d)", a, b)
		if q := Q(x >> 20); q > 0 {
			want := math.Sqrt(float64(q) * (1 << 32))
			assert.InDelta(t, want, float64(Sqrt(q)), 1+want/(1<<30), "Sqrt(%d)", q)
		}
		if e := Exponential(x); e > 1<<10 {
			want := math.Sqrt(-2*math.Log(float64(x|1)/(1<<64))) * math.Cos(2*math.Pi*float64(y)/(1<<64))
			assert.InDelta(t, want, float64(Normal(x, y))/(1<<32), 1e-6, "Normal(%d, %d)", x, y)
		}
	}
	assert.Equal(t, int64(1<<62), Cos(0))
	assert.InDelta(t, 0, Cos(1<<62), 16)
	assert.InDelta(t, -1<<62, Cos(1<<63), 16)
	assert.Equal(t, -One/2, Mul(-One, One/2))
	assert.InDelta(t, 9.42, float64(Normal(0, 0))/(1<<32), .01)
}

// TestNormalIsNormal, by the distance of Kolmogorov and Smirnov, which is above 1.95/√n once in a thousand.
func TestNormalIsNormal(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var got []float64
	for range 50000 {
		got = append(got, float64(Normal(random.Uint64(), random.Uint64()))/(1<<32))
	}
	slices.Sort(got)
	for i, z := range got {
		assert.InDelta(t, math.Erfc(-z/math.Sqrt2)/2, float64(i)/50000, 1.95/math.Sqrt(50000))
	}
	assert.Equal(t, []Q{-5056937539, 39558262012}, []Q{Normal(1<<62, 5<<61), Normal(7, 9)}, "these decide digests")
}
