package stats

import (
	"math"
	"slices"
)

// MaxCount is the greatest value that Counts tells apart: a query of 65,535 requests is beyond anything sane.
const MaxCount = 1<<16 - 1

// Counts is the exact distribution of small whole numbers: hops, requests. The zero value is empty and ready.
type Counts struct {
	of []uint64 // by value
}

// Add takes a number; above MaxCount it counts as that.
func (c *Counts) Add(x uint64) {
	x = min(x, MaxCount)
	c.grow(int(x) + 1)
	c.of[x]++
}

func (c *Counts) grow(n int) {
	if n > len(c.of) {
		c.of = append(c.of, make([]uint64, n-len(c.of))...)
	}
}

// Merge adds the numbers of another.
func (c *Counts) Merge(o *Counts) {
	c.grow(len(o.of))
	for x, n := range o.of {
		c.of[x] += n
	}
}

// N is how many numbers there are.
func (c *Counts) N() (n uint64) { return total(c.Bars()) }

// Min is the least of them, 0 of none.
func (c *Counts) Min() int64 {
	if bars := c.Bars(); len(bars) > 0 {
		return bars[0].Value
	}
	return 0
}

// Censored is 0: no count is cut short.
func (c *Counts) Censored() uint64 { return 0 }

// Max is the greatest of them, 0 of none.
func (c *Counts) Max() int64 { return int64(max(len(c.of)-1, 0)) }

// Bars are the values that occurred, sorted.
func (c *Counts) Bars() (out []Bar) {
	for x, n := range c.of {
		if n > 0 {
			out = append(out, Bar{int64(x), n})
		}
	}
	return out
}

// Mean is the mean with its interval.
func (c *Counts) Mean() Interval {
	var m Mean
	for _, b := range c.Bars() {
		m.AddTimes(uint64(b.Value), b.Count)
	}
	return m.Interval()
}

// Quantile is a percentile; p is between 0 and 1.
func (c *Counts) Quantile(p float64) Quantile { return quantile(p, c.Bars(), nil) }

// Spread is how evenly something lies on many: requests on nodes.
type Spread struct {
	N     int
	Total uint64
	Max   uint64
	Mean  float64
	P99   uint64
	// Gini is 0 if all have the same and (n-1)/n if one has everything.
	Gini float64
	// Busiest is which part of Total the busiest 1 % have (one at least), between 0 and 1.
	Busiest float64
}

// SpreadOf measures a list, which it sorts.
func SpreadOf(values []uint32) Spread {
	s := Spread{N: len(values)}
	if s.N == 0 {
		return s
	}
	slices.Sort(values)
	busiest, weighted := uint64(0), 0.0
	for i, v := range values {
		s.Total += uint64(v)
		weighted += float64(2*(i+1)-s.N-1) * float64(v)
		if i >= s.N-max(s.N/100, 1) {
			busiest += uint64(v)
		}
	}
	s.Max = uint64(values[s.N-1])
	s.P99 = uint64(values[int(math.Ceil(0.99*float64(s.N)))-1])
	s.Mean = float64(s.Total) / float64(s.N)
	if s.Total > 0 {
		s.Gini = weighted / (float64(s.N) * float64(s.Total))
		s.Busiest = float64(busiest) / float64(s.Total)
	}
	return s
}
