package kad

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever answers was heard of just now.
func TestReplyTouches(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetClosestPeers, Key: []byte("k")})
	now := tableEpoch + Time(90*Second)
	k.Step(now, Input{Kind: FindNodeRes, Peer: asked[0].Peer, Query: 1}, out)
	k.Step(now, Input{Kind: QueryError, Peer: asked[1].Peer, Query: 1}, out)
	seen := map[string]Time{}
	for b := range k.Table().Depth() {
		k.Table().Entries(b, func(v EntryView) bool { seen[string(v.ID)] = v.Seen; return true })
	}
	require.Equal(t, now, seen[string(asked[0].Peer.ID)])
	require.Equal(t, tableEpoch, seen[string(asked[1].Peer.ID)], "a failure is no sign of life")

	now += Time(Second)
	k.Step(now, Input{Kind: ProtocolConfirmed, Peer: asked[1].Peer}, out)
	k.Table().Entries(k.table.bucketOf(asked[1].Peer.Peer), func(v EntryView) bool {
		require.Equal(t, v.Peer == asked[1].Peer.Peer, v.Seen == now)
		return true
	})
}

// Two peers wait for places that are due at the same moment: one Step decides about both, though the first gets none.
func TestPendingDueTogether(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, K: 1})
	var out Output
	step := func(now Time, kind InputKind, p Peer) {
		k.Step(now, Input{Kind: kind, Peer: k.dir.Info(p), Addr: []byte("addr")}, &out)
	}
	inBucket := func(b int, last byte) Peer {
		key := k.table.local
		key[b/8] ^= 0x80 >> (b % 8)
		key[31] ^= last
		p := k.dir.put(key)
		k.dir.SetAddrs(p, Addrs("\x12\x01x"))
		return p
	}
	var heads, wait [2]Peer
	for b := range heads {
		heads[b], wait[b] = inBucket(b, 0), inBucket(b, 1)
		step(1, OpAddAddress, heads[b])
		require.Equal(t, UpdateSuccess, out.Update)
		step(1, InConnected, wait[b])
		step(1, OpAddAddress, wait[b])
		require.Equal(t, UpdatePending, out.Update)
		require.Equal(t, Dial, out.Commands[0].Kind)
		require.Equal(t, heads[b], out.Commands[0].Peer.Peer)
		require.Empty(t, out.Events, "it is in no table yet")
		refused := inBucket(b, 2)
		step(1, OpAddAddress, refused)
		require.Equal(t, UpdateFailed, out.Update)
		require.Equal(t, Addrs("\x12\x01x"), k.dir.Addrs(refused), "what is refused leaves no trace")
	}
	due := k.Table().NextPending()
	require.Equal(t, 1+Time(Minute), due)
	// By a way that does not drop who waits: the head is connected when the time is up.
	k.table.entries[k.table.index(heads[0], 0)].status |= 1
	k.Step(due-1, Input{Kind: Tick}, &out)
	require.Empty(t, out.Events)
	k.Step(due, Input{Kind: Tick}, &out)
	require.Len(t, out.Events, 1)
	require.Equal(t, wait[1], out.Events[0].Peer.Peer)
	require.Equal(t, heads[1], out.Events[0].Old.Peer)
	require.Zero(t, k.Table().NextPending())
	present, _ := k.Table().Contains(heads[0])
	require.True(t, present)
}

// A peer that many queries wait for disconnects: all of them end in one Step, each with one last event; and no more of
// their memory is kept than usual steps need.
func TestManyQueriesEndAtOnce(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	peer := PeerInfo{ID: []byte("peer")}
	k.Step(1, Input{Kind: InConnected, Peer: peer}, &out)
	k.Step(1, Input{Kind: OpAddAddress, Peer: peer, Addr: []byte("addr")}, &out)
	const queries = maxKeptQueries + 4
	for i := range queries {
		k.Step(1, Input{Kind: OpGetClosestPeers, Key: fmt.Appendf(nil, "key %d", i)}, &out)
		require.Len(t, out.Commands, 1)
	}
	k.Step(2, Input{Kind: InDisconnected, Peer: peer}, &out)
	require.Len(t, out.Events, queries)
	for i, e := range out.Events {
		require.Equal(t, QueryID(i+1), e.Query)
		require.True(t, e.Step.Last)
		require.Equal(t, fmt.Sprintf("key %d", i), string(e.Key))
	}
	require.Empty(t, k.queries)
	require.Len(t, out.spare, maxKeptQueries)
}

