package p2p_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// scripted is a server whose every answer is the test's: handle gets a request and the stream to do with as it likes,
// and says whether the stream goes on.
func scripted(t *testing.T, handle func(m *wire.Message, s network.Stream) bool) host.Host {
	h := bare(t)
	serving(h, handle)
	return h
}

// serving makes a host such a server.
func serving(h host.Host, handle func(m *wire.Message, s network.Stream) bool) {
	p2p.Answering(h, p2p.DefaultProtocol, handle)
}

func answer(s network.Stream, ms ...wire.Message) bool {
	var b []byte
	for i := range ms {
		b = wire.AppendFrame(b, &ms[i])
	}
	_, err := s.Write(b)
	return err == nil
}

// asking is a client node that knows the given servers.
func asking(t *testing.T, cfg p2p.Config, servers ...host.Host) *p2p.Node {
	cfg.Kad.Mode = kad.ModeClient
	n := start(t, cfg)
	for _, h := range servers {
		require.NoError(t, n.Connect(context20(t), *host.InfoFromHost(h)))
	}
	// identify may have answered before it knew of the handler; a push follows.
	require.Eventually(t, func() bool { return len(n.Table()) == len(servers) }, bound, tick)
	return n
}

func TestAnswersThatAreWrong(t *testing.T) {
	key := []byte("/v/key")
	closest := func(n *p2p.Node) error {
		got, err := n.GetClosestPeers(context20(t), []byte("k"), 0)
		if err == nil && len(got.Peers) == 0 {
			return assert.AnError
		}
		return err
	}
	get := func(n *p2p.Node) error {
		_, err := n.GetRecord(context20(t), key, 0)
		return err
	}
	put := func(n *p2p.Node) error {
		_, err := n.PutRecord(context20(t), p2p.Record{Key: key, Value: []byte("ok mine")}, kad.One)
		return err
	}
	good := func(m *wire.Message, s network.Stream) bool { return answer(s, *m) }
	for _, c := range []struct {
		name   string
		do     func(n *p2p.Node) error
		handle func(m *wire.Message, s network.Stream) bool
		works  bool
	}{
		{"an honest one", closest, good, true},
		{"end after one answer", closest, func(m *wire.Message, s network.Stream) bool { answer(s, *m); return false }, true},
		{"reset instead of an answer", closest, func(m *wire.Message, s network.Stream) bool { _ = s.Reset(); return false }, false},
		{"end instead of an answer", closest, func(m *wire.Message, s network.Stream) bool { return false }, false},
		{"another type", closest, func(m *wire.Message, s network.Stream) bool {
			return answer(s, wire.Message{Type: wire.Ping})
		}, false},
		{"rubbish", closest, func(m *wire.Message, s network.Stream) bool {
			_, _ = s.Write([]byte{3, 0xff, 0xff, 0xff})
			return true
		}, false},
		{"half an answer", closest, func(m *wire.Message, s network.Stream) bool {
			_, _ = s.Write(wire.AppendFrame(nil, m)[:3])
			return false
		}, false},
		{"cluster level", closest, func(m *wire.Message, s network.Stream) bool {
			return answer(s, wire.Message{Type: m.Type, ClusterLevelRaw: 9})
		}, true},
		{"bad peers", closest, func(m *wire.Message, s network.Stream) bool {
			return answer(s, wire.Message{Type: m.Type, CloserPeers: []wire.Peer{{ID: []byte("x")}, {},
				{ID: []byte(s.Conn().RemotePeer())}, {ID: []byte(s.Conn().LocalPeer()), Addrs: wire.MakeAddrs([]byte("bad"))}}})
		}, true},
		{"a record", get, func(m *wire.Message, s network.Stream) bool {
			return answer(s, recordAs(wire.GetValue, "/v/key", "ok theirs"))
		}, true},
		{"a record that is not valid", get, func(m *wire.Message, s network.Stream) bool {
			return answer(s, recordAs(wire.GetValue, "/v/key", "no"))
		}, false},
		{"a record of another key", get, func(m *wire.Message, s network.Stream) bool {
			r := recordAs(wire.GetValue, "/v/key", "ok theirs")
			r.Record.Key = []byte("/v/other")
			return answer(s, r)
		}, false},
		{"an answer about another key", get, func(m *wire.Message, s network.Stream) bool {
			return answer(s, recordAs(wire.GetValue, "/v/other", "ok theirs"))
		}, false},
		{"an answer without a key", get, func(m *wire.Message, s network.Stream) bool {
			r := recordAs(wire.GetValue, "/v/key", "ok theirs")
			r.Key = nil
			return answer(s, r)
		}, true},
		{"an echo", put, good, true},
		{"an echo of another value", put, func(m *wire.Message, s network.Stream) bool {
			return answer(s, recordAs(m.Type, "/v/key", "ok theirs"))
		}, false},
		{"an echo without a record", put, func(m *wire.Message, s network.Stream) bool {
			return answer(s, wire.Message{Type: m.Type, Key: m.Key})
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := asking(t, p2p.Config{}, scripted(t, func(m *wire.Message, s network.Stream) bool {
				if m.Type == wire.FindNode && string(m.Key) == string(key) { // the search before a put
					return answer(s, *m)
				}
				return c.handle(m, s)
			}))
			if err := c.do(n); c.works {
				assert.NoError(t, err)
			} else {
				assert.Error(t, err)
			}
		})
	}
}

