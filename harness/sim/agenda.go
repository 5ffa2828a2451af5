package sim

import (
	"slices"

	"github.com/kadbench/kadbench/kad"
)

// agenda is what the world does to its nodes: operations of the load, faults, newcomers, samples. It works between two
// windows, from the configuration alone, and cuts windows short so that a fault begins with one.
type agenda struct {
	w        *World
	shot     Operation // the next of the load
	more     bool
	number   uint64 // of the next operation, from 1
	running  int    // operations that were handed out and have not been told of
	joined   int    // nodes of Growth so far
	moments  []moment
	keys     []uint64 // that were published, in the order of their first time
	provides bool     // something was
}

// moment is a fault's beginning, or its end.
type moment struct {
	at    kad.Time
	fault int
	begin bool
}

func (a *agenda) init(w *World) {
	a.w = w
	if w.cfg.Load != nil {
		a.shot, a.more = w.cfg.Load.Next()
	}
	a.joined = w.cfg.Nodes
	if w.cfg.Growth.First > 0 {
		a.joined = min(w.cfg.Growth.First, w.cfg.Nodes)
	}
	for i, f := range w.cfg.Faults {
		if f.Kind != Exit && f.Kind != Crash {
			continue // links know of the others
		}
		a.moments = append(a.moments, moment{w.start + kad.Time(f.At), i, true})
		if f.Kind == Crash && f.Until > f.At {
			a.moments = append(a.moments, moment{w.start + kad.Time(f.Until), i, false})
		}
	}
	slices.SortStableFunc(a.moments, func(x, y moment) int { return int(min(max(x.at-y.at, -1), 1)) })
}

// first is the key of the first operation; nil if there is none.
func (a *agenda) first() []byte {
	if !a.more {
		return nil
	}
	return recordKey(a.w.cfg.Seed, a.shot.Kind, a.shot.Key)
}

// next is when the agenda has something to do.
func (a *agenda) next() kad.Time {
	at := never
	if a.more {
		at = min(at, a.due())
	}
	if len(a.moments) > 0 {
		at = min(at, a.moments[0].at)
	}
	if a.joined < a.w.cfg.Nodes {
		at = min(at, a.joins())
	}
	return min(at, a.w.samples.next)
}

// due is when the next operation is.
func (a *agenda) due() kad.Time { return max(a.w.start+kad.Time(a.shot.At), a.w.start) }

// joins is when the next batch of Growth comes.
func (a *agenda) joins() kad.Time {
	g := &a.w.cfg.Growth
	batches := (a.joined - g.First) / max(g.Batch, 1)
	return a.w.start + kad.Time(g.Every)*kad.Time(batches+1)
}

// prepare hands out what is due from now until end, and says when the window must end: before the next fault or sample.
func (a *agenda) prepare(now, end kad.Time) kad.Time {
	w := a.w
	for len(a.moments) > 0 && a.moments[0].at <= now {
		a.strike(a.moments[0])
		a.moments = a.moments[1:]
	}
	if len(a.moments) > 0 {
		end = min(end, a.moments[0].at)
	}
	if w.samples.next > now {
		end = min(end, w.samples.next)
	}
	for a.joined < w.cfg.Nodes && a.joins() < end {
		at := a.joins()
		for range max(w.cfg.Growth.Batch, 1) {
			if a.joined < w.cfg.Nodes {
				a.joined++
				a.deed(at, kad.Peer(a.joined), &message{deed: toJoin})
			}
		}
	}
	for a.more && a.due() < end {
		if a.shot.At < w.cfg.For {
			a.number++
			a.handOut()
		}
		a.shot, a.more = w.cfg.Load.Next()
	}
	return end
}

// deed posts what is done to a node into its shard, which is at rest.
func (a *agenda) deed(at kad.Time, p kad.Peer, m *message) {
	a.w.shards[a.w.shardOf(p)].deed(at, p, m)
}

// handOut gives the next operation to a node that is there.
func (a *agenda) handOut() {
	w, op := a.w, a.shot
	p := op.Node
	if p == 0 {
		p = a.someone()
	}
	a.running++
	switch op.Kind {
	case Put:
		if _, again := w.published[op.Key]; !again {
			a.keys = append(a.keys, op.Key)
		}
		w.published[op.Key] = publication{at: w.start + kad.Time(op.At), number: a.number}
	case Provide:
		a.provides = true
	}
	m := message{deed: toOperate, key: recordKey(w.cfg.Seed, op.Kind, op.Key)}
	m.extra = &extra{operation: op, number: a.number}
	a.deed(max(a.due(), w.now), p, &m)
}

// someone is an honest node by chance among those that are there: one of the seeds if it meets nobody else.
func (a *agenda) someone() kad.Peer {
	w := a.w
	for try := range uint64(256) {
		p := kad.Peer(1 + below(mix(w.cfg.Seed, uint64(forWho), a.number, try), uint64(w.cfg.Nodes)))
		if w.since[p] != 0 && w.nodes[p].role == honest {
			return p
		}
	}
	return 1
}

// strike lets a fault begin or end for those that it hits.
func (a *agenda) strike(m moment) {
	w := a.w
	for p := kad.Peer(1); int(p) <= w.cfg.Nodes; p++ {
		if !exits(&w.cfg, m.fault, p) {
			continue
		}
		switch {
		case !m.begin:
			a.deed(m.at, p, &message{deed: toJoin})
		case w.nodes[p].up:
			a.deed(m.at, p, &message{deed: toLeave})
		}
		if m.begin && w.cfg.Faults[m.fault].Kind == Exit {
			w.nodes[p].gone = true
		}
	}
}
