package p2p

import (
	"bufio"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/multiformats/go-multistream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// limited is a host on loopback with a resource manager.
func limited(t *testing.T, limits rcmgr.PartialLimitConfig) host.Host {
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
	require.NoError(t, err)
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableMetrics(), libp2p.ResourceManager(rm))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	return h
}

// TestResourceLimit: what our own resource manager does not allow says nothing about the peer: it is refused, and does not
// count as the peer's failure.
func TestResourceLimit(t *testing.T) {
	none := rcmgr.ResourceLimits{StreamsOutbound: rcmgr.BlockAllLimit, ConnsOutbound: rcmgr.BlockAllLimit}
	server := limited(t, rcmgr.PartialLimitConfig{})
	answering(server, DefaultProtocol, echo)
	t.Run("streams", func(t *testing.T) {
		n := running(t, quiet(limited(t, rcmgr.PartialLimitConfig{Protocol: map[protocol.ID]rcmgr.ResourceLimits{DefaultProtocol: none}})))
		defer n.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(server)))
		for _, kind := range everyRequest {
			why, _ := ask(n, kind, *host.InfoFromHost(server), time.Minute)
			assert.Equal(t, kad.ErrRefused, why, kind)
		}
	})
	t.Run("connections", func(t *testing.T) {
		n, s := watching(t, quiet(limited(t, rcmgr.PartialLimitConfig{System: none})), kad.AddressFailed, kad.DialFailed)
		defer n.Close()
		why, _ := ask(n, kad.SendFindNode, *host.InfoFromHost(server), time.Minute)
		assert.Equal(t, kad.ErrRefused, why)
		assert.Empty(t, s.take())
	})
}

// TestNoPlaceToDial: who waits for others' dials until its own time is up has not been tried.
func TestNoPlaceToDial(t *testing.T) {
	simulated(t, 3, nil, func(t *testing.T, hosts []host.Host) {
		cfg := quiet(hosts[0])
		cfg.Limits.Dials = 1
		n := running(t, cfg)
		defer n.Close()
		nobody := *host.InfoFromHost(hosts[1])
		require.NoError(t, hosts[1].Close())
		dead := make(chan kad.ErrorKind)
		go func() { dead <- findNode(n, nobody, 10*time.Second) }() // five seconds
		synctest.Wait()
		answering(hosts[2], DefaultProtocol, echo)
		why, took := ask(n, kad.SendFindNode, *host.InfoFromHost(hosts[2]), time.Second)
		assert.Equal(t, kad.ErrRefused, why)
		assert.Equal(t, time.Second, took)
		assert.Equal(t, kad.ErrDial, <-dead)
	})
}

// ask makes a request of one peer and says what came of it, and when.
func ask(n *Node, kind kad.CommandKind, to peer.AddrInfo, timeout time.Duration) (kad.ErrorKind, time.Duration) {
	start := time.Now()
	r := &request{kind: kind, peer: to.ID, key: []byte("k"), addrs: appendAddrs(nil, to.Addrs, nil), deadline: start.Add(timeout)}
	r.record = kad.Record{Key: r.key, Value: []byte("v")}
	ctx, cancel := context.WithDeadline(n.ctx, r.deadline)
	defer cancel()
	_, why := n.outbound.attempt(ctx, r)
	return why, time.Since(start)
}

var everyRequest = []kad.CommandKind{kad.SendFindNode, kad.SendGetProviders, kad.SendGetRecord, kad.SendPutRecord, kad.SendAddProvider}

// untouched serves streams below any protocol: whoever opens one hears what the test says.
func untouched(h host.Host, handle func(s network.Stream)) { h.Network().SetStreamHandler(handle) }

// TestSilentProposal: a peer that reads the proposal and the request and says nothing has answered none of the requests. In
// particular it has not been told of a provider, though that has no reply.
func TestSilentProposal(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		n := running(t, quiet(hosts[0]))
		defer n.Close()
		untouched(hosts[1], func(s network.Stream) {
			for b := make([]byte, 100); ; {
				if _, err := s.Read(b); err != nil {
					return
				}
			}
		})
		for _, kind := range everyRequest {
			why, took := ask(n, kind, *host.InfoFromHost(hosts[1]), 5*time.Second)
			assert.Equal(t, kad.ErrTimeout, why, kind)
			assert.Equal(t, 5*time.Second, took, kind)
		}
		pass(time.Minute)
	})
}

