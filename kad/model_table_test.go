package kad

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of this file prove of the routing table what libp2p-kad's tests of its k-buckets prove, where no other test
// does; LIBP2P-KAD.md names them side by side.

// keyIn is a key of bucket b: it shares b bits with the local key and not the next.
func keyIn(rng *rand.Rand, local Key, b int) Key {
	key := randomKey(rng)
	for i := range b + 1 {
		mask := byte(0x80) >> (i % 8)
		key[i/8] = key[i/8]&^mask | local[i/8]&mask
		if i == b {
			key[i/8] ^= mask
		}
	}
	return key
}

// The buckets cover the keyspace without overlapping: bucket b holds the distances from 2^(255-b) up to the next power of
// two. The least and the greatest of them belong to it, one less and one more to its neighbours; only the local key is in none.
func TestBucketsCoverTheKeyspace(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 20))
	local := randomKey(rng)
	tab, dir := testTable(20, local)
	at := func(distance Key) int { return tab.bucketOf(dir.put(local.Distance(distance))) }
	for b := range KeyBits {
		var least, greatest Key
		least[b/8] = 0x80 >> (b % 8)
		for i := b; i < KeyBits; i++ {
			greatest[i/8] |= 0x80 >> (i % 8)
		}
		require.Equal(t, b, at(least))
		require.Equal(t, b, at(greatest))
		var below Key // one less than the least: all bits after b
		for i := b + 1; i < KeyBits; i++ {
			below[i/8] |= 0x80 >> (i % 8)
		}
		require.Equal(t, b+1, at(below), "the next bucket ends where this one begins; after the last there is the local key")
		for range 10 {
			require.Equal(t, b, at(local.Distance(keyIn(rng, local, b))))
		}
	}
	require.Equal(t, KeyBits, at(Key{}))
}

// The target of a bootstrap's lookup lies in the bucket that it is for, and two are never the same.
func TestBootstrapTargets(t *testing.T) {
	k := newNode(t, Config{})
	seen := map[string]bool{}
	for b := range maxGrind + 1 {
		for range 5 {
			id := k.grind(b)
			require.Len(t, id, 34)
			require.Equal(t, []byte{0x12, 0x20}, id[:2], "a peer id of SHA-256")
			key := KeyOf(id)
			require.Equal(t, b, k.table.local.CommonPrefix(&key))
			require.False(t, seen[string(id)])
			seen[string(id)] = true
		}
	}
}

// Who was inserted is found; oneself never is.
func TestInsertedIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 21))
	local := randomKey(rng)
	tab, dir := testTable(20, local)
	key := randomKey(rng)
	p, self := dir.put(key), dir.put(local)
	res, _ := tab.Insert(0, p, true, Minute)
	require.Equal(t, Inserted, res)
	res, _ = tab.Insert(0, self, true, Minute)
	require.Equal(t, InsertSelf, res)
	near := tab.Nearest(nil, &local, 20)
	require.Len(t, near, 1)
	require.Equal(t, p, near[0].Peer)
}

// The peers that are nearer to a key than the local one are those of a full scan.
func TestCountBetweenEqualsFullScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 22))
	counted := 0
	for range 100 {
		local := randomKey(rng)
		tab, dir := testTable(20, local)
		var all []Peer
		for range rng.IntN(200) {
			p := dir.put(keyIn(rng, local, rng.IntN(10)))
			if res, _ := tab.Insert(0, p, rng.IntN(2) == 0, Minute); res == Inserted {
				all = append(all, p)
			}
		}
		target := randomKey(rng)
		want := 0
		own := local.Distance(target)
		for _, p := range all {
			d := dir.Key(p).Distance(target)
			if bytes.Compare(d[:], own[:]) < 0 {
				want++
			}
		}
		require.Equal(t, want, tab.countBetween(&target, 1000))
		require.Equal(t, min(want, 7), tab.countBetween(&target, 7))
		counted += want
	}
	require.Greater(t, counted, 1000, "there was something to count")
}

