package kad

import "encoding/binary"

// maxGrind is the deepest bucket for which a bootstrap looks by itself. A lookup needs the preimage of its target: an id
// whose hash begins as the local key does for so many bits and then differs, 2^(b+1) hashes on average, about 1 ms for
// bucket 12. The buckets beyond are those of the 1/4096 of the keyspace around the node, which the lookup of its own key
// walks through.
const maxGrind = 12

// bootstrap looks for the local key, which fills the near buckets, and then for a random key in each farther one. It is one
// query with one id; its lookups run one after the other, each with a deadline and an event of its own. They bring peers
// to the table by the way all others take: who answers is confirmed, and who is confirmed is admitted.
func (k *Kademlia) bootstrap(now Time, out *Output) {
	k.bootstrapBegins(now)
	if k.table.Len() == 0 {
		out.Err = ErrNoKnownPeers
		return
	}
	k.askEvicted(now, out)
	if q := k.begin(now, ResBootstrap, k.dir.ID(k.self), out); q != nil {
		k.look(now, q, SendFindNode, k.table.local, k.cfg.K, out)
		k.advance(now, q, out)
	}
}

// endBootstrap tells of one lookup of a bootstrap and begins the next. One that runs out of time does not stop the rest.
func (k *Kademlia) endBootstrap(now Time, q *query, late bool, out *Output) (over bool) {
	switch {
	case q.early:
		q.targets = q.targets[:0]
	case q.steps == 0:
		// Farther than the nearest peer's bucket, the nearer ones first, as libp2p-kad does.
		for b := min(k.table.Depth()-2, maxGrind); b >= 0; b-- {
			q.targets = append(q.targets, b)
		}
	}
	ev := k.event(now, q, len(q.targets) == 0, out)
	ev.Peer = PeerInfo{Peer: k.dir.Find(q.key), ID: q.key}
	ev.Remaining = uint32(len(q.targets))
	ev.Err = timeoutIf(late)
	if len(q.targets) == 0 {
		k.bootstrapEnds(now)
		return true
	}
	b := q.targets[0]
	q.targets = q.targets[:copy(q.targets, q.targets[1:])]
	q.key = k.grind(b)
	k.look(now, q, SendFindNode, KeyOf(q.key), k.cfg.K, out)
	return false
}

// grind finds a peer id, in the form of the SHA-256 multihash of a key, whose own key belongs to bucket b.
func (k *Kademlia) grind(b int) []byte {
	id := make([]byte, 34)
	id[0], id[1] = 0x12, 0x20
	for i := 2; i < len(id); i += 8 {
		binary.BigEndian.PutUint64(id[i:], k.rng.Uint64())
	}
	// Each trial succeeds with a chance of 2^-(b+1): that none of 64·2^(b+1) does happens once in 10^27 bootstraps. Then
	// the last one serves, for a farther bucket.
	for n := uint64(0); n < 64<<(b+1); n++ {
		key := KeyOf(id)
		if k.table.local.CommonPrefix(&key) == b {
			break
		}
		binary.BigEndian.PutUint64(id[26:], n)
	}
	return id
}
