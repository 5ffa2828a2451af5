package sim

import (
	"slices"

	"github.com/kadbench/kadbench/kad"
)

// running is an operation that a node's application waits for.
type running struct {
	query  kad.QueryID
	row    Row
	number uint64     // the greatest of the records found
	peers  []kad.Peer // the providers found
}

// ended is an operation whose last event has come. It is judged when the window is over, since that needs to know who else
// is there.
type ended struct {
	row    Row
	at     kad.Time
	key    []byte
	peers  []kad.Peer // Lookup: whom it named; Find: the providers
	number uint64     // Get: of the best record
}

// publication is the newest record of a key.
type publication struct {
	at     kad.Time
	number uint64
}

// operate lets a node's application ask for something. One that is not there any more has failed to.
func (s *shard) operate(p kad.Peer, n *node, m *message) {
	x := m.extra
	row := Row{Op: x.operation, Node: p, Began: kad.Duration(s.now - s.w.start), number: x.number}
	if !n.up {
		row.Censored = true
		s.ended = append(s.ended, ended{row: row, at: s.now})
		return
	}
	in := kad.Input{Key: m.key}
	switch x.operation.Kind {
	case Lookup:
		in.Kind = kad.OpGetClosestPeers
	case Provide:
		in.Kind = kad.OpStartProviding
	case Find:
		in.Kind = kad.OpGetProviders
	case Put:
		in.Kind = kad.OpPutRecord
		in.Valid, _ = kad.Validate(validator{}, kad.Record{Key: m.key, Value: recordValue(m.key, x.number)}, s.now)
	case Get:
		in.Kind = kad.OpGetRecord
	case Bootstrap:
		in.Kind = kad.OpBootstrap
	}
	s.begins(p, n, in, row)
}

// begins begins a query and waits for its events, some of which may come in the very first step.
func (s *shard) begins(p kad.Peer, n *node, in kad.Input, row Row) {
	if n.running == nil {
		n.running = new([]running)
	}
	*n.running = append(*n.running, running{row: row})
	at := len(*n.running) - 1
	s.steps++
	k := &s.w.kads[p]
	k.Step(s.now, in, &s.out)
	n.digest = foldStep(n.digest, s.now, &in, &s.out)
	if s.w.tracing && s.w.traces(p) {
		s.note(p, &in)
	}
	(*n.running)[at].query = s.out.Query
	for i := range s.out.Commands {
		s.carryOut(p, n, &s.out.Commands[i])
	}
	if s.out.Query == 0 { // refused at once
		n.drop(at)
		s.ended = append(s.ended, ended{row: row, at: s.now})
	} else {
		s.hear(p, n)
	}
	s.setWake(p, n)
}

// spend adds the bytes of a message to the operation that it belongs to.
func (n *node) spend(q kad.QueryID, size uint64) {
	list := n.operations()
	for i := range list {
		if list[i].query == q {
			list[i].row.Bytes += size
		}
	}
}

// hear tells the application what the last step has brought.
func (s *shard) hear(p kad.Peer, n *node) {
	for i := range s.out.Events {
		ev := &s.out.Events[i]
		if ev.Kind != kad.QueryProgressed {
			continue
		}
		at := slices.IndexFunc(n.operations(), func(r running) bool { return r.query == ev.Query })
		if at < 0 {
			continue
		}
		r := &(*n.running)[at]
		s.progressed(r, ev)
		if ev.Step.Last {
			s.end(r, ev)
			n.drop(at)
		}
	}
}

// progressed takes in what an operation has found.
func (s *shard) progressed(r *running, ev *kad.Event) {
	found := 0
	switch {
	case ev.Result == kad.ResGetRecord && ev.Found:
		found = 1
		r.number = max(r.number, numberOf(&ev.Record))
	case ev.Result == kad.ResGetProviders && len(ev.Providers) > 0:
		for i := range ev.Providers {
			if p := ev.Providers[i].Peer; !slices.Contains(r.peers, p) {
				r.peers = append(r.peers, p)
				found++
			}
		}
	}
	if found == 0 {
		return
	}
	if r.row.Found == 0 {
		r.row.First = kad.Duration(s.now-s.w.start) - r.row.Began
	}
	r.row.Found += found
}

// end closes an operation by its last event.
func (s *shard) end(r *running, ev *kad.Event) {
	row := r.row
	row.Took = kad.Duration(s.now-s.w.start) - row.Began
	row.Requests, row.Failed, row.Hops = ev.Stats.Requests, ev.Stats.Failures, ev.Stats.Hops
	row.TimedOut = ev.Err == kad.QueryTimeout
	e := ended{at: s.now, key: ev.Key, number: r.number, peers: r.peers}
	switch ev.Result {
	case kad.ResGetClosestPeers:
		row.Found = len(ev.Peers)
		row.OK = ev.Err == kad.QueryOK
		for i := range ev.Peers {
			e.peers = append(e.peers, ev.Peers[i].Peer)
		}
	case kad.ResPutRecord, kad.ResStartProviding:
		row.Found = len(ev.Peers)
		row.OK = row.Found > 0
	case kad.ResBootstrap:
		row.OK = ev.Err == kad.QueryOK
	}
	e.row = row
	s.ended = append(s.ended, e)
}

// abandonAll ends the operations of a node that is gone: what became of them nobody will know.
func (s *shard) abandonAll(p kad.Peer, n *node) {
	for _, r := range n.operations() {
		row := r.row
		row.Censored = true
		row.Took = kad.Duration(s.now-s.w.start) - row.Began
		s.ended = append(s.ended, ended{row: row, at: s.now})
	}
	n.running = nil
}

// abandon ends those that have not ended when the world does.
func (s *shard) abandon() {
	for p := range s.w.nodes {
		if n := &s.w.nodes[p]; n.running != nil && s.w.shardOf(kad.Peer(p)) == s.index {
			s.w.result.Unfinished += len(*n.running)
			s.now = s.w.now
			s.abandonAll(kad.Peer(p), n)
		}
	}
	s.judge()
}
