package run

import (
	"math"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/stats"
)

// line is the figures as the log has them.
func (f *figures) line() record.Outcome {
	var o record.Outcome
	for i := range f.kinds {
		if f.kinds[i].count > 0 {
			o.Figures = append(o.Figures, f.kinds[i].line(kindNames[i], f.k))
		}
	}
	if f.result != nil && len(f.result.LoadOf) > 1 {
		var load stats.Histogram
		requests := append([]uint32(nil), f.result.LoadOf[1:]...) // 0 is nobody
		for _, n := range requests {
			load.Add(int64(n))
		}
		o.Load, o.Busiest = distributionOf(&load, 1), stats.SpreadOf(requests).Busiest
	}
	return o
}

func (t *kindTally) line(kind string, k int) record.Figures {
	out := record.Figures{Kind: kind, Count: t.count, TimedOut: t.timedOut, Unfinished: t.unfinished,
		Took: distributionOf(&t.took, 1e-6), First: distributionOf(&t.first, 1e-6), Hops: distributionOf(&t.hops, 1),
		Requests: distributionOf(&t.requests, 1), Failed: distributionOf(&t.failed, 1), Bytes: distributionOf(&t.bytes, 1),
		Misses: t.misses, Missed: t.missed}
	if t.success.Of > 0 {
		out.Success = ratioOf(t.success.Count, t.success.Of, t.success.Interval())
	}
	if part, whole := t.recall.Sums(); whole > 0 {
		out.Recall, out.At = ratioOf(part, whole, t.recall.Interval()), k
	}
	return out
}

func ratioOf(n, of uint64, i stats.Interval) *record.Ratio {
	return &record.Ratio{N: n, Of: of, Low: i.Low, High: i.High}
}

// spread is what a Histogram and Counts have in common.
type spread interface {
	N() uint64
	Censored() uint64
	Min() int64
	Max() int64
	Mean() stats.Interval
	Quantile(p float64) stats.Quantile
	Bars() []stats.Bar
}

// told are the percentiles that a report tells.
var told = []float64{50, 90, 99}

// distributionOf is a distribution in the unit of the log, scale times that of the samples; nil without a sample.
func distributionOf(s spread, scale float64) *record.Distribution {
	if s.N() == 0 {
		return nil
	}
	in := func(v int64) float64 { return float64(v) * scale }
	d := &record.Distribution{N: s.N(), Mean: s.Mean().Value * scale, Min: in(s.Min()), Max: in(s.Max())}
	for _, p := range told {
		d.Quantiles = append(d.Quantiles, quantileOf(s, p, scale))
	}
	d.Curve, d.Bins = curveOf(s, in), binsOf(s.Bars(), in)
	return d
}

// quantileOf is a percentile, from 0 to 100, in the unit of the log.
func quantileOf(s spread, p, scale float64) record.Quantile {
	q := s.Quantile(p / 100)
	r := record.Quantile{P: p, Few: q.Few, AtLeast: q.AtLeast}
	if !q.Few {
		r.V, r.Low, r.High = float64(q.Value)*scale, float64(q.Low)*scale, float64(q.High)*scale
	}
	return r
}

// curvePoints are the percentiles of a curve: whole ones, and more of them where latencies have their tail.
var curvePoints = func() (ps []float64) {
	for p := range 100 {
		ps = append(ps, float64(p))
	}
	return append(ps, 99.5, 99.9, 99.99, 100)
}()

// curveOf is the value at each percentile as it came out, without regard to how sure it is. It ends where samples begin
// that were cut short.
func curveOf(s spread, in func(int64) float64) (curve []record.Point) {
	bars, n := s.Bars(), s.N()
	ended, below, i := n-s.Censored(), uint64(0), 0
	for _, p := range curvePoints {
		rank := stats.Rank(n, p/100)
		if rank > ended {
			break
		}
		for below+bars[i].Count < rank {
			below += bars[i].Count
			i++
		}
		v := min(max(bars[i].Value, s.Min()), s.Max()) // a bar stands for its middle, the ends are exact
		switch rank {
		case 1:
			v = s.Min()
		case n:
			v = s.Max()
		}
		curve = append(curve, record.Point{P: p, V: in(v)})
	}
	return curve
}

// maxBins is what a plot can show side by side; record.MaxPoints would be too fine for the samples that there usually are.
const maxBins = 100

// binsOf puts bars into bins of one width, the least of 1, 2, 5, 10, … with which there are maxBins at most.
func binsOf(bars []stats.Bar, in func(int64) float64) (bins []record.Bin) {
	if len(bars) == 0 {
		return nil
	}
	first, last := bars[0].Value, bars[len(bars)-1].Value
	width := int64(1)
	for digit := 0; last/width-first/width >= maxBins; digit++ {
		width = [...]int64{2, 5, 10}[digit%3] * int64(math.Pow10(digit/3))
	}
	for from := first / width * width; from <= last; from += width {
		bin := record.Bin{From: in(from), To: in(from + width)}
		for len(bars) > 0 && bars[0].Value < from+width {
			bin.N += bars[0].Count
			bars = bars[1:]
		}
		bins = append(bins, bin)
	}
	return bins
}

// milliseconds of nanoseconds.
func milliseconds(ns int64) float64 { return float64(ns) / 1e6 }
