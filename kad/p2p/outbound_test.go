package p2p

import (
	"bufio"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	"github.com/multiformats/go-multistream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

const oneWay = 25 * time.Millisecond

// simulated runs a test with hosts on a simulated network, 25 ms one way, in virtual time. What drop says yes to is lost.
func simulated(t *testing.T, count int, drop *atomic.Pointer[func(simnet.Packet) bool], test func(t *testing.T, hosts []host.Host)) {
	synctest.Test(t, func(t *testing.T) {
		link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
		net, meta, err := simlibp2p.SimpleLibp2pNetwork([]simlibp2p.NodeLinkSettingsAndCount{{
			LinkSettings: simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}, Count: count,
		}}, func(p *simnet.Packet) time.Duration {
			if drop != nil {
				if lost := drop.Load(); lost != nil && (*lost)(*p) {
					return time.Hour // as good as lost
				}
			}
			return oneWay
		}, simlibp2p.NetworkSettings{})
		require.NoError(t, err)
		net.Start()
		defer net.Close()
		defer func() {
			for _, h := range meta.Nodes {
				assert.NoError(t, h.Close())
			}
		}()
		test(t, meta.Nodes)
	})
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func quiet(h host.Host) Config {
	return Config{Host: h, Kad: kad.Config{Mode: kad.ModeClient, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}}
}

// running starts a node.
func running(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, n.Start(t.Context()))
	return n
}

// answering serves a protocol by giving each request to a function, which says whether the stream goes on.
func answering(h host.Host, p protocol.ID, handle func(m *wire.Message, s network.Stream) bool) {
	h.SetStreamHandler(p, func(s network.Stream) {
		defer s.Close()
		r := bufio.NewReader(s)
		for {
			body, err := wire.ReadFrame(r, nil, wire.MaxReceive)
			if err != nil {
				return
			}
			m := new(wire.Message)
			if wire.Decode(body, m) != nil || !handle(m, s) {
				return
			}
		}
	})
}

func echo(m *wire.Message, s network.Stream) bool {
	_, err := s.Write(wire.AppendFrame(nil, m))
	return err == nil
}

// findNode asks one peer and says what came of it.
func findNode(n *Node, to peer.AddrInfo, timeout time.Duration) kad.ErrorKind {
	why, _ := ask(n, kad.SendFindNode, to, timeout)
	return why
}

// TestRoundTrips: a peer that has to be dialled answers in two round trips: one for QUIC's handshake, one for the request,
// which goes out with the proposal of the protocol and does not wait for identify. With go-libp2p's Host.NewStream it
// would be three. One that is connected answers in one, on a new stream and on a rested one.
func TestRoundTrips(t *testing.T) {
	simulated(t, 3, nil, func(t *testing.T, hosts []host.Host) {
		const rtt, slack = 2 * oneWay, oneWay / 2
		n := running(t, quiet(hosts[0]))
		defer n.Close()
		took := func(want time.Duration, f func()) {
			t.Helper()
			start := time.Now()
			f()
			assert.InDelta(t, want, time.Since(start), float64(slack))
		}
		answering(hosts[1], DefaultProtocol, echo)
		to := *host.InfoFromHost(hosts[1])
		ask := func() { assert.Equal(t, kad.ErrNone, findNode(n, to, 10*time.Second)) }
		took(2*rtt, ask)
		took(rtt, ask)
		pass(time.Second)
		took(rtt, ask)

		// For comparison, and so that this test says when it is no longer true.
		answering(hosts[2], DefaultProtocol, echo)
		other := *host.InfoFromHost(hosts[2])
		took(3*rtt, func() {
			require.NoError(t, hosts[0].Connect(t.Context(), other))
			s, err := hosts[0].NewStream(t.Context(), other.ID, DefaultProtocol)
			require.NoError(t, err)
			_, err = s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte("k")}))
			require.NoError(t, err)
			_, err = wire.ReadFrame(bufio.NewReader(s), nil, wire.MaxReceive)
			require.NoError(t, err)
			_ = s.Reset()
		})
		pass(10 * time.Second) // the idle streams end
	})
}

