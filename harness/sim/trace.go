package sim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kadbench/kadbench/kad"
)

// traced is a step of a node that is watched, as text.
type traced struct {
	at   kad.Time
	node kad.Peer
	in   string
	out  []string
}

// names print a handle as its number, #17, whatever else is known of a peer.
var names = kad.Names{Peer: func(p kad.PeerInfo) string { return fmt.Sprintf("#%d", p.Peer) }}

// traces says whether a node is watched.
func (w *World) traces(p kad.Peer) bool { return slices.Contains(w.cfg.Trace, p) }

// note writes down the last step, in the form of the core's own tests: < what it was stepped with, > what it commands, ! what
// it tells.
func (s *shard) note(p kad.Peer, in *kad.Input) {
	t := traced{at: s.now, node: p, in: "< " + names.Input(in)}
	for i := range s.out.Commands {
		t.out = append(t.out, "> "+names.Command(&s.out.Commands[i]))
	}
	for i := range s.out.Events {
		t.out = append(t.out, "! "+names.Event(&s.out.Events[i]))
	}
	s.trace = append(s.trace, t)
}

// tellSteps hands the steps of the watched nodes to the observer, in the order of time; those of one node are in order already.
func (w *World) tellSteps() {
	if !w.tracing || w.cfg.Watch.Step == nil {
		return
	}
	var all []traced
	for _, s := range w.shards {
		all = append(all, s.trace...)
		s.trace = s.trace[:0]
	}
	slices.SortStableFunc(all, func(a, b traced) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.node, b.node)) })
	for _, t := range all {
		w.cfg.Watch.Step(kad.Duration(t.at-w.start), t.node, t.in, t.out)
	}
}
