package sim

import (
	"slices"

	"github.com/kadbench/kadbench/kad"
)

// The oracle knows what no node does: who is there, and which of them are nearest to a key. It judges operations that have
// ended in the window before, by who was there when that window ended, which all shards may read.

// judge compares the operations of a shard that have ended with the truth.
func (s *shard) judge() {
	for i := range s.ended {
		e := &s.ended[i]
		if !e.row.Censored {
			s.verdict(e)
		}
		s.rows = append(s.rows, e.row)
		*e = ended{}
	}
	s.ended = s.ended[:0]
}

func (s *shard) verdict(e *ended) {
	w, row := s.w, &e.row
	switch row.Op.Kind {
	case Lookup:
		began := w.start + kad.Time(row.Began)
		target := kad.KeyOf(e.key)
		s.handles = w.closest(s.handles[:0], &target, w.servers.K, func(p kad.Peer) bool {
			return p != row.Node && w.since[p] != 0 && w.since[p] <= began && w.serves(p)
		})
		row.Sought = len(s.handles)
		for _, p := range s.handles {
			if slices.Contains(e.peers, p) {
				row.True++
			}
		}
	case Find:
		for _, p := range e.peers {
			if w.since[p] != 0 {
				row.OK = true
			}
		}
	case Get:
		best, ok := w.published[row.Op.Key]
		// One that was published while the search ran need not be found.
		row.OK = row.Found > 0 && (!ok || e.number >= best.number || best.at > w.start+kad.Time(row.Began))
	}
}

// closest appends the n servers that are nearest to a target among those for which is says so.
func (w *World) closest(dst []kad.Peer, target *kad.Key, n int, is func(kad.Peer) bool) []kad.Peer {
	return w.everyone.closest(dst, target, n, is)
}

// serves says whether a lookup ought to find a node: it answers, stands where chance has put it, and can be reached.
func (w *World) serves(p kad.Peer) bool {
	r := w.nodes[p].role
	return (r == honest || w.foes.serves(r)) && !w.links.unreachable(p)
}

// tell hands the judged operations to the observer.
func (w *World) tell() {
	var all []Row
	for _, s := range w.shards {
		all = append(all, s.rows...)
		clear(s.rows)
		s.rows = s.rows[:0]
	}
	sortRows(all)
	for _, row := range all {
		w.plan.running--
		if w.cfg.Watch.Row != nil {
			w.cfg.Watch.Row(row)
		}
	}
	w.tellSteps()
}
