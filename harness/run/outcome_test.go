package run

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
)

// someFigures are of 2,000 lookups of 1 to 2,000 ms, each due 10 ms before it began, whose every tenth misses one of 20; of
// 30 finds, of which 10 end by their deadline with nothing; and of 3 puts that the run cut off.
func someFigures(t *testing.T) *figures {
	t.Helper()
	f := newFigures(nil, &sim.Config{})
	for i := range 2000 {
		r := sim.Row{Op: sim.Operation{At: int64(i) * 1e9, Kind: sim.Lookup, Key: uint64(i)}, Node: 7, Began: int64(i)*1e9 + 1e7, Took: int64(i+1) * 1e6,
			Requests: 20 + uint32(i%3), Failed: uint32(i % 2), Hops: 3, Bytes: 20_000, Found: 20, True: 20, Sought: 20, OK: true}
		if i%10 == 0 {
			r.True = 19
		}
		f.row(r)
	}
	first := f.sample(sim.Sample{At: 1e12, Up: 50, Dead: 0.25, Missing: 0.5, Records: 9, Expected: 10})
	require.Equal(t, []record.Since{{Kind: "lookup", Ended: 2000, OK: 2000, P50: 1010, P90: 1810, Recall: 0.995}}, first.Since)
	for i := range 30 {
		r := sim.Row{Op: sim.Operation{Kind: sim.Find, Key: uint64(i)}, Node: 8, Took: 2e9, First: 5e8, Requests: 10, Hops: 2, Found: 1, OK: true}
		if i%3 == 0 {
			r = sim.Row{Op: r.Op, Node: 8, Took: 60e9, Requests: 30, TimedOut: true}
		}
		f.row(r)
	}
	for range 3 {
		f.row(sim.Row{Op: sim.Operation{Kind: sim.Put}, Node: 9, Took: 1e9, Censored: true})
	}
	second := f.sample(sim.Sample{At: 2e12, Up: 40, Dead: 0.125, Missing: 0.0625, Records: 12, Expected: 10})
	require.Equal(t, []record.Since{{Kind: "find", Ended: 30, OK: 20, P50: 2000, P90: 60_000}}, second.Since)
	f.end(&sim.Result{Events: 12_345, Unfinished: 3, LoadOf: append([]uint32{99}, make([]uint32, 99)...)})
	f.result.LoadOf[50] = 400
	return f
}

func TestFigures(t *testing.T) {
	o := someFigures(t).line()
	_, err := json.Marshal(o)
	require.NoError(t, err, "no number without an end")
	require.Len(t, o.Figures, 3)
	lookup, find, put := o.Figures[0], o.Figures[1], o.Figures[2]

	require.Equal(t, "lookup", lookup.Kind)
	require.EqualValues(t, 2000, lookup.Count)
	require.EqualValues(t, record.Ratio{N: 39_800, Of: 40_000, Low: lookup.Recall.Low, High: lookup.Recall.High}, *lookup.Recall)
	require.InDelta(t, 0.995-0.0007, lookup.Recall.Low, 1e-4) // the error of the mean is 0.015/√2000
	require.Equal(t, 20, lookup.At)
	require.InEpsilon(t, 1010.5, lookup.Took.Mean, 1e-9, "from the moment it was due")
	require.Equal(t, []float64{11, 2010}, []float64{lookup.Took.Min, lookup.Took.Max})
	p99 := lookup.Took.Quantile(99)
	require.InEpsilon(t, 1990, p99.V, 1e-3)
	require.Less(t, p99.Low, p99.V)
	require.Greater(t, p99.High, p99.V)
	require.Len(t, lookup.Took.Curve, len(curvePoints))
	last := record.Point{P: -1}
	for _, p := range lookup.Took.Curve {
		require.Greater(t, p.P, last.P)
		require.GreaterOrEqual(t, p.V, last.V)
		last = p
	}
	require.Equal(t, record.Point{P: 100, V: 2010}, last)
	require.Equal(t, []record.Bin{{From: 20, To: 21, N: 667}, {From: 21, To: 22, N: 667}, {From: 22, To: 23, N: 666}}, lookup.Requests.Bins)
	n, at := uint64(0), lookup.Took.Bins[0].From
	for _, b := range lookup.Took.Bins {
		require.Equal(t, at, b.From, "no gap")
		n, at = n+b.N, b.To
	}
	require.EqualValues(t, 2000, n)
	require.LessOrEqual(t, len(lookup.Took.Bins), maxBins+1)
	require.Equal(t, uint64(200), lookup.Missed)
	require.Len(t, lookup.Misses, record.MaxMisses)
	require.Equal(t, record.Miss{At: 10 * time.Second, Node: 7, Key: 10, Found: 20, True: 19, Sought: 20, Why: "not all of the closest"}, lookup.Misses[1])

	require.Equal(t, "find", find.Kind)
	require.EqualValues(t, 10, find.TimedOut)
	require.Equal(t, []uint64{20, 30}, []uint64{find.Success.N, find.Success.Of})
	require.Nil(t, find.Recall)
	require.EqualValues(t, 30, find.First.N, "who found nothing would still be looking")
	require.EqualValues(t, 20, find.Hops.N)
	require.True(t, find.Took.Quantile(90).Few)
	require.Equal(t, 66.0, find.Took.Curve[len(find.Took.Curve)-1].P, "the curve ends where the timeouts begin")
	require.Equal(t, "deadline", find.Misses[0].Why)

	require.EqualValues(t, 3, put.Unfinished)
	require.Nil(t, put.Success)
	require.Nil(t, put.Requests)
	require.Zero(t, put.Missed)

	require.EqualValues(t, 99, o.Load.N, "0 is nobody")
	require.EqualValues(t, 400, o.Load.Max)
	require.EqualValues(t, 1, o.Busiest)

	require.Empty(t, newFigures(nil, &sim.Config{}).line())
}

