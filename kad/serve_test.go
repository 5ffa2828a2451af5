package kad

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A record that has expired is in nobody's way, though it has not been swept yet.
func TestExpiredRecordGivesWay(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	put := func(now Time, rank byte, kind InputKind) {
		v := valid(t, "k", "v")
		v.rank = []byte{rank}
		k.Step(now, Input{Kind: kind, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
	}
	put(1, 5, PutRecord)
	require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
	end := 1 + Time(48*Hour)
	put(end-1, 4, PutRecord)
	require.Equal(t, Reset, out.Commands[0].Kind)
	put(end-1, 4, OpPutRecord)
	require.ErrorIs(t, out.Err, ErrWorseRecord)
	put(end, 4, PutRecord)
	require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
	put(end+Time(48*Hour), 3, OpPutRecord)
	require.NoError(t, out.Err)

	// Nor is it found: a get forgets it.
	put(1, 1, OpRemoveRecord)
	k.Step(1, Input{Kind: OpRemoveRecord, Key: []byte("k")}, &out)
	put(1, 5, PutRecord)
	k.Step(end, Input{Kind: OpGetRecord, Key: []byte("k")}, &out)
	require.Equal(t, QueryNotFound, progress(&out)[0].Err)
	_, ok := k.Store().Get([]byte("k"))
	require.False(t, ok)
}

// Keys of providers have 80 bytes at the most, in both requests; nobody can announce us to ourselves.
func TestProviderKeyLength(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	p := PeerInfo{ID: []byte("p"), Addrs: Addrs("\x12\x01x")}
	for n, want := range map[int][2]CommandKind{
		0: {Reset, Reset}, 1: {RespondAddProvider, RespondGetProviders}, 80: {RespondAddProvider, RespondGetProviders}, 81: {Reset, Reset},
	} {
		k.Step(1, Input{Kind: AddProvider, Peer: p, Key: make([]byte, n), Providers: []PeerInfo{p}}, &out)
		require.Equal(t, want[0], out.Commands[0].Kind, "%d", n)
		k.Step(1, Input{Kind: GetProvidersReq, Peer: p, Key: make([]byte, n)}, &out)
		require.Equal(t, want[1], out.Commands[0].Kind, "%d", n)
	}
	self := PeerInfo{ID: []byte("local")}
	k.Step(1, Input{Kind: AddProvider, Peer: self, Key: []byte("k"), Providers: []PeerInfo{self}}, &out)
	require.Equal(t, Reset, out.Commands[0].Kind)
}

// A response and the event of its request name the asker: with its handle if it has one, and by its id in any case.
func TestAskerIsNamed(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 3)
	var out Output
	for _, id := range []string{"peer 1", "stranger"} {
		lent := []byte(id)
		k.Step(1, Input{Kind: FindNodeReq, Peer: PeerInfo{ID: lent}, Request: 9, Key: []byte("k")}, &out)
		require.Equal(t, k.dir.Find([]byte(id)), out.Commands[0].Peer.Peer)
		require.Equal(t, id, string(out.Commands[0].Peer.ID))
		require.Equal(t, RequestID(9), out.Commands[0].Request)
		lent[0] = 'X' // the event outlives what was lent
		require.Equal(t, k.dir.Find([]byte(id)), out.Events[0].Peer.Peer)
		require.Equal(t, id, string(out.Events[0].Peer.ID))
	}
}

// A put to given peers dials them by the addresses that were given with them.
func TestPutToUsesGivenAddresses(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	k.Step(1, Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{
		{ID: []byte("a"), Addrs: Addrs("\x12\x01x")}, {Addrs: Addrs("\x12\x01z")}, {ID: []byte("b"), Addrs: Addrs("\x12\x01y")},
	}}, &out)
	require.Len(t, out.Commands, 2)
	require.Equal(t, Addrs("\x12\x01x"), out.Commands[0].Peer.Addrs)
	require.Equal(t, Addrs("\x12\x01y"), out.Commands[1].Peer.Addrs)
	require.Len(t, k.queries[0].heard, 2, "of nobody nothing is heard")
}

// A provider record that has expired is not told, though it has not been swept yet; it ends at its moment, not before.
func TestExpiredProviderIsNotTold(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	p := PeerInfo{ID: []byte("p"), Addrs: Addrs("\x12\x01x")}
	k.Step(1, Input{Kind: AddProvider, Peer: p, Key: []byte("k"), Providers: []PeerInfo{p}}, &out)
	for kind, want := range map[InputKind]Connection{InConnected: Connected, InDisconnected: NotConnected} {
		k.Step(1, Input{Kind: kind, Peer: p}, &out)
		k.Step(1, Input{Kind: GetProvidersReq, Peer: p, Key: []byte("k")}, &out)
		require.Equal(t, want, out.Commands[0].Providers[0].Connection)
	}
	end := 1 + Time(48*Hour)
	for now, want := range map[Time]int{end - 1: 1, end: 0} {
		k.Step(now, Input{Kind: GetProvidersReq, Peer: p, Key: []byte("k")}, &out)
		require.Len(t, out.Commands[0].Providers, want)
		require.Equal(t, want, out.Events[0].NumProviders)
	}
}

