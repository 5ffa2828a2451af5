package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchmath"
)

func TestMiddle(t *testing.T) {
	require.True(t, math.IsNaN(MiddleOf(nil).Value))
	turns := []float64{5, 1, 4, 2, 3}
	m := MiddleOf(turns)
	require.Equal(t, Middle{Interval{3, 1, 5}, 1, 5, 5, true}, m, "five turns: 94 %")
	require.Equal(t, []float64{5, 1, 4, 2, 3}, turns, "left in their order")
	m = MiddleOf(append(turns, 6, 7, 8, 9, 10))
	require.Equal(t, Middle{Interval{5.5, 2, 9}, 1, 10, 10, false}, m, "ten: from the second to the ninth")
	require.Equal(t, Middle{Interval{7, 7, 7}, 7, 7, 1, true}, MiddleOf([]float64{7}))
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []float64
		want Difference
	}{
		{"apart", []float64{10, 11, 12, 13, 14}, []float64{20, 21, 22, 23, 24}, Difference{Change: 10. / 12, P: 0.007936507936507936, Significant: true}},
		{"mixed", []float64{10, 12, 14, 16, 18}, []float64{11, 13, 15, 17, 19}, Difference{Change: 1. / 14, P: 0.69, Significant: false}},
		{"three are too few", []float64{1, 2, 3}, []float64{7, 8, 9}, Difference{Change: 3, P: 0.1, Few: true}},
		{"three beside three, and many", []float64{1, 2, 3}, []float64{4, 5, 6, 7, 8, 9}, Difference{Change: 2.25, P: 0.0238, Significant: true}},
		{"two beside seven", []float64{1, 2}, []float64{4, 5, 6, 7, 8, 9, 10}, Difference{Change: 7/1.5 - 1, P: 0.0556, Few: true}},
		{"two beside eight", []float64{1, 2}, []float64{4, 5, 6, 7, 8, 9, 10, 11}, Difference{Change: 4, P: 0.0444, Significant: true}},
		{"all equal", []float64{5, 5, 5, 5}, []float64{5, 5, 5, 5}, Difference{P: 1}},
		{"from nothing", []float64{0, 0, 0, 0}, []float64{1, 2, 3, 4}, Difference{Change: math.NaN(), P: 0.03, Significant: true}},
		{"one each", []float64{2}, []float64{3}, Difference{Change: 0.5, P: 1, Few: true}},
		{"nothing to compare with", []float64{2}, nil, Difference{Change: math.NaN(), P: 1, Few: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Compare(c.a, c.b)
			if math.IsNaN(c.want.Change) {
				require.True(t, math.IsNaN(d.Change))
			} else {
				require.InDelta(t, c.want.Change, d.Change, 1e-12)
			}
			require.InDelta(t, c.want.P, d.P, 0.005)
			require.Equal(t, []bool{c.want.Few, c.want.Significant}, []bool{d.Few, d.Significant})
		})
	}
}

// benchstat's default is ours, so that both come to the same verdict.
func TestAlphaIsThatOfBenchstat(t *testing.T) {
	require.Equal(t, benchmath.DefaultThresholds.CompareAlpha, Alpha)
}

// What is too few can never be significant, and what is not can be.
func TestFew(t *testing.T) {
	for a := range 12 {
		for b := range 12 {
			var low, high []float64
			for i := range a {
				low = append(low, float64(i))
			}
			for i := range b {
				high = append(high, float64(100+i))
			}
			d := Compare(low, high)
			require.Equal(t, d.Few, !d.Significant, "%d and %d that lie apart: p %v", a, b, d.P)
		}
	}
}
