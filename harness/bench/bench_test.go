package bench

import (
	"bufio"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/harness/stats"
	"github.com/kadbench/kadbench/kad/wire"
)

// server answers each frame of /ipfs/kad/1.0.0 with what its function makes of the request; nil resets the stream.
type server struct {
	info   peer.AddrInfo
	answer func(request *wire.Message) *wire.Message
	served atomic.Int64
}

// echo answers with the request's own type and key.
func echo(m *wire.Message) *wire.Message { return &wire.Message{Type: m.Type, Key: m.Key} }

func serve(t *testing.T, answer func(*wire.Message) *wire.Message) *server {
	s := &server{answer: answer}
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(libp2pquic.NewTransport), libp2p.Security(noise.ID, noise.New), libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}))
	require.NoError(t, err)
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler(DefaultProtocol, s.handle)
	s.info = peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}
	return s
}

func (s *server) handle(st network.Stream) {
	defer st.Close()
	r := bufio.NewReader(st)
	var m wire.Message
	for {
		body, err := wire.ReadFrame(r, nil, wire.MaxReceive)
		if err != nil || wire.Decode(body, &m) != nil {
			return
		}
		s.served.Add(1)
		if m.Type == wire.AddProvider {
			continue
		}
		answer := s.answer(&m)
		if answer == nil {
			st.Reset()
			return
		}
		if _, err := st.Write(wire.AppendFrame(nil, answer)); err != nil {
			return
		}
	}
}

// line is a load of one kind at a rate.
func line(kind load.Kind, rate uint64, span time.Duration) load.Config {
	l := load.Line{Rate: load.Rate{N: rate}, For: span, Mix: []load.Part{{Kind: kind, Keys: load.Keys{Of: 1 << 20}}}}
	return load.Config{Seed: 1, Lines: []load.Line{l}}
}

// turnOf runs one short turn.
func turnOf(t *testing.T, c Config) *Result {
	c.Warmup, c.Span = 50*time.Millisecond, 300*time.Millisecond
	if c.Connections == 0 {
		c.Connections, c.Streams = 2, 2
	}
	r, err := (&Driver{c}).Turn(context.Background(), 1)
	require.NoError(t, err)
	return r
}

// TestOpen: every kind of request, over either transport, on streams and connections that are reused or not: all that is
// due is answered, and the tallies add up.
func TestOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"streams":     {},
		"connections": {Reuse: Connections},
		"nothing":     {Reuse: Nothing},
		"quic":        {Transport: "quic"},
		"tls":         {Security: "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, echo)
			c.Server, c.Load = s.info, line("FIND_NODE", 500, 350*time.Millisecond)
			r := turnOf(t, c)
			assert.Zero(t, r.Errors, "%v", r.Why)
			assert.Equal(t, uint64(150), r.Requests)
			assert.Equal(t, r.Requests, r.Answered)
			assert.Equal(t, r.Requests, r.Due.N())
			assert.Equal(t, r.Requests, r.Service.N())
			assert.GreaterOrEqual(t, s.served.Load(), int64(175))
		})
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for kind := range types {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := serve(t, echo)
			for _, reuse := range []Reuse{Streams, Connections} {
				r := turnOf(t, Config{Server: s.info, Reuse: reuse, Load: line(kind, 200, 350*time.Millisecond)})
				assert.Zero(t, r.Errors, "%v", r.Why)
				assert.Equal(t, uint64(60), r.Answered)
			}
		})
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, echo)
	r := turnOf(t, Config{Server: s.info, Closed: true, Load: line("FIND_NODE", 1, time.Hour)})
	assert.Zero(t, r.Errors, "%v", r.Why)
	assert.Equal(t, r.Requests, r.Answered)
	assert.Greater(t, r.Requests, uint64(4))
	assert.Equal(t, r.Service.N(), r.Due.N())
	assert.Zero(t, r.Start.N())
}

