package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/internal/usage"
	"github.com/kadbench/kadbench/kad"
)

// Result is what a network was: what a simulation tells of itself, as far as it can be seen from outside, and what each
// node cost. Sent are requests, Lost those without an answer; messages, steps and records nobody counts, and of a network
// with nodes in processes of their own nobody counts requests, nor what the nodes hold of memory: all that is 0.
type Result struct {
	sim.Result
	Cost     record.NodeCost
	Versions []string // of the kinds
	Failed   error    // the first node that could not come back; nil: all could
}

// Run builds a network, loads it, measures it and takes it down. When ctx ends it returns what there is, Stopped set.
func Run(ctx context.Context, c Config) (*Result, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	r := &run{cfg: c, agenda: newAgenda()}
	r.result.Seed, r.result.Nodes, r.result.Shards = c.Seed, c.Nodes, 1
	for _, k := range c.Kinds {
		r.result.Versions = append(r.result.Versions, k.Version())
	}
	if c.Mem {
		r.mem = NewMem(c.Node.Delay)
		r.cfg.Node.Delay = 0
	}
	if err := r.cast(); err != nil {
		return nil, err
	}
	before, cpu := takeStock(), r.processorTime()
	err := r.build(ctx)
	if err == nil {
		r.result.Ready = time.Since(before.at)
		r.result.Cost.BootstrapCPU = (r.processorTime() - cpu).Seconds() * 1e3 / float64(c.Nodes)
		err = r.load(ctx)
	}
	if err == nil {
		r.take(before)
	}
	if r.untold.Load() {
		r.result.CPU, r.result.Cost.BootstrapCPU, r.result.Cost.OperationCPU = 0, 0, 0
	}
	r.close()
	if ctx.Err() != nil && err != nil && r.ready {
		r.result.Stopped, err = true, nil
	}
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	return &r.result, nil
}

// run is a network under way.
type run struct {
	cfg     Config
	mem     *Mem // nil: on sockets
	members []*member
	start   time.Time // of the load
	ready   bool      // the load has begun
	*agenda

	operations sync.WaitGroup
	running    atomic.Int32
	deeds      sync.WaitGroup // nodes that come or go
	number     uint64         // of the last operation
	ended      atomic.Uint64
	untold     atomic.Bool // a node does not tell its processor time

	mu        sync.Mutex // of what follows, and of the observer
	published map[uint64]publication
	gone      Stats         // of nodes that are closed
	used      time.Duration // by processes that have ended
	result    Result
}

// publication is the newest record of a key.
type publication struct {
	at     kad.Duration
	number uint64
}

// now is the time since the load's beginning; before it all is at its very beginning.
func (r *run) now() kad.Duration {
	if !r.ready {
		return 0
	}
	return kad.Duration(time.Since(r.start))
}

// together is how many nodes begin at a time: the machine is busy with it all the while, and requests that time out because
// hundreds begin at once would show what it is, not what they are.
const together = 16

// build opens the first nodes one after another, each of which knows some seeds that were there before it, and lets all look
// for themselves.
func (r *run) build(ctx context.Context) error {
	r.published = make(map[uint64]publication)
	var first []*member
	for _, m := range r.members[:r.cfg.Growth.First] {
		if m.stays.up {
			first = append(first, m)
		}
	}
	for i, m := range first {
		if err := r.open(ctx, m); err != nil {
			return err
		}
		r.tell(sim.Progress{Made: i + 1, Nodes: len(first), Until: kad.Duration(r.cfg.For)})
	}
	turns := make(chan struct{}, together)
	errs := make([]error, len(first))
	var done sync.WaitGroup
	for i, m := range first {
		turns <- struct{}{}
		done.Go(func() {
			defer func() { <-turns }()
			errs[i] = r.settle(ctx, m)
		})
	}
	done.Wait()
	return errors.Join(errs...)
}

