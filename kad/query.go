package kad

import (
	"bytes"
	"cmp"
	"slices"
)

// query is an operation that runs: it asks peers, in one phase or two, and tells the application how it goes. Exactly one
// of its events is the last.
//
// What ends it, and nothing else: its lookup or list is done, its phase is out of time, or the application says so. Each
// of the three comes to advance, which retires it after its last event; so a query cannot end twice, and since its phase
// always has a deadline, Wake sees to it that it ends at all, however silent its peers and its host are.
type query struct {
	id     QueryID
	kind   ResultKind  // which operation; ResNone: the correction of entries, of which nobody is told
	ask    CommandKind // what is sent in the present phase
	phase  phase
	key    []byte // its own copy; commands alias it, so it is never written to again
	search search
	lookup Lookup
	paths  Disjoint
	target Key // of the search
	want   int // how many it is to find
	seeds  int // how many of the table it was given
	fixed  Fixed
	heard  heardAddrs

	deadline Time // of the phase; never 0
	stats    Stats
	steps    uint32 // events so far

	record    StoredRecord // what is put; what a get has found best
	found     bool
	holders   []holder // get: who had a record
	providers int      // get of providers: how many were told, each as often as an answer named it
	enough    int      // get of providers: how many different ones end it; 0: it goes on to its end
	named     []uint64 // which ones those are so far, by the first bits of their keys; enough of them at the most
	quorum    Quorum
	targets   []int // bootstrap: the buckets still to be refreshed
	early     bool  // the application has ended it
	cancelled bool  // and wants nothing of it
	job       bool  // one of those that jobs counts
	closest   []Peer
	// candidates are those of the closest that a get would have a copy sent to; they share no memory with the others.
	candidates []Peer
}

// phase says which of the two drivers is at work. The other one's state is that of a phase that is over, or empty.
type phase uint8

const (
	looking phase = iota // for the peers nearest to the key
	storing              // at given peers
)

// next is whom to ask now.
func (q *query) next(now Time) (p Peer, ok bool) {
	if q.phase == storing {
		return q.fixed.Next(now)
	}
	return q.search.Next(now)
}

// done says whether the phase has nobody left to ask or to wait for.
func (q *query) done() bool {
	if q.phase == storing {
		return q.fixed.Done()
	}
	return q.search.Done()
}

// wake is when the query must be looked at again.
func (q *query) wake() Time {
	if q.phase == storing {
		return earlier(q.deadline, q.fixed.Deadline())
	}
	return earlier(q.deadline, q.search.Deadline())
}

// asked says whether an answer of the peer is awaited, its time not yet over.
func (q *query) asked(p Peer) bool {
	if q.phase == storing {
		return q.fixed.Asked(p)
	}
	return q.search.Asked(p)
}

// fail takes a peer's failure. One whose time has passed was counted then: a request fails once.
func (q *query) fail(p Peer) bool {
	inTime := q.asked(p)
	var awaited bool
	if q.phase == storing {
		awaited = q.fixed.Fail(p)
	} else {
		awaited = q.search.Fail(p)
	}
	if awaited && inTime {
		q.stats.Failures++
	}
	return awaited
}

// visit marks all peers that the query refers to: as long as it runs none of their handles gets another meaning.
func (q *query) visit(mark func(Peer)) {
	q.search.visit(mark)
	for i := range q.fixed.peers {
		mark(q.fixed.peers[i].peer)
	}
	for i := range q.heard {
		mark(q.heard[i].peer)
	}
	for i := range q.holders {
		mark(q.holders[i].peer)
	}
	for _, p := range q.closest {
		mark(p)
	}
}

// queryAt is where a query stands, or where it would.
func (k *Kademlia) queryAt(id QueryID) (int, bool) {
	return slices.BinarySearchFunc(k.queries, id, func(q *query, id QueryID) int { return cmp.Compare(q.id, id) })
}

// query returns a running query, or nil.
func (k *Kademlia) query(id QueryID) *query {
	if i, ok := k.queryAt(id); ok {
		return k.queries[i]
	}
	return nil
}

