package run

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/stats"
)

// measured is a figure that a need asks for.
type measured struct {
	value   float64 // in the unit of the need
	atLeast bool    // it is value or more: it falls among operations that were cut short
	rest    string  // of what it is: the interval, of 12000 operations
	why     string  // there is no such figure, for this reason
}

// points are the percentiles that a need can name.
var points = map[string]float64{"p1": 0.01, "p5": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}

// measure holds a figure against its bound. Where there are too few operations to tell the figure, the need is skipped: a
// plan that asks for p99 of 100 lookups asks for what a run of that size cannot say.
func (f *figures) measure(n plan.Need) record.NeedGot {
	got := record.NeedGot{Text: n.Text, Line: n.Pos.String(), Verdict: record.Skipped}
	m := f.figure(n)
	if m.why != "" {
		got.Why = m.why
		return got
	}
	return judge(got, n, m)
}

// judge holds a figure against its bound.
func judge(got record.NeedGot, n plan.Need, m measured) record.NeedGot {
	least := ""
	if m.atLeast {
		least = "at least "
	}
	got.Got = strings.TrimSpace(fmt.Sprintf("%s %s%s %s", nameOf(n), least, showValue(n.Unit, m.value), m.rest))
	met := holdsNeed(n.Op, m.value, float64(n.Value))
	if met && m.atLeast && n.Op != plan.OpGreater && n.Op != plan.OpAtLeast {
		met, got.Why = false, "it falls among operations that were cut short, so it may be any time above that"
	}
	got.Verdict = record.Fail
	if met {
		got.Verdict = record.Pass
	}
	return got
}

// nameOf is a figure as a plan writes it.
func nameOf(n plan.Need) string {
	name := n.Figure
	if n.Of != "" {
		name = n.Of + "." + name
	}
	if n.N > 0 {
		name += fmt.Sprintf("@%d", n.N)
	}
	if n.Stat != "" {
		name += "." + n.Stat
	}
	return name
}

func holdsNeed(op plan.Op, have, bound float64) bool {
	switch op {
	case plan.OpLess:
		return have < bound
	case plan.OpAtMost:
		return have <= bound
	case plan.OpGreater:
		return have > bound
	case plan.OpAtLeast:
		return have >= bound
	}
	return have == bound
}

// million is what a share of one, and one of a count, is in the units of a need.
const million = 1e6

func (f *figures) figure(n plan.Need) measured {
	t, what := f.of(n.Of), n.Of
	if what == "" {
		what = "operation"
	}
	switch n.Figure {
	case "took":
		return point(&t.took, n.Stat, plan.UnitTime, what)
	case "first":
		return point(&t.first, n.Stat, plan.UnitTime, what)
	case "hops":
		return point(&t.hops, n.Stat, plan.UnitCount, what)
	case "rpcs":
		return point(&t.requests, n.Stat, plan.UnitCount, what)
	case "dead":
		return point(&t.failed, n.Stat, plan.UnitCount, what)
	case "bytes":
		return point(&t.bytes, n.Stat, plan.UnitCount, what)
	case "recall":
		part, whole := t.recall.Sums()
		if n.N > 0 && n.N != f.k {
			return measured{why: fmt.Sprintf("the nodes have k=%d, and recall is known at that alone", f.k)}
		}
		return shareOf(part, whole, t.recall.Interval(), t.recall.N(), "lookup")
	case "success":
		return shareOf(t.success.Count, t.success.Of, t.success.Interval(), t.success.Of, what)
	case "timeouts":
		late := stats.Proportion{Count: t.timedOut, Of: t.success.Of}
		return shareOf(late.Count, late.Of, late.Interval(), late.Of, what)
	case "operations":
		return measured{value: float64(t.count) * million}
	}
	return f.whole(n.Figure)
}