// TestStall: a server that stands still for two seconds shows them in the 99th percentile from due, of an open load. A closed
// one hides them: while the server stands still, nobody asks.
func TestStall(t *testing.T) {
	t.Parallel()
	const stall = 2 * time.Second
	stalled := func() *server {
		var once sync.Once
		var gate sync.RWMutex
		return serve(t, func(m *wire.Message) *wire.Message {
			once.Do(func() {
				time.AfterFunc(time.Second, func() { // after the warm-up
					gate.Lock()
					time.AfterFunc(stall, gate.Unlock)
				})
			})
			gate.RLock()
			defer gate.RUnlock()
			return echo(m)
		})
	}
	c := Config{Connections: 2, Streams: 4, Warmup: 500 * time.Millisecond, Span: 4 * time.Second, Load: line("FIND_NODE", 500, 5*time.Second)}
	turn := func(closed bool) (r *Result) {
		c := c
		c.Server, c.Closed = stalled().info, closed
		r, err := (&Driver{c}).Turn(t.Context(), 1)
		require.NoError(t, err)
		return r
	}
	open, closed := turn(false), turn(true)

	p99 := func(h *stats.Histogram) time.Duration { return time.Duration(h.Quantile(0.99).Value) }
	assert.Greater(t, p99(&open.Due), stall*9/10)
	assert.Less(t, time.Duration(open.Service.Quantile(0.5).Value), stall/4, "the requests behind the first eight waited for a stream, not for the server")
	assert.Equal(t, open.Requests, open.Answered)
	assert.Less(t, p99(&closed.Service), stall/4, "eight of many thousand")
	assert.Greater(t, time.Duration(closed.Service.Max()), stall*9/10)
}

