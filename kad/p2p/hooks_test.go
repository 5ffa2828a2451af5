package p2p

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// seen notes the inputs that a node's core is stepped with.
type seen struct {
	mu sync.Mutex
	in []kad.Input
}

// watching starts a node and notes what its core is told, of the kinds that are asked for.
func watching(t *testing.T, cfg Config, kinds ...kad.InputKind) (*Node, *seen) {
	t.Helper()
	n, err := New(cfg)
	require.NoError(t, err)
	s := new(seen)
	n.watch = func(in *kad.Input) {
		if !slices.Contains(kinds, in.Kind) {
			return
		}
		c := *in
		c.Peer.ID, c.Peer.Addrs, c.Addr = slices.Clone(in.Peer.ID), slices.Clone(in.Peer.Addrs), slices.Clone(in.Addr)
		s.mu.Lock()
		s.in = append(s.in, c)
		s.mu.Unlock()
	}
	require.NoError(t, n.Start(t.Context()))
	return n, s
}

// take gives what was seen since the last call.
func (s *seen) take() []kad.Input {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.in
	s.in = nil
	return in
}

func kinds(in []kad.Input) (ks []kad.InputKind) {
	for i := range in {
		ks = append(ks, in[i].Kind)
	}
	return ks
}

// addrsIn are the addresses that inputs of a kind name.
func addrsIn(in []kad.Input, kind kad.InputKind) (as []string) {
	for i := range in {
		if in[i].Kind == kind {
			a, err := ma.NewMultiaddrBytes(in[i].Addr)
			if err != nil {
				as = append(as, err.Error())
				continue
			}
			as = append(as, a.String())
		}
	}
	return as
}

var connectionKinds = []kad.InputKind{kad.ConnectionEstablished, kad.InConnected, kad.ConnectionClosed, kad.InDisconnected}

// TestConnectionHooks: who dialled, by which address, and the ends.
func TestConnectionHooks(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		a, ofA := watching(t, quiet(hosts[0]), connectionKinds...)
		defer a.Close()
		b, ofB := watching(t, quiet(hosts[1]), connectionKinds...)
		defer b.Close()
		require.NoError(t, a.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		synctest.Wait()
		for _, c := range []struct {
			seen   *seen
			dialer bool
			remote host.Host
		}{{ofA, true, hosts[1]}, {ofB, false, hosts[0]}} {
			in := c.seen.take()
			require.Equal(t, []kad.InputKind{kad.ConnectionEstablished, kad.InConnected}, kinds(in))
			assert.Equal(t, []byte(c.remote.ID()), in[0].Peer.ID)
			assert.Equal(t, c.dialer, in[0].Dialer)
			assert.NotZero(t, in[0].Conn)
			assert.Equal(t, []string{c.remote.Addrs()[0].String()}, addrsIn(in, kad.ConnectionEstablished)) // one port for both ways
		}
		require.NoError(t, hosts[0].Network().ClosePeer(hosts[1].ID()))
		pass(time.Second)
		for _, s := range []*seen{ofA, ofB} {
			assert.Equal(t, []kad.InputKind{kad.ConnectionClosed, kad.InDisconnected}, kinds(s.take()))
		}
	})
}

// conn is a connection that does nothing.
type conn struct {
	network.Conn
	to      peer.ID
	addr    ma.Multiaddr
	limited bool
}

func (c *conn) RemotePeer() peer.ID           { return c.to }
func (c *conn) RemoteMultiaddr() ma.Multiaddr { return c.addr }
func (c *conn) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Direction: network.DirOutbound, Limited: c.limited}}
}

// TestManyConnections: a peer is connected with its first connection and disconnected with its last, whichever goes first;
// each has its own name; a relay's limited one is none.
func TestManyConnections(t *testing.T) {
	cfg := quiet(nil)
	cfg.Transports = []string{TCP}
	n, s := watching(t, cfg, connectionKinds...)
	defer n.Close()
	addr := ma.StringCast("/ip4/127.0.0.1/tcp/1")
	to, err := peer.Decode("12D3KooWQkSBAGQBEoeGiLzqL9mUAzPNWzNxjBZWbGJJcjYDXQx1")
	require.NoError(t, err)
	one, two, relayed := &conn{to: to, addr: addr}, &conn{to: to, addr: addr}, &conn{to: to, addr: addr, limited: true}
	n.connected(relayed)
	assert.Empty(t, s.take())
	n.connected(one)
	n.connected(one) // told twice
	n.connected(two)
	n.disconnected(one)
	n.disconnected(relayed)
	n.disconnected(two)
	n.disconnected(two)
	in := s.take()
	require.Equal(t, []kad.InputKind{kad.ConnectionEstablished, kad.InConnected, kad.ConnectionEstablished,
		kad.ConnectionClosed, kad.ConnectionClosed, kad.InDisconnected}, kinds(in))
	assert.NotEqual(t, in[0].Conn, in[2].Conn)
	assert.Equal(t, in[0].Conn, in[3].Conn)
	assert.Equal(t, in[2].Conn, in[4].Conn)
}

