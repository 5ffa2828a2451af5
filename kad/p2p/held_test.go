package p2p_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// holding starts a node that holds what it could store, and tells of it.
func holding(t *testing.T, change func(*p2p.Config)) (*p2p.Node, func() kad.Event) {
	cfg := p2p.Config{Kad: kad.Config{FilterRecords: true}, Transports: []string{p2p.TCP}}
	if change != nil {
		change(&cfg)
	}
	n := start(t, cfg)
	events := n.Events()
	return n, func() kad.Event {
		t.Helper()
		for {
			select {
			case ev := <-events:
				if ev.Held {
					return ev
				}
			case <-time.After(bound):
				t.Fatal("no request was held")
			}
		}
	}
}

func TestHeldRequests(t *testing.T) {
	n, next := holding(t, nil)
	h := connect(t, bare(t), n)
	add := wire.Message{Type: wire.AddProvider, Key: multihash, ProviderPeers: []wire.Peer{{ID: []byte(h.ID())}}}

	t.Run("accepted", func(t *testing.T) {
		s := open(t, h, n.ID()).send(record("/v/a", "ok a"))
		ev := next()
		assert.Equal(t, "ok a", string(ev.Record.Value))
		_, ok := n.Store().Get([]byte("/v/a"))
		assert.False(t, ok, "not before the application's word")
		require.NoError(t, n.Accept(ev.Request))
		assert.Equal(t, "ok a", string(s.want(wire.PutValue).Record.Value))
		_, ok = n.Store().Get([]byte("/v/a"))
		assert.True(t, ok)
		assert.ErrorIs(t, n.Accept(ev.Request), kad.ErrUnknownRequest)
		s.send(wire.Message{Type: wire.Ping}).want(wire.Ping) // the stream goes on
	})
	t.Run("refused", func(t *testing.T) {
		s := open(t, h, n.ID()).send(record("/v/b", "ok b"))
		ev := next()
		require.NoError(t, n.Refuse(ev.Request))
		s.refused()
		assert.ErrorIs(t, n.Refuse(ev.Request), kad.ErrUnknownRequest)
		_, ok := n.Store().Get([]byte("/v/b"))
		assert.False(t, ok)
	})
	t.Run("providers", func(t *testing.T) {
		s := open(t, h, n.ID()).send(add).send(wire.Message{Type: wire.Ping}) // which waits behind it
		ev := next()
		assert.Empty(t, n.Store().Providers(multihash))
		require.NoError(t, n.Accept(ev.Request))
		s.want(wire.Ping)
		assert.Len(t, n.Store().Providers(multihash), 1)
	})
	t.Run("overtaken by a better one", func(t *testing.T) {
		s := open(t, h, n.ID()).send(record("/v/c", "ok 1"))
		ev := next()
		require.NoError(t, n.Store().Put(p2p.StoredRecord{Key: []byte("/v/c"), Value: []byte("ok 2")}))
		assert.ErrorIs(t, n.Accept(ev.Request), p2p.ErrInvalid)
		s.refused()
	})
	t.Run("closed for writing", func(t *testing.T) {
		s := open(t, h, n.ID()).send(record("/v/d", "ok d"))
		require.NoError(t, s.s.CloseWrite())
		require.NoError(t, n.Accept(next().Request))
		s.want(wire.PutValue)
		s.ended()
	})
	t.Run("in any order", func(t *testing.T) {
		var streams []*raw
		var requests []kad.RequestID
		for i := range 8 {
			streams = append(streams, open(t, h, n.ID()).send(record(fmt.Sprint("/v/order", i), fmt.Sprint("ok ", i))))
			requests = append(requests, next().Request)
		}
		for i := range streams {
			i = len(streams) - 1 - i
			require.NoError(t, n.Accept(requests[i]))
			assert.Equal(t, fmt.Sprint("ok ", i), string(streams[i].want(wire.PutValue).Record.Value))
		}
	})
	t.Run("reset by the peer", func(t *testing.T) {
		s := open(t, h, n.ID()).send(record("/v/e", "ok e"))
		ev := next()
		require.NoError(t, s.s.Reset())
		require.Eventually(t, func() bool { // the node lets go of it by itself
			return p2p.Held(n) == 0
		}, bound, tick)
		require.Eventually(t, func() bool { return n.Refuse(ev.Request) != nil }, bound, tick)
	})
	t.Run("connection closed", func(t *testing.T) {
		open(t, h, n.ID()).send(record("/v/f", "ok f"))
		next()
		require.NoError(t, h.Network().ClosePeer(n.ID()))
		require.Eventually(t, func() bool { return p2p.Held(n) == 0 }, bound, tick)
	})
	t.Run("a client again", func(t *testing.T) {
		connect(t, h, n)
		s := open(t, h, n.ID()).send(record("/v/g", "ok g"))
		next()
		require.NoError(t, n.SetMode(kad.ModeClient))
		s.refused()
		require.Eventually(t, func() bool { return p2p.Held(n) == 0 }, bound, tick)
	})
	t.Run("unknown", func(t *testing.T) { assert.ErrorIs(t, n.Accept(1<<40), kad.ErrUnknownRequest) })
}

// Nobody says a word: the request is refused in time.
func TestHeldTimeout(t *testing.T) {
	n, next := holding(t, func(c *p2p.Config) { c.Kad.PeerTimeout = int64(50 * time.Millisecond) })
	s := open(t, connect(t, bare(t), n), n.ID()).send(record("/v/a", "ok a"))
	ev := next()
	s.refused()
	assert.ErrorIs(t, n.Accept(ev.Request), kad.ErrUnknownRequest)
	assert.Zero(t, p2p.Held(n))
}

// Close while requests are held: their streams end, and goleak sees that nothing is left.
func TestHeldClose(t *testing.T) {
	n, next := holding(t, nil)
	s := open(t, connect(t, bare(t), n), n.ID()).send(record("/v/a", "ok a"))
	ev := next()
	require.NoError(t, n.Close())
	assert.Error(t, n.Accept(ev.Request))
	_, err := s.r.ReadByte()
	assert.Error(t, err)
}

// Several peers hold what they get from a node that puts: a whole operation through the application's hands.
func TestHeldOperation(t *testing.T) {
	n, next := holding(t, nil)
	asker := start(t, p2p.Config{})
	require.NoError(t, asker.Connect(context20(t), info(n)))
	done := make(chan error, 1)
	go func() {
		_, err := asker.PutRecordTo(context20(t), p2p.Record{Key: []byte("/v/a"), Value: []byte("ok a")}, []peer.ID{n.ID()}, kad.All)
		done <- err
	}()
	require.NoError(t, n.Accept(next().Request))
	require.NoError(t, <-done)
}

// Nothing tells of a peer that half-closed its stream and then went away, but the request is let go of all the same.
func TestHeldHalfClosed(t *testing.T) {
	n, next := holding(t, func(c *p2p.Config) { c.Kad.PeerTimeout = int64(50 * time.Millisecond) })
	h := connect(t, bare(t), n)
	s := open(t, h, n.ID()).send(record("/v/a", "ok a"))
	require.NoError(t, s.s.CloseWrite())
	ev := next()
	require.NoError(t, h.Network().ClosePeer(n.ID()))
	require.Eventually(t, func() bool { return p2p.Held(n) == 0 }, bound, tick)
	require.Eventually(t, func() bool { return n.Refuse(ev.Request) != nil }, bound, tick)
	_, ok := n.Store().Get([]byte("/v/a"))
	assert.False(t, ok)
}
