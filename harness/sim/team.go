package sim

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/kadbench/kadbench/kad"
)

// team is the goroutines of the shards. The first shard's is the world's own; each of the others waits for the next window,
// and the world waits for them. Who does the work, and when, changes no result.
type team struct {
	w       *World
	end     kad.Time // of the window; written before turn. 0: there is none any more
	turn    atomic.Uint64
	busy    atomic.Int32 // shards that have not ended the window
	workers []*gate
	world   gate
	last    uint64 // events of the last window
	serving sync.WaitGroup
}

// lull is how many events of a window are too few to share.
const lull = 64

func newTeam(w *World) *team {
	t := &team{w: w, last: lull}
	looks := maxLooks
	if len(w.shards) > runtime.GOMAXPROCS(0) { // who looks would take a processor from whom it waits for
		looks = 0
	}
	t.world.init(looks)
	for _, s := range w.shards[1:] {
		g := new(gate)
		g.init(looks)
		t.workers = append(t.workers, g)
		t.serving.Go(func() { t.serve(g, s) })
	}
	return t
}

// serve runs one shard's part of each window until the team is dismissed.
func (t *team) serve(g *gate, s *shard) {
	for turn := uint64(1); ; turn++ {
		g.await(func() bool { return t.turn.Load() == turn })
		if t.end == 0 {
			return
		}
		s.guarded(t.end)
		if t.busy.Add(-1) == 0 {
			t.world.open()
		}
	}
}

// begin lets the workers go on.
func (t *team) begin(end kad.Time) {
	t.end = end
	t.busy.Store(int32(len(t.workers)))
	t.turn.Add(1)
	for _, g := range t.workers {
		g.open()
	}
}

// work lets all shards run a window. After a quiet one the world's goroutine does it alone.
func (t *team) work(end kad.Time) {
	before := t.events()
	if t.last < lull || len(t.workers) == 0 {
		for _, s := range t.w.shards {
			s.guarded(end)
		}
	} else {
		t.begin(end)
		t.w.shards[0].guarded(end)
		t.world.await(func() bool { return t.busy.Load() == 0 })
	}
	t.last = t.events() - before
}

func (t *team) events() (n uint64) {
	for _, s := range t.w.shards {
		n += s.events
	}
	return n
}

// dismiss ends the goroutines, and waits: whoever has not noticed yet would keep the world in memory, beside the next one.
func (t *team) dismiss() {
	t.begin(0)
	t.serving.Wait()
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
