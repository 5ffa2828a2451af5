package bench

import (
	"bufio"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/load"
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
		libp2p.Transport(libp2pquic.NewTransport), libp2p.Security(noise.ID, noise.New), libp2p.DisableRelay(), libp2p.DisableMetrics(),
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
	for name, c := range map[string]Config{
		"streams":     {},
		"connections": {Reuse: Connections},
		"nothing":     {Reuse: Nothing},
		"quic":        {Transport: "quic"},
		"tls":         {Security: "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, echo)
			if c.Security == "tls" {
				t.Skip("the server of this test speaks noise alone")
			}
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
	for kind := range types {
		t.Run(string(kind), func(t *testing.T) {
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
	s := serve(t, echo)
	r := turnOf(t, Config{Server: s.info, Closed: true, Load: line("FIND_NODE", 1, time.Hour)})
	assert.Zero(t, r.Errors, "%v", r.Why)
	assert.Equal(t, r.Requests, r.Answered)
	assert.Greater(t, r.Requests, uint64(4))
	assert.Equal(t, r.Service.N(), r.Due.N())
	assert.Zero(t, r.Start.N())
}
