package sim

import (
	"cmp"
	"math"
	"slices"

	"github.com/kadbench/kadbench/kad"
)

// shard is the nodes whose handles leave one remainder, and all that happens to them. Within a window it reads and writes
// nothing but them, what the shards wrote for it in the window before, and what changes between windows alone: so
// shards run side by side without a lock, and nothing depends on which of them is ahead.
type shard struct {
	w     *World
	index int
	now   kad.Time

	queue    queue
	messages slab
	out      kad.Output
	current  *message       // the one that is being delivered
	outgoing [2][][]parcel  // for the other shards, of this window and of the one before, by turns
	first    kad.Time       // the earliest of this window's parcels; 0: none
	closer   []kad.PeerInfo // lent to Step
	named    []kad.PeerInfo // providers, likewise
	handles  []kad.Peer     // of a message, or of the truth
	codec    codec          // Config.Wire
	ended    []ended        // operations that await their judgement
	rows     []Row          // that have had it
	changes  []change       // who came and who left, in this window
	trace    []traced       // of the nodes that are traced
	foreseen uint64         // means nothing
	counters                // of this shard alone
}

// counters are what a shard counts; integers, so that their sums depend on no order.
type counters struct {
	events, steps, sent, lost, bytes uint64
}

// parcel is a message on its way to another shard.
type parcel struct {
	event
	message
}

// change is a node that came (since is when) or left (0).
type change struct {
	node  kad.Peer
	since kad.Time
}

// run takes in what the other shards sent in the window before, judges the operations that ended in it, and lets happen
// what is due before end.
func (s *shard) run(end kad.Time) {
	before := 1 - s.w.turn
	for _, other := range s.w.shards {
		parcels := other.outgoing[before][s.index]
		for i := range parcels {
			p := &parcels[i]
			p.event.msg = s.messages.put(&p.message)
			s.queue.push(p.event)
			p.message.key, p.message.extra = nil, nil
		}
		other.outgoing[before][s.index] = parcels[:0]
	}
	s.first = 0
	s.judge()
	for len(s.queue) > 0 && s.queue[0].at < end {
		e := s.queue.pop()
		s.foresee()
		s.happen(e)
	}
}

// foresee reads a little of what the next events will need, so that the processor fetches it while it is busy with this one:
// of a million nodes none that is stepped is in its cache, and waiting for memory was most of the time.
func (s *shard) foresee() {
	w := s.w
	for i := range s.queue[:min(len(s.queue), 5)] {
		e := &s.queue[i]
		k := &w.kads[e.to]
		s.foreseen += uint64(w.nodes[e.to].seq) + uint64(k.Mode()) + uint64(s.messages.messages[e.msg].n)
	}
}

// next is when something happens next to a node of this shard, or by a message that it has just sent.
func (s *shard) next() kad.Time {
	at := s.queue.next()
	if s.first != 0 && (at == 0 || s.first < at) {
		at = s.first
	}
	return at
}

// post sends a message on its way: to a node of this shard at once, to another's when the window is over. The other's
// shard takes it in before it is due, since no delay is shorter than a window.
func (s *shard) post(at kad.Time, to, from kad.Peer, seq uint32, m *message) {
	e := event{at: at, to: to, from: from, seq: seq}
	if d := s.w.shardOf(to); d != s.index {
		parcels := &s.outgoing[s.w.turn][d]
		*parcels = append(*parcels, parcel{e, *m})
		if s.first == 0 || at < s.first {
			s.first = at
		}
		return
	}
	e.msg = s.messages.put(m)
	s.queue.push(e)
}

// happen lets one event happen.
func (s *shard) happen(e event) {
	s.now = e.at
	n := &s.w.nodes[e.to]
	if e.msg == 0 {
		s.wake(e.to, n)
		return
	}
	// What is posted meanwhile may move the slab: this message stays readable where it was.
	s.current = &s.messages.messages[e.msg]
	if s.current.deed != noDeed {
		s.do(e.to, n, s.current)
	} else {
		s.deliver(e.to, n, e.from, s.current)
	}
	s.messages.drop(e.msg)
}

// wake steps a node that wants a Tick now. A wake that was superseded, or whose reason is gone, is no step.
func (s *shard) wake(p kad.Peer, n *node) {
	if n.wake != s.now || !n.up {
		return
	}
	n.wake = 0
	if n.conns != nil {
		s.closeIdle(p, n)
	}
	if at := s.w.kads[p].Wake(); at != 0 && at <= s.now {
		s.events++
		s.step(p, n, &kad.Input{Kind: kad.Tick})
		return
	}
	s.setWake(p, n)
}

// setWake sees to it that a live wake is under way whenever the node or its connections want one.
func (s *shard) setWake(p kad.Peer, n *node) {
	at := s.w.kads[p].Wake()
	if n.conns != nil {
		if c := n.conns.wake; c != 0 && (at == 0 || c < at) {
			at = c
		}
	}
	if at == 0 || n.wake != 0 && n.wake <= at {
		return
	}
	n.wake = max(at, s.now+1) // one that lies in the past wants more of what the last step began
	s.queue.push(event{at: n.wake, to: p, from: p})
}

// step steps a node, carries out what it wants, tells its application what there is to tell, and wakes it in time.
func (s *shard) step(p kad.Peer, n *node, in *kad.Input) {
	s.stepOnly(p, n, in)
	s.setWake(p, n)
}

// stepOnly is step for an input that cannot change what the node waits for: a request that is only answered.
func (s *shard) stepOnly(p kad.Peer, n *node, in *kad.Input) {
	s.steps++
	s.w.kads[p].Step(s.now, *in, &s.out)
	n.digest = foldStep(n.digest, s.now, in, &s.out)
	if s.w.tracing && s.w.traces(p) {
		s.note(p, in)
	}
	for i := range s.out.Commands {
		s.carryOut(p, n, &s.out.Commands[i])
	}
	if n.running != nil {
		s.hear(p, n)
	}
}

// deed posts what the world does to a node of this shard.
func (s *shard) deed(at kad.Time, p kad.Peer, m *message) {
	n := &s.w.nodes[p]
	n.deeds++
	e := event{at: at, to: p, seq: n.deeds, msg: s.messages.put(m)}
	s.queue.push(e)
}

// sortRows puts the judged operations of all shards into the order that does not depend on their number.
func sortRows(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Began+a.Took, b.Began+b.Took), cmp.Compare(a.Node, b.Node), cmp.Compare(a.number, b.number))
	})
}

// never is later than anything.
const never = kad.Time(math.MaxInt64)
