package p2p_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// What programs that were written with go-libp2p-kad-dht do beyond the methods of routing.Routing.

// TestFoundIsKnownToTheHost: whom an operation has found can be dialled by the id alone.
func TestFoundIsKnownToTheHost(t *testing.T) {
	find := map[string]func(ctx context.Context, n *p2p.Node, far peer.ID) error{
		"FindPeer": func(ctx context.Context, n *p2p.Node, far peer.ID) error { _, err := n.FindPeer(ctx, far); return err },
		"GetProviders": func(ctx context.Context, n *p2p.Node, _ peer.ID) error {
			_, err := n.GetProviders(ctx, multihash, 1)
			return err
		},
		"FindProvidersAsync": func(ctx context.Context, n *p2p.Node, _ peer.ID) error {
			collect(n.FindProvidersAsync(ctx, content, 1))
			return nil
		},
	}
	for name, do := range find {
		t.Run(name, func(t *testing.T) {
			virtual(t, 3, func(t *testing.T, hosts []host.Host) {
				n, near := on(t, hosts[0], kad.ModeClient), on(t, hosts[1], kad.ModeServer)
				far := on(t, hosts[2], kad.ModeServer)
				for _, one := range []*p2p.Node{n, near, far} {
					defer one.Close()
				}
				require.NoError(t, near.Connect(t.Context(), info(far)))
				require.NoError(t, near.Store().AddProvider(p2p.StoredProvider{Key: multihash, Provider: info(far)}))
				require.NoError(t, n.Connect(t.Context(), info(near)))
				require.Empty(t, hosts[0].Peerstore().Addrs(far.ID()))

				require.NoError(t, do(t.Context(), n, far.ID()))
				require.Equal(t, network.NotConnected, hosts[0].Network().Connectedness(far.ID()))
				s, err := hosts[0].NewStream(t.Context(), far.ID(), p2p.DefaultProtocol)
				require.NoError(t, err)
				require.NoError(t, s.Reset())
			})
		})
	}
}

// TestFoundIsForgotten: what the host has been told of who was found it keeps for two minutes, unless they connect.
func TestFoundIsForgotten(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n, near := on(t, hosts[0], kad.ModeClient), on(t, hosts[1], kad.ModeServer)
		defer n.Close()
		defer near.Close()
		somebody := peer.AddrInfo{ID: stranger, Addrs: []ma.Multiaddr{somewhere}}
		require.NoError(t, near.Store().AddProvider(p2p.StoredProvider{Key: multihash, Provider: somebody}))
		require.NoError(t, n.Connect(t.Context(), info(near)))
		assert.Equal(t, []peer.AddrInfo{somebody}, collect(n.FindProvidersAsync(t.Context(), content, 0)))
		assert.Equal(t, somebody.Addrs, hosts[0].Peerstore().Addrs(stranger))
		after(3 * time.Minute)
		assert.Empty(t, hosts[0].Peerstore().Addrs(stranger))
	})
}

// told is what a subscriber to query events was told, each kind with the peers in order.
func told(events <-chan *routing.QueryEvent) map[routing.QueryEventType][]peer.ID {
	all := map[routing.QueryEventType][]peer.ID{}
	for ev := range events {
		all[ev.Type] = append(all[ev.Type], ev.ID)
	}
	return all
}

