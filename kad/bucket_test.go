package kad

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Buckets do not overlap and leave nothing out: each range begins one above where the next deeper one ends, the deepest at
// distance 1 and the farthest ending at 2^256-1; and the distance of a key lies in the range of its bucket.
func TestBucketRange(t *testing.T) {
	number := func(k Key) *big.Int { return new(big.Int).SetBytes(k[:]) }
	tab, _ := testTable(20, Key{})
	next := big.NewInt(1)
	for i := KeyBits - 1; i >= 0; i-- {
		least, greatest := Bucket{i, tab}.Range()
		require.Equal(t, next, number(least), "bucket %d", i)
		next = new(big.Int).Add(number(greatest), big.NewInt(1))
	}
	require.Equal(t, new(big.Int).Lsh(big.NewInt(1), 256), next)

	rng := rand.New(rand.NewPCG(3, 3))
	for range 1000 {
		local, key := randomKey(rng), randomKey(rng)
		copy(key[:rng.IntN(32)], local[:])
		tab, _ := testTable(20, local)
		b, ok := tab.Bucket(&key)
		require.True(t, ok)
		least, greatest := b.Range()
		var dist Key
		for i := range dist {
			dist[i] = local[i] ^ key[i]
		}
		require.LessOrEqual(t, number(least).Cmp(number(dist)), 0)
		require.LessOrEqual(t, number(dist).Cmp(number(greatest)), 0)
	}
	_, ok := tab.Bucket(&Key{})
	require.False(t, ok, "the local key belongs nowhere")
}

// Those that hold somebody are shown, farthest first, with who is in them and who waits.
func TestBuckets(t *testing.T) {
	tab, dir := testTable(1, Key{})
	keys := []Key{{0: 0x80}, {0: 0x10}, {0: 0x11}, {31: 1}}
	var peers []Peer
	for _, key := range keys {
		p := dir.put(key)
		peers = append(peers, p)
		tab.Insert(tableEpoch, p, key[0] == 0x11, Minute)
	}
	var index []int
	tab.Buckets(func(b Bucket) bool {
		index = append(index, b.Index)
		require.Equal(t, 1, b.Len())
		require.Equal(t, b.Index == 3, b.HasPending())
		n := 0
		b.Entries(func(EntryView) bool { n++; return true })
		require.Equal(t, b.Index == 3, n == 2)
		return len(index) < 3
	})
	require.Equal(t, []int{0, 3, 255}, index)
	b, ok := tab.Bucket(&keys[1])
	require.True(t, ok)
	require.True(t, b.Contains(peers[1]))
	require.False(t, b.Contains(peers[2]), "who waits has no place")
	require.False(t, b.Contains(peers[0]))
	b, ok = tab.Bucket(&keys[0])
	require.True(t, ok)
	require.True(t, b.Contains(peers[0]), "the first of all")
	b, ok = tab.Bucket(&Key{0: 0x40})
	require.True(t, ok)
	require.Zero(t, b.Len())
	require.False(t, b.HasPending())
	count := 0
	tab.Buckets(func(Bucket) bool { count++; return false })
	require.Equal(t, 1, count)
}

// In a keyspace of eight bits all peers, all targets and so all distances: each peer is found exactly once, nearest first, also
// where the distance is 0 or odd (libp2p-kad visits bucket 0 twice there).
func TestNearestInSmallKeyspace(t *testing.T) {
	for local := 0; local < 256; local += 15 {
		tab, dir := testTable(255, Key{byte(local)})
		for key := range 256 {
			tab.Insert(tableEpoch, dir.put(Key{byte(key)}), false, Minute)
		}
		require.Equal(t, 255, tab.Len())
		var near []Near
		for target := range 256 {
			near = tab.Nearest(near[:0], &Key{byte(target)}, 300)
			require.Len(t, near, 255)
			at := 0
			for distance := range 256 {
				if target^distance == local {
					continue
				}
				if dir.Key(near[at].Peer)[0] != byte(target^distance) {
					t.Fatalf("local %d, target %d: place %d has %d", local, target, at, dir.Key(near[at].Peer)[0])
				}
				at++
			}
		}
	}
}