// TestLateAgreement: a peer may take its time to agree to the proposal, as long as the request has.
func TestLateAgreement(t *testing.T) {
	simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
		n := running(t, quiet(hosts[0]))
		defer n.Close()
		untouched(hosts[1], func(s network.Stream) {
			defer s.Close()
			mux := multistream.NewMultistreamMuxer[protocol.ID]()
			mux.AddHandler(DefaultProtocol, nil)
			pass(3 * time.Second)
			if _, _, err := mux.Negotiate(s); err != nil {
				return
			}
			r := bufio.NewReader(s)
			body, err := wire.ReadFrame(r, nil, wire.MaxReceive)
			if err != nil {
				return
			}
			m := new(wire.Message)
			if wire.Decode(body, m) == nil && m.Type != wire.AddProvider {
				echo(m, s)
			}
		})
		for _, kind := range everyRequest {
			why, took := ask(n, kind, *host.InfoFromHost(hosts[1]), 5*time.Second)
			assert.Equal(t, kad.ErrNone, why, kind)
			assert.GreaterOrEqual(t, took, 3*time.Second)
			why, took = ask(n, kind, *host.InfoFromHost(hosts[1]), 2*time.Second)
			assert.Equal(t, kad.ErrTimeout, why, kind)
			assert.Equal(t, 2*time.Second, took)
		}
		pass(time.Minute)
	})
}

// TestEndedProposal: a stream that ends before the peer has agreed brings no answer. One more is tried, and no third.
func TestEndedProposal(t *testing.T) {
	for name, end := range map[string]func(s network.Stream){
		"reset":   func(s network.Stream) { _ = s.Reset() },
		"the end": func(s network.Stream) { _ = s.Close() },
		"rubbish": func(s network.Stream) { _, _ = s.Write([]byte("\x0a/nonsense\n")); _ = s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
				n := running(t, quiet(hosts[0]))
				defer n.Close()
				streams := make(chan string, 100)
				untouched(hosts[1], func(s network.Stream) { streams <- s.ID(); end(s) })
				require.NoError(t, hosts[0].Connect(t.Context(), *host.InfoFromHost(hosts[1])))
				for _, kind := range everyRequest {
					for len(streams) > 0 {
						<-streams // identify's
					}
					why, took := ask(n, kind, *host.InfoFromHost(hosts[1]), 5*time.Second)
					assert.Equal(t, kad.ErrReset, why, kind)
					assert.Less(t, took, time.Second, kind)
					assert.LessOrEqual(t, len(streams), 2, kind)
				}
				pass(time.Minute)
			})
		})
	}
}

// TestStaleProtocols: what the host remembers of a peer's protocols may be out of date. It is proposed first and does not
// decide.
func TestStaleProtocols(t *testing.T) {
	for _, c := range []struct {
		name     string
		known    protocol.ID
		speaks   []protocol.ID
		want     kad.ErrorKind
		protocol protocol.ID // that was spoken
	}{
		{"still true", "/two", []protocol.ID{"/one", "/two"}, kad.ErrNone, "/two"},
		{"no longer true", "/two", []protocol.ID{"/one"}, kad.ErrNone, "/one"},
		{"none of ours", "/foreign", []protocol.ID{"/one"}, kad.ErrNone, "/one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
				cfg := quiet(hosts[0])
				cfg.Protocols = []string{"/one", "/two"}
				n := running(t, cfg)
				defer n.Close()
				var spoken []protocol.ID
				for _, p := range c.speaks {
					answering(hosts[1], p, func(m *wire.Message, s network.Stream) bool {
						spoken = append(spoken, s.Protocol())
						return echo(m, s)
					})
				}
				require.NoError(t, hosts[0].Peerstore().SetProtocols(hosts[1].ID(), c.known))
				why, _ := ask(n, kad.SendFindNode, *host.InfoFromHost(hosts[1]), 5*time.Second)
				assert.Equal(t, c.want, why)
				assert.Equal(t, []protocol.ID{c.protocol}, slices.Compact(spoken))
				pass(time.Minute)
			})
		})
	}
}
