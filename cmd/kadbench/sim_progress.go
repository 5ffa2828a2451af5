package main

import (
	"fmt"
	"time"

	"github.com/kadbench/kadbench/harness/run"
)

// simProgress tells on stderr how far a simulation is: on a terminal a bar, first of the nodes that are made, then of the
// simulated time; elsewhere a line every 10 seconds. Of a sweep, each run that ended has a line.
type simProgress struct {
	*bar
	now   func() time.Time
	e     run.SimEvent // the last one
	began time.Time    // of the run
	ran   time.Time    // when its nodes had been made
	told  time.Time    // the last plain line
}

// tellEvery is how often a plain line comes: a CI job that prints nothing for minutes looks hung, and ten lines a minute
// would bury its log.
const tellEvery = 10 * time.Second

func (a *app) simProgress(quiet bool) *simProgress {
	return &simProgress{bar: a.bar(quiet), now: time.Now}
}

// event is called by one goroutine.
func (p *simProgress) event(e run.SimEvent) {
	if p.Writer == nil {
		return
	}
	now := p.now()
	if e.Run != p.e.Run {
		p.began, p.told, p.ran = now, now, time.Time{}
		p.start(int64(e.Nodes))
	}
	making := p.ran.IsZero()
	if making && (e.Until > 0 || e.Made >= e.Nodes) {
		p.ran, making = now, false
		p.start(int64(e.Until))
	}
	p.e = e
	if e.Ended {
		p.start(0)
		if e.Runs > 1 {
			fmt.Fprintf(p, "%d of %d: %s: %s events in %s\n", e.Run, e.Runs, p.name(), count(e.Events), rounded(now.Sub(p.began)))
		}
		return
	}
	at, of := int64(e.At), int64(e.Until)
	if making {
		at, of = int64(e.Made), int64(e.Nodes)
	}
	if !p.set(p.text(now), at, of) && now.Sub(p.told) >= tellEvery {
		p.told = now
		fmt.Fprintf(p, "%s: %s\n", p.name(), p.text(now))
	}
}

func (p *simProgress) name() string {
	if p.e.Point == "" {
		return p.e.Plan
	}
	return p.e.Plan + " " + p.e.Point
}

// text is what there is to say of the last event.
func (p *simProgress) text(now time.Time) string {
	e := &p.e
	if p.ran.IsZero() {
		return fmt.Sprintf("%s of %s nodes made, %s", count(uint64(e.Made)), count(uint64(e.Nodes)), rounded(now.Sub(p.began)))
	}
	wall := now.Sub(p.ran)
	text := fmt.Sprintf("%s of %s simulated, %s events", rounded(time.Duration(e.At)), rounded(time.Duration(e.Until)), count(e.Events))
	if s := wall.Seconds(); s > 0 {
		text += fmt.Sprintf(" (%s/s)", count(uint64(float64(e.Events)/s)))
	}
	text += ", " + rounded(now.Sub(p.began))
	if e.At > 0 && e.At < e.Until {
		left := time.Duration(float64(wall) * (float64(e.Until)/float64(e.At) - 1))
		text += ", about " + rounded(left) + " left"
	}
	return text
}

// rounded is a time as a person wants it: to the second, or finer below a second.
func rounded(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(time.Second).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// count is a number in three digits or so: 950 k, 1.2 M.
func count(n uint64) string {
	switch {
	case n >= 10_000_000_000:
		return fmt.Sprintf("%d G", n/1_000_000_000)
	case n >= 10_000_000:
		return fmt.Sprintf("%d M", n/1_000_000)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%d k", n/1000)
	}
	return fmt.Sprint(n)
}
