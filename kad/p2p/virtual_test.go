package p2p_test

import (
	"bufio"
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// virtual runs a test with hosts on a simulated network in virtual time.
func virtual(t *testing.T, count int, test func(t *testing.T, hosts []host.Host)) {
	p2p.Simulated(t, count, nil, test)
}

// on starts a node on a host that is there.
func on(t *testing.T, h host.Host, mode kad.Mode) *p2p.Node {
	n, err := p2p.New(p2p.Config{Host: h, Kad: kad.Config{Mode: mode, Patience: -1, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}, Validators: p2p.Namespaces("v", "pk")})
	require.NoError(t, err)
	require.NoError(t, n.Start(t.Context()))
	return n
}

func after(d time.Duration) { <-time.After(d) }

// within wants f to take between two spans of virtual time.
func within(t *testing.T, least, most time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	took := time.Since(start)
	assert.True(t, took >= least && took <= most, "took %v, want %v to %v", took, least, most)
}

var ping = wire.AppendFrame(nil, &wire.Message{Type: wire.Ping})

func TestInboundTimeouts(t *testing.T) {
	dialled := func(t *testing.T, hosts []host.Host) *raw {
		require.NoError(t, hosts[1].Connect(t.Context(), *host.InfoFromHost(hosts[0])))
		s, err := hosts[1].NewStream(t.Context(), hosts[0].ID(), p2p.DefaultProtocol)
		require.NoError(t, err)
		return &raw{t: t, s: s, r: bufio.NewReader(s)}
	}
	t.Run("idle", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			n := on(t, hosts[0], kad.ModeServer)
			defer n.Close()
			r := dialled(t, hosts).write(ping)
			r.want(wire.Ping)
			within(t, 59*time.Second, 63*time.Second, r.refused)
		})
	})
	t.Run("used now and then", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			n := on(t, hosts[0], kad.ModeServer)
			defer n.Close()
			r := dialled(t, hosts)
			for range 3 {
				r.write(ping).want(wire.Ping)
				after(58 * time.Second)
			}
			r.write(ping).want(wire.Ping)
			within(t, 59*time.Second, 63*time.Second, r.refused)
		})
	})
	t.Run("half a frame", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			n := on(t, hosts[0], kad.ModeServer)
			defer n.Close()
			r := dialled(t, hosts).write(ping[:1])
			within(t, 59*time.Second, 63*time.Second, r.refused)
		})
	})
	t.Run("a frame in 55 s, begun late", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			n := on(t, hosts[0], kad.ModeServer)
			defer n.Close()
			r := dialled(t, hosts).write(ping)
			r.want(wire.Ping)
			after(50 * time.Second)
			r.write(ping[:1])
			after(55 * time.Second)
			r.write(ping[1:]).want(wire.Ping)
		})
	})
	t.Run("a frame in 70 s", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			n := on(t, hosts[0], kad.ModeServer)
			defer n.Close()
			r := dialled(t, hosts)
			frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: make([]byte, 66)})
			require.Greater(t, len(frame), 70)
			go func() {
				for _, c := range frame {
					if _, err := r.s.Write([]byte{c}); err != nil {
						return
					}
					after(time.Second)
				}
			}()
			within(t, 59*time.Second, 64*time.Second, r.refused)
			after(time.Minute) // for the writer
		})
	})
	t.Run("a reply that is not read", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			n := on(t, hosts[0], kad.ModeServer)
			defer n.Close()
			put := record("/v/large", "ok "+string(make([]byte, 60<<10)))
			r := dialled(t, hosts).send(put)
			r.want(wire.PutValue)
			get := wire.AppendFrame(nil, &wire.Message{Type: wire.GetValue, Key: []byte("/v/large")})
			for range 1000 { // 60 MB of answers
				if _, err := r.s.Write(get); err != nil {
					break
				}
			}
			after(63 * time.Second)
			var err error
			for err == nil {
				_, err = wire.ReadFrame(r.r, nil, wire.MaxReceive)
			}
			assert.ErrorIs(t, err, network.ErrReset)
		})
	})
}

// hanging serves the protocol by reading requests and saying nothing.
func hanging(h host.Host) {
	h.SetStreamHandler(p2p.DefaultProtocol, func(s network.Stream) {
		var b [1]byte
		for {
			if _, err := s.Read(b[:]); err != nil {
				return
			}
		}
	})
}

