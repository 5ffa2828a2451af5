package sim

import (
	"fmt"
	"runtime/debug"

	"github.com/kadbench/kadbench/kad"
)

// team is the goroutines of the shards. The first shard's is the world's own.
type team struct {
	w     *World
	begin []chan kad.Time // a window's end for each of the other shards
	done  chan struct{}
	last  uint64 // events of the last window
}

// lull is how many events of a window are too few to wake another goroutine for, which takes as long as some ten events.
const lull = 64

func newTeam(w *World) *team {
	t := &team{w: w, done: make(chan struct{}, len(w.shards)), last: lull}
	for _, s := range w.shards[1:] {
		c := make(chan kad.Time, 1)
		t.begin = append(t.begin, c)
		go func() {
			for end := range c {
				s.guarded(end)
				t.done <- struct{}{}
			}
		}()
	}
	return t
}

// work lets all shards run a window. After a quiet one the world's goroutine does it alone: who does it changes nothing.
func (t *team) work(end kad.Time) {
	before := t.events()
	if t.last < lull {
		for _, s := range t.w.shards {
			s.guarded(end)
		}
	} else {
		for _, c := range t.begin {
			c <- end
		}
		t.w.shards[0].guarded(end)
		for range t.begin {
			<-t.done
		}
	}
	t.last = t.events() - before
}

func (t *team) events() (n uint64) {
	for _, s := range t.w.shards {
		n += s.events
	}
	return n
}

// dismiss ends the goroutines.
func (t *team) dismiss() {
	for _, c := range t.begin {
		close(c)
	}
}

// guarded is run of which a panic is told by the world.
func (s *shard) guarded(end kad.Time) { s.guard(func() { s.run(end) }) }

// guard keeps a panic of a core for the world to tell: with the same configuration it comes again.
func (s *shard) guard(what func()) {
	defer func() {
		if r := recover(); r != nil {
			s.w.mu.Lock()
			defer s.w.mu.Unlock()
			if s.w.panicked == nil {
				s.w.panicked = fmt.Errorf("%w: at %d ns a step panicked: %v\n%s", ErrPanic, s.now-s.w.start, r, debug.Stack())
			}
		}
	}()
	what()
}
