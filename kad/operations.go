package kad

// operate starts what the application asks for. What it returns at once stands in the Output; the rest arrives as events.
func (k *Kademlia) operate(now Time, in *Input, out *Output) {
	switch in.Kind {
	case OpGetClosestPeers:
		k.getClosestPeers(now, in, out)
	case OpGetRecord:
		k.getRecord(now, in, out)
	case OpPutRecord:
		k.putRecord(now, in, out)
	case OpPutRecordTo:
		k.putRecordTo(now, in, out)
	case OpRemoveRecord:
		k.removeRecord(in.Key, out)
	case OpBootstrap:
		k.bootstrap(now, out)
	case OpStartProviding:
		k.startProviding(now, in, out)
	case OpStopProviding:
		k.store.RemoveProvider(in.Key, k.self)
	case OpGetProviders:
		k.getProviders(now, in, out)
	case OpSetMode:
		k.setMode(in.Mode, out)
	case OpFinish:
		k.finish(now, in.Query, false, out)
	case OpCancel:
		k.finish(now, in.Query, true, out)
	case OpAccept, OpRefuse:
		k.answerHeld(now, in, out)
	}
}

// begin starts a query for a key and tells its id; nil if it may not run, and Err says why. The caller starts its first
// phase and calls advance.
func (k *Kademlia) begin(now Time, kind ResultKind, key []byte, out *Output) *query {
	if len(key) == 0 { // no server would answer (libp2p-kad L490)
		out.Err = ErrKeyLength
		return nil
	}
	q := k.newQuery(now, kind, key, out)
	if q != nil {
		out.Query = q.id
	}
	return q
}

// getClosestPeers looks for the N peers nearest to any key, K at the most: servers answer with K, so that more could not be
// vouched for.
func (k *Kademlia) getClosestPeers(now Time, in *Input, out *Output) {
	if q := k.begin(now, ResGetClosestPeers, in.Key, out); q != nil {
		want := k.cfg.K
		if in.N > 0 {
			want = min(in.N, want)
		}
		k.look(now, q, SendFindNode, KeyOf(q.key), want, out)
		k.advance(now, q, out)
	}
}

// finish ends a query early with what it has. A put or a provide that still looks goes on to give to those that it has
// found, as in libp2p-kad: a second finish ends it. A bootstrap ends with all the lookups that it has left.
//
// One that is cancelled ends as it stands: nobody waits for it any more, so nothing is given, nor is any entry corrected.
func (k *Kademlia) finish(now Time, id QueryID, cancelled bool, out *Output) {
	q := k.query(id)
	if q == nil || q.kind == ResNone {
		out.Err = ErrUnknownQuery
		return
	}
	q.early, q.cancelled = true, cancelled
	q.search.Finish()
	if q.phase == storing {
		q.fixed.Finish()
	}
	k.advance(now, q, out)
}

// endPhase is called when a phase is done or its time is up (late). It tells the application and says whether the query is
// over; if not, it has begun the next phase.
func (k *Kademlia) endPhase(now Time, q *query, late bool, out *Output) (over bool) {
	if q.phase == looking {
		var hops int
		q.closest, hops = q.search.Result(q.closest[:0])
		q.stats.Hops = max(q.stats.Hops, uint32(hops))
		k.pacing.leave(q.id, q.search)
	}
	switch q.kind {
	case ResBootstrap:
		return k.endBootstrap(now, q, late, out)
	case ResGetRecord:
		k.endGetRecord(now, q, late, out)
	case ResPutRecord, ResRepublishRecord, ResNone:
		return k.endPutRecord(now, q, late, out)
	case ResStartProviding, ResRepublishProvider:
		return k.endProviding(now, q, late, out)
	case ResGetClosestPeers, ResGetProviders:
		ev := k.event(now, q, true, out)
		ev.Err = timeoutIf(late)
		ev.Peers = k.infos(q, q.closest, out)
	}
	return true
}

// timeoutIf is the result of a phase that has nothing else to complain of.
func timeoutIf(late bool) QueryErr {
	if late {
		return QueryTimeout
	}
	return QueryOK
}