// TestQueryEvents: who subscribes by routing.RegisterForQueryEvents sees the requests of the operation.
func TestQueryEvents(t *testing.T) {
	virtual(t, 4, func(t *testing.T, hosts []host.Host) {
		n, near, far := on(t, hosts[0], kad.ModeClient), on(t, hosts[1], kad.ModeServer), on(t, hosts[2], kad.ModeServer)
		for _, one := range []*p2p.Node{n, near, far} {
			defer one.Close()
		}
		silent := hosts[3].ID()
		hanging(hosts[3])
		require.NoError(t, near.Connect(t.Context(), info(far)))
		require.NoError(t, n.Connect(t.Context(), info(near)))
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[3])))
		do := func(operation func(ctx context.Context) error) map[routing.QueryEventType][]peer.ID {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx, events := routing.RegisterForQueryEvents(ctx)
			go func() {
				defer cancel()
				assert.NoError(t, operation(ctx))
			}()
			return told(events)
		}

		got := do(func(ctx context.Context) error { _, err := n.GetClosestPeers(ctx, []byte("k"), 0); return err })
		assert.ElementsMatch(t, []peer.ID{near.ID(), far.ID(), silent}, got[routing.SendingQuery])
		assert.Equal(t, []peer.ID{far.ID()}, got[routing.DialingPeer])
		assert.Equal(t, []peer.ID{near.ID(), far.ID()}, got[routing.PeerResponse])
		assert.Empty(t, got[routing.Value])
		assert.NotContains(t, got[routing.QueryError], near.ID())

		got = do(func(ctx context.Context) error { return n.PutValue(ctx, "/v/k", []byte("ok k")) })
		assert.ElementsMatch(t, []peer.ID{near.ID(), far.ID()}, got[routing.Value])
		got = do(func(ctx context.Context) error { _, err := n.GetValue(ctx, "/v/k", p2p.Quorum(1)); return err })
		assert.NotEmpty(t, got[routing.PeerResponse])
		got = do(func(ctx context.Context) error { collect(n.FindProvidersAsync(ctx, content, 0)); return nil })
		assert.Contains(t, got[routing.PeerResponse], near.ID())
		after(15 * time.Second)
	})
}

// TestQueryEventsOfFailures: a request that fails is told with the kind of its failure, and an answer with whom it named.
func TestQueryEventsOfFailures(t *testing.T) {
	virtual(t, 3, func(t *testing.T, hosts []host.Host) {
		n, near := on(t, hosts[0], kad.ModeClient), on(t, hosts[1], kad.ModeServer)
		defer n.Close()
		defer near.Close()
		require.NoError(t, n.Connect(t.Context(), info(near)))
		_, err := near.AddAddress(hosts[2].ID(), hosts[2].Addrs()[0]) // it speaks no Kademlia
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ctx, events := routing.RegisterForQueryEvents(ctx)
		go func() {
			defer cancel()
			_, err := n.GetClosestPeers(ctx, []byte("k"), 0)
			assert.NoError(t, err)
		}()
		var answers, failures []routing.QueryEvent
		for ev := range events {
			switch ev.Type {
			case routing.PeerResponse:
				answers = append(answers, *ev)
			case routing.QueryError:
				failures = append(failures, *ev)
			}
		}
		named := peer.AddrInfo{ID: hosts[2].ID(), Addrs: hosts[2].Addrs()[:1]}
		assert.Equal(t, []routing.QueryEvent{{Type: routing.PeerResponse, ID: near.ID(), Responses: []*peer.AddrInfo{&named}}}, answers)
		assert.Equal(t, []routing.QueryEvent{{Type: routing.QueryError, ID: hosts[2].ID(), Extra: kad.ErrUnsupported.String()}}, failures)
	})
}

// TestQueryEventsUnread: a subscriber that does not read holds up its own operation, until its context or the node ends, and
// nobody else's.
func TestQueryEventsUnread(t *testing.T) {
	defer func(size int) { routing.QueryEventBufferSize = size }(routing.QueryEventBufferSize)
	routing.QueryEventBufferSize = 0
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n, near := on(t, hosts[0], kad.ModeClient), on(t, hosts[1], kad.ModeServer)
		defer near.Close()
		require.NoError(t, n.Connect(t.Context(), info(near)))
		closest := func(ctx context.Context) error { _, err := n.GetClosestPeers(ctx, []byte("k"), 0); return err }

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ctx, _ = routing.RegisterForQueryEvents(ctx)
		ended := make(chan error)
		go func() { ended <- closest(ctx) }()
		after(time.Second)
		within(t, 0, time.Second, func() { assert.NoError(t, closest(t.Context())) })
		assert.Empty(t, n.Queries(), "nor did it hold up its requests")
		within(t, 58*time.Second, 59*time.Second, func() { <-ended })

		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		ctx, _ = routing.RegisterForQueryEvents(ctx)
		found := n.FindProvidersAsync(ctx, content, 0)
		synctest.Wait()
		within(t, 0, 0, func() { require.NoError(t, n.Close()) })
		assert.Empty(t, collect(found))
	})
}

