package stats

import (
	"math"
)

// Beyond is how many samples must lie on either side of a percentile for it to be told: p50 from 20 samples on, p90 from
// 100, p99 from 1,000, p99.9 from 10,000. How many lie beyond the true percentile varies from run to run by the root of
// that number: with ten, by a third. With fewer the figure would be that of one or two samples, not of what they are from.
const Beyond = 10

// Quantile is a percentile with its 95 % confidence interval, in the unit of the samples.
type Quantile struct {
	P     float64 // between 0 and 1
	Value int64
	Low   int64
	High  int64
	// AtLeast: the percentile falls among samples that were cut short, so it is Value or more.
	AtLeast bool
	// Open: the interval has no upper end, as that falls among samples that were cut short.
	Open bool
	// Few: fewer than Beyond samples lie on a side of it; none of the numbers should be shown.
	Few bool
}

// Bar is so many samples of the same value, or within a thousandth of it.
type Bar struct {
	Value int64
	Count uint64
}

// quantile finds a percentile in bars sorted by value: of the samples that were seen to their end, and of those that were
// cut short at a value. A sample that was cut short lies above all that were seen (it is late, and nobody knows how late);
// only where the rank falls among such samples do the values at which they were cut count, as the least they can be.
//
// The interval is that of order statistics, which asks nothing of the distribution: as many samples lie below the true
// percentile as a binomial distribution of n and p says, so it is between the samples of two ranks. It does ask that samples
// have nothing to do with each other. Those of one stall have, and then it is too narrow.
func quantile(p float64, seen, cut []Bar) Quantile {
	n, ended := total(seen)+total(cut), total(seen)
	q := Quantile{P: p, Few: true}
	if n == 0 || p <= 0 || p >= 1 {
		return q
	}
	rank := Rank(n, p)
	q.Few = min(rank, n-rank) < Beyond
	all := merge(seen, cut)
	low, high := ranks(n, p)
	q.Low = at(all, low)
	if rank <= ended {
		q.Value = at(seen, rank)
	} else {
		q.Value, q.AtLeast = at(all, rank), true
	}
	if high <= ended {
		q.High = at(seen, high)
	} else {
		q.High, q.Open = at(all, min(high, n)), true
	}
	return q
}

// Rank is which of n sorted samples, counted from 1, is the percentile p. A hair is taken off the product, so that 0.07 of
// 200, which floats make 14.000000000000002, is the 14th.
func Rank(n uint64, p float64) uint64 {
	return uint64(min(max(math.Ceil(float64(n)*p*(1-1e-12)), 1), float64(n)))
}

// ranks are the order statistics between which the percentile p of n samples lies in 95 of 100 runs: below the low one
// lie fewer than a 40th of the chances of a binomial distribution, and as few from the high one on. Low is 1 at the least;
// high is n+1 if no sample is an upper end.
func ranks(n uint64, p float64) (low, high uint64) {
	mean, deviation := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	// 7 deviations below the mean all together have a chance of 1e-12.
	k := uint64(max(0, math.Floor(mean-7*deviation-1)))
	lg := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	chance := math.Exp(lg(float64(n)) - lg(float64(k)) - lg(float64(n-k)) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	sum := 0.0
	low, high = 1, n+1
	for ; k <= n; k++ {
		sum += chance // of k or fewer
		if sum <= 0.025 {
			low = k + 1
		}
		if sum >= 0.975 {
			return low, k + 1
		}
		chance *= float64(n-k) / float64(k+1) * p / (1 - p)
	}
	return low, high
}

func total(bars []Bar) (n uint64) {
	for _, b := range bars {
		n += b.Count
	}
	return n
}

// at is the value of a rank, counted from 1, among sorted bars; that of the last beyond them.
func at(bars []Bar, rank uint64) int64 {
	for _, b := range bars {
		if rank <= b.Count {
			return b.Value
		}
		rank -= b.Count
	}
	if len(bars) == 0 {
		return 0
	}
	return bars[len(bars)-1].Value
}

// merge puts two sorted lists together.
func merge(a, b []Bar) []Bar {
	if len(b) == 0 {
		return a
	}
	all := make([]Bar, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].Value <= b[0].Value {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}
