package fixed

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func real(q Q) float64 { return float64(q) / float64(One) }

func TestLog2(t *testing.T) {
	for i := range 64 {
		require.Equal(t, Q(i)<<32, Log2(1<<i), "2^%d", i)
	}
	require.Equal(t, Q(0), Log2(0))
	require.InDelta(t, 64, real(Log2(math.MaxUint64)), 1e-9)
	r := rand.New(rand.NewPCG(1, 0))
	for range 100_000 {
		x := r.Uint64() >> r.IntN(64)
		require.InDelta(t, math.Log2(float64(max(x, 1))), real(Log2(x)), 1e-9, "%d", x)
	}
}

func TestLog2Grows(t *testing.T) {
	last := Q(-1)
	for x := uint64(1); x < 200_000; x++ {
		q := Log2(x)
		require.Greater(t, q, last, "%d", x)
		last = q
	}
}

func TestExp2(t *testing.T) {
	for i := range 64 {
		require.Equal(t, uint64(1)<<i, Exp2(Q(i)<<32), "2^%d", i)
	}
	require.Equal(t, uint64(0), Exp2(-1))
	require.Equal(t, uint64(math.MaxUint64), Exp2(64*One))
	require.Equal(t, uint64(1554944255987), Exp2(40*One+One/2))
	r := rand.New(rand.NewPCG(2, 0))
	for range 100_000 {
		q := r.Int64N(64 * One)
		want := math.Exp2(real(q))
		require.InDelta(t, want, float64(Exp2(q)), 1+want*1e-9, "%d", q)
	}
}

func TestExponential(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	const n = 200_000
	sum, over := 0.0, 0
	for range n {
		random := r.Uint64()
		got := real(Exponential(random))
		require.InDelta(t, -math.Log(float64(random)/(1<<64)), got, 1e-6, "%d", random)
		sum += got
		if got > 3 {
			over++
		}
	}
	require.InDelta(t, 1, sum/n, 0.01)                       // four times the error that is usual
	require.InDelta(t, math.Exp(-3), float64(over)/n, 0.002) // four times
	require.InDelta(t, 64*math.Ln2, real(Exponential(0)), 1e-6)
	require.GreaterOrEqual(t, Exponential(math.MaxUint64), Q(0))
}

// The bits themselves are what makes a run repeat: they must never change.
func TestBits(t *testing.T) {
	require.Equal(t, Q(0x1_95c01a39), Log2(3))
	require.Equal(t, []Q{190530846196, 2977044471, 1235585093}, []Q{Exponential(0), Exponential(1 << 63), Exponential(3 << 62)})
}

func BenchmarkExponential(b *testing.B) {
	x := uint64(0x9e3779b97f4a7c15)
	for b.Loop() {
		x += uint64(Exponential(x)) * 0x9e3779b97f4a7c15
	}
}