// TestBootstrapJoins: a program may call Bootstrap as soon as the node has been started, or is connected.
func TestBootstrapJoins(t *testing.T) {
	node := func(t *testing.T, h host.Host, bootstrap ...host.Host) *p2p.Node {
		cfg := p2p.Config{Host: h, Kad: kad.Config{Mode: kad.ModeClient, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}}
		for _, b := range bootstrap {
			cfg.Bootstrap = append(cfg.Bootstrap, b.Addrs()[0].String()+"/p2p/"+b.ID().String())
		}
		n, err := p2p.New(cfg)
		require.NoError(t, err)
		require.NoError(t, n.Start(t.Context()))
		return n
	}
	t.Run("one of the bootstrap peers is there", func(t *testing.T) {
		virtual(t, 3, func(t *testing.T, hosts []host.Host) {
			server := on(t, hosts[1], kad.ModeServer)
			defer server.Close()
			nobody := hosts[2]
			n := node(t, hosts[0], nobody, hosts[1], hosts[1], hosts[0]) // one twice, and the node itself
			defer n.Close()
			require.NoError(t, nobody.Network().Close())
			within(t, 0, time.Second, func() { assert.NoError(t, n.Bootstrap(t.Context())) })
			assert.Equal(t, []peer.ID{server.ID()}, n.Table())
			after(15 * time.Second)
		})
	})
	t.Run("none is there", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			n := node(t, hosts[0], hosts[1])
			require.NoError(t, hosts[1].Network().Close())
			within(t, time.Second, 10*time.Second, func() { assert.ErrorIs(t, n.Bootstrap(t.Context()), p2p.ErrNoPeers) })

			after(100 * time.Millisecond) // go-libp2p joins a dial to one that is just failing
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			within(t, time.Second, time.Second, func() { assert.ErrorIs(t, n.Bootstrap(ctx), context.DeadlineExceeded) })
			ended := make(chan error)
			go func() { ended <- n.Bootstrap(t.Context()) }()
			synctest.Wait()
			within(t, 0, 0, func() { require.NoError(t, n.Close()) })
			assert.ErrorIs(t, <-ended, p2p.ErrClosed)
		})
	})
	t.Run("the host is being connected", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			server, n := on(t, hosts[1], kad.ModeServer), node(t, hosts[0])
			defer server.Close()
			defer n.Close()
			hosts[0].Peerstore().AddAddrs(hosts[1].ID(), hosts[1].Addrs(), time.Hour)
			_, err := hosts[0].Network().DialPeer(t.Context(), hosts[1].ID())
			require.NoError(t, err)
			require.Empty(t, n.Table(), "identify has not ended")
			assert.NoError(t, n.Bootstrap(t.Context()))
			assert.Equal(t, []peer.ID{server.ID()}, n.Table())
		})
	})
	t.Run("nobody is known", func(t *testing.T) {
		virtual(t, 1, func(t *testing.T, hosts []host.Host) {
			n := node(t, hosts[0])
			defer n.Close()
			within(t, 0, 0, func() { assert.ErrorIs(t, n.Bootstrap(t.Context()), p2p.ErrNoPeers) })
		})
	})
}

// TestEnoughProvidersHere: a search for no more providers than this node itself knows of asks nobody.
func TestEnoughProvidersHere(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n := on(t, hosts[0], kad.ModeClient)
		defer n.Close()
		hanging(hosts[1])
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		require.NoError(t, n.Provide(t.Context(), content, false))
		within(t, 0, 0, func() {
			got, err := n.GetProviders(t.Context(), multihash, 1)
			require.NoError(t, err)
			require.Len(t, got.Providers, 1)
			assert.Equal(t, info(n), got.Providers[0])
			assert.Zero(t, got.Stats.Requests)
			assert.Len(t, collect(n.FindProvidersAsync(t.Context(), content, 1)), 1)
		})
		// One more than that, and the network is asked.
		within(t, 9*time.Second, 11*time.Second, func() {
			got, err := n.GetProviders(t.Context(), multihash, 2)
			require.NoError(t, err)
			assert.Len(t, got.Providers, 1)
			assert.Equal(t, uint32(1), got.Stats.Requests)
		})
		after(5 * time.Second)
	})
}
