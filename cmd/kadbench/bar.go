package main

import (
	"io"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bar is the one bar of a verb that runs one thing after another, with a text beside it; where stderr is no terminal it is
// none, and what is written to it goes there as it is.
type bar struct {
	io.Writer               // above the bar; nil: nobody looks
	bars      *mpb.Progress // nil: no bar
	bar       *mpb.Bar
	state     chan string // what stands beside it; one
}

func (a *app) bar(quiet bool) *bar {
	b := &bar{state: make(chan string, 1)}
	b.state <- ""
	if quiet {
		return b
	}
	b.Writer = a.stderr
	if _, yes := terminal(a.stderr); yes {
		b.bars = mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(100))
		b.Writer = b.bars
	}
	return b
}

// start ends the bar that stands and begins one of a total; 0: none.
func (b *bar) start(total int64) {
	if b.bars == nil {
		return
	}
	if b.bar != nil {
		b.bar.Abort(true)
		b.bar = nil
	}
	if total <= 0 {
		return
	}
	<-b.state
	b.state <- ""
	b.bar = b.bars.AddBar(total, mpb.BarWidth(24), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
		text := <-b.state
		b.state <- text
		return text
	})))
}

// set moves the bar and changes its text; it says whether there is one.
func (b *bar) set(text string, current, total int64) bool {
	if b.bar == nil {
		return b.bars != nil
	}
	<-b.state
	b.state <- text
	b.bar.SetTotal(total, false)
	b.bar.SetCurrent(current)
	return true
}

// close ends the bar, that of an interrupted run too.
func (b *bar) close() {
	if b.bars == nil {
		return
	}
	b.start(0)
	b.bars.Wait()
}