func TestOutboundTimeouts(t *testing.T) {
	t.Run("no answer", func(t *testing.T) {
		virtual(t, 3, func(t *testing.T, hosts []host.Host) {
			hanging(hosts[1])
			n, server := on(t, hosts[0], kad.ModeClient), on(t, hosts[2], kad.ModeServer)
			defer server.Close()
			defer n.Close()
			for _, h := range hosts[1:] {
				require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(h)))
			}
			within(t, 9*time.Second, 11*time.Second, func() {
				got, err := n.GetClosestPeers(t.Context(), []byte("k"), 0)
				require.NoError(t, err)
				require.Len(t, got.Peers, 1)
				assert.Equal(t, server.ID(), got.Peers[0].ID)
				assert.Equal(t, p2p.Stats{Requests: 2, Successes: 1, Failures: 1, Hops: got.Stats.Hops, Duration: got.Stats.Duration}, got.Stats)
			})
			after(5 * time.Second) // the request itself has ended too
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			hanging(hosts[1])
			n := on(t, hosts[0], kad.ModeClient)
			defer n.Close()
			require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
			for name, do := range map[string]func(ctx context.Context) error{
				"closest":   func(ctx context.Context) error { _, err := n.GetClosestPeers(ctx, []byte("k"), 0); return err },
				"get":       func(ctx context.Context) error { _, err := n.GetRecord(ctx, []byte("/v/k"), 0); return err },
				"providers": func(ctx context.Context) error { _, err := n.GetProviders(ctx, multihash, 0); return err },
				"provide":   func(ctx context.Context) error { _, err := n.StartProviding(ctx, multihash); return err },
				"bootstrap": n.Bootstrap,
				"put": func(ctx context.Context) error {
					_, err := n.PutRecord(ctx, p2p.Record{Key: []byte("/v/k"), Value: []byte("ok k")}, kad.One)
					return err
				},
			} {
				within(t, time.Second, time.Second, func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					assert.ErrorIs(t, do(ctx), context.DeadlineExceeded, name)
				})
			}
			after(15 * time.Second)
		})
	})
	t.Run("ADD_PROVIDER whose stream stays open", func(t *testing.T) {
		virtual(t, 2, func(t *testing.T, hosts []host.Host) {
			hosts[1].SetStreamHandler(p2p.DefaultProtocol, func(s network.Stream) {
				r := bufio.NewReader(s)
				for {
					body, err := wire.ReadFrame(r, nil, wire.MaxReceive)
					if err != nil {
						return // and leave it open
					}
					var m wire.Message
					if wire.Decode(body, &m) == nil && m.Type == wire.FindNode {
						answer(s, wire.Message{Type: wire.FindNode})
					}
				}
			})
			n := on(t, hosts[0], kad.ModeClient)
			defer n.Close()
			require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
			within(t, time.Second, 2*time.Second, func() {
				got, err := n.StartProviding(t.Context(), multihash)
				require.NoError(t, err)
				assert.Len(t, got.Announced, 1)
			})
		})
	})
}

// TestReuse: a stream that has rested is used again; one that the peer has ended meanwhile is replaced unnoticed; after
// nine seconds it is closed.
func TestReuse(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		var opened, asked, ended atomic.Int32
		var last atomic.Value
		hosts[1].SetStreamHandler(p2p.DefaultProtocol, func(s network.Stream) {
			opened.Add(1)
			last.Store(s)
			defer func() { ended.Add(1) }()
			r := bufio.NewReader(s)
			for {
				body, err := wire.ReadFrame(r, nil, wire.MaxReceive)
				if err != nil {
					return
				}
				asked.Add(1)
				_, _ = s.Write(append([]byte{byte(len(body))}, body...))
			}
		})
		n := on(t, hosts[0], kad.ModeClient)
		defer n.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		counts := func() []int { return []int{int(opened.Load()), int(asked.Load()), int(ended.Load())} }
		ask := func() {
			_, err := n.GetClosestPeers(t.Context(), []byte("k"), 0)
			require.NoError(t, err)
			synctest.Wait() // for the other side
		}
		ask()
		after(time.Second)
		ask()
		assert.Equal(t, []int{1, 2, 0}, counts())
		after(time.Second)
		_ = last.Load().(network.Stream).Reset()
		after(time.Second)
		ask()
		assert.Equal(t, []int{2, 3, 1}, counts())
		ask() // at once: the stream has not rested
		assert.Equal(t, []int{3, 4, 1}, counts())
		after(10 * time.Second)
		synctest.Wait()
		assert.Equal(t, []int{3, 4, 3}, counts())
	})
}