// A peer that is being asked can fall off the end of the list, pushed out by nearer ones. Its answer counts no more, but it
// makes room for the next to be asked at once.
func TestAnswerFromBeyondTheList(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer, Alpha: 2, Patience: -1}))
	var out Output
	target := KeyOf([]byte("k"))
	made := 0
	at := func(distance byte) PeerInfo { // a peer at a distance from the target, by its first byte
		made++
		key := target
		key[0] ^= distance
		key[30] ^= byte(made >> 8)
		key[31] ^= byte(made)
		p := k.dir.put(key)
		return PeerInfo{Peer: p, ID: k.dir.ID(p)}
	}
	far, near := at(255), at(254)
	for _, p := range []PeerInfo{far, near} {
		k.Step(1, Input{Kind: OpAddAddress, Peer: p, Addr: []byte("addr")}, &out)
	}
	k.Step(1, Input{Kind: OpGetClosestPeers, Key: []byte("k")}, &out)
	require.Len(t, out.Commands, 2)
	asked := near
	for round := range byte(4) {
		var closer []PeerInfo
		for range 40 {
			closer = append(closer, at(100-round))
		}
		k.Step(2, Input{Kind: FindNodeRes, Peer: asked, Query: 1, Closer: closer}, &out)
		require.Len(t, out.Commands, 1)
		asked = out.Commands[0].Peer
	}
	q := k.queries[0]
	require.False(t, q.lookup.Has(far.Peer))
	require.Equal(t, 2, q.unanswered())
	require.Equal(t, 1+Time(10*Second), k.Wake(), "its time still runs")
	before := q.stats
	k.Step(3, Input{Kind: FindNodeRes, Peer: far, Query: 1}, &out)
	require.Len(t, out.Commands, 1)
	before.Requests++
	require.Equal(t, before, q.stats)
}

// Nobody is connected to itself: whatever is said of a connection to this very node changes nothing.
func TestSelfIsNoPeer(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	k.Step(1, Input{Kind: ListenAddr, Addr: []byte("addr")}, &out)
	self := PeerInfo{ID: []byte("local"), Addrs: Addrs("\x12\x01x")}
	for _, kind := range []InputKind{
		ProtocolConfirmed, ConnectionEstablished, InConnected, ProtocolsChanged, AddressChanged, AddressFailed, DialFailed,
		OpAddAddress, OpRemoveAddress, OpRemovePeer,
	} {
		k.Step(1, Input{Kind: kind, Peer: self, Addr: []byte("addr"), OldAddr: []byte("addr"), Dialer: true}, &out)
		require.Empty(t, out.Events, "%v", kind)
		require.Empty(t, out.Commands, "%v", kind)
		require.Nil(t, out.Removed)
	}
	require.Empty(t, k.links)
	require.Zero(t, k.Table().Len())
	require.Equal(t, Addrs("\x12\x04addr"), k.Self().Addrs)
}

// With its last address nothing more is known of a peer: when it comes back, the old one does not.
func TestLastAddressIsForgotten(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	p := PeerInfo{ID: []byte("p")}
	k.Step(1, Input{Kind: OpAddAddress, Peer: p, Addr: []byte("old")}, &out)
	k.Step(1, Input{Kind: OpRemoveAddress, Peer: p, Addr: []byte("old")}, &out)
	require.Zero(t, k.Table().Len())
	require.Empty(t, k.PeerAddresses(p.ID))
}

// A sweep keeps the handles of those that a running query refers to, and of those whom it has left behind.
func TestSweepKeepsQueries(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer, QueryTimeout: Hour, PeerTimeout: Hour, Patience: -1}))
	var out Output
	for _, id := range []string{"asked", "straggler", "nobody"} {
		k.dir.Intern([]byte(id))
	}
	k.Step(1, Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{{ID: []byte("asked")}}}, &out)
	k.pacing.stragglers = []straggler{{query: 9, asked: 1, peer: k.dir.Find([]byte("straggler"))}}
	for range idleSweeps + 1 {
		k.Step(k.nextSweep, Input{Kind: Tick}, &out)
	}
	require.Len(t, k.queries, 1)
	require.NotZero(t, k.dir.Find([]byte("asked")))
	require.NotZero(t, k.dir.Find([]byte("straggler")))
	require.Zero(t, k.dir.Find([]byte("nobody")))
}