// TestErrors: what becomes of requests that the server refuses, answers with something else, or leaves unanswered.
func TestErrors(t *testing.T) {
	t.Parallel()
	t.Run("reset", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(*wire.Message) *wire.Message { return nil })
		r := turnOf(t, Config{Server: s.info, Load: line("FIND_NODE", 100, time.Second)})
		assert.Equal(t, uint64(30), r.Requests)
		assert.Equal(t, r.Requests, r.Errors+r.Dropped, "%v", r.Why)
		assert.NotEmpty(t, r.Why)
		for _, h := range []*stats.Histogram{&r.Due, &r.Service} {
			q := h.Quantile(0.5)
			assert.True(t, q.AtLeast)
			assert.GreaterOrEqual(t, time.Duration(q.Value)*1001/1000, DefaultTimeout, "what failed at once got no answer within the timeout either")
		}
		assert.Equal(t, r.Requests, r.Due.Censored())
	})
	t.Run("another type", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(*wire.Message) *wire.Message { return &wire.Message{Type: wire.Ping} })
		r := turnOf(t, Config{Server: s.info, Load: line("FIND_NODE", 100, time.Second)})
		assert.Equal(t, r.Requests, r.Errors)
		require.Len(t, r.Why, 1)
		assert.Equal(t, errAnswer.Error(), r.Why[0].What)
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		s := serve(t, func(m *wire.Message) *wire.Message { <-release; return echo(m) })
		t.Cleanup(func() { close(release) })
		r := turnOf(t, Config{Server: s.info, Timeout: 200 * time.Millisecond, Load: line("FIND_NODE", 100, time.Second)})
		assert.Zero(t, r.Answered)
		assert.Zero(t, r.Errors, "%v", r.Why)
		assert.Equal(t, r.Requests, r.Timeouts+r.Dropped)
		assert.Positive(t, r.Dropped, "four streams that take 200 ms each answer for six of thirty requests")
		assert.Equal(t, r.Requests, r.Due.Censored())
		assert.Equal(t, r.Dropped, r.Start.Censored(), "they never began")
	})
	t.Run("reset after a wait", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(*wire.Message) *wire.Message { <-time.After(50 * time.Millisecond); return nil })
		r := turnOf(t, Config{Server: s.info, Connections: 1, Streams: 1, Timeout: 300 * time.Millisecond, Load: line("FIND_NODE", 100, time.Second)})
		assert.Zero(t, r.Timeouts, "what was sent failed at once, however long it had waited for the stream")
		assert.Equal(t, r.Requests, r.Errors+r.Dropped)
	})
	t.Run("wrong", func(t *testing.T) {
		t.Parallel()
		s := serve(t, echo)
		r := turnOf(t, Config{Server: s.info, Truth: NewTruth([]peer.ID{s.info.ID}, 20), Judge: 500_000, Load: line("FIND_NODE", 200, time.Second)})
		assert.Equal(t, r.Checked, r.Wrong, "it names nobody, though somebody is in its table")
		assert.InDelta(t, 30, r.Checked, 4, "every other one, by each of four streams")
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		s := serve(t, echo)
		s.info.Addrs = []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}
		_, err := (&Driver{Config{Server: s.info, Timeout: time.Second, Load: line("FIND_NODE", 100, time.Second)}}).Turn(t.Context(), 1)
		assert.ErrorIs(t, err, ErrUnreachable)
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		s := serve(t, echo)
		ctx, cancel := context.WithCancel(t.Context())
		c := Config{Server: s.info, Load: line("FIND_NODE", 100, time.Hour), Span: time.Hour, Progress: func(time.Duration, uint64) { cancel() }}
		_, err := (&Driver{c}).Turn(ctx, 1)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// TestTurns: no two turns ask for the same keys, the same turn does.
func TestTurns(t *testing.T) {
	t.Parallel()
	keys := func(turn int) map[string]int {
		var mu sync.Mutex
		seen := map[string]int{}
		s := serve(t, func(m *wire.Message) *wire.Message {
			mu.Lock()
			defer mu.Unlock()
			seen[string(m.Key)]++
			return echo(m)
		})
		l := line("FIND_NODE", 200, 350*time.Millisecond)
		l.Lines[0].Mix[0].Keys.Of = 0
		_, err := (&Driver{Config{Server: s.info, Span: 350 * time.Millisecond, Load: l}}).Turn(t.Context(), turn)
		require.NoError(t, err)
		return seen
	}
	first, second := keys(1), keys(2)
	assert.Len(t, first, 70)
	assert.Equal(t, first, keys(1))
	for key, n := range first {
		assert.Equal(t, 1, n)
		assert.NotContains(t, second, key)
	}
}

func TestCheck(t *testing.T) {
	sound := Config{Server: peer.AddrInfo{ID: "x", Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}}, Load: line("FIND_NODE", 1, time.Second)}
	require.NoError(t, sound.Check())
	for want, alter := range map[string]func(*Config){
		"server":                func(c *Config) { c.Server.Addrs = nil },
		"transport \"webrtc\"":  func(c *Config) { c.Transport = "webrtc" },
		"security \"plain\"":    func(c *Config) { c.Security = "plain" },
		"connections: -1":       func(c *Config) { c.Connections = -1 },
		"streams: 5000":         func(c *Config) { c.Streams = 5000 },
		"streams in all":        func(c *Config) { c.Connections, c.Streams = 1000, 1000 },
		"connection of its own": func(c *Config) { c.Connections, c.Streams, c.Reuse = 100, 100, Nothing },
		"reuse":                 func(c *Config) { c.Reuse = 9 },
		"span":                  func(c *Config) { c.Span = 2 * MaxSpan },
		"timeout":               func(c *Config) { c.Timeout = -1 },
		"no line":               func(c *Config) { c.Load.Lines = nil },
		"lookup is no request":  func(c *Config) { c.Load = line("lookup", 1, time.Second) },
		"kind":                  func(c *Config) { c.Load = line("GET_VALUE", 1, 0) },
	} {
		c := sound
		alter(&c)
		err := c.Check()
		if assert.ErrorIs(t, err, ErrConfig, want) && want != "kind" {
			assert.ErrorContains(t, err, want)
		}
	}
}

// TestSteps: a latency is told to a sixteenth.
func TestSteps(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < time.Hour; d += d/40 + 1 {
		at := step(d)
		require.GreaterOrEqual(t, at, last)
		last = at
		require.InDelta(t, float64(d), float64(latency(at)), float64(d)/30+1)
	}
}

// Wakes of a slow schedule come when they are wanted, however close some of them are; of a fast one every 50 µs.
func TestThrift(t *testing.T) {
	wakes := func(every time.Duration, count int) (n int, longest time.Duration) {
		var t thrift
		now := time.Second
		for due := now + every; due <= time.Second+time.Duration(count)*every; n++ {
			slept := t.nap(due-now, now)
			longest = max(longest, now+slept-due)
			for now += slept; due <= now; due += every {
			}
		}
		return n, longest
	}
	n, longest := wakes(wakeEvery, 1000)
	assert.Equal(t, 1000, n)
	assert.Zero(t, longest)
	n, longest = wakes(wakeEvery/10, 15)
	assert.Equal(t, 15, n, "a burst")
	assert.Zero(t, longest)
	n, longest = wakes(wakeEvery/10, 10_000)
	assert.InDelta(t, 1020, n, 5)
	assert.LessOrEqual(t, longest, wakeEvery)
}
