package bench

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/kadbench/kadbench/harness/load"
)

// pacer hands requests to the workers when they are due. One that finds no free worker waits in a queue, in the order of
// the schedule.
type pacer struct {
	turn     *turn
	schedule load.Schedule
	queue    chan shot
	// idle is how many workers wait for a shot beyond those that have one coming; negative: so many shots wait for a worker.
	// A worker that waits may have been handed a shot and not know it yet, so the shots that were handed out are counted.
	idle   atomic.Int64
	thrift thrift
}

func newPacer(t *turn, schedule load.Schedule) *pacer {
	return &pacer{turn: t, schedule: schedule, queue: make(chan shot, maxQueue)}
}

// next waits for a shot.
func (p *pacer) next() (shot, bool) {
	p.idle.Add(1)
	s, ok := <-p.queue
	return s, ok
}

// run sleeps until each request is due, and hands out what has become due meanwhile.
func (p *pacer) run(ctx context.Context) {
	defer close(p.queue)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		s, ok := p.schedule.Next()
		if !ok || s.Due >= p.turn.Warmup+p.turn.Span {
			return
		}
		for now := p.turn.since(); s.Due > now; now = p.turn.since() {
			wait := s.Due - now
			if wait <= coarse {
				nap(p.thrift.nap(wait, now))
				continue
			}
			timer.Reset(wait - coarse)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		p.hand(s)
	}
}

// coarse is twice what Go's own timers are off where nothing else happens: the poller that waits for them counts in whole
// milliseconds. What is nearer is slept for in the system's own sleep.
const coarse = 2 * time.Millisecond

// thrift bounds how often the pacer wakes: for each of 70,000 requests a second that takes a fifth of a processor, which the
// streams then lack. It is a leaky bucket: wakes may come close together, as the requests of a slow Poisson schedule do, but
// not for long.
type thrift struct {
	full time.Duration // when the bucket will have run dry, as since counts
}

const (
	wakeEvery = 50 * time.Microsecond // in the long run; requests that fall due within it begin together, late by that at the most
	wakeBurst = time.Millisecond      // twenty wakes one after the other
)

// nap is for how long to sleep if the next request is due in wait.
func (t *thrift) nap(wait, now time.Duration) time.Duration {
	t.full = max(t.full, now) + wakeEvery
	if t.full > now+wakeBurst {
		return max(wait, wakeEvery)
	}
	return wait
}

// hand gives a shot to whoever is free, or puts it into the queue. If the pacer itself comes late, all that fell due
// meanwhile comes at once: that most of it then finds no free stream is no fault of the server's.
func (p *pacer) hand(s load.Shot) {
	out := shot{Shot: s, prompt: p.idle.Add(-1) >= 0 || p.turn.since()-s.Due > LateAfter}
	select {
	case p.queue <- out:
	default:
		p.idle.Add(1)
		p.turn.tallies[0].dropped(p.turn, s.Due)
	}
}