func recordAs(typ wire.Type, key, value string) wire.Message {
	m := record(key, value)
	m.Type = typ
	return m
}

// TestProvideReplies: a peer may echo an ADD_PROVIDER, or stay silent with the stream open, or end it; each has it. One
// that resets has not.
func TestProvideReplies(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(m *wire.Message, s network.Stream) bool
		took   int
	}{
		"echo":  {func(m *wire.Message, s network.Stream) bool { return answer(s, *m) }, 1},
		"end":   {func(*wire.Message, network.Stream) bool { return false }, 1},
		"reset": {func(_ *wire.Message, s network.Stream) bool { _ = s.Reset(); return false }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var seen wire.Message
			n := asking(t, p2p.Config{}, scripted(t, func(m *wire.Message, s network.Stream) bool {
				if m.Type != wire.AddProvider {
					return answer(s, *m)
				}
				seen = *m
				return c.handle(m, s)
			}))
			got, err := n.StartProviding(context20(t), multihash)
			assert.Len(t, got.Announced, c.took)
			if c.took > 0 {
				assert.NoError(t, err)
				require.Len(t, seen.ProviderPeers, 1)
				assert.Equal(t, []byte(n.ID()), seen.ProviderPeers[0].ID)
				assert.Equal(t, len(n.Host().Addrs()), seen.ProviderPeers[0].Addrs.Len())
			}
			// The next lookup is not put out of step.
			near, err := n.GetClosestPeers(context20(t), []byte("k"), 0)
			require.NoError(t, err)
			assert.Len(t, near.Peers, 1)
		})
	}
}

// TestStartAndCloseAtOnce: whatever the methods run into, be it a node that is being started or one that is being
// closed, nothing breaks, and each Close returns when all of it has ended.
func TestStartAndCloseAtOnce(t *testing.T) {
	server := start(t, p2p.Config{Transports: []string{p2p.TCP}})
	for range 10 {
		n, err := p2p.New(p2p.Config{Transports: []string{p2p.TCP}, Bootstrap: []string{server.Addrs()[0].String()}})
		require.NoError(t, err)
		var all sync.WaitGroup
		for _, f := range []func(){
			func() { _ = n.Start(context.Background()) },
			func() { _ = n.SetMode(kad.ModeServer) },
			func() { _ = n.SetMode(kad.ModeClient) },
			func() { _ = n.Connect(context20(t), info(server)) },
			func() { _, _ = n.FindPeer(context20(t), server.ID()) },
			func() { _, _ = n.GetClosestPeers(context20(t), []byte("k"), 0) },
			func() { n.Advance(time.Hour) },
			func() { n.Addrs(); n.Host(); n.Table() },
			func() { assert.NoError(t, n.Close()) },
			func() { assert.NoError(t, n.Close()) },
		} {
			all.Go(f)
		}
		all.Wait()
		require.NoError(t, n.Close())
		assert.ErrorIs(t, n.Start(context.Background()), p2p.ErrClosed)
	}
}

// TestUnasked: a second answer to one request must not be taken for the answer to the next.
func TestUnasked(t *testing.T) {
	other := peer.ID("\x12\x20someone whom nobody should ask 32")
	n := asking(t, p2p.Config{}, scripted(t, func(m *wire.Message, s network.Stream) bool {
		liar := wire.Message{Type: m.Type, CloserPeers: []wire.Peer{{ID: []byte(other), Addrs: wire.MakeAddrs([]byte("\x04\x7f\x00\x00\x01\x06\x00\x01"))}}}
		return answer(s, wire.Message{Type: m.Type}, liar)
	}))
	for range 5 {
		near, err := n.GetClosestPeers(context20(t), []byte("k"), 0)
		require.NoError(t, err)
		assert.Equal(t, uint32(1), near.Stats.Requests)
	}
}

func TestUnsupported(t *testing.T) {
	h := bare(t)
	n := start(t, p2p.Config{Kad: kad.Config{Mode: kad.ModeClient}})
	update, err := n.AddAddress(h.ID(), h.Addrs()[0])
	require.NoError(t, err)
	require.Equal(t, kad.UpdateSuccess, update)
	got, err := n.GetClosestPeers(context20(t), []byte("k"), 0)
	assert.Empty(t, got.Peers)
	assert.NoError(t, err)
	assert.Equal(t, uint32(1), got.Stats.Failures)
}

