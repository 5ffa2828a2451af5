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
	idle atomic.Int64
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
		for wait := s.Due - p.turn.since(); wait > 0; wait = s.Due - p.turn.since() {
			if wait <= coarse {
				nap(wait)
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
