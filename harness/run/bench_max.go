package run

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/stats"
)

// Bounds of the search for the highest rate.
const (
	// maxTries doubles a thousand requests a second up to the generator's own end seven times, and halves what is left
	// until it is narrow.
	maxTries = 24
	// narrow is how near to each other the rates that held and that did not must be: a twentieth. Below that, which of two
	// turns holds is chance.
	narrow = 1.05
	// keptUp is the share of what is offered that must be answered within the turn. The rest is under way at its end.
	keptUp = 0.95
	// maxRate is far above what one generator can offer.
	maxRate = 10_000_000
)

// ownMaximum is what must hold where a plan has no needs of its own to search by.
var ownMaximum = []plan.Need{
	{Figure: "due", Stat: "p99", Op: plan.OpLess, Unit: plan.UnitTime, Value: int64(100 * time.Millisecond), Text: "due.p99<100ms"},
	{Figure: "errors", Op: plan.OpLess, Unit: plan.UnitShare, Value: 1000, Text: "errors<0.1%"},
}

// highest seeks the highest rate of each target at which all needs hold.
func (c *BenchConfig) highest(ctx context.Context, p benchPoint, all []*server, report *BenchReport) error {
	needs := p.world.Needs
	if len(needs) == 0 {
		needs = ownMaximum
	}
	needs = needsOf(needs, false)
	began, first, bounded := time.Now(), 0.0, false // of two rates of which one is the generator's there is no ratio
	for i, s := range all {
		m, err := c.seek(ctx, p, s, needs, began)
		if err != nil {
			return err
		}
		switch {
		case i == 0:
			first, bounded = *m.Max, m.GeneratorEnded()
		case first > 0 && !bounded && !m.GeneratorEnded():
			q := *m.Max / first
			m.Against = &record.Against{Target: all[0].bench.Target, Rate: record.Spread{Median: q, Low: q, High: q, Min: q, Max: q, N: 1}}
		}
		if err := c.finish(m, report); err != nil {
			return err
		}
	}
	return nil
}

// seek doubles the rate until a need is missed, or halves it until all hold, and then halves the distance.
func (c *BenchConfig) seek(ctx context.Context, p benchPoint, s *server, needs []plan.Need, began time.Time) (record.Measured, error) {
	held, missed := 0.0, 0.0 // the highest rate that held, the lowest that did not; 0: none yet
	span := s.driver.Warmup + s.driver.Span
	least := max(tellable(needs)/s.driver.Span.Seconds(), 1)
	rate := max(rateAt(s.driver.Load, span), least)
	best := &server{target: s.target, bench: s.bench, driver: s.driver}
	var tries []record.Try
	var of []record.NeedGot // the needs at the highest rate that held, or else at the lowest
	for try := 1; try <= maxTries && rate >= least && rate <= maxRate; try++ {
		one := &server{target: s.target, bench: s.bench, table: s.table, driver: s.driver}
		one.driver.Closed = false
		one.driver.Load = atRate(s.driver.Load, rate, span)
		if err := c.turn(ctx, one, p, try, began); err != nil {
			return record.Measured{}, err
		}
		var got []record.NeedGot
		for _, n := range needs {
			got = append(got, one.need(n))
		}
		why, bad := missedOf(got)
		if !bad {
			why, bad = untold(needs, got)
		}
		if t := one.turns[0]; !bad && t.PerSecond < keptUp*t.Offered {
			// A bound on latency that is loose beside a short turn holds while the requests only pile up.
			why, bad = fmt.Sprintf("%.0f of %.0f requests a second were answered", t.PerSecond, t.Offered), true
		}
		tries = append(tries, record.Try{Rate: rate, Held: !bad, Why: why})
		if bad {
			missed = rate
		} else {
			held, best = rate, one
		}
		if !bad || held == 0 {
			of = got
		}
		switch {
		case missed == 0:
			rate *= 2
		case held == 0 && rate > least:
			rate = max(rate/2, least)
		case held == 0:
			rate = 0
		case missed/held <= narrow:
			rate = 0
		default:
			rate = (held + missed) / 2
		}
	}
	m := best.measured()
	m.Max, m.Tries, m.Needs = &held, tries, of
	if held == 0 {
		m.Error = fmt.Sprintf("at no rate from %.0f/s on did all needs hold", least)
	}
	return m, nil
}

// tellable is how many requests a turn must have for all percentiles of its needs to be told; four deviations more, as
// arrivals by chance may be fewer.
func tellable(needs []plan.Need) float64 {
	most := 0.0
	for _, n := range needs {
		if p, ok := points[n.Stat]; ok {
			most = max(most, stats.Beyond/min(p, 1-p))
		}
	}
	return most + 4*math.Sqrt(most)
}

// untold names the first need of a percentile that a turn had too few requests to tell: nobody knows whether it held.
func untold(needs []plan.Need, got []record.NeedGot) (string, bool) {
	for i, n := range needs {
		if _, ok := points[n.Stat]; ok && got[i].Verdict == record.Skipped {
			return got[i].Text + ": " + got[i].Why, true
		}
	}
	return "", false
}

// rateAt is the rate that a search begins with: the mean of what all lines ask for together.
func rateAt(l load.Config, span time.Duration) float64 {
	sum := 0.0
	for _, line := range l.Lines {
		sum += requestsOf(line)
	}
	if sum == 0 {
		return float64(defaultRate.Count)
	}
	return min(max(sum/span.Seconds(), 1), maxRate)
}

// requestsOf is how many requests a line asks for; 0 of a closed one.
func requestsOf(l load.Line) float64 {
	rate := func(r load.Rate) float64 { return float64(r.N) / cmp.Or(r.Per, time.Second).Seconds() }
	switch {
	case l.Rate.N == 0:
		if l.For == 0 {
			return 0
		}
		return float64(l.Count)
	case l.To.N == 0:
		return rate(l.Rate) * l.For.Seconds()
	}
	return (rate(l.Rate) + rate(l.To)) / 2 * l.For.Seconds()
}

// atRate is the load of the first line's kind of arrivals at one rate, of all lines' requests: as many of each line as it has
// of all. Those of closed lines, which have no rates, are one mix.
func atRate(l load.Config, rate float64, span time.Duration) load.Config {
	all := rateAt(l, span) * span.Seconds()
	mix := bench.Mix(l.Lines)
	next := 0
	for _, from := range l.Lines {
		weights := 0.0
		for _, p := range from.Mix {
			weights += float64(max(p.Weight, 1))
		}
		for _, p := range from.Mix {
			if n := requestsOf(from); n > 0 {
				mix[next].Weight = max(uint32(million*n/all*float64(max(p.Weight, 1))/weights), 1)
			}
			next++
		}
	}
	line := load.Line{Arrivals: l.Lines[0].Arrivals, Rate: load.Rate{N: uint64(rate * 1000), Per: 1000 * time.Second}, For: span, Mix: mix}
	return load.Config{Seed: l.Seed, Lines: []load.Line{line}}
}