// TestProtocolConfirmed: once for each connection, with the address by which it was dialled.
func TestProtocolConfirmed(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		n, s := watching(t, quiet(hosts[0]), kad.ProtocolConfirmed)
		defer n.Close()
		answering(hosts[1], DefaultProtocol, echo)
		to := *host.InfoFromHost(hosts[1])
		for range 2 {
			for range 3 {
				require.Equal(t, kad.ErrNone, findNode(n, to, time.Second))
			}
			in := s.take()
			require.Len(t, in, 1)
			assert.True(t, in[0].Dialer)
			assert.Equal(t, []string{to.Addrs[0].String()}, addrsIn(in, kad.ProtocolConfirmed))
			require.NoError(t, hosts[0].Network().ClosePeer(to.ID))
			pass(time.Second)
		}
	})
}

// TestDialFailures: a dial that fails names the addresses that are dead, one by one, and then the peer; the table keeps
// the last of them. One that leads to the peer by another address fails nobody.
func TestDialFailures(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		n, s := watching(t, quiet(hosts[0]), kad.AddressFailed, kad.DialFailed)
		defer n.Close()
		answering(hosts[1], DefaultProtocol, echo)
		to := *host.InfoFromHost(hosts[1])
		dead := ma.StringCast("/ip4/1.0.0.77/udp/8000/quic-v1")
		dead2 := ma.StringCast("/ip4/1.0.0.78/udp/8000/quic-v1")

		for _, a := range []ma.Multiaddr{dead, dead2} {
			_, err := n.AddAddress(to.ID, a)
			require.NoError(t, err)
		}
		got, err := n.GetClosestPeers(t.Context(), []byte("k"), 0)
		require.NoError(t, err)
		assert.Empty(t, got.Peers)
		pass(6 * time.Second)
		in := s.take()
		assert.Equal(t, []kad.InputKind{kad.AddressFailed, kad.AddressFailed, kad.DialFailed}, kinds(in))
		assert.ElementsMatch(t, []string{dead.String(), dead2.String()}, addrsIn(in, kad.AddressFailed))
		assert.Len(t, n.PeerAddresses(to.ID), 1)

		_, err = n.AddAddress(to.ID, to.Addrs[0])
		require.NoError(t, err)
		pass(10 * time.Second) // for go-libp2p's own backoff
		got, err = n.GetClosestPeers(t.Context(), []byte("k"), 0)
		require.NoError(t, err)
		assert.Len(t, got.Peers, 1)
		assert.Empty(t, s.take())
		assert.Contains(t, n.PeerAddresses(to.ID), to.Addrs[0])
	})
}

// TestOwnNetworkDown: that we did not try an address, or could not, proves nothing about it.
func TestOwnNetworkDown(t *testing.T) {
	for _, ours := range []error{swarm.ErrDialBackoff, swarm.ErrNoTransport,
		&net.OpError{Op: "dial", Err: &swarm.TransportError{Address: ma.StringCast("/ip4/1.2.3.4/tcp/1"), Cause: swarm.ErrDialRefusedBlackHole}}} {
		assert.False(t, provesDead(ours), ours)
	}
	assert.True(t, provesDead(net.ErrClosed))

	// Nobody is told of anything but the failure of the peer as a whole.
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		n, s := watching(t, quiet(hosts[0]), kad.AddressFailed, kad.DialFailed)
		defer n.Close()
		_, err := n.AddAddress(hosts[1].ID(), ma.StringCast("/ip4/1.0.0.2/sctp/1")) // go-libp2p has no such transport
		require.NoError(t, err)
		_, _ = n.GetClosestPeers(t.Context(), []byte("k"), 0)
		assert.Equal(t, []kad.InputKind{kad.DialFailed}, kinds(s.take()))
	})
}