// entries are the peers of bucket 0 with their status, first to last, without the one that waits.
func (t *Table) order(b int) (peers []Peer, connected []bool) {
	t.Entries(b, func(v EntryView) bool {
		if !v.Pending {
			peers, connected = append(peers, v.Peer), append(connected, v.Connected)
		}
		return true
	})
	return peers, connected
}

// A bucket's order after any updates: the disconnected before the connected, each part by its last change of status, the
// oldest first.
func TestBucketOrder(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 23))
		local := randomKey(rng)
		tab, dir := testTable(20, local)
		var off, on []Peer // what the order must be
		change := func(p Peer, connected bool) {
			same := func(q Peer) bool { return q == p }
			off, on = slices.DeleteFunc(off, same), slices.DeleteFunc(on, same)
			if connected {
				on = append(on, p)
			} else {
				off = append(off, p)
			}
		}
		for range 20 {
			p, connected := dir.put(keyIn(rng, local, 0)), rng.IntN(2) == 0
			res, _ := tab.Insert(1, p, connected, Minute)
			require.Equal(t, Inserted, res)
			change(p, connected)
		}
		for range 100 {
			all := slices.Concat(off, on)
			p, connected := all[rng.IntN(len(all))], rng.IntN(2) == 0
			if _, was := tab.Contains(p); was != connected {
				change(p, connected) // the same status again moves nobody
			}
			tab.Update(2, p, connected)
			got, status := tab.order(0)
			require.Equal(t, slices.Concat(off, on), got, "seed %d", seed)
			require.Equal(t, len(off), max(0, slices.Index(append(status, true), true)))
		}
	}
}

// A full bucket: a newcomer that is not connected finds no place; one that is waits while its head is disconnected, and one
// at a time; where all are connected nobody waits.
func TestFullBucket(t *testing.T) {
	for _, k := range []int{2, 20, 200} {
		rng := rand.New(rand.NewPCG(uint64(k), 24))
		local := randomKey(rng)
		tab, dir := testTable(k, local)
		newcomer := func() Peer { return dir.put(keyIn(rng, local, 0)) }
		for range k {
			res, _ := tab.Insert(1, newcomer(), false, Minute)
			require.Equal(t, Inserted, res)
		}
		before, _ := tab.order(0)
		require.Len(t, before, k, "as large as it is configured")
		for range 3 {
			res, _ := tab.Insert(1, newcomer(), false, Minute)
			require.Equal(t, InsertFull, res)
		}
		// One place after the other is won in its time, from the head on.
		now := tableEpoch
		for i := range k {
			p := newcomer()
			res, head := tab.Insert(now, p, true, Minute)
			require.Equal(t, InsertPending, res)
			require.Equal(t, before[i], head)
			res, _ = tab.Insert(now, newcomer(), true, Minute)
			require.Equal(t, InsertFull, res, "one waits already")
			_, _, more := tab.ApplyPending(now + Time(Minute) - 1)
			require.False(t, more)
			now += Time(Minute)
			got, evicted, more := tab.ApplyPending(now)
			require.True(t, more)
			require.Equal(t, []Peer{p, before[i]}, []Peer{got, evicted})
			after, _ := tab.order(0)
			require.Equal(t, p, after[k-1])
			tab.check(t)
		}
		res, _ := tab.Insert(now, newcomer(), true, Minute)
		require.Equal(t, InsertFull, res, "all are connected")
	}
}

// The head of a full bucket reconnects: whoever waited for its place is dropped, and nothing comes of it later.
func TestPendingIsDiscarded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 25))
	local := randomKey(rng)
	tab, dir := testTable(20, local)
	for range 20 {
		tab.Insert(1, dir.put(keyIn(rng, local, 0)), false, Minute)
	}
	before, _ := tab.order(0)
	p := dir.put(keyIn(rng, local, 0))
	res, head := tab.Insert(1, p, true, Minute)
	require.Equal(t, InsertPending, res)
	tab.Update(2, head, true)
	require.Zero(t, tab.NextPending())
	_, _, more := tab.ApplyPending(1 << 60)
	require.False(t, more)
	present, _ := tab.Contains(p)
	require.False(t, present)
	after, status := tab.order(0)
	require.Equal(t, append(slices.Clone(before[1:]), head), after, "it lives, so it comes last")
	require.True(t, status[19])
}
