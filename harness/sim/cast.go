package sim

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kadbench/kadbench/kad"
)

// cast decides who is there at the beginning and what they know.
func (w *World) cast(ctx context.Context) error {
	c := &w.cfg
	first := c.Nodes
	if c.Growth.First > 0 {
		first = min(c.Growth.First, c.Nodes)
	}
	for p := kad.Peer(1); int(p) <= c.Nodes; p++ {
		n := &w.nodes[p]
		n.role = w.roleOf(p)
		n.client = int(p) > seedCount(c) && n.role == honest && hits(mix(c.Seed, uint64(forClient), uint64(p)), c.Clients)
		if int(p) > first {
			continue
		}
		up, left := true, kad.Duration(0)
		if c.Churn.Kind != NoChurn && int(p) > seedCount(c) {
			up, left = w.sessions.first(p)
		}
		s := w.shards[w.shardOf(p)]
		s.now = w.start
		switch {
		case !up:
			s.deed(w.start+kad.Time(max(left, 1)), p, &message{deed: toJoin})
		case c.Tables == Grown:
			s.deed(w.start, p, &message{deed: toJoin, asked: w.start + kad.Time(left)})
		default:
			n.up, n.session = true, 1
			w.since[p] = w.start
			s.arm(p, n)
			if left > 0 {
				s.deed(w.start+kad.Time(left), p, &message{deed: toLeave, session: 1})
			}
		}
	}
	w.everyone = newIndex(w.dir, c.Nodes, func(p kad.Peer) bool { return !w.nodes[p].client })
	if c.Tables != Ideal {
		return ctx.Err()
	}
	there := newIndex(w.dir, first, func(p kad.Peer) bool { return w.nodes[p].up && !w.nodes[p].client })
	return w.fill(ctx, there)
}

// fill gives those who are there ideal tables, which takes half a minute for a million, and tells the observer how far it is.
func (w *World) fill(ctx context.Context, there *index) error {
	var made atomic.Int64
	var wg sync.WaitGroup
	for _, s := range w.shards {
		wg.Go(func() { s.guard(func() { s.fill(ctx, there, &made) }) })
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return cmp.Or(w.panicked, ctx.Err())
		case <-tick.C:
			if tell := w.cfg.Watch.Progress; tell != nil {
				tell(Progress{Made: int(made.Load()), Nodes: len(there.nodes), Until: w.cfg.For})
			}
		}
	}
}

// fill is that of one shard.
func (s *shard) fill(ctx context.Context, there *index, made *atomic.Int64) {
	w := s.w
	var peers []kad.Peer
	var seen []kad.Seen
	span := uint64(max(w.servers.ProbeInterval, kad.Minute))
	for p := kad.Peer(1); int(p) <= w.cfg.Nodes; p++ {
		if w.shardOf(p) != s.index || !w.nodes[p].up {
			continue
		}
		if made.Add(1)&1023 == 0 && ctx.Err() != nil {
			return
		}
		peers = there.ideal(peers[:0], w.cfg.Seed, p, w.bucket)
		seen = seen[:0]
		for _, q := range peers {
			ago := below(mix(w.cfg.Seed, uint64(forSeen), uint64(p), uint64(q)), span)
			seen = append(seen, kad.Seen{Peer: q, At: w.start - kad.Time(ago)})
		}
		w.initKad(p)
		w.kads[p].Restore(w.start, seen)
		s.setWake(p, &w.nodes[p])
	}
}