// queryAfter is the first running query with a greater id. Queries may begin and end between two calls.
func (k *Kademlia) queryAfter(id QueryID) (QueryID, bool) {
	i, ok := k.queryAt(id)
	if ok {
		i++
	}
	if i == len(k.queries) {
		return 0, false
	}
	return k.queries[i].id, true
}

// busy says whether as many queries run as may, and sets Err then.
func (k *Kademlia) busy(out *Output) bool {
	if len(k.queries) < k.cfg.Limits.Queries {
		return false
	}
	out.Err = ErrTooManyQueries
	return true
}

// newQuery adds a query. It is nil, and Err is set, if as many run as may.
func (k *Kademlia) newQuery(now Time, kind ResultKind, key []byte, out *Output) *query {
	if k.busy(out) {
		return nil
	}
	q := new(query)
	if n := len(out.spare); n > 0 {
		q, out.spare = out.spare[n-1], out.spare[:n-1]
	}
	k.lastQuery++
	q.search = &q.lookup
	q.id, q.kind, q.key = k.lastQuery, kind, bytes.Clone(key)
	q.stats.Start = now
	k.queries = append(k.queries, q)
	return q
}

// retire takes a query out and keeps its memory in the Output for the next one, whosever it is. Only memory is kept: the
// next query may be another node's, whose Directory gives handles another meaning, and it may never begin the Lookup or
// the Fixed that it does not need.
func (k *Kademlia) retire(q *query, out *Output) {
	k.queries = slices.DeleteFunc(k.queries, func(x *query) bool { return x == q })
	if q.job {
		k.jobs.running--
	}
	if len(out.spare) < maxKeptQueries {
		clear(q.heard)
		clear(q.holders)
		*q = query{
			lookup: Lookup{peers: q.lookup.peers[:0], waiting: q.lookup.waiting[:0]},
			fixed:  Fixed{peers: q.fixed.peers[:0]},
			heard:  q.heard[:0], holders: q.holders[:0], targets: q.targets[:0], closest: q.closest[:0], candidates: q.candidates[:0],
		}
		out.spare = append(out.spare, q)
	}
}

// look starts a phase that looks for the want nearest peers to target by sending ask, from the nearest of the table. It
// sends nothing: advance does.
func (k *Kademlia) look(now Time, q *query, ask CommandKind, target Key, want int, out *Output) {
	q.phase, q.ask, q.deadline = looking, ask, now+Time(k.cfg.QueryTimeout)
	q.search, q.target = &q.lookup, target
	if k.cfg.DisjointPaths {
		q.search = &q.paths
	}
	q.want = want
	q.search.Begin(k.dir, target, want, k.cfg)
	q.seeds = k.cfg.K
	out.near = k.table.Nearest(out.near[:0], &target, q.seeds)
	q.search.Seed(out.near)
}

// widen gives a lookup that has ended short of peers the next K of the table, until there is one that it did not know: where
// many of the nearest are dead and all tables name the same, nobody else would ever name the others.
func (k *Kademlia) widen(q *query, out *Output) bool {
	if q.phase != looking || !q.search.Short() {
		return false
	}
	for more := true; more; {
		q.seeds += k.cfg.K
		out.near = k.table.Nearest(out.near[:0], &q.target, q.seeds)
		if q.search.Seed(out.near) {
			return true
		}
		more = len(out.near) == q.seeds
	}
	return false
}

// give starts a phase that sends ask to given peers.
func (k *Kademlia) give(now Time, q *query, ask CommandKind, peers []Peer) {
	q.phase, q.ask, q.deadline = storing, ask, now+Time(k.cfg.QueryTimeout)
	q.fixed.Begin(peers, q.quorum, k.cfg)
}

// advance sends what a query may send and ends it, or its phase, when that is done or out of time. Whatever changes a query
// calls it last: afterwards the query may be gone, and its memory another's. The loop ends because a phase that has begun
// is not late, and each end of a phase leads to another at most as often as a bootstrap has buckets.
func (k *Kademlia) advance(now Time, q *query, out *Output) {
	for {
		late := now >= q.deadline
		for !late {
			awaited := q.unanswered()
			p, ok := q.next(now)
			postponed := ok && q.phase == looking && k.pacing.doubts(now, p, k.cfg) && q.search.Postpone(p)
			if ok && !postponed {
				awaited++
			}
			q.stats.Failures += uint32(awaited - q.unanswered()) // those whose time has passed
			if !ok {
				break
			}
			if postponed {
				continue
			}
			q.stats.Requests++
			k.expect(q, p)
			k.send(q, p, out)
		}
		if !late && !q.done() {
			return
		}
		if !late && k.widen(q, out) {
			continue
		}
		if k.endPhase(now, q, late, out) {
			k.retire(q, out)
			return
		}
	}
}