// TestMeasure: what each figure of a need says, as a report prints it.
func TestMeasure(t *testing.T) {
	golden(t, "figures", "got", func(t *testing.T, source string) string {
		f := someFigures(t)
		var got strings.Builder
		for _, n := range simulationOf(t, source).Simulations()[0].Needs {
			m := f.measure(n)
			require.Equal(t, n.Pos.String(), m.Line)
			fmt.Fprintf(&got, "%-7s %s\n", m.Verdict, m.Text)
			for _, line := range []string{m.Got, m.Why} {
				if line != "" {
					fmt.Fprintf(&got, "        %s\n", line)
				}
			}
		}
		return got.String()
	})

	require.Equal(t, "the nodes have k=20, and recall is known at that alone", someFigures(t).measure(plan.Need{Figure: "recall", N: 10}).Why)
	empty := newFigures(nil, &sim.Config{})
	for _, name := range []string{"unfinished", "stale", "survival", "recall", "success", "weather"} {
		m := empty.measure(plan.Need{Figure: name})
		require.Equal(t, record.Skipped, m.Verdict, name)
		require.NotEmpty(t, m.Why)
	}
}

func TestShowShare(t *testing.T) {
	for v, want := range map[float64]string{1: "1.0000", 0: "0.0000", 0.5: "0.5000", 0.99994: "0.9999", 0.999999: "0.999999", 0.00000123: "0.000001", 1e-12: "0.000000000"} {
		require.Equal(t, want, showShare(v))
	}
}

// TestBlind: what nobody has counted is no 0, and the bytes of requests that were counted are never 0.
func TestBlind(t *testing.T) {
	f := newFigures(nil, &sim.Config{})
	f.row(sim.Row{Op: sim.Operation{Kind: sim.Lookup}, Took: 1e6, OK: true, Blind: true})
	f.row(sim.Row{Op: sim.Operation{Kind: sim.Bootstrap}, Took: 1e6, OK: true, Requests: 3})
	f.row(sim.Row{Op: sim.Operation{Kind: sim.Get}, Took: 1e6, OK: true})
	for _, k := range f.line().Figures {
		require.Equal(t, k.Kind != "lookup", k.Requests != nil, k.Kind)
		require.Equal(t, k.Kind != "lookup", k.Failed != nil, k.Kind)
		require.Equal(t, k.Kind == "get", k.Bytes != nil, k.Kind)
		require.NotNil(t, k.Took)
	}
}
