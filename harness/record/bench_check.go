package record

import (
	"errors"
	"strings"
)

// What a line of a load must hold so that a report can count on it. Everything else that is missing is shown as missing.

func (t *Turn) check() error {
	switch {
	case t == nil:
		return errors.New("turn: its figures were expected")
	case t.Round < 1:
		return errors.New("turn: a round from 1 on was expected")
	}
	return t.Tally.check("turn")
}

func (m *Measured) check() error {
	switch {
	case m == nil:
		return errors.New("measured: its figures were expected")
	case m.Turns < 0:
		return errors.New("measured: a number of turns was expected")
	}
	return m.Tally.check("measured")
}

func (t *Tally) check(what string) error {
	switch {
	case t.Answered > t.Requests:
		return errors.New(what + ": more answers than requests")
	case t.Wrong > t.Checked:
		return errors.New(what + ": more wrong answers than were checked")
	case t.PerSecond < 0 || t.Span < 0:
		return errors.New(what + ": a rate and a span from 0 on were expected")
	case len(t.Why) > MaxWhy:
		return errors.New(what + ": more reasons than are kept")
	}
	return nil
}

// Failed is how many requests came to no good end: errors, timeouts, and what was never sent.
func (t *Tally) Failed() uint64 { return t.Errors + t.Timeouts + t.Dropped }

// GeneratorEnded says that a search for the highest rate ended since the generator itself was late at the next rate, while all
// that the plan needs held: the target bears as much as was found, and nobody knows how much more.
func (m *Measured) GeneratorEnded() bool {
	var next *Try // the least that was missed
	for i := range m.Tries {
		if try := &m.Tries[i]; !try.Held && (next == nil || try.Rate < next.Rate) {
			next = try
		}
	}
	return m.Max != nil && next != nil && strings.HasPrefix(next.Why, "late")
}

// Summary is the line of `kadbench bench --json`.
func (m *Measured) Summary(target string) BenchSummary {
	return BenchSummary{Type: TypeSummary, Target: target, PerSecond: m.PerSecond, Due: percentiles(m.Due), Service: percentiles(m.Service),
		Errors: m.Errors + m.Timeouts, Late: m.Late, Dropped: m.Dropped, ServerCPU: m.ServerCPU}
}

func percentiles(d *Distribution) (p BenchPercentiles) {
	of := func(percent float64) *float64 {
		if q := d.Quantile(percent); q != nil && !q.Few {
			return &q.V
		}
		return nil
	}
	return BenchPercentiles{P50: of(50), P99: of(99)}
}
