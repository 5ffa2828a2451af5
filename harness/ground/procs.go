package ground

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/kadbench/kadbench/harness/run"
)

// perProcess is what an instance takes in memory: 43 MB of a go-libp2p node with connections to 100 others.
const perProcess = 43 << 20

// Procs runs each instance as a process of its own, as Testground's local runner does, with a sync service on loopback. All
// that it knows of an instance it reads from its stdout; the Run is read back from the outputs. The first instance that fails
// ends the run, and is the error. No process is left when it returns.
func Procs(ctx context.Context, c Config) (*Run, error) {
	seats, err := c.seats()
	if err == nil {
		err = suit(seats)
	}
	if err != nil {
		return nil, err
	}
	addr := c.SyncService
	var h *hub
	if addr == "" {
		h = newHub()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSync, err)
		}
		addr = l.Addr().String()
		serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // instances hear of an interrupt by it
		served := make(chan struct{})
		go func() {
			defer close(served)
			h.serve(serving, l)
		}()
		defer func() { stop(); <-served }()
	}
	watch, err := dialSync(ctx, addr, scopeOf(seats[0].params))
	if ctx.Err() != nil {
		err = ErrInterrupted
	}
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	f := &family{sync: watch, ended: make(chan *child)}
	now := func() Progress { return h.progress(int(f.gone.Load()), len(seats)) }
	defer c.watch(now)()
	timer := time.NewTimer(c.timeout())
	defer timer.Stop()
	f.begin(c.Command, addr, seats)
	why := f.wait(ctx, len(seats), timer.C, func() error { return c.late(now()) })
	f.done()
	return conclude(ctx, filepath.Dir(filepath.Dir(seats[0].params.TestOutputsPath)), why)
}

// suit refuses what cannot be processes.
func suit(seats []*seat) error {
	for _, s := range seats {
		if s.inMemory() {
			return fmt.Errorf("%w: %w", run.ErrUsage, errMemory)
		}
	}
	have := run.AvailableMemory()
	if need := uint64(len(seats)) * perProcess; have > 0 && need > have {
		return fmt.Errorf("%w: %d processes need about %s, and this machine has %s available: expected %d at the most, or instances as goroutines",
			run.ErrUsage, len(seats), run.Bytes(need), run.Bytes(have), have/perProcess)
	}
	return nil
}

// wait takes the ends of n children and says why the run ended before its time, if it did.
func (f *family) wait(ctx context.Context, n int, timeout <-chan time.Time, late func() error) error {
	var first, follower error // the follower failed because of another, of whom we have not heard
	var kill <-chan time.Time
	interrupted, lost := ctx.Done(), f.sync.Lost().Done()
	fail := func(why error) {
		if first != nil {
			return
		}
		first = why
		f.stop()
		f.telling.Go(func() { f.sync.abort(why.Error()) })
		kill = time.After(grace)
	}
	for n > 0 {
		select {
		case c := <-f.ended:
			n--
			f.gone.Add(1)
			switch err := c.failure(); {
			case err == nil:
			case c.life.State == Aborted:
				follower = errors.Join(follower, err)
				if kill == nil { // whoever failed has told, and is about to end
					kill = time.After(grace)
				}
			default:
				fail(err)
			}
		case <-interrupted:
			interrupted = nil
			fail(ErrInterrupted)
		case <-lost:
			lost = nil
			fail(context.Cause(f.sync.Lost()))
		case <-timeout:
			fail(late())
		case <-kill:
			f.stop()
			f.kill()
		}
	}
	if first == nil && follower != nil {
		var one *Failure
		errors.As(follower, &one)
		return one
	}
	return first
}
