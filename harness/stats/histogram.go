package stats

import (
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Longest is the end of what a Histogram tells apart: 4.9 hours in nanoseconds, 17 terabytes in bytes. What is greater
// counts as cut short there.
const Longest = 1<<44 - 1

// digits of each value are kept: a value is right to a thousandth. That takes 290 KB once there is one.
const digits = 3

// Histogram is how something is spread that has a wide range: times in nanoseconds, bytes. The zero value is empty and
// ready. It is counts all through, so neither the order of its samples nor that of merging changes anything.
type Histogram struct {
	seen, cut *hdrhistogram.Histogram
	mean      Mean // of all, as are the two below
	min, max  int64
}

// Add takes a sample; one below 0 counts as 0.
func (h *Histogram) Add(v int64) {
	if v > Longest {
		h.Censor(v)
		return
	}
	h.record(&h.seen, max(v, 0))
}

// Censor takes a sample that was cut short: how long something had taken when it was given up or nobody looked any longer.
func (h *Histogram) Censor(v int64) { h.record(&h.cut, min(max(v, 0), Longest)) }

func (h *Histogram) record(to **hdrhistogram.Histogram, v int64) {
	if *to == nil {
		*to = hdrhistogram.New(1, Longest, digits)
	}
	if err := (*to).RecordValue(v); err != nil {
		panic("stats: " + err.Error()) // the value is within the range
	}
	if h.mean.N() == 0 {
		h.min = v
	}
	h.mean.Add(uint64(v))
	h.min, h.max = min(h.min, v), max(h.max, v)
}

// Merge adds the samples of another.
func (h *Histogram) Merge(o *Histogram) {
	for _, m := range []struct{ to, from **hdrhistogram.Histogram }{{&h.seen, &o.seen}, {&h.cut, &o.cut}} {
		if *m.from == nil {
			continue
		}
		if *m.to == nil {
			*m.to = hdrhistogram.New(1, Longest, digits)
		}
		(*m.to).Merge(*m.from)
	}
	switch {
	case o.mean.N() == 0:
		return
	case h.mean.N() == 0:
		h.min = o.min
	}
	h.mean.Merge(o.mean)
	h.min, h.max = min(h.min, o.min), max(h.max, o.max)
}

// N is how many samples there are, those that were cut short included.
func (h *Histogram) N() uint64 { return h.mean.N() }

// Censored is how many samples were cut short. Each of them counts in Min, Max and Mean as far as it went, so with one or
// more the true maximum and mean are greater.
func (h *Histogram) Censored() uint64 {
	if h.cut == nil {
		return 0
	}
	return uint64(h.cut.TotalCount())
}

// Min is the least sample, exactly; 0 of none.
func (h *Histogram) Min() int64 { return h.min }

// Max is the greatest.
func (h *Histogram) Max() int64 { return h.max }

// Mean is the mean with its interval.
func (h *Histogram) Mean() Interval { return h.mean.Interval() }

// Quantile is a percentile of all samples, right to a thousandth; p is between 0 and 1.
func (h *Histogram) Quantile(p float64) Quantile { return quantile(p, bars(h.seen), bars(h.cut)) }

// Bars are the samples that were seen to their end, sorted.
func (h *Histogram) Bars() []Bar { return bars(h.seen) }

// bars gives each bar the middle of its range, so that none is off by more than half of it.
func bars(h *hdrhistogram.Histogram) (out []Bar) {
	if h == nil {
		return nil
	}
	for _, b := range h.Distribution() {
		if b.Count > 0 {
			out = append(out, Bar{b.From + (b.To-b.From)/2, uint64(b.Count)})
		}
	}
	return out
}
