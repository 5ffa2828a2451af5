package kad

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// put makes a handle with a key of one's choice.
func (d *Directory) put(key Key) Peer {
	p := d.Intern(fmt.Appendf(nil, "peer with key %d", len(d.slots)))
	d.slots[p].key, d.prefixes[p] = key, key.Prefix64()
	return p
}

func testTable(k int, local Key) (*Table, *Directory) {
	d := NewDirectory()
	t := new(Table)
	t.init(d, local, k)
	return t, d
}

// check verifies what must hold of every table.
func (t *Table) check(tb testing.TB) {
	if len(t.offs) > 0 {
		require.Zero(tb, t.offs[0])
		require.Equal(tb, len(t.entries), int(t.offs[len(t.offs)-1]))
	}
	seen := map[Peer]bool{}
	for b := range max(t.Depth(), 16) {
		from, to := t.bucket(b)
		require.LessOrEqual(tb, to-from, t.k)
		wasConnected := false
		for _, e := range t.entries[from:to] {
			switch {
			case b != t.bucketOf(e.peer):
				tb.Fatalf("%v is not in its bucket", e)
			case t.dir.Key(e.peer).Prefix64() != e.prefix:
				tb.Fatalf("%v: wrong prefix", e)
			case seen[e.peer]:
				tb.Fatalf("%v: twice", e)
			case wasConnected && !e.connected():
				tb.Fatalf("%v: the disconnected come first", e)
			}
			seen[e.peer], wasConnected = true, e.connected()
		}
	}
	waits := map[uint16]bool{}
	for _, w := range t.pending {
		require.False(tb, seen[w.peer], "who waits has no place")
		require.False(tb, waits[w.bucket], "one a bucket")
		waits[w.bucket] = true
	}
	require.Len(tb, t.entries, len(seen))
}

// Nearest is what a full scan finds, whatever the table, the target and the skipped; also where keys share their first 64
// bits, so that only whole keys tell them apart.
func TestNearestEqualsFullScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 300 {
		k := []int{1, 2, 20, 40}[rng.IntN(4)]
		local := randomKey(rng)
		tab, dir := testTable(k, local)
		var all []Peer
		for range rng.IntN(400) {
			key := randomKey(rng)
			share := rng.IntN(80) * rng.IntN(2)
			for i := range share { // near to the local key
				mask := byte(0x80) >> (i % 8)
				key[i/8] = key[i/8]&^mask | local[i/8]&mask
			}
			if rng.IntN(3) == 0 && len(all) > 0 { // ties
				copy(key[:8], dir.Key(all[rng.IntN(len(all))])[:8])
			}
			p := dir.put(key)
			if res, _ := tab.Insert(0, p, rng.IntN(2) == 0, Minute); res == Inserted {
				all = append(all, p)
			}
		}
		tab.check(t)
		for range 10 {
			target := randomKey(rng)
			switch rng.IntN(4) {
			case 0:
				target = local
			case 1:
				if len(all) > 0 {
					target = *dir.Key(all[rng.IntN(len(all))])
				}
			case 2:
				copy(target[:rng.IntN(6)], local[:])
			}
			var skip []Peer
			for range rng.IntN(3) {
				if len(all) > 0 {
					skip = append(skip, all[rng.IntN(len(all))])
				}
			}
			n := []int{0, 1, 3, 20, 33, 100}[rng.IntN(6)]

			want := slices.DeleteFunc(slices.Clone(all), func(p Peer) bool { return slices.Contains(skip, p) })
			slices.SortFunc(want, func(a, b Peer) int { return target.Compare(dir.Key(a), dir.Key(b)) })
			want = want[:min(n, len(want))]
			got := tab.Nearest(nil, &target, n, skip...)
			require.Len(t, got, len(want), "round %d", round)
			for i := range got {
				require.Equal(t, want[i], got[i].Peer, "round %d place %d", round, i)
				require.Equal(t, target.Prefix64()^dir.Key(want[i]).Prefix64(), got[i].Dist)
				_, connected := tab.Contains(want[i])
				require.Equal(t, connected, got[i].Connected)
			}
		}
	}
}

// Nearly always takeFew chooses by itself. It declines more than it can choose, a group that it cannot number, and ties, be
// they between two that it has chosen or between the last of those and one that found no place.
func TestTakeFew(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	group := make([]entry, indexMask+2)
	for i := range group {
		group[i] = entry{prefix: rng.Uint64(), peer: Peer(i + 1), status: uint32(rng.IntN(2))}
	}
	for _, n := range []int{0, 1, 20, few} {
		for _, size := range []int{0, 1, 20, 300} {
			tp := rng.Uint64()
			want := slices.Clone(group[:size])
			slices.SortFunc(want, func(a, b entry) int { return cmp.Compare(a.prefix^tp, b.prefix^tp) })
			got, ok := takeFew([]Near{{Peer: 99}}, n, group[:size], tp, nil)
			require.True(t, ok, "%d of %d", n, size)
			require.Len(t, got, 1+min(n, size))
			for i, near := range got[1:] {
				require.Equal(t, Near{want[i].prefix ^ tp, want[i].peer, want[i].connected()}, near)
			}
		}
	}
	for _, c := range []struct {
		n    int
		size int
	}{{few + 1, 20}, {20, indexMask + 2}} {
		_, ok := takeFew(nil, c.n, group[:c.size], 0, nil)
		require.False(t, ok, "%d of %d", c.n, c.size)
	}
	tie := []entry{{prefix: 1 << 20, peer: 1}, {prefix: 3 << 20, peer: 2}, {prefix: 3<<20 | 1, peer: 3}}
	for n, want := range []bool{true, true, false, false} {
		_, ok := takeFew(nil, n, tie, 0, nil)
		require.Equal(t, want, ok, "%d of 3", n)
	}
}

