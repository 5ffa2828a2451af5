package ground

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kadbench/kadbench/harness/run"
)

// Progress is how far a run is.
type Progress struct {
	Ended, Count int // instances
	// State is the one that was entered last, by so many; "" where nobody has entered any, or the service is not ours.
	State   string
	Entered int
}

func (p Progress) String() string {
	s := fmt.Sprintf("%d of %d instances have ended", p.Ended, p.Count)
	if p.State != "" {
		s += fmt.Sprintf("; state %q was entered by %d", p.State, p.Entered)
	}
	return s
}

// timeout is how long a run may take.
func (c Config) timeout() time.Duration { return cmp.Or(c.Timeout, DefaultTimeout) }

// late is the failure of a run that took longer. How far it was says which of the barriers nobody came through.
func (c Config) late(p Progress) error {
	return fmt.Errorf("%w: the run had not ended after %v: %v", run.ErrFailed, c.timeout(), p)
}

// watch tells c.Progress each second how far the run is, until stop is called.
func (c Config) watch(now func() Progress) (stop func()) {
	if c.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.Progress(now())
			case <-done:
				return
			}
		}
	})
	return func() { close(done); telling.Wait() }
}

// progress adds what the hub knows to how many instances have ended. Those that a runner's instances enter by themselves to get
// their numbers are states too.
func (h *hub) progress(ended, count int) Progress {
	p := Progress{Ended: ended, Count: count}
	if h == nil {
		return p
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.states[h.last]; s != nil {
		_, p.State, _ = strings.Cut(h.last, ":states:")
		p.Entered = s.count
	}
	return p
}
