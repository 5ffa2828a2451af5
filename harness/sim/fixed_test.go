package sim

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func (f fixed) float() float64 { return float64(f) / float64(whole) }

// TestFixedAgreesWithMath: the errors are those that the comments of fixed.go give.
func TestFixedAgreesWithMath(t *testing.T) {
	for i := range uint64(20000) {
		x := draw(1, i, 0) >> (i % 64)
		if x == 0 {
			continue
		}
		assert.InDelta(t, math.Log2(float64(x)), log2(x).float(), 2e-14, "log2(%d)", x) // float64(x) rounds too
		assert.Equal(t, uint64(math.Sqrt(float64(x>>12))), root(x>>12), "root(%d)", x>>12)
		y := draw(2, i, 0)
		assert.InDelta(t, math.Cos(2*math.Pi*float64(y)/(1<<64)), float64(cosine(y))/(1<<62), 2e-15, "cosine(%d)", y)
		e := fixed(y)>>10 + fixed(i%8)*whole // from -32 to 40
		m := x>>40 + 1
		want := float64(m) * math.Exp2(e.float())
		if want < most {
			assert.InDelta(t, want, float64(timesPower(m, e)), 1+want*1e-14, "%d·2^%v", m, e.float())
		} else {
			assert.Equal(t, uint64(most), timesPower(m, e))
		}
		assert.InDelta(t, -math.Log2((float64(y)+1)/(1<<64)), surprise(y).float(), 2e-14)
		u, v := (float64(x)+1)/(1<<64), float64(y)/(1<<64)
		assert.InDelta(t, math.Sqrt(-2*math.Log(u))*math.Cos(2*math.Pi*v), normal(x, y).float(), 6e-9)
	}
}

func TestFixedAtTheEdges(t *testing.T) {
	assert.Equal(t, fixed(0), log2(1))
	assert.Equal(t, 63*whole, log2(1<<63))
	assert.Equal(t, 64*whole, surprise(0))
	assert.Equal(t, fixed(1), surprise(math.MaxUint64))
	assert.Equal(t, uint64(0), root(0))
	assert.Equal(t, uint64(1<<32-1), root(math.MaxUint64))
	assert.Equal(t, int64(1<<62), cosine(0))
	assert.InDelta(t, 0, cosine(1<<62), 16)
	assert.InDelta(t, -1<<62, cosine(1<<63), 16)
	assert.Equal(t, uint64(5), timesPower(5, 0))
	assert.Equal(t, uint64(most), timesPower(1, math.MaxInt64))
	assert.Equal(t, uint64(0), timesPower(math.MaxUint64, math.MinInt64))
	assert.Equal(t, uint64(most), timesPower(1, 62*whole))
	assert.Equal(t, uint64(most), timesFixed(math.MaxUint64, math.MaxInt64))
	assert.Equal(t, uint64(7), timesFixed(7, whole))
	assert.Equal(t, fixed(most), whole.times(math.MaxUint64, 1))
	assert.Equal(t, -fixed(most), (-whole).times(math.MaxUint64, 1))
	assert.Equal(t, -whole/2, (-whole).times(1, 2))
}