// whole are the figures of a run as a whole.
func (f *figures) whole(figure string) measured {
	if figure == "survival" {
		return f.survival()
	}
	if f.result == nil {
		return measured{why: "the run did not come to its end"}
	}
	switch figure {
	case "unfinished":
		return measured{value: float64(f.result.Unfinished) * million}
	case "events":
		return measured{value: float64(f.result.Events) * million}
	}
	if len(f.samples) == 0 {
		return measured{why: "the run was too short for a sample"}
	}
	last := f.samples[len(f.samples)-1]
	at := fmt.Sprintf("after %v", time.Duration(last.At))
	switch figure {
	case "stale":
		return measured{value: last.Dead * million, rest: at}
	case "missing":
		return measured{value: last.Missing * million, rest: at}
	}
	return measured{why: "this suite has no such figure"}
}

// survival is that of the sample at which the least of the published records could be had.
func (f *figures) survival() measured {
	m := measured{value: math.Inf(1), why: "no record was published by any sample"}
	for _, s := range f.samples {
		if s.Expected == 0 {
			continue
		}
		if v := min(float64(s.Records)/float64(s.Expected), 1) * million; v < m.value {
			m = measured{value: v, rest: fmt.Sprintf("at worst, after %v: %d of %d", time.Duration(s.At), s.Records, s.Expected)}
		}
	}
	return m
}

// point is one point of a distribution.
func point(s spread, stat string, unit plan.Unit, what string) measured {
	scale := float64(million)
	if unit == plan.UnitTime {
		scale = 1
	}
	m := measured{rest: "of " + several(s.N(), what)}
	cut := s.Censored()
	if cut > 0 {
		m.rest += fmt.Sprintf(", %d of them cut short", cut)
	}
	if s.N() == 0 {
		m.why = fmt.Sprintf("no %s has this figure", what)
		return m
	}
	switch stat {
	case "min":
		m.value = float64(s.Min()) * scale
	case "max":
		m.value, m.atLeast = float64(s.Max())*scale, cut > 0
	case "mean":
		// Those that were cut short count as far as they went: a mean may say so, as their number stands beside it.
		m.value = s.Mean().Value * scale
	default:
		p := points[stat]
		q := s.Quantile(p)
		if q.Few {
			need := uint64(math.Ceil(stats.Beyond/min(p, 1-p) - 1e-9))
			m.why = fmt.Sprintf("%s of %s: %d are needed, so that %d lie beyond it", stat, several(s.N(), what), need, stats.Beyond)
			return m
		}
		high := showValue(unit, float64(q.High)*scale)
		if q.Open {
			high = "no end"
		}
		m.value, m.atLeast = float64(q.Value)*scale, q.AtLeast
		m.rest = fmt.Sprintf("(%s to %s) %s", showValue(unit, float64(q.Low)*scale), high, m.rest)
	}
	return m
}

// shareOf is a share among so many operations.
func shareOf(part, whole uint64, i stats.Interval, n uint64, what string) measured {
	if whole == 0 {
		return measured{why: fmt.Sprintf("no %s ended that has this figure", what)}
	}
	return measured{value: float64(part) / float64(whole) * million,
		rest: fmt.Sprintf("(%s to %s) of %s", showShare(i.Low), showShare(i.High), several(n, what))}
}

func several(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// showValue is a figure as a person reads it, to four digits, or as many as a share needs.
func showValue(u plan.Unit, v float64) string {
	switch u {
	case plan.UnitTime:
		d := time.Duration(v)
		digit := time.Duration(1)
		for d/digit >= 10_000 {
			digit *= 10
		}
		return d.Round(digit).String()
	case plan.UnitShare:
		return showShare(v / million)
	case plan.UnitRate:
		return fmt.Sprintf("%.0f/s", v/million)
	case plan.UnitSize:
		return fmt.Sprintf("%.0f bytes", v)
	}
	if v /= million; v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// showShare has four digits, and more where those would hide what is missing to 1 or 0.
func showShare(v float64) string {
	for digits := 4; digits < 9; digits++ {
		if s := fmt.Sprintf("%.*f", digits, v); v == 0 || v == 1 || !strings.HasPrefix(s, "1.") && strings.Trim(s, "0.") != "" {
			return s
		}
	}
	return fmt.Sprintf("%.9f", v)
}