// TestAdvance: what is due by the new time happens; here, records and providers expire.
func TestAdvance(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		server, n := on(t, hosts[0], kad.ModeServer), on(t, hosts[1], kad.ModeClient)
		defer server.Close()
		defer n.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[0])))
		s, err := hosts[1].NewStream(t.Context(), hosts[0].ID(), p2p.DefaultProtocol)
		require.NoError(t, err)
		r := &raw{t: t, s: s, r: bufio.NewReader(s)}
		r.send(record("/v/k", "ok k")).want(wire.PutValue)
		r.send(wire.Message{Type: wire.AddProvider, Key: multihash, ProviderPeers: []wire.Peer{{ID: []byte(hosts[1].ID())}}})
		held := func() (record bool, providers int) {
			get := r.send(wire.Message{Type: wire.GetValue, Key: []byte("/v/k")}).want(wire.GetValue)
			prov := r.send(wire.Message{Type: wire.GetProviders, Key: multihash}).want(wire.GetProviders)
			return get.HasRecord, len(prov.ProviderPeers)
		}
		rec, provs := held()
		assert.True(t, rec)
		assert.Equal(t, 1, provs)
		server.Advance(47 * time.Hour)
		rec, provs = held()
		assert.True(t, rec)
		assert.Equal(t, 1, provs)
		server.Advance(2 * time.Hour)
		rec, provs = held()
		assert.False(t, rec)
		assert.Zero(t, provs)
	})
}

// TestAdvanceWithTimers: what was due in ten seconds is due in one after the clock has moved by nine.
func TestAdvanceWithTimers(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		hanging(hosts[1])
		n := on(t, hosts[0], kad.ModeClient)
		defer n.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		go func() {
			after(100 * time.Millisecond)
			n.Advance(9 * time.Second)
		}()
		within(t, 900*time.Millisecond, 1100*time.Millisecond, func() {
			got, err := n.GetClosestPeers(t.Context(), []byte("k"), 0)
			require.NoError(t, err)
			assert.Equal(t, uint32(1), got.Stats.Failures)
		})
		after(11 * time.Second)
	})
}

// TestReachability: a node that is to decide by itself serves as long as it can be reached.
func TestReachability(t *testing.T) {
	virtual(t, 1, func(t *testing.T, hosts []host.Host) {
		n := on(t, hosts[0], kad.ModeAuto)
		defer n.Close()
		events := n.Events()
		assert.Equal(t, kad.ModeClient, n.Mode())
		emit, err := hosts[0].EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
		require.NoError(t, err)
		defer emit.Close()
		for _, c := range []struct {
			reach network.Reachability
			mode  kad.Mode
		}{{network.ReachabilityPublic, kad.ModeServer}, {network.ReachabilityPrivate, kad.ModeClient}} {
			require.NoError(t, emit.Emit(event.EvtLocalReachabilityChanged{Reachability: c.reach}))
			synctest.Wait()
			assert.Equal(t, c.mode, n.Mode())
			assert.Equal(t, c.mode == kad.ModeServer, slices.Contains(hosts[0].Mux().Protocols(), p2p.DefaultProtocol))
			ev := <-events
			assert.Equal(t, kad.ModeChanged, ev.Kind)
			assert.Equal(t, c.mode, ev.Mode)
		}
	})
}

// TestEvents: a reader that does not read costs the newest events, and nothing else.
func TestEvents(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n, err := p2p.New(p2p.Config{Host: hosts[0], Kad: kad.Config{Mode: kad.ModeServer}, Limits: p2p.Limits{Events: 3}})
		require.NoError(t, err)
		require.NoError(t, n.Start(t.Context()))
		defer n.Close()
		require.NoError(t, hosts[1].Connect(t.Context(), *host.InfoFromHost(hosts[0])))
		s, err := hosts[1].NewStream(t.Context(), hosts[0].ID(), p2p.DefaultProtocol)
		require.NoError(t, err)
		r := &raw{t: t, s: s, r: bufio.NewReader(s)}
		r.write(ping).want(wire.Ping) // before anybody listens: not kept
		events := n.Events()
		for i := range 5 {
			r.send(wire.Message{Type: wire.FindNode, Key: []byte{'a' + byte(i)}}).want(wire.FindNode)
		}
		assert.Equal(t, uint64(2), n.Dropped())
		for i := range 3 {
			ev := <-events
			assert.Equal(t, kad.InboundRequest, ev.Kind)
			assert.Equal(t, kad.FindNodeReq, ev.Inbound)
			assert.Equal(t, string(rune('a'+i)), string(ev.Key))
			assert.Equal(t, []byte(hosts[1].ID()), ev.Peer.ID)
		}
	})
}
