package network

import (
	"runtime"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/internal/usage"
)

// sampled is how many nodes' tables a sample looks at, at the most: a table is a copy of some hundred ids.
const sampled = 200

// sample takes a point of the time series, beside all else: a process is asked for its table.
func (r *run) sample() {
	at, sent := r.now(), uint64(0)
	if !r.cfg.apart() {
		sent = r.stats().Requests
	}
	r.deeds.Go(func() {
		s := sim.Sample{At: at, Queries: int(r.running.Load()), Events: sent}
		there := make(map[peer.ID]bool)
		var nodes []*member
		for _, m := range r.members {
			if n, _ := m.there(); n != nil {
				there[m.id] = true
				nodes = append(nodes, m)
			}
		}
		s.Up = len(nodes)
		entries, dead, missing, sought, tables := 0, 0, 0, 0, 0
		for i, m := range nodes {
			n, _ := m.there()
			if i == sampled || n == nil {
				break
			}
			tables++
			known := make(map[peer.ID]bool)
			for _, id := range n.Table() {
				known[id] = true
				if !there[id] {
					dead++
				}
			}
			entries += len(known)
			for _, near := range r.closest(m.key, r.k(), func(o *member) bool { return o != m && o.server && there[o.id] }) {
				sought++
				if !known[near.id] {
					missing++
				}
			}
		}
		share := func(n, of int) float64 { return float64(n) / float64(max(of, 1)) }
		s.Entries, s.Dead, s.Missing = share(entries, tables), share(dead, entries), share(missing, sought)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.result.Samples = append(r.result.Samples, s)
		if r.cfg.Watch.Sample != nil {
			r.cfg.Watch.Sample(s)
		}
	})
}

// stock is what the process had at a moment.
type stock struct {
	at         time.Time
	heap       uint64
	goroutines int
}

// takeStock collects twice: what a finalizer holds goes with the second.
func takeStock() stock {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return stock{time.Now(), m.HeapAlloc, runtime.NumGoroutine()}
}

// take measures what the nodes that are there have taken since before they were. Of those in processes of their own it knows
// the tables alone; where there are some, what this process has of memory and goroutines is partly for them, and no node's.
func (r *run) take(before stock) {
	now, cost := takeStock(), &r.result.Cost
	up, here, connections := 0, 0, 0
	for _, m := range r.members {
		n, _ := m.there()
		if n == nil {
			continue
		}
		up++
		r.result.Entries += uint64(len(n.Table()))
		if h := n.Host(); h != nil {
			here++
			connections += len(h.Network().Conns())
		}
	}
	each := func(sum float64, of int) float64 { return max(sum, 0) / float64(max(of, 1)) }
	cost.Connections, cost.Entries = each(float64(connections), here), each(float64(r.result.Entries), up)
	if r.cfg.apart() {
		return
	}
	heap := float64(now.heap) - float64(before.heap)
	cost.Heap, cost.Goroutines = each(heap, up), each(float64(now.goroutines-before.goroutines), up)
	r.result.PeakRSS, r.result.Heap = usage.PeakMemory(), uint64(max(0, heap))
}