// Of what a provider announces 2 KiB of addresses are kept, whole ones.
func TestProviderAddressesAreBounded(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	p := PeerInfo{ID: []byte("p")}
	for i := range 100 {
		p.Addrs = p.Addrs.Add(fmt.Appendf(make([]byte, 40), "%d", i))
	}
	k.Step(1, Input{Kind: AddProvider, Peer: p, Key: []byte("k"), Providers: []PeerInfo{p}}, &out)
	kept := k.Store().Providers([]byte("k"), nil)[0].Addrs
	require.NoError(t, kept.Check())
	require.LessOrEqual(t, len(kept), maxProviderAddrBytes)
	require.Greater(t, len(kept), maxProviderAddrBytes-50)
	require.Equal(t, p.Addrs[:len(kept)], kept)

	// Entries that name nobody, and a sender who is nobody, are no announcement.
	k.Step(1, Input{Kind: AddProvider, Key: []byte("k"), Providers: []PeerInfo{{}, p}}, &out)
	require.Equal(t, Reset, out.Commands[0].Kind)
}

// A copy never gives an end to a record that has none, nor an earlier one to a record that has.
func TestExpiryOfCopies(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, RecordTTL: -1})
	var out Output
	put := func(key string, expires Time) Time {
		v, err := Validate(AcceptAll{}, Record{Key: []byte(key), Value: []byte("v"), Expires: expires}, 1)
		require.NoError(t, err)
		k.Step(1, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
		require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
		r, _ := k.Store().Get([]byte(key))
		return r.Expires
	}
	require.Equal(t, []Time{0, 0}, []Time{put("a", 0), put("a", 50)})
	require.Equal(t, []Time{50, 60, 60, 0}, []Time{put("b", 50), put("b", 60), put("b", 40), put("b", 0)})
}

// To the point that is farthest from this node everybody else is nearer; they are counted up to the limit.
func TestCountBetween(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, K: 1})
	var out Output
	var farthest Key
	for i := range farthest {
		farthest[i] = ^k.table.local[i]
	}
	for b := range 200 { // each in a bucket of its own
		key := k.table.local
		key[b/8] ^= 0x80 >> (b % 8)
		k.Step(1, Input{Kind: OpAddAddress, Peer: PeerInfo{Peer: k.dir.put(key)}, Addr: []byte("x")}, &out)
	}
	require.Equal(t, 200, k.table.countBetween(&farthest, 1000))
	require.Equal(t, 63, k.table.countBetween(&farthest, 63))
	require.Zero(t, k.table.countBetween(&k.table.local, 1000))
}

// Where peers are named by handle alone, as in a simulation, an announcement still counts for its sender only.
func TestAddProviderByHandle(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 2)
	var out Output
	one, two := k.dir.Find([]byte("peer 0")), k.dir.Find([]byte("peer 1"))
	for sender, want := range map[Peer]CommandKind{one: RespondAddProvider, two: Reset} {
		k.Step(1, Input{Kind: AddProvider, Peer: PeerInfo{Peer: sender}, Key: []byte("k"), Providers: []PeerInfo{{Peer: one}, {}}}, &out)
		require.Equal(t, want, out.Commands[0].Kind)
	}
	list := k.Store().Providers([]byte("k"), nil)
	require.Len(t, list, 1)
	require.Equal(t, one, list[0].Provider)
}

// What is said of the peer whose id is sought is its own: that it is connected, if it is, and no address that the asker
// brought for itself.
func TestNamedPeer(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	asker := PeerInfo{ID: []byte("asker"), Addrs: Addrs("\x12\x01a")}
	client := PeerInfo{ID: []byte("client"), Addrs: Addrs("\x12\x01c")}
	k.Step(1, Input{Kind: ProtocolsChanged, Peer: client}, &out)
	for kind, want := range map[InputKind]Connection{InConnected: Connected, InDisconnected: NotConnected} {
		k.Step(1, Input{Kind: kind, Peer: client}, &out)
		k.Step(1, Input{Kind: FindNodeReq, Peer: asker, Key: client.ID}, &out)
		require.Len(t, out.Commands[0].Closer, 1)
		require.Equal(t, want, out.Commands[0].Closer[0].Connection)
		require.Equal(t, client.Addrs, out.Commands[0].Closer[0].Addrs)
	}
}

// A record that has expired is not told, though it has not been swept yet.
func TestExpiredRecordIsNotTold(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	p := PeerInfo{ID: []byte("p")}
	k.Step(1, Input{Kind: PutRecord, Peer: p, Valid: valid(t, "k", "v")}, &out)
	end := 1 + Time(48*Hour)
	for now, want := range map[Time]bool{end - 1: true, end: false} {
		k.Step(now, Input{Kind: GetRecord, Peer: p, Key: []byte("k")}, &out)
		require.Equal(t, want, out.Commands[0].Found)
		require.Equal(t, want, out.Commands[0].Record.Value != nil)
		require.Equal(t, want, out.Events[0].Found)
	}
}

