package ground

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kadbench/kadbench/harness/network"
	"github.com/kadbench/kadbench/harness/run"
)

// Local runs the instances as goroutines of this process, thousands of them. The outputs are the same as Testground's; the
// Run is read back from them. The first instance that fails ends the run, and is the error.
func Local(ctx context.Context, c Config) (*Run, error) {
	seats, err := c.seats()
	if err != nil {
		return nil, err
	}
	var mem *network.Mem
	if seats[0].inMemory() {
		mem = network.NewMem(seats[0].latency())
	}
	h := newHub()
	envs := make([]*files, len(seats))
	groups := map[string]int{}
	for i, s := range seats { // all files before the first instance: no run begins that cannot be told
		if envs[i], err = openFiles(s.params); err != nil {
			for _, e := range envs[:i] {
				e.close()
			}
			return nil, fmt.Errorf("%w: %w", run.ErrHarness, err)
		}
		groups[s.Group]++
		s.Seq, s.GroupSeq = i+1, groups[s.Group]
		s.Sync, s.Out, s.Mem = local{h, scopeOf(s.params)}, envs[i], mem
		s.IP = "127.0.0.1"
		if mem == nil {
			s.IP = address(s.Seq)
		}
	}

	within, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	var once sync.Once
	var first error
	fail := func(why error) {
		once.Do(func() {
			first = why
			end(&errAborted{why.Error()})
		})
	}
	defer context.AfterFunc(ctx, func() { fail(ErrInterrupted) })()
	var ended atomic.Int64
	now := func() Progress { return h.progress(int(ended.Load()), len(seats)) }
	defer time.AfterFunc(c.timeout(), func() { fail(c.late(now())) }).Stop()
	defer c.watch(now)()
	var all sync.WaitGroup
	for i, s := range seats {
		all.Go(func() {
			defer ended.Add(1)
			envs[i].start()
			envs[i].Message(claimed, s.Seq, s.Group, s.GroupSeq)
			err := perform(within, &s.Instance, envs[i])
			told(envs[i], err)
			if err != nil {
				fail(s.failure(err))
			}
		})
	}
	all.Wait()
	var closing []error
	for _, e := range envs {
		closing = append(closing, e.close())
	}
	once.Do(func() {}) // nobody fails any more
	if err := errors.Join(closing...); err != nil && first == nil {
		first = fmt.Errorf("%w: %w", run.ErrHarness, err)
	}
	return conclude(ctx, filepath.Dir(filepath.Dir(seats[0].params.TestOutputsPath)), first)
}

// latency is that of the links of a network in memory, where the case has a parameter for it.
func (in *Instance) latency() time.Duration {
	if p := in.Case.param("latency"); p == nil || p.Type != "duration" {
		return 0
	}
	return in.Params.Duration("latency")
}
