package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/stats"
)

// everyLoad is what each open load needs unless its plan says otherwise: a load that was not sent as it was due measured
// something else, and one whose generator was late measured the generator.
var everyLoad = []plan.Need{
	{Figure: "dropped", Op: plan.OpEqual, Unit: plan.UnitCount, Text: "dropped=0"},
	{Figure: "late", Op: plan.OpLess, Unit: plan.UnitShare, Value: 10_000, Text: "late<1%"},
	{Figure: "wrong", Op: plan.OpEqual, Unit: plan.UnitCount, Text: "wrong=0"},
}

// needsOf are the plan's needs, and those of every load that it does not name itself.
func needsOf(own []plan.Need, closed bool) []plan.Need {
	needs := slices.Clone(own)
	for _, n := range everyLoad {
		named := slices.ContainsFunc(own, func(o plan.Need) bool { return o.Figure == n.Figure })
		if !named && (!closed || n.Figure == "wrong") {
			needs = append(needs, n)
		}
	}
	return needs
}

// need holds a figure of a target's turns against its bound.
func (s *server) need(n plan.Need) record.NeedGot {
	got := record.NeedGot{Text: n.Text, Verdict: record.Skipped}
	if n.Pos.Line > 0 {
		got.Line = n.Pos.String()
	}
	m := s.figure(n)
	if m.why != "" {
		got.Why = m.why
		return got
	}
	return judge(got, n, m)
}

func (s *server) figure(n plan.Need) measured {
	r := &s.sum
	share := func(part uint64) measured {
		p := stats.Proportion{Count: part, Of: r.Requests}
		return shareOf(part, r.Requests, p.Interval(), r.Requests, "request")
	}
	// turns is the median over turns; scale takes it to the unit of the need.
	turns := func(of func(*record.Turn) float64, scale float64) measured {
		values := s.each(of)
		if len(values) == 0 {
			return measured{why: "the target is no process of this machine that tells its processor time"}
		}
		m := spreadOf(values)
		return measured{value: m.Median * scale, rest: fmt.Sprintf("median of %s (%s to %s)", several(uint64(len(values)), "turn"),
			showValue(n.Unit, m.Min*scale), showValue(n.Unit, m.Max*scale))}
	}
	switch n.Figure {
	case "due":
		return point(&r.Due, n.Stat, plan.UnitTime, "request")
	case "service":
		return point(&r.Service, n.Stat, plan.UnitTime, "request")
	case "start":
		if s.driver.Closed {
			return measured{why: "in a closed load a request is due when it is sent"}
		}
		return point(&r.Start, n.Stat, plan.UnitTime, "request")
	case "errors":
		return share(r.Errors + r.Timeouts)
	case "timeouts":
		return share(r.Timeouts)
	case "late":
		return share(r.Late)
	case "dropped":
		return measured{value: float64(r.Dropped) * million, rest: "of " + several(r.Requests, "request")}
	case "wrong":
		if r.Checked == 0 {
			return measured{why: "no answer was compared with the true nearest"}
		}
		return measured{value: float64(r.Wrong) * million, rest: "of " + several(r.Checked, "answer")}
	case "rate":
		return turns(func(t *record.Turn) float64 { return t.PerSecond }, million)
	case "cpu":
		return turns(cpuOf, 1e3)
	}
	return measured{why: "this suite has no such figure of a load"}
}

// missedOf names the first need that was missed.
func missedOf(needs []record.NeedGot) (string, bool) {
	for _, n := range needs {
		if n.Verdict == record.Fail {
			return strings.TrimSpace(n.Text + ": " + n.Got), true
		}
	}
	return "", false
}