func TestNobodyThere(t *testing.T) {
	n := start(t, p2p.Config{})
	assert.ErrorIs(t, n.Bootstrap(context20(t)), p2p.ErrNoPeers)
	_, err := n.GetRecord(context20(t), []byte("/v/k"), 0)
	assert.ErrorIs(t, err, p2p.ErrNotFound)
	_, err = n.GetRecord(context20(t), []byte("k"), 0)
	assert.ErrorIs(t, err, p2p.ErrInvalid)
	_, err = n.PutRecord(context20(t), p2p.Record{Key: []byte("/v/k"), Value: []byte("no")}, kad.One)
	assert.ErrorIs(t, err, p2p.ErrInvalid)
	_, err = n.PutRecord(context20(t), p2p.Record{Key: []byte("/x/k"), Value: []byte("ok")}, kad.One)
	assert.ErrorIs(t, err, p2p.ErrNamespace)
	_, err = n.PutRecord(context20(t), p2p.Record{Key: []byte("/v/k"), Value: append([]byte("ok "), make([]byte, 16<<10)...)}, kad.One)
	assert.ErrorIs(t, err, p2p.ErrTooLarge)

	_, err = n.GetClosestPeers(context20(t), make([]byte, 16<<10), 0)
	assert.ErrorIs(t, err, p2p.ErrInvalid)

	// A peer that cannot be reached.
	_, err = n.AddAddress(bare(t).ID(), info(n).Addrs[0]) // where somebody else listens
	require.NoError(t, err)
	got, err := n.GetClosestPeers(context20(t), []byte("k"), 0)
	require.NoError(t, err)
	assert.Empty(t, got.Peers)
	assert.Equal(t, uint32(1), got.Stats.Failures)
}

func TestStartAndClose(t *testing.T) {
	n, err := p2p.New(p2p.Config{})
	require.NoError(t, err)
	assert.ErrorIs(t, n.Bootstrap(context.Background()), p2p.ErrClosed)
	require.NoError(t, n.Close())
	assert.ErrorIs(t, n.Start(context.Background()), p2p.ErrClosed)

	// An operation under way ends with the node.
	asked := make(chan struct{}, 1)
	silent := scripted(t, func(*wire.Message, network.Stream) bool {
		asked <- struct{}{}
		return true
	})
	n, err = p2p.New(p2p.Config{Kad: kad.Config{Mode: kad.ModeClient}})
	require.NoError(t, err)
	require.NoError(t, n.Start(context.Background()))
	require.NoError(t, n.Connect(context20(t), *host.InfoFromHost(silent)))
	ended := make(chan error)
	go func() {
		_, err := n.GetClosestPeers(context.Background(), []byte("k"), 0)
		ended <- err
	}()
	<-asked
	require.NoError(t, n.Close())
	assert.ErrorIs(t, <-ended, p2p.ErrClosed)
	require.NoError(t, n.Close())
	assert.ErrorIs(t, n.Connect(context.Background(), *host.InfoFromHost(silent)), p2p.ErrClosed)

	// Nor does a host that was given end with it.
	h := bare(t)
	n, err = p2p.New(p2p.Config{Host: h, Kad: kad.Config{Mode: kad.ModeServer}})
	require.NoError(t, err)
	require.NoError(t, n.Start(context.Background()))
	open(t, connect(t, bare(t), n), h.ID()).send(wire.Message{Type: wire.Ping}).want(wire.Ping)
	require.NoError(t, n.Close())
	assert.NotContains(t, h.Mux().Protocols(), p2p.DefaultProtocol)
	connect(t, bare(t), n)
}

// TestTooMuchForOnePeer: a request that finds the queue of its peer full fails at once; the operation goes on without it.
func TestTooMuchForOnePeer(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		hanging(hosts[1])
		n, err := p2p.New(p2p.Config{Host: hosts[0], Limits: p2p.Limits{OutboundRequests: 1, OutboundQueue: 1},
			Kad: kad.Config{Mode: kad.ModeClient, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}})
		require.NoError(t, err)
		require.NoError(t, n.Start(t.Context()))
		defer n.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		ask := func() p2p.Stats {
			got, err := n.GetClosestPeers(t.Context(), []byte("k"), 0)
			assert.NoError(t, err)
			return got.Stats
		}
		var all sync.WaitGroup
		for range 2 { // one is under way, one waits
			all.Go(func() { ask() })
		}
		synctest.Wait()
		assert.Equal(t, p2p.Stats{Requests: 1, Failures: 1}, ask())
		assert.Len(t, n.Table(), 1, "it is not the peer's fault")
		all.Wait()
		after(15 * time.Second)
	})
}