// TestDialCommand: a Dial command of the core to see whether a bucket's head still lives ends in DialFailed.
func TestDialCommand(t *testing.T) {
	var drop atomic.Pointer[func(simnet.Packet) bool]
	simulated(t, 2, &drop, func(t *testing.T, hosts []host.Host) {
		n, s := watching(t, quiet(hosts[0]), kad.InConnected, kad.DialFailed, kad.AddressFailed)
		defer n.Close()
		to := *host.InfoFromHost(hosts[1])
		dial := func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.outbound.dial(&kad.Command{Kind: kad.Dial, Peer: kad.PeerInfo{ID: []byte(to.ID), Addrs: appendAddrs(nil, to.Addrs, nil)}})
		}
		require.True(t, dial())
		pass(time.Second)
		assert.Equal(t, []kad.InputKind{kad.InConnected}, kinds(s.take()))

		require.NoError(t, hosts[0].Network().ClosePeer(to.ID))
		away := func(simnet.Packet) bool { return true }
		drop.Store(&away)
		pass(time.Second)
		require.True(t, dial())
		pass(10 * time.Second)
		assert.Equal(t, []kad.InputKind{kad.AddressFailed, kad.DialFailed}, kinds(s.take()))
	})
}

// TestProtocolsChanged: identify tells what a peer speaks and where it listens, and tells again when that changes. A QUIC
// connection that moves keeps the address by which go-libp2p knows it, so that the core is never told AddressChanged: where
// a peer listens now comes this way.
func TestProtocolsChanged(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		n, s := watching(t, quiet(hosts[0]), kad.ProtocolsChanged, kad.AddressChanged)
		defer n.Close()
		last := func() kad.Input {
			pass(10 * time.Second) // go-libp2p looks at its addresses every five
			in := s.take()
			require.NotEmpty(t, in)
			for i := range in {
				assert.Equal(t, kad.ProtocolsChanged, in[i].Kind)
				assert.Equal(t, []byte(hosts[1].ID()), in[i].Peer.ID)
			}
			return in[len(in)-1]
		}
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		in := last()
		assert.False(t, in.Supported)
		assert.Equal(t, 1, in.Peer.Addrs.Len())

		answering(hosts[1], DefaultProtocol, echo)
		assert.True(t, last().Supported)
		assert.Len(t, n.Table(), 1)

		more := ma.StringCast("/ip4/1.0.0.2/udp/9000/quic-v1")
		require.NoError(t, hosts[1].Network().Listen(more))
		in = last()
		assert.True(t, in.Supported)
		assert.True(t, in.Peer.Addrs.Contains(more.Bytes()))
		assert.Contains(t, n.PeerAddresses(hosts[1].ID()), more)

		hosts[1].RemoveStreamHandler(DefaultProtocol)
		assert.False(t, last().Supported)
		assert.Empty(t, n.Table())
	})
}

