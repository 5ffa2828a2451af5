package stats

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Alpha is how seldom two samples of the same may be told to differ by chance: one in twenty, as benchstat has it.
const Alpha = 0.05

// Middle is the median of some turns with its 95 % interval, least and most of them.
type Middle struct {
	Interval
	Min, Max float64
	N        int
	// Short: fewer than six turns, of which even the least and the most have less than 95 % between them (five: 94 %,
	// three: 75 %). Low and High are these two then.
	Short bool
}

// MiddleOf measures turns in any order, which it leaves alone. Of none all is NaN.
func MiddleOf(turns []float64) Middle {
	m := Middle{Interval: Interval{math.NaN(), math.NaN(), math.NaN()}, Min: math.NaN(), Max: math.NaN(), N: len(turns)}
	if m.N == 0 {
		return m
	}
	s := sample(turns)
	sum := benchmath.AssumeNothing.Summary(s, 0.95)
	m.Interval = Interval{sum.Center, sum.Lo, sum.Hi}
	m.Min, m.Max = s.Values[0], s.Values[m.N-1]
	if math.IsInf(m.Low, 0) || math.IsInf(m.High, 0) {
		m.Low, m.High, m.Short = m.Min, m.Max, true
	}
	return m
}

// Difference is two samples beside each other.
type Difference struct {
	A, B Middle
	// Change of the median, as a share of A's: 0.05 is five percent more. NaN where A's is 0 and B's is not.
	Change float64
	// P is the chance that samples of the same thing differ as much as these, by the test of Mann and Whitney; 1 where
	// there are too few to test, or all of them are equal.
	P float64
	// Few: so few turns that not even the most extreme order of them could be told from chance: of three and three it has a
	// chance of 10 %, of four and four, or three and six, of less than Alpha.
	Few bool
	// Significant: P is at most Alpha.
	Significant bool
}

// Compare tests whether two samples come from the same. Nothing is assumed of how they are spread.
func Compare(a, b []float64) Difference {
	d := Difference{A: MiddleOf(a), B: MiddleOf(b), P: 1, Few: extreme(len(a), len(b)) > Alpha}
	switch d.Change = d.B.Value/d.A.Value - 1; {
	case d.A.Value == d.B.Value:
		d.Change = 0
	case d.A.Value == 0:
		d.Change = math.NaN()
	}
	if len(a) == 0 || len(b) == 0 {
		return d
	}
	c := benchmath.AssumeNothing.Compare(sample(a), sample(b))
	d.P, d.Significant = c.P, c.P <= c.Alpha
	return d
}

// extreme is the chance that all of a lie below all of b, or above: of all orders of both together two are that.
func extreme(a, b int) float64 {
	chance := 2.0
	for i := 1; i <= a; i++ {
		chance *= float64(i) / float64(b+i)
	}
	return chance
}

func sample(turns []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(turns), &benchmath.Thresholds{CompareAlpha: Alpha})
}