// TestErrorKinds: each way in which a request can fail has its own kind.
func TestErrorKinds(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   kad.ErrorKind
		handle func(m *wire.Message, s network.Stream) bool // nil: the protocol is not served
	}{
		{"none", kad.ErrNone, echo},
		{"silence", kad.ErrTimeout, func(*wire.Message, network.Stream) bool { return true }},
		{"half an answer and silence", kad.ErrTimeout, func(m *wire.Message, s network.Stream) bool {
			_, err := s.Write(wire.AppendFrame(nil, m)[:2])
			return err == nil
		}},
		{"another protocol", kad.ErrUnsupported, nil},
		{"rubbish", kad.ErrInvalid, func(_ *wire.Message, s network.Stream) bool {
			_, err := s.Write([]byte{3, 0xff, 0xff, 0xff})
			return err == nil
		}},
		{"a length of 1 GiB", kad.ErrInvalid, func(_ *wire.Message, s network.Stream) bool {
			_, err := s.Write([]byte{0x80, 0x80, 0x80, 0x80, 0x04})
			return err == nil
		}},
		{"an answer to something else", kad.ErrInvalid, func(_ *wire.Message, s network.Stream) bool {
			return echo(&wire.Message{Type: wire.Ping}, s)
		}},
		{"reset", kad.ErrReset, func(_ *wire.Message, s network.Stream) bool { _ = s.Reset(); return false }},
		{"the end", kad.ErrReset, func(*wire.Message, network.Stream) bool { return false }},
		{"half an answer and the end", kad.ErrReset, func(m *wire.Message, s network.Stream) bool {
			_, _ = s.Write(wire.AppendFrame(nil, m)[:2])
			return false
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
				n := running(t, quiet(hosts[0]))
				defer n.Close()
				if c.handle != nil {
					answering(hosts[1], DefaultProtocol, c.handle)
				}
				assert.Equal(t, c.want, findNode(n, *host.InfoFromHost(hosts[1]), 5*time.Second))
				_ = hosts[1].Network().Close()
			})
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
			n := running(t, quiet(hosts[0]))
			defer n.Close()
			dead := *host.InfoFromHost(hosts[1])
			require.NoError(t, hosts[1].Close())
			start := time.Now()
			assert.Equal(t, kad.ErrDial, findNode(n, dead, 10*time.Second))
			assert.Greater(t, time.Since(start), 4*time.Second)
			assert.Less(t, time.Since(start), 6*time.Second) // QUIC gives up after five
		})
	})
	t.Run("nobody there, and little time", func(t *testing.T) {
		simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
			n := running(t, quiet(hosts[0]))
			defer n.Close()
			dead := *host.InfoFromHost(hosts[1])
			require.NoError(t, hosts[1].Close())
			assert.Equal(t, kad.ErrTimeout, findNode(n, dead, time.Second))
		})
	})
	t.Run("no address", func(t *testing.T) {
		simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
			n := running(t, quiet(hosts[0]))
			defer n.Close()
			assert.Equal(t, kad.ErrDial, findNode(n, peer.AddrInfo{ID: hosts[1].ID()}, time.Second))
		})
	})
}

// TestSeveralProtocols: the first is proposed to a peer of whom nothing is known; to one that speaks another of ours only,
// that one is spoken after all.
func TestSeveralProtocols(t *testing.T) {
	for name, c := range map[string]struct {
		speaks protocol.ID
		want   kad.ErrorKind
	}{
		"first":  {"/one", kad.ErrNone},
		"second": {"/two", kad.ErrNone},
		"third":  {"/three", kad.ErrNone},
		"none":   {"/four", kad.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
				cfg := quiet(hosts[0])
				cfg.Protocols = []string{"/one", "/two", "/three"}
				n := running(t, cfg)
				defer n.Close()
				answering(hosts[1], c.speaks, echo)
				to := *host.InfoFromHost(hosts[1])
				for range 2 { // fresh, and identified
					assert.Equal(t, c.want, findNode(n, to, 10*time.Second))
					pass(time.Second)
				}
			})
		})
	}
}

// TestNo: a peer whose no to the first protocol reaches us is asked by the second.
func TestNo(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		cfg := quiet(hosts[0])
		cfg.Protocols = []string{"/one", "/two"}
		n := running(t, cfg)
		defer n.Close()
		var proposed []string
		hosts[1].Network().SetStreamHandler(func(s network.Stream) {
			defer s.Close()
			say := func(token string) { _, _ = s.Write(append([]byte{byte(len(token) + 1)}, token+"\n"...)) }
			for {
				token, err := multistream.ReadNextToken[string](s)
				if err != nil {
					return
				}
				switch {
				case token == multistream.ProtocolID:
					say(token)
				case token == "/two":
					say(token)
					body, err := wire.ReadFrame(bufio.NewReader(s), nil, wire.MaxReceive)
					if assert.NoError(t, err) {
						_, _ = s.Write(append([]byte{byte(len(body))}, body...))
					}
				case token == "/one":
					proposed = append(proposed, token)
					say("na")
				default:
					say("na")
				}
			}
		})
		assert.Equal(t, kad.ErrNone, findNode(n, *host.InfoFromHost(hosts[1]), 10*time.Second))
		assert.Contains(t, proposed, "/one")
		pass(time.Minute)
	})
}

// counted is how many streams are open at once at a peer that allows so many and resets the next, as libp2p-kad does. It
// takes its time to end one.
type counted struct {
	mu           sync.Mutex
	open, most   int
	refused      int
	asked, limit int
}