// TestListenHooks: an address that comes, one that goes with its listener, and one that cannot be opened.
func TestListenHooks(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	cfg := quiet(nil)
	cfg.Transports = []string{TCP}
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/" + port}
	n, s := watching(t, cfg, kad.ListenAddr, kad.ListenAddrExpired, kad.ListenerClosed, kad.ListenerError)
	defer n.Close()
	in := s.take()
	assert.Equal(t, []kad.InputKind{kad.ListenerError, kad.ListenAddr}, kinds(in))
	assert.Equal(t, []string{n.host.Addrs()[0].String()}, addrsIn(in, kad.ListenAddr))

	eventually := func(want ...kad.InputKind) (got []kad.Input) {
		t.Helper()
		assert.Eventually(t, func() bool {
			got = append(got, s.take()...)
			return len(got) >= len(want)
		}, 20*time.Second, time.Millisecond)
		assert.ElementsMatch(t, want, kinds(got))
		return got
	}
	require.NoError(t, n.host.Network().Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0")))
	more := addrsIn(eventually(kad.ListenAddr), kad.ListenAddr)
	require.Len(t, more, 1)
	n.host.Network().(*swarm.Swarm).ListenClose(ma.StringCast(more[0]))
	assert.Equal(t, more, addrsIn(eventually(kad.ListenerClosed, kad.ListenAddrExpired), kad.ListenAddrExpired))
}

// TestExternalAddrs: AutoNAT v2 speaks of each address; with the first that is reachable a node that decides by itself
// serves, identify tells those who are connected, and they enter it into their tables; with the last it is gone again. Once
// v2 has spoken, v1 is not listened to.
func TestExternalAddrs(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		auto := quiet(hosts[0])
		auto.Kad.Mode = kad.ModeAuto
		n, s := watching(t, auto, kad.ExternalAddr, kad.ExternalAddrExpired)
		defer n.Close()
		other := running(t, quiet(hosts[1]))
		defer other.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		pass(time.Second)
		require.Equal(t, kad.ModeClient, n.Mode())
		require.Empty(t, other.Table())

		tested, err := hosts[0].EventBus().Emitter(new(event.EvtHostReachableAddrsChanged))
		require.NoError(t, err)
		defer tested.Close()
		whole, err := hosts[0].EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
		require.NoError(t, err)
		defer whole.Close()
		one, two := ma.StringCast("/ip4/1.0.0.1/udp/8000/quic-v1"), ma.StringCast("/ip4/1.0.0.1/udp/8001/quic-v1")
		v1 := func(r network.Reachability) func() error {
			return func() error { return whole.Emit(event.EvtLocalReachabilityChanged{Reachability: r}) }
		}
		v2 := func(reachable ...ma.Multiaddr) func() error {
			return func() error {
				return tested.Emit(event.EvtHostReachableAddrsChanged{Reachable: reachable, Unreachable: []ma.Multiaddr{two}})
			}
		}
		for _, step := range []struct {
			name       string
			emit       func() error
			came, went []string
			mode       kad.Mode
		}{
			{"v2 knows nothing yet", func() error {
				return tested.Emit(event.EvtHostReachableAddrsChanged{Unknown: []ma.Multiaddr{one}})
			}, nil, nil, kad.ModeClient},
			{"v1 public", v1(network.ReachabilityPublic), []string{one.String()}, nil, kad.ModeServer},
			{"v1 does not know", v1(network.ReachabilityUnknown), nil, nil, kad.ModeServer},
			{"v1 private", v1(network.ReachabilityPrivate), nil, []string{one.String()}, kad.ModeClient},
			{"v2 one", v2(one), []string{one.String()}, nil, kad.ModeServer},
			{"v2 another too", v2(one, two), []string{two.String()}, nil, kad.ModeServer},
			{"v1 is not heard", v1(network.ReachabilityPrivate), nil, nil, kad.ModeServer},
			{"v2 the other only", v2(two), nil, []string{one.String()}, kad.ModeServer},
			{"v2 none", v2(), nil, []string{two.String()}, kad.ModeClient},
			{"v1 is not heard either", v1(network.ReachabilityPublic), nil, nil, kad.ModeClient},
		} {
			require.NoError(t, step.emit())
			pass(time.Second)
			in := s.take()
			assert.Equal(t, step.came, addrsIn(in, kad.ExternalAddr), step.name)
			assert.Equal(t, step.went, addrsIn(in, kad.ExternalAddrExpired), step.name)
			assert.Equal(t, step.mode, n.Mode(), step.name)
			var want []peer.ID
			if step.mode == kad.ModeServer {
				want = []peer.ID{n.ID()}
			}
			assert.Equal(t, want, other.Table(), step.name)
		}
	})
}

// TestRelayAddrs: an address by a relay is announced with those on which we listen, but makes nobody a server; in a public
// swarm it is announced too, and private ones are not (ipfs-kad L363, L496).
func TestRelayAddrs(t *testing.T) {
	const relay = "/ip4/8.8.8.8/tcp/1/p2p/12D3KooWQkSBAGQBEoeGiLzqL9mUAzPNWzNxjBZWbGJJcjYDXQx1/p2p-circuit"
	for _, public := range []bool{false, true} {
		simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
			cfg := quiet(&announcing{hosts[0], []ma.Multiaddr{ma.StringCast(relay), ma.StringCast("/ip4/192.168.1.1/tcp/1")}})
			cfg.Kad.Mode, cfg.PublicOnly = kad.ModeAuto, public
			n, s := watching(t, cfg, kad.ListenAddr)
			defer n.Close()
			heard := strings.Join(addrsIn(s.take(), kad.ListenAddr), " ")
			assert.Contains(t, heard, relay)
			assert.Equal(t, !public, strings.Contains(heard, "192.168"))
			assert.Equal(t, kad.ModeClient, n.Mode())

			var announced atomic.Pointer[wire.Addrs]
			answering(hosts[1], DefaultProtocol, func(m *wire.Message, s network.Stream) bool {
				if m.Type == wire.AddProvider && assert.Len(t, m.ProviderPeers, 1) {
					announced.Store(&m.ProviderPeers[0].Addrs)
				}
				return echo(m, s)
			})
			require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
			_, err := n.StartProviding(t.Context(), []byte("\x12\x20a multihash of 32 bytes of digest"))
			require.NoError(t, err)
			var want []ma.Multiaddr
			for _, a := range n.host.Addrs() {
				if n.servedAddr(a) {
					want = append(want, a)
				}
			}
			assert.Len(t, want, map[bool]int{false: 2, true: 1}[public])
			assert.ElementsMatch(t, want, multiaddrs(kad.Addrs(*announced.Load())))
		})
	}
}

// announcing is a host with other addresses than it has.
type announcing struct {
	host.Host
	addrs []ma.Multiaddr
}

func (h *announcing) Addrs() []ma.Multiaddr { return h.addrs }
