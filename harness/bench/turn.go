package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kadbench/kadbench/harness/load"
)

// Driver loads one server, turn after turn.
type Driver struct{ Config }

// turn is one of them, under way.
type turn struct {
	Config
	start   time.Time
	workers []*worker
	clients []*client
	tallies []*tally
}

// since is the time since the turn's load began.
func (t *turn) since() time.Duration { return time.Since(t.start) }

// measured says whether a moment lies within the span.
func (t *turn) measured(at time.Duration) bool { return at >= t.Warmup && at < t.Warmup+t.Span }

// over says whether the span has passed.
func (t *turn) over(at time.Duration) bool { return at >= t.Warmup+t.Span }

// Turn loads the server once; number is the turn's, by which its keys differ from those of others. An error is one of the
// configuration, ErrUnreachable, or the context's: what goes wrong under the load is in the result.
func (d *Driver) Turn(ctx context.Context, number int) (*Result, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	t := &turn{Config: d.Config.withDefaults()}
	t.Load.Seed += uint64(number) << 32
	if t.Closed {
		t.Load.Lines = []load.Line{{Count: load.MaxShots, Mix: Mix(t.Load.Lines)}}
	}
	schedule, err := load.New(t.Load)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := t.open(ctx, d.Load.Seed); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	runtime.GC() // of the turn before: it is not this one's cost
	return t.run(ctx, schedule)
}

// Mix is that of all lines together.
func Mix(lines []load.Line) (mix []load.Part) {
	for _, l := range lines {
		mix = append(mix, l.Mix...)
	}
	return mix
}

// open makes the peers and their streams, some at a time: a server may take only so many new connections at once.
func (t *turn) open(ctx context.Context, seed uint64) error {
	peers, streams := t.Connections, t.Streams
	if t.Reuse == Nothing {
		peers, streams = peers*streams, 1 // each has to close its connection
	}
	for range min(peers, 2*runtime.GOMAXPROCS(0)) {
		t.tallies = append(t.tallies, &tally{})
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	t.clients = make([]*client, peers)
	t.workers = make([]*worker, peers*streams)
	var group errgroup.Group
	group.SetLimit(8)
	for p := range peers {
		group.Go(func() (err error) {
			c, err := newClient(&t.Config, seed, p)
			if err != nil {
				return err
			}
			t.clients[p] = c
			if t.Reuse != Nothing {
				if err := c.connect(ctx); err != nil {
					return err
				}
			}
			for s := range streams {
				w := &worker{turn: t, client: c, tally: t.tallies[p%len(t.tallies)], requests: newRequests(t.Load.Seed, c.host.ID(), t.Sizes),
					asked: uint64(p*streams+s) * 37} // so that not all judge at the same time, or none in a short turn
				t.workers[p*streams+s] = w
				if err := w.prepare(ctx); err != nil {
					return fmt.Errorf("stream %d of peer %d: %w", s+1, p+1, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (t *turn) close() {
	var group errgroup.Group
	group.SetLimit(8)
	for _, c := range t.clients {
		if c != nil {
			group.Go(func() error { c.close(); return nil })
		}
	}
	_ = group.Wait()
}

// run is the load itself, until the last of its requests has ended.
func (t *turn) run(ctx context.Context, schedule load.Schedule) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := t.closed(schedule)
	var p *pacer
	if !t.Closed {
		p = newPacer(t, schedule)
		next = p.next
	}
	t.start = time.Now()
	var ended sync.WaitGroup
	for _, w := range t.workers {
		ended.Go(func() { w.run(ctx, next) })
	}
	if p != nil {
		ended.Go(func() { p.run(ctx) })
	}
	done := make(chan struct{})
	go func() { ended.Wait(); close(done) }()
	m := &meter{turn: t}
	t.watch(ctx, done, m)
	if ctx.Err() != nil {
		<-done
		return nil, ctx.Err()
	}
	r := sum(t.tallies, t.Span)
	m.into(r)
	if t.Closed {
		r.Due.Merge(&r.Service)
	}
	return r, nil
}

// closed hands out requests as they are asked for, until the span is over.
func (t *turn) closed(schedule load.Schedule) func() (shot, bool) {
	var mu sync.Mutex
	return func() (shot, bool) {
		if t.over(t.since()) {
			return shot{}, false
		}
		mu.Lock()
		defer mu.Unlock()
		s, ok := schedule.Next()
		return shot{Shot: s}, ok
	}
}

// watching is how often the watch looks: a request is given up at most so much later than its timeout.
const watching = 50 * time.Millisecond

// watch meters the span, ends what takes too long, and returns when all is done or was broken off.
func (t *turn) watch(ctx context.Context, done <-chan struct{}, m *meter) {
	tick := time.NewTicker(watching)
	defer tick.Stop()
	begin := time.NewTimer(t.Warmup)
	defer begin.Stop()
	end := time.NewTimer(t.Warmup + t.Span)
	defer end.Stop()
	for n := 0; ; n++ {
		select {
		case <-done:
			m.end()
			return
		case <-ctx.Done():
			t.breakOff(done, tick.C)
			return
		case <-begin.C:
			m.begin()
		case <-end.C:
			m.end()
		case <-tick.C:
			t.reset(t.Timeout)
			if t.Progress != nil && n%5 == 0 {
				t.Progress(t.since(), t.soFar())
			}
		}
	}
}

// breakOff ends all requests. One may begin at that very moment, so it looks again until all workers have ended.
func (t *turn) breakOff(done <-chan struct{}, tick <-chan time.Time) {
	for {
		t.reset(0)
		select {
		case <-done:
			return
		case <-tick:
		}
	}
}

// reset resets the streams on which a request has been under way for so long.
func (t *turn) reset(longer time.Duration) {
	now := t.since()
	for _, w := range t.workers {
		if began := time.Duration(w.began.Load()); began != 0 && now-began >= longer {
			if s := w.open.Load(); s != nil {
				_ = (*s).Reset()
			}
		}
	}
}

// soFar is how many answers came within the span so far.
func (t *turn) soFar() (n uint64) {
	for _, tally := range t.tallies {
		tally.mu.Lock()
		n += tally.r.Ended
		tally.mu.Unlock()
	}
	return n
}