func (c *counted) serve(h host.Host, pause time.Duration) {
	h.SetStreamHandler(DefaultProtocol, func(s network.Stream) {
		c.mu.Lock()
		if c.open == c.limit {
			c.refused++
			c.mu.Unlock()
			_ = s.Reset()
			return
		}
		c.open++
		c.most = max(c.most, c.open)
		c.mu.Unlock()
		defer func() {
			pass(100 * time.Millisecond) // longer than the next stream needs to get here
			c.mu.Lock()
			c.open--
			c.mu.Unlock()
			_ = s.Close()
		}()
		r := bufio.NewReader(s)
		for {
			body, err := wire.ReadFrame(r, nil, wire.MaxReceive)
			if err != nil {
				return
			}
			m := new(wire.Message)
			if wire.Decode(body, m) != nil {
				return
			}
			c.mu.Lock()
			c.asked++
			c.mu.Unlock()
			pass(pause)
			if m.Type == wire.AddProvider {
				return // libp2p-kad reads on; its stream ends when we end ours
			}
			if !echo(&wire.Message{Type: m.Type, Key: m.Key}, s) {
				return
			}
		}
	})
}

// TestStreamLimit: hundreds of provides at once, all to one peer that allows 32 streams, never open more than it allows,
// and each arrives: those beyond Limits.OutboundRequests wait for their turn.
func TestStreamLimit(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		const provides = 250
		cfg := quiet(hosts[0])
		n := running(t, cfg)
		defer n.Close()
		server := &counted{limit: 32}
		server.serve(hosts[1], 10*time.Millisecond)
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		var all sync.WaitGroup
		for range maxIdle { // whose streams rest then, and count with the peer
			all.Go(func() {
				_, err := n.GetClosestPeers(t.Context(), []byte("k"), 0)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		for i := range provides {
			all.Go(func() {
				got, err := n.StartProviding(t.Context(), []byte{0x12, 2, byte(i), byte(i >> 8)})
				assert.NoError(t, err)
				assert.Len(t, got.Announced, 1)
			})
		}
		all.Wait()
		server.mu.Lock()
		defer server.mu.Unlock()
		assert.Equal(t, 32, server.most)
		assert.Zero(t, server.refused)
		assert.Equal(t, maxIdle+2*provides, server.asked) // a FIND_NODE and an ADD_PROVIDER each
	})
}

// TestQueueLimit: what goes beyond Limits.OutboundQueue is refused at once.
func TestQueueLimit(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		cfg := quiet(hosts[0])
		cfg.Limits = Limits{OutboundRequests: 2, OutboundQueue: 3}
		n := running(t, cfg)
		defer n.Close()
		answering(hosts[1], DefaultProtocol, func(*wire.Message, network.Stream) bool { return true })
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		n.mu.Lock()
		var got []kad.ErrorKind
		for range 7 {
			got = append(got, n.outbound.send(&kad.Command{Kind: kad.SendFindNode, Peer: kad.PeerInfo{ID: []byte(hosts[1].ID())}, Key: []byte("k")}, time.Now()))
		}
		n.mu.Unlock()
		assert.Equal(t, append(slices.Repeat([]kad.ErrorKind{kad.ErrNone}, 5), kad.ErrRefused, kad.ErrRefused), got)
		pass(20 * time.Second)
		n.outbound.mu.Lock()
		defer n.outbound.mu.Unlock()
		assert.Empty(t, n.outbound.peers) // nothing is left of it
	})
}

// TestOneDial: however many requests there are to a peer that has to be dialled, they share one place among the dials and
// one connection; and a dead peer holds one place, so that a second place is enough for everybody else.
func TestOneDial(t *testing.T) {
	simulated(t, 4, nil, func(t *testing.T, hosts []host.Host) {
		cfg := quiet(hosts[0])
		cfg.Limits.Dials = 2
		n := running(t, cfg)
		defer n.Close()
		var all sync.WaitGroup
		ask := func(times int, to peer.AddrInfo, want kad.ErrorKind, most time.Duration) {
			for range times {
				all.Go(func() {
					start := time.Now()
					assert.Equal(t, want, findNode(n, to, 10*time.Second))
					assert.LessOrEqual(t, time.Since(start), most)
				})
			}
		}
		dead := *host.InfoFromHost(hosts[1])
		require.NoError(t, hosts[1].Close())
		ask(10, dead, kad.ErrDial, 6*time.Second)
		synctest.Wait()
		for _, h := range hosts[2:] {
			answering(h, DefaultProtocol, echo)
			ask(10, *host.InfoFromHost(h), kad.ErrNone, 300*time.Millisecond)
		}
		synctest.Wait()
		n.outbound.mu.Lock()
		assert.Equal(t, 2, n.outbound.dials.running)
		assert.Len(t, n.outbound.dials.waiting, 1)
		n.outbound.mu.Unlock()
		all.Wait()
		for _, h := range hosts[2:] {
			assert.Len(t, n.host.Network().ConnsToPeer(h.ID()), 1)
		}
		n.outbound.mu.Lock()
		assert.Zero(t, n.outbound.dials.running)
		assert.Empty(t, n.outbound.dials.waiting)
		n.outbound.mu.Unlock()
	})
}
