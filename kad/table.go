package kad

import "math/bits"

// Table is the routing table: buckets of at most k peers by the number of leading bits that their keys share with the
// local one (ipfs-kad L247; 0 is the far half of the keyspace). A bucket keeps its disconnected peers first and its
// connected ones after them, each part from the least to the most recently changed, as libp2p-kad does; so its head is
// who has to prove that it lives when somebody else wants the place.
//
// All entries stand in one slab ordered by bucket: 16 bytes each, no pointers, and a walk over several buckets is a walk
// over consecutive memory. An insertion moves 5 KB at the most.
type Table struct {
	dir     *Directory
	k       int
	entries []entry
	offs    []uint16 // bucket b is entries[offs[b]:offs[b+1]]; as long as the deepest bucket used needs
	local   Key
	pending []pending
}

type entry struct {
	prefix uint64 // Prefix64 of the key
	peer   Peer
	status uint32 // seconds since tableEpoch, shifted by one; the lowest bit: connected
}

// tableEpoch is 2020-01-01 00:00 UTC: 31 bits of seconds from there last until 2088.
const tableEpoch Time = 1_577_836_800e9

// statusAt packs when a peer was heard of and whether it is connected into four bytes. A moment before the epoch (tests
// begin at 1) counts as the epoch.
func statusAt(now Time, connected bool) uint32 {
	s := uint32(max(0, now-tableEpoch)/Time(Second)) << 1
	if connected {
		s |= 1
	}
	return s
}

func (e entry) connected() bool { return e.status&1 != 0 }

// seen is when the peer was last heard of, in whole seconds.
func (e entry) seen() Time { return tableEpoch + Time(e.status>>1)*Time(Second) }

// Insertion is what became of a peer that wanted a place in the table. Only Inserted and InsertPending changed anything.
type Insertion uint8

const (
	Inserted      Insertion = iota
	Present                 // it is there already
	InsertPending           // the bucket is full; it waits for the head to be proved dead
	InsertFull              // the bucket is full of peers that are to be preferred
	InsertSelf              // it is the local peer
)

// init makes an empty table around a local key.
func (t *Table) init(dir *Directory, local Key, k int) {
	*t = Table{dir: dir, local: local, k: k}
}

// Len is the number of peers in the table, pending ones not counted.
func (t *Table) Len() int { return len(t.entries) }

// Depth is one more than the deepest bucket that holds a peer; 0 if the table is empty.
func (t *Table) Depth() int {
	for b := len(t.offs) - 2; b >= 0; b-- {
		if t.offs[b] != t.offs[b+1] {
			return b + 1
		}
	}
	return 0
}

// bucketOf is the bucket of a handle; KeyBits, which is no bucket, for the local peer.
func (t *Table) bucketOf(p Peer) int {
	if b := bits.LeadingZeros64(t.local.Prefix64() ^ t.dir.prefix(p)); b < 64 {
		return b
	}
	return t.local.CommonPrefix(t.dir.Key(p))
}

// bucket is where bucket b lies in entries.
func (t *Table) bucket(b int) (from, to int) {
	if b+1 >= len(t.offs) {
		return len(t.entries), len(t.entries)
	}
	return int(t.offs[b]), int(t.offs[b+1])
}

// index is where a peer stands in entries, or -1.
func (t *Table) index(p Peer, b int) int {
	from, to := t.bucket(b)
	for i := from; i < to; i++ {
		if t.entries[i].peer == p {
			return i
		}
	}
	return -1
}

// Contains says whether the peer is in the table (pending does not count) and whether it is connected there.
func (t *Table) Contains(p Peer) (present, connected bool) {
	if i := t.index(p, t.bucketOf(p)); i >= 0 {
		return true, t.entries[i].connected()
	}
	return false, false
}

// split is where the connected part of bucket b begins: its end, if nobody there is connected.
func (t *Table) split(b int) int {
	from, to := t.bucket(b)
	for from < to && !t.entries[from].connected() {
		from++
	}
	return from
}

// insertAt makes room at i for an entry of bucket b. Shallow buckets come first in the slab, so that the near ones, which
// are few and change most, move the least.
func (t *Table) insertAt(i, b int, e entry) {
	for len(t.offs) < b+2 {
		t.offs = append(t.offs, uint16(len(t.entries)))
	}
	t.entries = append(t.entries, entry{})
	copy(t.entries[i+1:], t.entries[i:])
	t.entries[i] = e
	for j := b + 1; j < len(t.offs); j++ {
		t.offs[j]++
	}
}

