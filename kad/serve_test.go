package kad

import (
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
		{ID: []byte("a"), Addrs: Addrs("\x12\x01x")}, {}, {ID: []byte("b"), Addrs: Addrs("\x12\x01y")},
	}}, &out)
	require.Len(t, out.Commands, 2)
	require.Equal(t, Addrs("\x12\x01x"), out.Commands[0].Peer.Addrs)
	require.Equal(t, Addrs("\x12\x01y"), out.Commands[1].Peer.Addrs)
}