// unanswered is how many answers are awaited in the present phase, their time not over.
func (q *query) unanswered() int {
	if q.phase == storing {
		return q.fixed.Awaited()
	}
	return q.search.Awaited()
}

// expect says how long to bear with a peer that is being asked.
func (k *Kademlia) expect(q *query, p Peer) {
	dialled := !k.connected(p)
	patience := k.pacing.patience(dialled, k.cfg)
	if q.phase == storing {
		q.fixed.Expect(p, storingPatience*patience)
	} else {
		q.search.Expect(p, dialled, patience)
	}
}

// excuse makes up for a time in which the driver was held up: the answers of that time may lie unread. As much again is for
// reading them. Without it a busy machine would take its own slowness for that of its peers, and lookups would end without
// some of the nearest.
func (k *Kademlia) excuse(late Duration) {
	for _, q := range k.queries {
		if q.phase == storing {
			q.fixed.Excuse(2 * late)
		} else {
			q.search.Excuse(2 * late)
		}
	}
}

// learn takes the time of an answer that is about to be counted. That of an ADD_PROVIDER says nothing, since it is on the
// wire as soon as its stream is open.
func (k *Kademlia) learn(now Time, q *query, p Peer) {
	if q.phase == storing {
		return
	}
	if f := q.search.request(p); f != nil {
		k.pacing.of(f.dialled).learn(Duration(now - f.asked))
		q.search.Hasten(f.dialled, k.pacing.patience(f.dialled, k.cfg))
	}
}

// send tells the host what to ask of a peer, and by which addresses it may be dialled.
func (k *Kademlia) send(q *query, p Peer, out *Output) {
	cmd := out.command(q.ask)
	cmd.Query, cmd.Key, cmd.Peer = q.id, q.key, k.dir.Info(p)
	if k.connected(p) {
		cmd.Peer.Connection = Connected
	}
	cmd.Peer.Addrs = cmd.Peer.Addrs.Merge(q.heard.of(p))
	switch q.ask {
	case SendPutRecord:
		cmd.Record, cmd.Found = q.record.Record, true
	case SendAddProvider:
		first := len(out.peers)
		out.peers = append(out.peers, k.Self())
		cmd.Providers = out.since(first)
	}
}

// event starts an event of a query. last must be true for exactly one.
func (k *Kademlia) event(now Time, q *query, last bool, out *Output) *Event {
	q.steps++
	if last {
		q.stats.End = now
	}
	ev := out.event(QueryProgressed)
	ev.Query, ev.Result, ev.Key, ev.Stats = q.id, q.kind, q.key, q.stats
	ev.Step = ProgressStep{Count: q.steps, Last: last}
	return ev
}

// infos puts peers into the arena with what the query knows of their addresses.
func (k *Kademlia) infos(q *query, peers []Peer, out *Output) []PeerInfo {
	first := len(out.peers)
	for _, p := range peers {
		info := k.dir.Info(p)
		info.Addrs = out.merge(info.Addrs, q.heard.of(p))
		if k.connected(p) {
			info.Connection = Connected
		}
		out.peers = append(out.peers, info)
	}
	return out.since(first)
}

// failEverywhere notes in all queries that a peer cannot answer. Queries end and corrections begin while we walk, so we
// walk by id; a correction that begins meets the same end for this peer, since its id is greater.
func (k *Kademlia) failEverywhere(now Time, p Peer, out *Output) {
	for id, ok := k.queryAfter(0); ok; id, ok = k.queryAfter(id) {
		if q := k.query(id); q.asked(p) && q.fail(p) {
			k.advance(now, q, out)
		}
	}
}