// Of several connections to a peer each has its own address: the one that changes, and the one that a proof comes by. A
// connection that is told of again is still one.
func TestConnectionsAreApart(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	p := PeerInfo{ID: []byte("p")}
	open := func(id ConnID, addr string, dialer bool) {
		k.Step(1, Input{Kind: ConnectionEstablished, Peer: p, Conn: id, Addr: []byte(addr), Dialer: dialer}, &out)
	}
	open(1, "one", true)
	open(2, "two", true)
	open(3, "in", false)
	open(1, "one", true)
	require.Len(t, k.links[0].conns, 3)
	k.Step(1, Input{Kind: AddressChanged, Peer: p, Conn: 2, OldAddr: []byte("two"), Addr: []byte("zwei")}, &out)
	k.Step(1, Input{Kind: ProtocolConfirmed, Peer: p, Conn: 3}, &out)
	require.Empty(t, k.dir.Addrs(k.dir.Find(p.ID)), "where it comes from is not where it listens")
	k.Step(1, Input{Kind: ProtocolConfirmed, Peer: p, Conn: 2}, &out)
	require.Equal(t, Addrs("\x12\x04zwei"), k.dir.Addrs(k.dir.Find(p.ID)))
	k.Step(1, Input{Kind: ProtocolConfirmed, Peer: p, Conn: 1}, &out)
	require.Equal(t, Addrs("\x12\x04zwei\x12\x03one"), k.dir.Addrs(k.dir.Find(p.ID)))

	// What is told of the peers of the table says which are connected.
	fill(t, k, 1)
	connected := 0
	for _, info := range k.ClosestLocal([]byte("k"), nil) {
		require.Equal(t, info.Peer == k.dir.Find(p.ID), info.Connection == Connected)
		connected++
	}
	require.Equal(t, 2, connected)
	require.Empty(t, k.PeerAddresses([]byte("stranger")))

	// What one was heard to be at is not what another is.
	var h heardAddrs
	h.add(1, Addrs("\x12\x01x"))
	h.add(2, Addrs("\x12\x01x"))
	h.replace(2, []byte("x"), []byte("y"))
	h.remove(2, []byte("x"))
	require.Equal(t, []Addrs{Addrs("\x12\x01x"), Addrs("\x12\x01y")}, []Addrs{h.of(1), h.of(2)})
	h.remove(2, []byte("y"))
	require.Equal(t, Addrs("\x12\x01x"), h.of(1))
}

// By a host that tells of no single connections a peer that serves enters all the same; one may be entered without an
// address if one is known. Whoever gets a place, be it free or another's, is a reason to bootstrap; who only waits is none.
func TestWaysIntoTheTable(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, BucketSize: 1, ProbeInterval: -1})
	rng := rand.New(rand.NewPCG(1, 31))
	var out Output
	in := func(now Time) PeerInfo { // a peer of bucket 0, whose address is known
		p := k.dir.put(keyIn(rng, k.table.local, 0))
		k.dir.SetAddrs(p, Addrs("\x12\x01x"))
		k.Step(now, Input{Kind: InConnected, Peer: PeerInfo{Peer: p}}, &out)
		return PeerInfo{Peer: p}
	}
	due := func() Time { return k.schedule.automatic }

	first := in(1)
	k.Step(1, Input{Kind: ProtocolConfirmed, Peer: first, Conn: 7}, &out)
	require.Equal(t, RoutingUpdated, out.Events[0].Kind)
	require.Equal(t, 1+Time(Second/2), due(), "the default")
	k.Step(1, Input{Kind: InDisconnected, Peer: first}, &out)

	second := in(2)
	k.Step(2, Input{Kind: OpAddAddress, Peer: second}, &out)
	require.Equal(t, UpdatePending, out.Update)
	require.Equal(t, 1+Time(Second/2), due(), "it waits")
	k.Step(3, Input{Kind: QueryError, Err: ErrUnsupported, Peer: first, Query: 9}, &out)
	present, _ := k.table.Contains(second.Peer)
	require.True(t, present)
	require.Equal(t, 3+Time(Second/2), due())
}
