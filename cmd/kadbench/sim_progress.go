package main

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/kadbench/kadbench/harness/run"
)

// simProgress tells on stderr how far a simulation is: on a terminal a bar, first of the nodes that are made, then of the
// simulated time; elsewhere a line every 10 seconds. Of a sweep, each run that ended has a line.
type simProgress struct {
	err   io.Writer
	w     io.Writer     // err, or above the bars; nil: nobody
	bars  *mpb.Progress // nil: plain lines
	bar   *mpb.Bar
	now   func() time.Time
	e     run.SimEvent // the last one
	began time.Time    // of the run
	ran   time.Time    // when its nodes had been made
	told  time.Time    // the last plain line
	state chan string  // what stands beside the bar; one
}

// tellEvery is how often a plain line comes: a CI job that prints nothing for minutes looks hung, and ten lines a minute
// would bury its log.
const tellEvery = 10 * time.Second

func (a *app) simProgress(quiet bool) *simProgress {
	p := &simProgress{err: a.stderr, now: time.Now, state: make(chan string, 1)}
	p.state <- ""
	if quiet {
		return p
	}
	p.w = a.stderr
	if _, yes := terminal(a.stderr); yes {
		p.bars = mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(100))
		p.w = p.bars // writes above the bars
	}
	return p
}

// event is called by one goroutine.
func (p *simProgress) event(e run.SimEvent) {
	if p.w == nil {
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
			fmt.Fprintf(p.w, "%d of %d: %s: %s events in %s\n", e.Run, e.Runs, p.name(), count(e.Events), rounded(now.Sub(p.began)))
		}
		return
	}
	if p.bar != nil {
		<-p.state
		p.state <- p.text(now)
		if making {
			p.bar.SetCurrent(int64(e.Made))
		} else {
			p.bar.SetTotal(int64(e.Until), false)
			p.bar.SetCurrent(int64(e.At))
		}
		return
	}
	if p.bars == nil && now.Sub(p.told) >= tellEvery {
		p.told = now
		fmt.Fprintf(p.w, "%s: %s\n", p.name(), p.text(now))
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

// start ends the bar that stands and begins one of a total; 0: none.
func (p *simProgress) start(total int64) {
	if p.bars == nil {
		return
	}
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar = nil
	}
	if total <= 0 {
		return
	}
	<-p.state
	p.state <- ""
	p.bar = p.bars.AddBar(total, mpb.BarWidth(24), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
		text := <-p.state
		p.state <- text
		return text
	})))
}

// close ends the bar, that of an interrupted run too.
func (p *simProgress) close() {
	if p.bars == nil {
		return
	}
	p.start(0)
	p.bars.Wait()
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
