package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func near(t *testing.T, want, got Interval, delta float64) {
	t.Helper()
	require.InDelta(t, want.Value, got.Value, delta)
	require.InDelta(t, want.Low, got.Low, delta)
	require.InDelta(t, want.High, got.High, delta)
}

func TestWilson(t *testing.T) {
	for _, c := range []struct {
		p    Proportion
		want Interval
	}{ // R: prop.test(x, n, correct=FALSE)
		{Proportion{0, 100}, Interval{0, 0, 0.0370}},
		{Proportion{8, 10}, Interval{0.8, 0.4902, 0.9433}},
		{Proportion{50, 100}, Interval{0.5, 0.4038, 0.5962}},
		{Proportion{1000, 1000}, Interval{1, 0.9962, 1}},
	} {
		near(t, c.want, c.p.Interval(), 1e-4)
	}
	none := Proportion{}.Interval()
	require.True(t, math.IsNaN(none.Value))
	require.Equal(t, []float64{0, 1}, []float64{none.Low, none.High})
}

func TestStudent(t *testing.T) {
	for v, want := range map[uint64]float64{1: 12.706, 2: 4.303, 10: 2.228, 11: 2.20099, 15: 2.13145, 30: 2.04227, 100: 1.98397, 1e6: Z} {
		require.InDelta(t, want, Student(v), 5e-4, "%d", v)
	}
	require.InDelta(t, 2.20099, Student(11), 2e-4)
}

func TestMean(t *testing.T) {
	var m Mean
	require.True(t, math.IsNaN(m.Interval().Value))
	m.Add(4)
	require.Equal(t, Interval{4, math.Inf(-1), math.Inf(1)}, m.Interval())
	for _, x := range []uint64{8, 6, 5, 7} {
		m.Add(x)
	}
	near(t, Interval{6, 6 - 2.7764*math.Sqrt(2.5/5), 6 + 2.7764*math.Sqrt(2.5/5)}, m.Interval(), 1e-4)

	// Far from 0, where floats would lose the variance: 2^47 and 2^47+2, many times.
	var far Mean
	far.AddTimes(1<<47, 1<<20)
	far.AddTimes(1<<47+2, 1<<20)
	i := far.Interval()
	require.Equal(t, float64(1<<47+1), i.Value)
	require.InDelta(t, Z/math.Sqrt(1<<21), i.High-i.Value, 0.02) // what a float64 of this size can show

	// The most there can be does not run over.
	var full Mean
	full.AddTimes(MaxValue+5, 1<<32)
	require.Equal(t, float64(MaxValue), full.Interval().Value)
	require.Equal(t, full.Interval().Value, full.Interval().High)
}

func TestRatio(t *testing.T) {
	var r Ratio
	require.True(t, math.IsNaN(r.Interval().Value))
	for range 1000 {
		r.Add(20, 20)
	}
	near(t, Interval{1, 0.9962, 1}, r.Interval(), 1e-4)

	// Parts independent within an operation: as a proportion. All or nothing: as one of as many operations.
	random := rand.New(rand.NewPCG(1, 0))
	var loose, tight Ratio
	var pieces, whole Proportion
	for range 2000 {
		n := uint32(0)
		for range 20 {
			yes := random.Float64() < 0.9
			pieces.Add(yes)
			if yes {
				n++
			}
		}
		loose.Add(n, 20)
		all := random.Float64() < 0.9
		whole.Add(all)
		if all {
			tight.Add(20, 20)
		} else {
			tight.Add(0, 20)
		}
	}
	near(t, pieces.Interval(), loose.Interval(), 4e-4)
	near(t, whole.Interval(), tight.Interval(), 1e-4)
	part, of := tight.Sums()
	require.Equal(t, whole.Count*20, part)
	require.Equal(t, uint64(40_000), of)
}

