package kad

import "bytes"

// reply takes the answer to a request of ours, or its failure. One that belongs to no running query, or comes from a peer
// which that query did not ask, is ignored: nothing of it is stored, remembered or told. One that comes after its time
// still counts as long as the phase lasts; the second one of the same peer never does.
func (k *Kademlia) reply(now Time, in *Input, out *Output) {
	q, p := k.query(in.Query), in.Peer.Peer
	if p != 0 && k.probeReply(now, in, out) {
		return
	}
	if in.Kind == QueryError && p != 0 && p != k.self { // of a query that has ended, too
		k.peerFailed(now, p, in.Err, out)
	}
	if q == nil || p == 0 || !q.fits(in) {
		if failed := in.Kind == QueryError; k.pacing.arrive(now, in.Query, p, failed) && !failed {
			k.peerAnswered(now, p, out) // too late for the query, but alive
		}
		return
	}
	if in.Kind == QueryError || in.Kind == PutRecordRes && !q.echoes(in) {
		q.fail(p)
		k.advance(now, q, out)
		return
	}
	inTime := q.asked(p)
	k.learn(now, q, p)
	if q.phase == storing {
		if !q.fixed.Reply(p) {
			return
		}
	} else if !k.closer(q, p, in, out) {
		k.advance(now, q, out) // it may have made room
		return
	}
	// What the reply brought is told before the query may end by it: the last event comes last.
	q.stats.Successes++
	if !inTime { // it was counted as a failure when its time had passed
		q.stats.Failures--
	}
	if in.Kind != AddProviderRes { // which says that we have written, and not that anybody has read
		k.peerAnswered(now, p, out)
	}
	switch in.Kind {
	case GetRecordRes:
		k.recordFound(now, q, p, in.Valid, out)
	case GetProvidersRes:
		k.providersFound(now, q, in.Providers, out)
	}
	k.advance(now, q, out)
}

// fits says whether an answer is one to what is asked in the present phase, and not a late one of a phase before. A
// bootstrap asks the same peers for one key after the other, so the key must be the present one too, if it is given.
func (q *query) fits(in *Input) bool {
	if in.Kind == QueryError || in.Kind == FindNodeRes {
		if len(in.Key) > 0 && !bytes.Equal(in.Key, q.key) {
			return false
		}
	}
	if in.Kind == QueryError {
		return true
	}
	switch q.ask {
	case SendFindNode:
		return in.Kind == FindNodeRes
	case SendGetProviders:
		return in.Kind == GetProvidersRes
	case SendGetRecord:
		return in.Kind == GetRecordRes
	case SendAddProvider:
		return in.Kind == AddProviderRes
	case SendPutRecord:
		return in.Kind == PutRecordRes
	}
	return false
}

// echoes says whether the answer to a PUT_VALUE is its echo: a peer that echoes something else has stored something else.
func (q *query) echoes(in *Input) bool {
	return bytes.Equal(in.Key, q.key) && bytes.Equal(in.Value, q.record.Value)
}

// closer gives the lookup the peers that an answer names, without ourselves, and notes their addresses, of those alone that
// the lookup took: an answer can name more peers than it is worth to remember. It is false, and takes nothing, if the
// answer is not awaited.
func (k *Kademlia) closer(q *query, p Peer, in *Input, out *Output) bool {
	if !q.search.awaits(p) {
		return q.search.Reply(p, nil) // nor do we remember the peers that it names
	}
	named := in.Closer[:min(len(in.Closer), maxCloser*k.cfg.K)]
	out.handles = out.handles[:0]
	for i := range named {
		if c := k.intern(named[i]); c != 0 && c != k.self {
			out.handles = append(out.handles, c)
		}
	}
	q.search.Reply(p, out.handles)
	if k.dir.frozen { // everybody's addresses are known
		return true
	}
	if len(q.heard) > 2*q.search.size()+maxCloser*k.cfg.K {
		q.heard.keep(q.search.Has)
	}
	for i := range named {
		if c := k.lookup(named[i]); c != 0 && c != k.self && q.search.Has(c) {
			q.heard.add(c, named[i].Addrs)
		}
	}
	return true
}