// It appends to what the caller has.
func TestNearestAppends(t *testing.T) {
	tab, dir := testTable(20, Key{})
	p := dir.put(Key{0x80})
	tab.Insert(0, p, true, Minute)
	got := tab.Nearest([]Near{{Peer: 99}}, &Key{}, 5)
	require.Len(t, got, 2)
	require.Equal(t, Peer(99), got[0].Peer)
	require.Equal(t, p, got[1].Peer)
}

// Whatever happens to a table, it keeps its order.
func TestTableRandomUse(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 2))
		tab, dir := testTable([]int{1, 2, 5, 20, 200}[rng.IntN(5)], randomKey(rng))
		var peers []Peer
		for range 300 {
			key := randomKey(rng)
			if rng.IntN(2) == 0 {
				copy(key[:], tab.local[:rng.IntN(3)])
			}
			peers = append(peers, dir.put(key))
		}
		now := tableEpoch
		for range 2000 {
			now += Time(rng.IntN(int(5 * Second)))
			p := peers[rng.IntN(len(peers))]
			switch rng.IntN(8) {
			case 0, 1, 2:
				tab.Insert(now, p, rng.IntN(2) == 0, Minute)
			case 3, 4:
				tab.Update(now, p, rng.IntN(2) == 0)
			case 5:
				tab.Touch(now, p)
			case 6:
				present, _ := tab.Contains(p)
				waits := tab.pendingIndex(p) >= 0
				require.Equal(t, present || waits, tab.Remove(p))
			case 7:
				for {
					if _, _, more := tab.ApplyPending(now); !more {
						break
					}
				}
				require.True(t, tab.NextPending() == 0 || tab.NextPending() > now)
			}
			if rng.IntN(10) == 0 {
				tab.check(t)
			}
		}
	}
}

// When a peer was last heard of is kept to the second, in 31 bits, until 2088.
func TestSeen(t *testing.T) {
	tab, dir := testTable(20, Key{})
	p := dir.put(Key{0x80})
	const y2087 = Time(3_700_000_000e9)
	for _, now := range []Time{tableEpoch, 1_790_000_000e9 + 5, y2087} {
		tab.Insert(now, p, true, Minute)
		tab.Touch(now, p)
		tab.Entries(0, func(v EntryView) bool {
			require.Equal(t, now/1e9, v.Seen/1e9)
			require.True(t, v.Connected)
			return true
		})
	}
	tab.Touch(5, p)
	tab.Entries(0, func(v EntryView) bool { require.Equal(t, tableEpoch, v.Seen); return true })
}

// The deepest bucket there can be, and oneself.
func TestTableEdges(t *testing.T) {
	local := KeyOf([]byte("local"))
	tab, dir := testTable(20, local)
	require.Zero(t, tab.Depth())
	near := local
	near[31] ^= 1
	deep, self := dir.put(near), dir.put(local)
	res, _ := tab.Insert(0, self, true, Minute)
	require.Equal(t, InsertSelf, res)
	res, _ = tab.Insert(0, deep, true, Minute)
	require.Equal(t, Inserted, res)
	res, _ = tab.Insert(0, deep, true, Minute)
	require.Equal(t, Present, res)
	require.Equal(t, KeyBits, tab.Depth())
	tab.check(t)
	require.False(t, tab.Remove(self))
	tab.Update(0, self, true)
	require.True(t, tab.Remove(deep))
	require.Zero(t, tab.Depth())
}

// The table's largest size still fits its 16-bit offsets.
func TestTableLargest(t *testing.T) {
	tab, dir := testTable(maxK, Key{})
	for b := range KeyBits {
		for i := range maxK {
			var key Key
			key[b/8] = 0x80 >> (b % 8)
			if b < 240 {
				binary.BigEndian.PutUint16(key[30:], uint16(i))
			} else if b < 248 {
				key[31] = byte(i)
			} else if i >= 1<<(255-b) {
				break
			} else {
				key[31] |= byte(i)
			}
			tab.Insert(0, dir.put(key), false, Minute)
		}
	}
	require.Greater(t, tab.Len(), 62_000)
	require.Equal(t, tab.Len(), int(tab.offs[len(tab.offs)-1]))
}