// TestMergeOrder: the same samples in another order, in other heaps, are the same figures to the last bit.
func TestMergeOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 0))
	values := make([]int64, 5000)
	for i := range values {
		values[i] = int64(random.ExpFloat64() * 1e8)
	}
	type all struct {
		h Histogram
		c Counts
		m Mean
		r Ratio
		p Proportion
	}
	figures := func(heaps int) (out []any) {
		random.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		parts := make([]all, heaps)
		for i, v := range values {
			a := &parts[i%heaps]
			if v%10 == 0 {
				a.h.Censor(v)
			} else {
				a.h.Add(v)
			}
			a.c.Add(uint64(v % 100))
			a.m.Add(uint64(v))
			a.r.Add(uint32(v%20), 20)
			a.p.Add(v%3 == 0)
		}
		random.Shuffle(heaps, func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var sum all
		for i := range parts {
			sum.h.Merge(&parts[i].h)
			sum.c.Merge(&parts[i].c)
			sum.m.Merge(parts[i].m)
			sum.r.Merge(parts[i].r)
			sum.p.Merge(parts[i].p)
		}
		return []any{sum.h.Quantile(0.5), sum.h.Quantile(0.99), sum.h.Mean(), sum.h.Min(), sum.h.Max(), sum.h.N(), sum.h.Censored(),
			sum.h.Bars(), sum.c.Bars(), sum.c.Quantile(0.9), sum.c.Mean(), sum.m.Interval(), sum.r.Interval(), sum.p.Interval()}
	}
	want := figures(1)
	for _, heaps := range []int{1, 2, 7, 5000} {
		require.Equal(t, want, figures(heaps))
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	require.True(t, h.Quantile(0.5).Few)
	require.Zero(t, h.N())
	random := rand.New(rand.NewPCG(3, 0))
	var values []int64
	for range 20_000 {
		v := int64(math.Exp(random.NormFloat64()*2+15)) + 1
		values = append(values, v)
		h.Add(v)
	}
	slices.Sort(values)
	require.Equal(t, values[0], h.Min())
	require.Equal(t, values[19_999], h.Max())
	for _, p := range []float64{0.001, 0.5, 0.9, 0.99, 0.999} {
		want := values[int(math.Ceil(p*20_000))-1]
		q := h.Quantile(p)
		require.False(t, q.Few)
		require.InEpsilon(t, want, q.Value, 1e-3, "p%v", p*100)
		require.Less(t, q.Low, q.Value)
		require.Greater(t, q.High, q.Value)
	}
	require.True(t, h.Quantile(0.9999).Few)

	var odd Histogram
	odd.Add(-5)
	odd.Add(Longest)
	odd.Add(Longest + 1)
	require.Equal(t, uint64(3), odd.N())
	require.Equal(t, uint64(1), odd.Censored())
	require.Zero(t, odd.Min())
	require.EqualValues(t, Longest, odd.Max())
}

// TestCensored: 1,000 operations of which 50 were given up at 60 and 30 cut off at 1 by the end of the run.
func TestCensored(t *testing.T) {
	var h Histogram
	for i := range 920 {
		h.Add(int64(i + 1))
	}
	for range 50 {
		h.Censor(960)
	}
	for range 30 {
		h.Censor(1)
	}
	median := h.Quantile(0.5)
	require.EqualValues(t, 500, median.Value, "those cut short are later than the rest, whenever they were cut")
	require.False(t, median.AtLeast)
	require.False(t, median.Open)

	p90 := h.Quantile(0.9)
	require.EqualValues(t, 900, p90.Value)
	require.False(t, p90.AtLeast)
	require.False(t, p90.Open)

	near := h.Quantile(0.91)
	require.False(t, near.AtLeast)
	require.True(t, near.Open, "the upper end may be one of those")

	p95 := h.Quantile(0.95)
	require.True(t, p95.AtLeast)
	require.EqualValues(t, 920, p95.Value, "all that is known: 30 of those above were cut at 1")
	require.True(t, p95.Open)
	require.EqualValues(t, 960, h.Quantile(0.98).Value)
}

func TestBeyond(t *testing.T) {
	for _, c := range []struct {
		n   int
		p   float64
		few bool
	}{{19, 0.5, true}, {20, 0.5, false}, {99, 0.9, true}, {100, 0.9, false}, {999, 0.99, true}, {1000, 0.99, false}, {9999, 0.999, true}, {10_000, 0.999, false}, {1000, 0.01, false}, {900, 0.01, true}} {
		var counts Counts
		for i := range c.n {
			counts.Add(uint64(i))
		}
		require.Equal(t, c.few, counts.Quantile(c.p).Few, "p%v of %d", c.p*100, c.n)
	}
}

func TestRank(t *testing.T) {
	require.EqualValues(t, 14, Rank(200, 0.07))
	require.EqualValues(t, 990, Rank(1000, 0.99))
	require.EqualValues(t, 991, Rank(1001, 0.99))
	require.EqualValues(t, 1, Rank(5, 0))
	require.EqualValues(t, 5, Rank(5, 1))
}

func TestRanks(t *testing.T) {
	for _, c := range []struct {
		n         uint64
		p         float64
		low, high uint64
	}{ // for the median of 10 the tables have 2 and 9, of 20 6 and 15, of 100 40 and 61
		{10, 0.5, 2, 9}, {20, 0.5, 6, 15}, {100, 0.5, 40, 61}, {5, 0.5, 1, 6}, {100, 0.99, 97, 101},
	} {
		low, high := ranks(c.n, c.p)
		require.Equal(t, []uint64{c.low, c.high}, []uint64{low, high}, "p%v of %d", c.p*100, c.n)
	}
	low, high := ranks(1_000_000, 0.99) // the deviation is 99.5
	require.InDelta(t, 990_000-195, float64(low), 2)
	require.InDelta(t, 990_000+195, float64(high), 2)
}

// TestCoverage draws from distributions that are known: about 95 of 100 intervals must hold the truth. 2,000 trials have
// a deviation of 0.5 %. That of a discrete distribution may hold it more often, never much less.
func TestCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 0))
	const trials = 2000
	held := map[string]int{}
	for range trials {
		hit := func(what string, yes bool) {
			if yes {
				held[what]++
			}
		}
		var mean Mean
		var median, tail Counts
		var share Proportion
		for range 30 {
			mean.Add(uint64(1_000_000 + random.NormFloat64()*1000))
			share.Add(random.Float64() < 0.2)
		}
		for range 200 {
			v := uint64(random.ExpFloat64() * 500)
			median.Add(v)
			tail.Add(v)
		}
		in := func(i Interval, truth float64) bool { return i.Low <= truth && truth <= i.High }
		hit("mean", in(mean.Interval(), 1_000_000))
		hit("share", in(share.Interval(), 0.2))
		q := median.Quantile(0.5)
		hit("median", float64(q.Low) <= 500*math.Ln2 && 500*math.Ln2 <= float64(q.High))
		q = tail.Quantile(0.9)
		hit("p90", float64(q.Low) <= 500*math.Log(10) && 500*math.Log(10) <= float64(q.High))
	}
	for what, n := range held {
		require.InDelta(t, 0.955, float64(n)/trials, 0.02, what)
	}
	require.Len(t, held, 4)
}

