package kad

// Bucket is one bucket of the table as the application sees it: a view, good until the next Step.
type Bucket struct {
	Index int // how many leading bits its peers share with the local key
	table *Table
}

// Buckets calls yield for each bucket that holds a peer, the farthest first.
func (t *Table) Buckets(yield func(Bucket) bool) {
	for b := range t.Depth() {
		if bucket := (Bucket{b, t}); bucket.Len() > 0 && !yield(bucket) {
			return
		}
	}
}

// Bucket is where a key belongs; ok is false for the local key, which belongs nowhere.
func (t *Table) Bucket(key *Key) (b Bucket, ok bool) {
	i := t.local.CommonPrefix(key)
	return Bucket{i, t}, i < KeyBits
}

// BucketOf is where a peer of the Directory belongs; ok is false for the local peer.
func (t *Table) BucketOf(p Peer) (b Bucket, ok bool) {
	i := t.bucketOf(p)
	return Bucket{i, t}, i < KeyBits
}

// Range is the least and the greatest distance from the local key that a key of the bucket has: 2^(255-Index) and
// 2^(256-Index)-1, big-endian.
func (b Bucket) Range() (least, greatest Key) {
	at := b.Index / 8
	bit := byte(0x80) >> (b.Index % 8)
	least[at], greatest[at] = bit, bit|(bit-1)
	for i := at + 1; i < len(greatest); i++ {
		greatest[i] = 0xff
	}
	return least, greatest
}

// Len is how many peers have a place in it.
func (b Bucket) Len() int {
	from, to := b.table.bucket(b.Index)
	return to - from
}

// HasPending says whether somebody waits for a place in it.
func (b Bucket) HasPending() bool { return b.table.hasPending(b.Index) }

// Contains says whether a peer has a place in it.
func (b Bucket) Contains(p Peer) bool { return b.table.index(p, b.Index) >= 0 }

// Entries calls yield for each of its peers, as Table.Entries does: the one that waits comes last.
func (b Bucket) Entries(yield func(EntryView) bool) { b.table.Entries(b.Index, yield) }
