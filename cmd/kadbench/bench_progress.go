package main

import (
	"fmt"
	"time"

	"github.com/kadbench/kadbench/harness/run"
)

// benchProgress tells on stderr how far a load is: on a terminal a bar for each turn; elsewhere a line every 10 seconds.
// Where there are several turns, each that ended has a line, and each that is done again says why.
type benchProgress struct {
	*bar
	now   func() time.Time
	e     run.BenchEvent // the last one
	begun bool           // the turn of e
	told  time.Time      // the last plain line
}

func (a *app) benchProgress(quiet bool) *benchProgress {
	return &benchProgress{bar: a.bar(quiet), now: time.Now}
}

// event is called by one goroutine.
func (p *benchProgress) event(e run.BenchEvent) {
	if p.Writer == nil {
		return
	}
	p.e = e
	if !p.begun {
		p.begun, p.told = true, p.now()
		p.start(int64(e.Span))
	}
	if e.Ended {
		p.begun = false
		p.start(0)
		switch {
		case e.Again != "":
			fmt.Fprintf(p, "%s: it is done again: %s\n", p.name(), e.Again)
		case e.Rounds > 1:
			fmt.Fprintf(p, "%s: %s/s\n", p.name(), count(uint64(e.PerSecond)))
		}
		return
	}
	if now := p.now(); !p.set(p.name()+": "+p.text(), int64(e.Elapsed), int64(e.Span)) && now.Sub(p.told) >= tellEvery {
		p.told = now
		fmt.Fprintf(p, "%s: %s\n", p.name(), p.text())
	}
}

func (p *benchProgress) name() string {
	text := p.e.Plan
	for _, more := range []string{p.e.Point, p.e.Target} {
		if more != "" {
			text += " " + more
		}
	}
	if p.e.Rounds > 1 {
		text += fmt.Sprintf(", round %d of %d", p.e.Round, p.e.Rounds)
	}
	return text
}

func (p *benchProgress) text() string {
	text := fmt.Sprintf("%.1f of %.1f s", p.e.Elapsed.Seconds(), p.e.Span.Seconds())
	if p.e.PerSecond > 0 {
		text += fmt.Sprintf(", %s/s", count(uint64(p.e.PerSecond)))
	}
	return text
}
