package sim

import (
	"time"

	"github.com/kadbench/kadbench/kad"
)

// sampler takes the points of the time series, between two windows.
type sampler struct {
	next  kad.Time
	every kad.Duration
	list  []Sample
	told  time.Time // progress
}

// Whom a sample asks: looking at all tables of a million nodes would take longer than a window does.
const (
	sampledTables    = 1000
	sampledNeighbors = 200
)

func (a *sampler) init(w *World) {
	a.every = w.cfg.Sample
	if a.every == 0 {
		a.every = max(w.cfg.For/100, kad.Minute)
	}
	a.next = w.start + kad.Time(a.every)
}

// take takes a sample if it is time.
func (a *sampler) take(w *World) {
	for a.next <= w.now {
		sample := w.sample()
		sample.At = kad.Duration(a.next - w.start)
		a.list = append(a.list, sample)
		if w.cfg.Watch.Sample != nil {
			w.cfg.Watch.Sample(sample)
		}
		a.next += kad.Time(a.every)
	}
	if a.next > w.until {
		a.next = never
	}
}

// sample looks at the world.
func (w *World) sample() Sample {
	var s Sample
	for p := range w.nodes {
		if w.nodes[p].up {
			s.Up++
			for range w.kads[p].Queries {
				s.Queries++
			}
		}
	}
	entries, dead, tables := 0, 0, 0
	missing, sought := 0, 0
	for i, p := range w.some(sampledTables) {
		tables++
		table := w.kads[p].Table()
		for b := range table.Buckets {
			for e := range b.Entries {
				if e.Pending {
					continue
				}
				entries++
				if w.since[e.Peer] == 0 || !w.serves(e.Peer) {
					dead++
				}
			}
		}
		if i < sampledNeighbors {
			for _, q := range w.closest(nil, w.dir.Key(p), w.servers.K, func(q kad.Peer) bool {
				return q != p && w.since[q] != 0 && w.serves(q)
			}) {
				sought++
				if has, _ := table.Contains(q); !has {
					missing++
				}
			}
		}
	}
	if tables > 0 {
		s.Entries = float64(entries) / float64(tables)
	}
	if entries > 0 {
		s.Dead = float64(dead) / float64(entries)
	}
	if sought > 0 {
		s.Missing = float64(missing) / float64(sought)
	}
	w.held(&s)
	for _, h := range w.shards {
		s.Events += h.events
	}
	return s
}

// some are nodes by chance among those that are there, each at most once; fewer if not so many are met.
func (w *World) some(n int) []kad.Peer {
	var list []kad.Peer
	if n >= w.cfg.Nodes {
		for p := 1; p <= w.cfg.Nodes; p++ {
			if w.nodes[p].up && w.nodes[p].role == honest {
				list = append(list, kad.Peer(p))
			}
		}
		return list
	}
	stride := uint64(w.cfg.Nodes) / uint64(n)
	offset := mix(w.cfg.Seed, uint64(forSample), uint64(w.now))
	for i := range uint64(n) {
		p := 1 + i*stride + below(stir(offset^i), stride)
		if w.nodes[p].up && w.nodes[p].role == honest {
			list = append(list, kad.Peer(p))
		}
	}
	return list
}

// held counts what is stored. Only a world in which something was stored is looked through.
func (w *World) held(s *Sample) {
	if len(w.published) == 0 && !w.plan.provides {
		return
	}
	ttl := w.servers.RecordTTL
	alive := map[string]bool{} // a publisher keeps its own copy without an end: those that are over do not count
	for _, k := range w.plan.keys {
		if at := w.published[k].at; ttl < 0 || w.now < at+kad.Time(ttl) {
			alive[string(recordKey(w.cfg.Seed, Put, k))] = true
		}
	}
	s.Expected = len(alive)
	records, providers := map[string]bool{}, map[string]bool{}
	for p := range w.nodes {
		if !w.nodes[p].up || w.nodes[p].role != honest {
			continue
		}
		if !w.kads[p].Holds() {
			continue
		}
		store := w.kads[p].Store()
		for r := range store.Records() {
			if alive[string(r.Key)] && (r.Expires == 0 || r.Expires > w.now) {
				records[string(r.Key)] = true
			}
		}
		for r := range store.AllProviders() {
			if (r.Expires == 0 || r.Expires > w.now) && w.since[r.Provider] != 0 {
				providers[string(r.Key)] = true
			}
		}
	}
	s.Records, s.Providers = len(records), len(providers)
}

// progressEvery is how often an observer hears how far a run is: a bar need not move faster.
const progressEvery = 100 * time.Millisecond

// progress tells the observer how far the run is.
func (w *World) progress() {
	if w.cfg.Watch.Progress == nil || time.Since(w.samples.told) < progressEvery {
		return
	}
	w.samples.told = time.Now()
	p := Progress{Made: w.cfg.Nodes, Nodes: w.cfg.Nodes, At: kad.Duration(w.now - w.start), Until: w.cfg.For, Operations: w.plan.number}
	for _, s := range w.shards {
		p.Events += s.events
	}
	w.cfg.Watch.Progress(p)
}
