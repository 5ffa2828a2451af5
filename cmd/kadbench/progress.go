package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// progress tells on stderr how far a run is: on a terminal a bar for each target, with the names of failing cases
// above them; elsewhere a line for each failing case and one for each quarter of a long run, since a CI job that prints
// nothing looks hung.
type progress struct {
	err   io.Writer
	w     io.Writer     // err, or above the bars
	bars  *mpb.Progress // nil: plain lines
	cases int           // chosen; a target that is asked in each profile runs them three times
	state map[string]*targetProgress
}

// longRun is from how many cases on quarters are told: fewer end within seconds.
const longRun = 40

type targetProgress struct {
	bar         *mpb.Bar
	done, total int
	failed      map[string]bool // cases, by id
	shown       int             // how many quarters were told
}

func (a *app) progress(targets []target.Factory, cases int) *progress {
	p := &progress{err: a.stderr, w: a.stderr, cases: cases, state: make(map[string]*targetProgress)}
	if _, yes := terminal(a.stderr); yes {
		p.bars = mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(64))
		p.w = p.bars // writes above the bars
	}
	for _, t := range targets {
		p.state[t.Name()] = &targetProgress{failed: make(map[string]bool)}
	}
	return p
}

// event is called by one goroutine at a time.
func (p *progress) event(e run.Event) {
	t := p.state[e.Target]
	if t == nil {
		return
	}
	switch e.Kind {
	case run.Planned:
		t.total = e.Total
		if p.bars == nil {
			passes := ""
			if n := e.Total / max(1, p.cases); n > 1 {
				passes = fmt.Sprintf(", in each of %d profiles", n)
			}
			fmt.Fprintf(p.w, "%s: %s%s\n", report.Clean(e.Target), report.Plural(p.cases, "case"), passes)
			return
		}
		t.bar = p.bars.AddBar(int64(t.total),
			mpb.PrependDecorators(decor.Name(report.Clean(e.Target), decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d", decor.WCSyncSpace)))
	case run.Finished:
		t.done++
		p.tell(e)
		if t.bar != nil {
			t.bar.Increment()
			return
		}
		if quarter := t.done * 4 / max(1, t.total); p.bars == nil && quarter > t.shown && t.total >= longRun {
			t.shown = quarter
			fmt.Fprintf(p.w, "%s: %d of %d, %d failed\n", report.Clean(e.Target), t.done, t.total, len(t.failed))
		}
	}
}

// tell names a case that failed in some profile.
func (p *progress) tell(e run.Event) {
	var in []string
	verdict := record.Pass
	for _, r := range e.Results {
		if r.Verdict == record.Fail || r.Verdict == record.XPass || r.Verdict == record.Errored {
			in, verdict = append(in, r.Profile), r.Verdict
		}
	}
	if len(in) == 0 {
		return
	}
	p.state[e.Target].failed[e.Case] = true
	fmt.Fprintf(p.w, "%s: %s %s (%s)\n", report.Clean(e.Target), verdict, e.Case, strings.Join(in, " "))
}

// close ends the bars, those of an interrupted run too.
func (p *progress) close() {
	if p.bars == nil {
		return
	}
	for _, t := range p.state {
		if t.bar != nil {
			t.bar.Abort(false)
		}
	}
	p.bars.Wait()
	fmt.Fprintln(p.err) // the report follows
}
