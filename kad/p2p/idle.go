package p2p

import (
	"math"
	"sync/atomic"
	"time"
)

// Inbound streams that are silent are ended by one timer for all. Deadlines of their own would be two timers each, which a
// stream that carries one request would only make and stop: a microsecond of the twenty that it takes.

// idleSteps is how finely time is told: a stream is ended after IdleTimeout, or up to a thirtieth of it later.
const idleSteps = 30

// heldStep is the step of a stream that waits for us, whose request is held or has no place yet: it may be silent for as long
// as that takes.
const heldStep = math.MaxInt64

// idleness tells time in steps, while there are streams. Guarded by inbound.mu, but for step.
type idleness struct {
	step  atomic.Int64
	on    bool        // the timer is set: there are streams
	timer *time.Timer // the same one always, so that one which rang too late to be stopped tells no time of its own
}

// renew notes that a stream gave a sign of life.
func (st *inboundStream) renew() { st.seen.Store(st.n.inbound.idle.step.Load()) }

// watch begins to tell time with the first stream; inbound.mu is held.
func (in *inbound) watch() {
	if in.idle.on {
		return
	}
	in.idle.on = true
	if step := max(in.n.limits.IdleTimeout/idleSteps, minWait); in.idle.timer == nil {
		in.idle.timer = time.AfterFunc(step, in.sweep)
	} else {
		in.idle.timer.Reset(step)
	}
}

// unwatch ends it; inbound.mu is held.
func (in *inbound) unwatch() {
	if in.idle.on {
		in.idle.timer.Stop()
		in.idle.on = false
	}
}

// sweep ends the streams that have been silent for too long. Each end may wait for a peer that does not read.
func (in *inbound) sweep() {
	in.mu.Lock()
	defer in.mu.Unlock()
	step := in.idle.step.Add(1)
	in.idle.on = false
	if !in.on || len(in.conns) == 0 {
		return
	}
	in.watch()
	for _, c := range in.conns {
		for _, st := range c.streams {
			if step-st.seen.Load() > idleSteps {
				st.seen.Store(heldStep) // once is enough
				in.n.work.Go(func() { _ = st.s.Reset() })
			}
		}
	}
}