func TestCounts(t *testing.T) {
	var c Counts
	require.Zero(t, c.N())
	for _, x := range []uint64{3, 1, 3, 2, MaxCount + 9} {
		c.Add(x)
	}
	require.Equal(t, []Bar{{1, 1}, {2, 1}, {3, 2}, {MaxCount, 1}}, c.Bars())
	require.EqualValues(t, 1, c.Min())
	require.EqualValues(t, MaxCount, c.Max())
	require.EqualValues(t, 3, c.Quantile(0.5).Value)
	require.InDelta(t, (3+1+3+2+MaxCount)/5., c.Mean().Value, 1e-9)
}

func TestSpread(t *testing.T) {
	same := make([]uint32, 500)
	for i := range same {
		same[i] = 7
	}
	require.Equal(t, Spread{N: 500, Total: 3500, Max: 7, Mean: 7, P99: 7, Gini: 0, Busiest: 0.01}, SpreadOf(same))
	one := make([]uint32, 500)
	one[17] = 50
	require.Equal(t, Spread{N: 500, Total: 50, Max: 50, Mean: 0.1, P99: 0, Gini: 499. / 500, Busiest: 1}, SpreadOf(one))
	line := []uint32{4, 1, 3, 2} // Gini of 1..n is (n-1)/3n
	require.InDelta(t, 0.25, SpreadOf(line).Gini, 1e-12)
	require.Equal(t, Spread{}, SpreadOf(nil))
	require.Equal(t, Spread{N: 3}, SpreadOf(make([]uint32, 3)))
}
