package p2p_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// The tests of this file prove on live hosts what libp2p-kad's history asks for, where no other test does; kad's
// LIBP2P-KAD.md names them side by side.

// A hundred announcements on one connection, each on a stream of its own that its sender ends, and a hundred more on one
// stream: nothing is answered, and none leaves anything behind that would keep the next from being heard.
func TestManyAnnouncements(t *testing.T) {
	n := start(t, p2p.Config{Limits: p2p.Limits{InboundStreams: 40}})
	h := connect(t, bare(t), n)
	announce := func(i int) wire.Message {
		return wire.Message{Type: wire.AddProvider, Key: fmt.Appendf(nil, "key %d", i), ProviderPeers: []wire.Peer{{ID: []byte(h.ID())}}}
	}
	for i := range 100 {
		r := open(t, h, n.ID()).send(announce(i))
		require.NoError(t, r.s.CloseWrite())
		r.ended()
	}
	one := open(t, h, n.ID())
	for i := range 100 {
		one.send(announce(100 + i))
	}
	for i := range 200 {
		m := one.send(wire.Message{Type: wire.GetProviders, Key: announce(i).Key}).want(wire.GetProviders)
		require.Len(t, m.ProviderPeers, 1, "key %d", i)
		require.Equal(t, []byte(h.ID()), m.ProviderPeers[0].ID)
	}
}

// A PUT_VALUE carries its key twice, in the message and in the record: go-libp2p refuses it otherwise.
func TestPutCarriesItsKey(t *testing.T) {
	var mu sync.Mutex
	var seen []wire.Message
	n := asking(t, p2p.Config{}, scripted(t, func(m *wire.Message, s network.Stream) bool {
		if m.Type == wire.PutValue {
			mu.Lock()
			seen = append(seen, wire.Message{Key: bytes.Clone(m.Key), HasRecord: m.HasRecord, Record: wire.Record{Key: bytes.Clone(m.Record.Key)}})
			mu.Unlock()
		}
		return answer(s, *m)
	}))
	_, err := n.PutRecord(context20(t), p2p.Record{Key: []byte("/v/key"), Value: []byte("ok mine")}, kad.One)
	require.NoError(t, err)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, seen, 1)
	require.Equal(t, wire.Message{Key: []byte("/v/key"), HasRecord: true, Record: wire.Record{Key: []byte("/v/key")}}, seen[0])
}

// A record as long as a message of 16 KiB may hold is put and got again; a longer one is refused at once, and nobody is
// asked to read what it could not.
func TestLongestRecord(t *testing.T) {
	_, client := swarm(t, 2, p2p.Config{})
	value := append([]byte("ok "), bytes.Repeat([]byte("x"), 16_000)...)
	put, err := client.PutRecord(context20(t), p2p.Record{Key: []byte("/v/long"), Value: value}, kad.All)
	require.NoError(t, err)
	require.Len(t, put.Stored, 2)
	require.NoError(t, client.RemoveRecord([]byte("/v/long")))
	got, err := client.GetRecord(context20(t), []byte("/v/long"), 0)
	require.NoError(t, err)
	require.True(t, bytes.Equal(value, got.Value))
	for _, length := range []int{17_000, 66_000, 70_000} {
		_, err = client.PutRecord(context20(t), p2p.Record{Key: []byte("/v/longer"), Value: append([]byte("ok "), make([]byte, length)...)}, kad.All)
		require.Error(t, err, "%d bytes", length)
	}
}

// Who begins or ceases to serve tells those who are connected already: they enter it into their tables, and take it out.
func TestModeOnExistingConnections(t *testing.T) {
	server := start(t, p2p.Config{})
	n := start(t, p2p.Config{Kad: kad.Config{Mode: kad.ModeClient}})
	require.NoError(t, n.Connect(context20(t), info(server)))
	// What n was when the connection began the server must have heard: go-libp2p's identify keeps what it reads last, and its
	// answer of then may be read after the push of now.
	require.NoError(t, server.Connect(context20(t), info(n)))
	require.Eventually(t, func() bool { return len(n.Table()) == 1 }, bound, tick)
	assert.Empty(t, server.Table())
	has := func() bool { return len(server.Table()) == 1 && server.Table()[0] == n.ID() }
	for range 2 {
		require.NoError(t, n.SetMode(kad.ModeServer))
		require.Eventually(t, has, bound, tick)
		require.NoError(t, n.SetMode(kad.ModeClient))
		require.Eventually(t, func() bool { return len(server.Table()) == 0 }, bound, tick)
	}
	assert.Equal(t, []peer.ID{server.ID()}, n.Table())
}

// A peer that serves under another protocol name enters no table, on either side.
func TestAnotherProtocol(t *testing.T) {
	n := start(t, p2p.Config{})
	other := start(t, p2p.Config{Protocols: []string{"/another/kad/1.0.0"}})
	same := start(t, p2p.Config{})
	require.NoError(t, n.Connect(context20(t), info(other)))
	require.NoError(t, n.Connect(context20(t), *host.InfoFromHost(same.Host())))
	require.Eventually(t, func() bool { return len(n.Table()) == 1 && len(same.Table()) == 1 }, bound, tick)
	near, err := n.GetClosestPeers(context20(t), []byte("k"), 0)
	require.NoError(t, err)
	require.Len(t, near.Peers, 1)
	require.Equal(t, same.ID(), near.Peers[0].ID)
	require.Equal(t, []peer.ID{same.ID()}, n.Table())
	require.Empty(t, other.Table())
}