// Of records as good as each other the last stands, with its own end: only a copy of the same value and rank leaves the
// later end to what is there. That an empty value came does not make it one of nothing.
func TestEndOfEqualRecords(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	put := func(key, value string, rank byte, expires Time) (string, Time) {
		v, err := Validate(AcceptAll{}, Record{Key: []byte(key), Value: []byte(value), Expires: expires}, 1)
		require.NoError(t, err)
		if rank > 0 {
			v.rank = []byte{rank}
		}
		k.Step(1, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
		require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
		r, _ := k.Store().Get([]byte(key))
		return string(r.Value), r.Expires
	}
	for _, c := range []struct {
		key, value string
		rank       byte
		expires    Time
		want       Time
	}{
		{"k", "one", 5, 60, 60},
		{"k", "one", 5, 40, 60},
		{"k", "two", 5, 50, 50},
		{"k", "two", 6, 30, 30},
		{"empty", "", 0, 60, 60},
	} {
		value, expires := put(c.key, c.value, c.rank, c.expires)
		require.Equal(t, c.value, value)
		require.Equal(t, c.want, expires, "%v", c)
	}
}

// Of the entries of an announcement that name its sender 16 are read.
func TestOwnEntriesAreBounded(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	p := PeerInfo{ID: []byte("p")}
	var entries []PeerInfo
	for i := range byte(maxOwnEntries + 1) {
		entries = append(entries, PeerInfo{ID: p.ID, Addrs: Addrs{}.Add([]byte{'a' + i})})
	}
	k.Step(1, Input{Kind: AddProvider, Peer: p, Key: []byte("k"), Providers: entries}, &out)
	kept := k.Store().Providers([]byte("k"), nil)[0].Addrs
	require.True(t, kept.Contains([]byte{'a' + maxOwnEntries - 1}))
	require.False(t, kept.Contains([]byte{'a' + maxOwnEntries}))
}

// When the time of a provider's addresses is over, it is told with those that the table vouches for, or with none.
func TestProviderAddressesGrowOld(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, ProviderAddrTTL: Minute})
	var out Output
	for _, id := range []string{"server", "client"} {
		p := PeerInfo{ID: []byte(id), Addrs: Addrs("\x12\x01s")}
		k.Step(1, Input{Kind: ProtocolsChanged, Peer: p, Supported: id == "server"}, &out)
		p.Addrs = Addrs("\x12\x01p")
		k.Step(1, Input{Kind: AddProvider, Peer: p, Key: []byte(id), Providers: []PeerInfo{p}}, &out)
	}
	told := func(now Time, id string) Addrs {
		k.Step(now, Input{Kind: GetProvidersReq, Peer: PeerInfo{ID: []byte("asker")}, Key: []byte(id)}, &out)
		return out.Commands[0].Providers[0].Addrs
	}
	for _, id := range []string{"server", "client"} {
		require.Equal(t, Addrs("\x12\x01p\x12\x01s"), told(Time(Minute), id))
	}
	require.Equal(t, Addrs("\x12\x01s"), told(1+Time(Minute), "server"))
	require.Empty(t, told(1+Time(Minute), "client"))
}

// When many have failed at once the answers are still of K peers, nobody doubtful among them as long as there are K others, and
// nothing is allocated for that. When all have, as when our own network is lost, all are told.
func TestServingAmongTheDoubtful(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 500)
	n := k.table.Len()
	var out Output
	in := Input{Kind: FindNodeReq, Peer: PeerInfo{ID: []byte("asker")}, Key: []byte("key")}
	k.Step(1, in, &out)
	all := append([]PeerInfo(nil), out.Commands[0].Closer...)
	for failed := 1; failed <= n; failed++ {
		k.peerFailed(1, k.table.entries[failed-1].peer, ErrTimeout, &out)
		k.Step(1, in, &out)
		closer := out.Commands[0].Closer
		require.Len(t, closer, 20)
		if n-failed < 20 {
			require.Equal(t, all, closer, "%d of %d have failed", failed, n)
			continue
		}
		for _, p := range closer {
			require.Nil(t, k.probes.suspect(p.Peer), "%d of %d have failed", failed, n)
		}
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { k.Step(1, in, &out) }))
}

// Of one announcement sixteen entries of the sender are read, and their addresses are one list.
func TestManyOwnEntries(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	in := Input{Kind: AddProvider, Peer: PeerInfo{ID: []byte("p")}, Key: []byte("k")}
	for i := range maxOwnEntries + 1 {
		in.Providers = append(in.Providers, PeerInfo{ID: []byte("p"), Addrs: Addrs(nil).Add([]byte{byte(i)})})
	}
	k.Step(1, in, &out)
	stored := k.Store().Providers([]byte("k"), nil)
	require.Len(t, stored, 1)
	require.Equal(t, maxOwnEntries, stored[0].Addrs.Len())
}
