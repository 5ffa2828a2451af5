package kad

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is held is the core's own memory, and small: whatever is too large for the store never waits, and an announcement's
// addresses are cut.
func TestHeldMemory(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, FilterRecords: true})
	var out Output
	put := func(req RequestID, key, value []byte) {
		v, err := Validate(AcceptAll{}, Record{Key: key, Value: value, Publisher: []byte("publisher")}, 1)
		require.NoError(t, err)
		k.Step(1, Input{Kind: PutRecord, Request: req, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
	}
	for _, c := range []struct {
		key, value int
		held       bool
	}{{1024, 66_559, true}, {1025, 1, false}, {1, 66_560, false}} {
		put(1, make([]byte, c.key), make([]byte, c.value))
		if !c.held {
			require.Equal(t, Reset, out.Commands[0].Kind)
			require.Empty(t, out.Events)
			require.Empty(t, k.held)
			continue
		}
		require.Empty(t, out.Commands)
		require.True(t, out.Events[0].Held)
		k.Step(1, Input{Kind: OpRefuse, Request: 1}, &out)
		require.Equal(t, Reset, out.Commands[0].Kind)
	}

	key, value := []byte("key"), []byte("value")
	put(2, key, value)
	key[0], value[0] = 0xAA, 0xAA
	k.Step(1, Input{Kind: OpAccept, Request: 2}, &out)
	require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
	require.Equal(t, []byte("p"), out.Commands[0].Peer.ID)
	rec, ok := k.Store().Get([]byte("key"))
	require.True(t, ok)
	require.Equal(t, []byte("value"), rec.Value)
	require.Equal(t, []byte("publisher"), rec.Publisher)

	var many Addrs
	for i := range 100 {
		many = many.Add(append(bytes.Repeat([]byte{'a'}, 70), byte(i)))
	}
	p := PeerInfo{ID: []byte("p"), Addrs: many}
	k.Step(1, Input{Kind: AddProvider, Request: 3, Peer: p, Key: []byte("k"), Providers: []PeerInfo{p}}, &out)
	require.True(t, out.Events[0].Held)
	require.LessOrEqual(t, len(k.held[0].addrs), maxProviderAddrBytes)
	require.Equal(t, k.held[0].addrs, out.Events[0].Providers[0].Addrs)
	require.Greater(t, len(k.held[0].addrs), maxProviderAddrBytes-100)

	// Whose id is too long to be remembered cannot wait.
	long := PeerInfo{ID: make([]byte, maxIDBytes+1)}
	k.Step(1, Input{Kind: PutRecord, Request: 4, Peer: long, Valid: valid(t, "k", "v")}, &out)
	require.Equal(t, Reset, out.Commands[0].Kind)
	require.Len(t, k.held, 1)
}

// Keys that are longer than any in use are not even hashed; the longest that is looked for, and the longest that is stored.
func TestLongKeys(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 10)
	var out Output
	for kind, want := range map[InputKind]CommandKind{FindNodeReq: RespondFindNode, GetRecord: RespondGetRecord} {
		k.Step(1, Input{Kind: kind, Key: make([]byte, 16<<10)}, &out)
		require.Equal(t, want, out.Commands[0].Kind)
		require.NotEmpty(t, out.Commands[0].Closer)
		for _, n := range []int{0, 16<<10 + 1, 4 << 20} {
			k.Step(1, Input{Kind: kind, Key: make([]byte, n)}, &out)
			require.Equal(t, Reset, out.Commands[0].Kind, "%d bytes", n)
			require.Len(t, out.Commands, 1)
			require.Empty(t, out.Events)
		}
	}
	for n, want := range map[int]CommandKind{1024: RespondPutRecord, 1025: Reset} {
		v, err := Validate(AcceptAll{}, Record{Key: make([]byte, n)}, 1)
		require.NoError(t, err)
		k.Step(1, Input{Kind: PutRecord, Valid: v}, &out)
		require.Equal(t, want, out.Commands[0].Kind)
	}
}

// The application is asked about valid records alone.
func TestInvalidIsNotHeld(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, FilterRecords: true})
	var out Output
	k.Step(1, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Request: 1}, &out)
	require.Len(t, out.Commands, 1)
	require.Equal(t, Reset, out.Commands[0].Kind)
	require.Empty(t, out.Events)
	require.Empty(t, k.held)
}

// Who disconnects takes its own requests along and no others. One that finds no room is refused, be it a record or a provider.
func TestHeldByPeer(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, FilterRecords: true, Limits: Limits{Held: 2}})
	var out Output
	for i, id := range []string{"a", "b", "c"} {
		p := PeerInfo{ID: []byte(id), Addrs: Addrs("\x12\x01x")}
		k.Step(1, Input{Kind: InConnected, Peer: p}, &out)
		k.Step(1, Input{Kind: AddProvider, Peer: PeerInfo{ID: p.ID}, Request: RequestID(i), Key: []byte("k"), Providers: []PeerInfo{p}}, &out)
		if i < 2 {
			require.True(t, out.Events[0].Held)
			require.NotZero(t, out.Events[0].Peer.Peer)
		} else {
			require.Empty(t, out.Events)
			require.Equal(t, Reset, out.Commands[0].Kind)
		}
	}
	k.Step(1, Input{Kind: InDisconnected, Peer: PeerInfo{ID: []byte("a")}}, &out)
	require.Len(t, k.held, 1)
	require.Equal(t, RequestID(1), k.held[0].request)
}

// What is held has a memory of its own, the publisher's name included, and its asker has a handle.
func TestHeldPublisher(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, FilterRecords: true})
	var out Output
	publisher := []byte("publisher")
	v, err := Validate(AcceptAll{}, Record{Key: []byte("k"), Value: []byte("v"), Publisher: publisher}, 1)
	require.NoError(t, err)
	k.Step(1, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
	require.Equal(t, k.dir.Find([]byte("p")), out.Events[0].Peer.Peer)
	require.NotZero(t, out.Events[0].Peer.Peer)
	publisher[0] = 'X'
	require.Equal(t, "publisher", string(k.held[0].valid.record.Publisher))
}