// removeAt closes the gap that the entry at i of bucket b leaves.
func (t *Table) removeAt(i, b int) {
	t.entries = append(t.entries[:i], t.entries[i+1:]...)
	for j := b + 1; j < len(t.offs); j++ {
		t.offs[j]--
	}
}

// place puts a peer at the end of its part of bucket b.
func (t *Table) place(p Peer, b int, status uint32) {
	i := t.split(b)
	if status&1 != 0 {
		_, i = t.bucket(b)
	}
	t.insertAt(i, b, entry{t.dir.prefix(p), p, status})
}

// Insert gives a peer a place in its bucket. With InsertPending, lru is the peer that keeps its place only if it proves
// within the timeout that it lives: the caller dials it.
func (t *Table) Insert(now Time, p Peer, connected bool, timeout Duration) (res Insertion, lru Peer) {
	b := t.bucketOf(p)
	if b == KeyBits {
		return InsertSelf, 0
	}
	if t.index(p, b) >= 0 {
		return Present, 0
	}
	from, to := t.bucket(b)
	waits := t.setPending(p, connected)
	if to-from < t.k {
		if waits { // room appeared since
			t.dropPending(t.pendingIndex(p))
		}
		t.place(p, b, statusAt(now, connected))
		return Inserted, 0
	}
	if waits {
		return InsertPending, t.entries[from].peer
	}
	head := t.entries[from]
	if !connected || head.connected() || t.hasPending(b) {
		return InsertFull, 0
	}
	t.pending = append(t.pending, pending{bucket: uint16(b), connected: true, peer: p, ready: now + Time(timeout)})
	return InsertPending, head.peer
}

// hasRoom says whether Insert would give a peer that is neither in the table nor waiting a place, or let it wait for one.
func (t *Table) hasRoom(p Peer, connected bool) bool {
	b := t.bucketOf(p)
	if b == KeyBits || t.index(p, b) >= 0 || t.pendingIndex(p) >= 0 {
		return false
	}
	from, to := t.bucket(b)
	return to-from < t.k || connected && !t.entries[from].connected() && !t.hasPending(b)
}

// Update sets a peer's status: it moves to the end of the part of its bucket that it now belongs to. When the head of a
// bucket reconnects, it has proved that it lives, and whoever waited for its place is dropped.
func (t *Table) Update(now Time, p Peer, connected bool) {
	if t.setPending(p, connected) {
		return
	}
	b := t.bucketOf(p)
	i := t.index(p, b)
	if i < 0 || t.entries[i].connected() == connected {
		return
	}
	if from, _ := t.bucket(b); i == from && connected {
		t.dropPendingOf(b)
	}
	t.removeAt(i, b)
	t.place(p, b, statusAt(now, connected))
}

// Touch notes that a peer was heard of. The order does not change: only connections move a peer, never requests.
func (t *Table) Touch(now Time, p Peer) {
	if i := t.index(p, t.bucketOf(p)); i >= 0 {
		t.entries[i].status = statusAt(now, t.entries[i].connected())
	}
}

// Remove takes a peer out of the table, or off the list of those that wait. was is false if it was neither.
func (t *Table) Remove(p Peer) (was bool) {
	if i := t.pendingIndex(p); i >= 0 {
		t.dropPending(i)
		return true
	}
	b := t.bucketOf(p)
	i := t.index(p, b)
	if i >= 0 {
		t.removeAt(i, b)
	}
	return i >= 0
}

// EntryView is an entry of the table as it is shown to the application. Seen is in whole seconds, and 0 for one that waits.
type EntryView struct {
	PeerInfo
	Bucket    int
	Connected bool
	Pending   bool
	Seen      Time
}

// Entries calls yield for each peer of bucket b in its order and then for the one that waits for a place in it.
func (t *Table) Entries(b int, yield func(EntryView) bool) {
	from, to := t.bucket(b)
	for _, e := range t.entries[from:to] {
		if !yield(EntryView{PeerInfo: t.dir.Info(e.peer), Bucket: b, Connected: e.connected(), Seen: e.seen()}) {
			return
		}
	}
	for _, w := range t.pending {
		if int(w.bucket) == b {
			yield(EntryView{PeerInfo: t.dir.Info(w.peer), Bucket: b, Connected: w.connected, Pending: true})
		}
	}
}

// visit marks all peers that the table refers to.
func (t *Table) visit(mark func(Peer)) {
	for _, e := range t.entries {
		mark(e.peer)
	}
	for _, w := range t.pending {
		mark(w.peer)
	}
}
