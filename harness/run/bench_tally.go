package run

import (
	"math"
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/stats"
)

// toldOfLoad are the percentiles of a load; needs may ask for others, which are computed from the samples.
var toldOfLoad = []float64{50, 90, 99, 99.9, 99.99}

// tallyOf is a turn's result as the log has it.
func tallyOf(r *bench.Result) record.Tally {
	t := record.Tally{
		Span: r.Span, Requests: r.Requests, Answered: r.Answered, Errors: r.Errors, Timeouts: r.Timeouts, Late: r.Late, Dropped: r.Dropped,
		Checked: r.Checked, Wrong: r.Wrong, PerSecond: perSecond(r.Ended, r.Span),
		Due: distribution(&r.Due), Service: distribution(&r.Service), Start: distribution(&r.Start), Bytes: r.Bytes.Interval().Value,
	}
	if math.IsNaN(t.Bytes) {
		t.Bytes = 0
	}
	if r.Foreign >= 0 {
		t.Foreign = new(r.Foreign)
	}
	if r.Ended > 0 {
		t.ClientCPU = microseconds(r.ClientCPU) / float64(r.Ended)
		if r.ServerCPU >= 0 {
			cpu := microseconds(r.ServerCPU) / float64(r.Ended)
			t.ServerCPU = &cpu
		}
	}
	for _, w := range r.Why[:min(len(r.Why), record.MaxWhy)] {
		t.Why = append(t.Why, record.Count{What: w.What, N: w.N})
	}
	for i, s := range r.Seconds {
		t.Seconds = append(t.Seconds, record.Second{At: i, Answered: s.Answered, Errors: s.Errors, P50: milliseconds(int64(s.P50)), P99: milliseconds(int64(s.P99))})
	}
	return t
}

func distribution(h *stats.Histogram) *record.Distribution {
	d := distributionOf(h, 1e-6)
	if d == nil {
		return nil
	}
	d.Quantiles = nil
	for _, p := range toldOfLoad {
		d.Quantiles = append(d.Quantiles, quantileOf(h, p, 1e-6))
	}
	d.Bins = nil
	return d
}

func perSecond(n uint64, span time.Duration) float64 {
	if span <= 0 {
		return 0
	}
	return float64(n) / span.Seconds()
}

func microseconds(d time.Duration) float64 { return float64(d) / 1e3 }

// merge adds a turn to the sum of those before.
func merge(to, r *bench.Result) {
	to.Span += r.Span
	to.Requests += r.Requests
	to.Answered += r.Answered
	to.Errors += r.Errors
	to.Timeouts += r.Timeouts
	to.Late += r.Late
	to.Dropped += r.Dropped
	to.Checked += r.Checked
	to.Wrong += r.Wrong
	to.Ended += r.Ended
	to.Due.Merge(&r.Due)
	to.Service.Merge(&r.Service)
	to.Start.Merge(&r.Start)
	to.Bytes.Merge(r.Bytes)
	to.ClientCPU += r.ClientCPU
	if r.ServerCPU < 0 || to.ServerCPU < 0 {
		to.ServerCPU = -1
	} else {
		to.ServerCPU += r.ServerCPU
	}
	for _, w := range r.Why {
		i := slices.IndexFunc(to.Why, func(o bench.Cause) bool { return o.What == w.What })
		if i < 0 {
			to.Why = append(to.Why, w)
		} else {
			to.Why[i].N += w.N
		}
	}
}

// measured is what all turns of a target that count come to.
func (s *server) measured() record.Measured {
	m := record.Measured{Number: s.bench.Number, Turns: len(s.turns), Tally: tallyOf(&s.sum)}
	m.Rates = spreadOf(s.each(func(t *record.Turn) float64 { return t.PerSecond }))
	m.PerSecond = m.Rates.Median
	m.Foreign = nil
	if known := s.each(foreignOf); len(known) > 0 {
		m.Foreign = new(spreadOf(known).Median)
	}
	if m.ServerCPU != nil {
		cpu := spreadOf(s.each(cpuOf))
		m.CPU, m.ServerCPU = &cpu, &cpu.Median
	}
	return m
}

func cpuOf(t *record.Turn) float64     { return valueOf(t.ServerCPU) }
func foreignOf(t *record.Turn) float64 { return valueOf(t.Foreign) }

// valueOf is not a number where nobody knows it.
func valueOf(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func (s *server) each(of func(*record.Turn) float64) []float64 {
	var out []float64
	for i := range s.turns {
		if v := of(&s.turns[i]); !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}

func spreadOf(turns []float64) record.Spread {
	if len(turns) == 0 {
		return record.Spread{}
	}
	m := stats.MiddleOf(turns)
	return record.Spread{Median: m.Value, Low: m.Low, High: m.High, Min: m.Min, Max: m.Max, N: m.N}
}

// against compares a target with the first, round by round: neighbours in time saw the same machine.
func against(first, s *server) *record.Against {
	quotients := func(of func(*record.Turn) float64) (out []float64) {
		for i := range min(len(first.turns), len(s.turns)) {
			if q := of(&s.turns[i]) / of(&first.turns[i]); !math.IsNaN(q) && !math.IsInf(q, 0) {
				out = append(out, q)
			}
		}
		return out
	}
	a := &record.Against{Target: first.bench.Target, Rate: spreadOf(quotients(func(t *record.Turn) float64 { return t.PerSecond }))}
	if q := quotients(cpuOf); len(q) > 0 {
		cpu := spreadOf(q)
		a.CPU = &cpu
	}
	return a
}

// Summaries are the last lines of --json, one for each target.
func (r *BenchReport) Summaries() (all []record.BenchSummary) {
	for _, m := range r.Measured {
		all = append(all, m.Summary(r.Benches[m.Number].Target))
	}
	return all
}