// What another peer would be told of a key: not itself, and no more than it asks for or K.
func TestFindClosestLocal(t *testing.T) {
	k := newNode(t, Config{})
	fill(t, k, 100)
	all := k.ClosestLocal([]byte("key"), nil)
	require.Len(t, all, 20)
	require.Equal(t, all, k.FindClosestLocal([]byte("key"), nil, 100, nil))
	require.Equal(t, all, k.FindClosestLocal([]byte("key"), []byte("stranger"), 20, nil))
	without := k.FindClosestLocal([]byte("key"), all[1].ID, 3, nil)
	require.Equal(t, []PeerInfo{all[0], all[2], all[3]}, without)
	require.Equal(t, append(all[:1:1], all[0]), k.FindClosestLocal([]byte("key"), nil, 1, all[:1:1]), "it appends")
}

// crowded is a table of k = 2 whose buckets 0 and 1 are full of disconnected peers, with somebody waiting in each.
func crowded(t *testing.T) (tab *Table, heads, seconds, newcomers [2]Peer) {
	rng := rand.New(rand.NewPCG(1, 26))
	tab, dir := testTable(2, randomKey(rng))
	for b := range 2 {
		heads[b], seconds[b] = dir.put(keyIn(rng, tab.local, b)), dir.put(keyIn(rng, tab.local, b))
		newcomers[b] = dir.put(keyIn(rng, tab.local, b))
		tab.Insert(1, heads[b], false, Minute)
		tab.Insert(1, seconds[b], false, Minute)
		res, head := tab.Insert(1, newcomers[b], true, Minute)
		require.Equal(t, InsertPending, res)
		require.Equal(t, heads[b], head)
	}
	return tab, heads, seconds, newcomers
}

// Those who wait in two buckets are told apart: what befalls one of them, or its head, leaves the other as it is.
func TestPendingInTwoBuckets(t *testing.T) {
	tab, _, _, newcomers := crowded(t)
	require.True(t, tab.Remove(newcomers[1]))
	require.True(t, tab.hasPending(0))
	require.False(t, tab.hasPending(1))

	tab, heads, _, newcomers := crowded(t)
	require.True(t, tab.Remove(heads[1]))
	require.Equal(t, newcomers[1], tab.takePlace(2, 1))
	require.True(t, tab.hasPending(0))
	require.Zero(t, tab.takePlace(2, 1), "nobody waits there any more")
	tab.check(t)

	tab, heads, _, newcomers = crowded(t)
	tab.HeadFailed(2, heads[1])
	p, evicted, more := tab.ApplyPending(2)
	require.True(t, more)
	require.Equal(t, []Peer{newcomers[1], heads[1]}, []Peer{p, evicted})
	_, _, more = tab.ApplyPending(2)
	require.False(t, more, "the other head has its minute")
}

// Who waits and comes again goes on waiting, behind the same head and not for longer; if a place has become free
// meanwhile it is given that, and waits no more.
func TestPendingComesAgain(t *testing.T) {
	tab, heads, _, newcomers := crowded(t)
	ready := tab.NextPending()
	res, head := tab.Insert(7, newcomers[0], true, Minute)
	require.Equal(t, InsertPending, res)
	require.Equal(t, heads[0], head)
	require.Equal(t, ready, tab.NextPending())
	require.Len(t, tab.pending, 2)

	tab.Remove(heads[0])
	res, _ = tab.Insert(8, newcomers[0], true, Minute)
	require.Equal(t, Inserted, res)
	require.False(t, tab.hasPending(0))
	tab.check(t)
}

// A bucket in which somebody waits may lose peers: then that a head fails or disconnects says nothing of who waits, who
// has a place when its time comes, and nobody is evicted for it.
func TestPendingWithRoom(t *testing.T) {
	tab, heads, seconds, newcomers := crowded(t)
	tab.Update(2, seconds[1], true)
	tab.Remove(heads[1])
	tab.Update(3, seconds[1], false)
	require.True(t, tab.hasPending(1), "a head that disconnects has not proved that it lives")
	tab.Remove(seconds[1])
	tab.HeadFailed(4, heads[1])
	_, _, more := tab.ApplyPending(4)
	require.False(t, more, "there is no head that could have failed")
	tab.dropPendingOf(0)
	p, evicted, more := tab.ApplyPending(tab.NextPending())
	require.True(t, more)
	require.Equal(t, newcomers[1], p)
	require.Zero(t, evicted)
	tab.check(t)
}
