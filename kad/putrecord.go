package kad

import "bytes"

// putRecord stores a record here and at the K peers nearest to its key. The local copy keeps the expiry that the caller
// gave; what is sent gets RecordTTL if there is none.
func (k *Kademlia) putRecord(now Time, in *Input, out *Output) {
	rec := in.Valid.record
	if !in.Valid.ok {
		out.Err = ErrInvalidRecord
		return
	}
	// Whoever puts a record publishes it, whatever it was handed in as.
	rec.Publisher, rec.Received = k.dir.ID(k.self), now
	old, ok := k.store.Get(rec.Key)
	if ok && !expired(old.Expires, now) && bytes.Compare(in.Valid.rank, old.Rank) < 0 {
		out.Err = ErrWorseRecord
		return
	}
	if k.busy(out) { // before anything is stored: what is refused leaves no trace
		return
	}
	if out.Err = k.keeping().Put(StoredRecord{Record: rec, Rank: in.Valid.rank}); out.Err != nil {
		return
	}
	if q := k.begin(now, ResPutRecord, rec.Key, out); q != nil {
		k.setRecord(now, q, rec, in)
		k.look(now, q, SendFindNode, KeyOf(q.key), k.cfg.K, out)
		k.advance(now, q, out)
	}
}

// putRecordTo stores a record at given peers and not here, as it is: its publisher stays who it was. Of peers that are given
// twice one counts (Fixed), and this node itself is left out.
func (k *Kademlia) putRecordTo(now Time, in *Input, out *Output) {
	if !in.Valid.ok {
		out.Err = ErrInvalidRecord
		return
	}
	if len(in.Valid.record.Value) >= k.cfg.Limits.RecordBytes {
		out.Err = ErrValueTooLarge
		return
	}
	out.handles = out.handles[:0]
	for _, info := range in.Closer {
		if p := k.intern(info); p != 0 && p != k.self {
			out.handles = append(out.handles, p)
		}
	}
	if len(out.handles) == 0 {
		out.Err = ErrNoPeers
		return
	}
	q := k.begin(now, ResPutRecord, in.Valid.record.Key, out)
	if q == nil {
		return
	}
	// The addresses that the caller gave are hearsay as those of a lookup are.
	for _, info := range in.Closer {
		if p := k.lookup(info); p != 0 && !k.dir.frozen {
			q.heard.add(p, info.Addrs)
		}
	}
	k.setRecord(now, q, in.Valid.record, in)
	k.give(now, q, SendPutRecord, out.handles)
	k.advance(now, q, out)
}

// setRecord copies what is to be sent, once for all who get it: commands alias it until the last of them is sent, which may
// be after the query has ended. So it is never written to again.
func (k *Kademlia) setRecord(now Time, q *query, r Record, in *Input) {
	q.quorum = in.Quorum
	q.record.Record = Record{Key: q.key, Value: bytes.Clone(r.Value), Publisher: bytes.Clone(r.Publisher)}
	q.record.Expires = k.sentExpiry(now, r.Expires)
}

// sentExpiry is the end that a record is sent with: its own, or RecordTTL from now if it has none. What is stored here is
// not changed by it.
func (k *Kademlia) sentExpiry(now, own Time) Time {
	if own == 0 && k.cfg.RecordTTL > 0 {
		return now + Time(k.cfg.RecordTTL)
	}
	return own
}

// endPutRecord goes on from finding the nearest to giving them the record, and from that to the end. The quorum is measured
// by those to whom it was sent: a network of fewer than K peers can still store at All.
func (k *Kademlia) endPutRecord(now Time, q *query, late bool, out *Output) (over bool) {
	if q.phase == looking && !late && !q.cancelled && len(q.closest) > 0 {
		k.give(now, q, SendPutRecord, q.closest)
		return false
	}
	if q.kind == ResNone { // a correction: nobody is told
		return true
	}
	asked := 0
	out.handles = out.handles[:0]
	if q.phase == storing {
		asked = q.fixed.Len()
		out.handles = q.fixed.Result(out.handles)
	}
	ev := k.event(now, q, true, out)
	ev.Peers = k.infos(q, out.handles, out)
	switch {
	case len(out.handles) >= q.quorum.of(asked):
	case late:
		ev.Err = QueryTimeout
	default:
		ev.Err = QueryQuorumFailed
	}
	return true
}

// removeRecord forgets a record that this node published. The other holders keep theirs until they expire: the protocol has
// no message to take one back. A record that is not there is removed already.
func (k *Kademlia) removeRecord(key []byte, out *Output) {
	if r, ok := k.store.Get(key); ok {
		if !bytes.Equal(r.Publisher, k.dir.ID(k.self)) {
			out.Err = ErrNotPublisher
			return
		}
		k.store.Remove(key)
	}
}