// load lets the time of the load pass: operations, faults, samples and those who come and go, each at its moment.
func (r *run) load(ctx context.Context) error {
	if err := sleep(ctx, r.cfg.Settle); err != nil {
		return err
	}
	profile := startProfile(r.cfg.Profile && !r.cfg.apart()) // which is of this process alone
	defer profile.drop()
	stats, cpu := r.stats(), r.processorTime()
	r.mu.Lock()
	r.start, r.ready = time.Now(), true
	r.mu.Unlock()
	r.plan(ctx)
	var err error
	for err == nil && r.pending() {
		at, do := r.next()
		if err = sleep(ctx, time.Until(r.start.Add(at))); err == nil {
			do()
		}
	}
	if err == nil {
		err = r.rest(ctx)
	}
	r.leaveAll() // operations that have not ended do now
	r.operations.Wait()
	r.deeds.Wait()
	r.result.Ran, r.result.CPU = time.Since(r.start), r.processorTime()-cpu
	r.result.Until = r.now()
	n := float64(r.ended.Load())
	if n > 0 {
		r.result.Cost.OperationCPU = r.result.CPU.Seconds() * 1e3 / n
	}
	if !r.cfg.apart() {
		spent := r.stats()
		r.result.Sent, r.result.Lost = spent.Requests-stats.Requests, spent.Failed-stats.Failed
		r.result.Events = r.result.Sent
		if n > 0 {
			r.result.Cost.Dials = new(float64(spent.Dials-stats.Dials) / n)
		}
	}
	if err == nil {
		r.result.Cost.Shares, r.result.Cost.Samples, err = profile.shares()
	}
	return err
}

// rest waits for the operations that have begun; each ends by its deadline.
func (r *run) rest(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		r.operations.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// plan puts all that happens at a moment into the agenda.
func (r *run) plan(ctx context.Context) {
	r.handOut(ctx)
	for at := r.cfg.Sample; at < r.cfg.For; at += r.cfg.Sample {
		r.at(at, r.sample)
	}
	r.at(r.cfg.For, r.sample)
	for _, m := range r.members {
		for _, c := range m.stays.changes {
			r.at(c.at, func() {
				if c.up {
					r.come(ctx, m)
				} else {
					r.leave(m)
				}
			})
		}
	}
	for i, f := range r.cfg.Faults {
		hit := slices.Collect(r.hit(i, f.Share))
		r.at(f.At, func() {
			for _, m := range hit {
				r.strike(m, f)
			}
		})
		if f.Kind == Crash && f.Until > 0 {
			r.at(f.Until, func() {
				for _, m := range hit {
					r.come(ctx, m)
				}
			})
		}
	}
}

// handOut begins the operations that are due, and comes back for the next.
func (r *run) handOut(ctx context.Context) {
	if r.cfg.Load == nil {
		return
	}
	op, ok := r.cfg.Load.Next()
	if !ok || time.Duration(op.At) > r.cfg.For {
		return
	}
	r.at(time.Duration(op.At), func() {
		r.number++
		r.operate(ctx, op, r.number)
		r.handOut(ctx)
	})
}

// tell tells the observer how far the run is.
func (r *run) tell(p sim.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.Watch.Progress != nil {
		r.cfg.Watch.Progress(p)
	}
}

// stats are those of all nodes that were ever there.
func (r *run) stats() Stats {
	r.mu.Lock()
	sum := r.gone
	r.mu.Unlock()
	for _, m := range r.members {
		if n, _ := m.there(); n != nil {
			sum = sum.plus(n.Stats())
		}
	}
	return sum
}

// processorTime is what the nodes have used: this process where some are in it, and those of nodes.
func (r *run) processorTime() time.Duration {
	r.mu.Lock()
	sum := r.used
	r.mu.Unlock()
	if r.cfg.here() {
		sum += usage.CPU()
	}
	for _, m := range r.members {
		if n, _ := m.there(); n != nil {
			sum += r.usedBy(n)
		}
	}
	return sum
}

// usedBy is the processor time of a node in a process of its own. Where one of them does not tell, nobody knows that of the
// network: this process's alone would pass for it.
func (r *run) usedBy(n Node) time.Duration {
	p, ok := n.(*process)
	if !ok {
		return 0
	}
	if of, ok := p.target.(target.Processor); ok {
		if used, err := of.CPU(); err == nil {
			return used
		}
	}
	r.untold.Store(true)
	return 0
}

func (s Stats) plus(o Stats) Stats {
	return Stats{s.Requests + o.Requests, s.Failed + o.Failed, s.Dials + o.Dials}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
