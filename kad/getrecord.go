package kad

import "bytes"

// holder is a peer that answered a get with a record, and that record's rank.
type holder struct {
	peer Peer
	rank []byte
}

// getRecord looks for a record at the peers nearest to its key. What this node stores itself counts as the first find;
// an expired one is forgotten.
func (k *Kademlia) getRecord(now Time, in *Input, out *Output) {
	q := k.begin(now, ResGetRecord, in.Key, out)
	if q == nil {
		return
	}
	q.quorum = in.Quorum
	k.look(now, q, SendGetRecord, KeyOf(q.key), k.cfg.K, out)
	if own, ok := k.store.Get(q.key); ok {
		if expired(own.Expires, now) {
			k.store.Remove(q.key)
		} else {
			k.foundRecord(now, q, k.self, own, out)
		}
	}
	k.advance(now, q, out)
}

// recordFound takes the record of an answer, if there is one and it is that of the key.
func (k *Kademlia) recordFound(now Time, q *query, p Peer, v Valid, out *Output) {
	if !v.ok || !bytes.Equal(v.record.Key, q.key) {
		return
	}
	r := v.record
	k.foundRecord(now, q, p, StoredRecord{
		Record: Record{Key: q.key, Value: bytes.Clone(r.Value), Publisher: bytes.Clone(r.Publisher), Expires: r.Expires},
		Rank:   bytes.Clone(v.rank),
	}, out)
}

// foundRecord counts a find, prefers it if it is better than the best so far, and tells the application. Of two as good as
// each other the first stays, so that the result depends on the order of the answers no more than it must. Each find is
// told, also the worse ones: who streams them shows that the network disagrees.
func (k *Kademlia) foundRecord(now Time, q *query, p Peer, r StoredRecord, out *Output) {
	if !q.found || bytes.Compare(r.Rank, q.record.Rank) > 0 {
		q.record = r
	}
	q.found = true
	q.holders = append(q.holders, holder{p, r.Rank})
	ev := k.event(now, q, false, out)
	ev.Record, ev.Found = r.Record, true
	if p != k.self {
		ev.Peer = k.dir.Info(p)
	}
	if k.cfg.QuorumEndsGet && k.enough(q) {
		k.finishHolders(q)
	}
}

// enough says whether as many had a record as the quorum demands.
func (k *Kademlia) enough(q *query) bool { return len(q.holders) >= q.quorum.of(k.cfg.K) }

// finishHolders ends what a quorum ends: each path that found a record. Other paths go on, since one liar must not be able
// to end a search along several. A quorum that this node's own copy fills by itself ends all.
func (k *Kademlia) finishHolders(q *query) {
	for _, h := range q.holders {
		if h.peer != k.self {
			q.search.FinishPath(h.peer)
		} else if len(q.holders) == 1 {
			q.search.Finish()
		}
	}
}

// endGetRecord tells the best record, or that there is none. Beside a record stand the candidates for a copy of it: the
// nearest that answered without any, CacheCandidates at the most; and if there is none, the nearest that answered. A get that
// ran out of time, or whose quorum was missed where that ends a get (libp2p-kad 0.28 to 0.48), has its best record all the
// same, beside the error.
//
// Those of the nearest that lack the best record get it by correction; with AutoCache and no correction the candidates do.
func (k *Kademlia) endGetRecord(now Time, q *query, late bool, out *Output) {
	lacking, candidates := out.handles[:0], q.candidates[:0]
	for _, p := range q.closest {
		held, best := q.holds(p)
		if !best {
			lacking = append(lacking, p)
		}
		if !held && len(candidates) < k.cfg.CacheCandidates {
			candidates = append(candidates, p)
		}
	}
	out.handles, q.candidates = lacking, candidates // their memory may have grown
	ev := k.event(now, q, true, out)
	ev.Record, ev.Found = q.record.Record, q.found
	if q.found {
		ev.Candidates = k.infos(q, candidates, out)
	} else {
		ev.Peers = k.infos(q, q.closest, out)
	}
	switch {
	case late:
		ev.Err = QueryTimeout
	case !q.found:
		ev.Err = QueryNotFound
	case k.cfg.QuorumEndsGet && !k.enough(q):
		ev.Err = QueryQuorumFailed
	}
	switch {
	case !q.found || q.cancelled:
	case !k.cfg.NoCorrection:
		k.correct(now, q, lacking, out)
	case k.cfg.AutoCache:
		k.copyTo(now, q, candidates, out)
	}
}

// holds says whether a peer answered with a record, and whether with one as good as the best.
func (q *query) holds(p Peer) (held, best bool) {
	for i := range q.holders {
		if h := &q.holders[i]; h.peer == p {
			return true, bytes.Equal(h.rank, q.record.Rank)
		}
	}
	return false, false
}

// correct sends the best record to those of the nearest that answered with none or an older one (libp2p-kad L191, ipfs-kad
// L617), and replaces our own copy if that is older.
func (k *Kademlia) correct(now Time, q *query, lacking []Peer, out *Output) {
	if own, ok := k.store.Get(q.key); ok && bytes.Compare(own.Rank, q.record.Rank) < 0 {
		_ = k.storeReceived(now, Valid{record: q.record.Record, rank: q.record.Rank, ok: true})
	}
	k.copyTo(now, q, lacking, out)
}

// copyTo sends what a get has found to others. Nobody waits for it. It is a query of its own, since the get has ended: with
// its own id, deadline and place among those that may run at once; if there is none left, it does not run.
func (k *Kademlia) copyTo(now Time, q *query, peers []Peer, out *Output) {
	if len(peers) == 0 {
		return
	}
	err := out.Err
	c := k.newQuery(now, ResNone, q.key, out)
	out.Err = err // what keeps a correction from running is not the application's error
	if c == nil {
		return
	}
	c.record = q.record
	c.heard = append(c.heard, q.heard...)
	k.give(now, c, SendPutRecord, peers)
	k.advance(now, c, out)
}

// of is how many of n peers make the quorum: at least one, never more than there are. Of nobody it is one as well, so that
// a record which reached nobody never counts as stored.
func (q Quorum) of(n int) int {
	switch {
	case q == Majority:
		return n/2 + 1
	case q == All:
		return max(1, n)
	case q <= One:
		return 1
	}
	return max(1, min(int(q), n))
}
