package p2p_test

import (
	"bufio"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// raw is a stream of the protocol with full control of its bytes, from a host that is no node.
type raw struct {
	t *testing.T
	s network.Stream
	r *bufio.Reader
}

// bare is a host without the protocol, connected to nobody.
func bare(t *testing.T, opts ...libp2p.Option) host.Host {
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	return h
}

func connect(t *testing.T, h host.Host, n *p2p.Node) host.Host {
	require.NoError(t, h.Connect(context20(t), info(n)))
	return h
}

func open(t *testing.T, h host.Host, to peer.ID) *raw {
	s, err := h.NewStream(context20(t), to, p2p.DefaultProtocol)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Reset() })
	return &raw{t: t, s: s, r: bufio.NewReader(s)}
}

func (r *raw) write(b []byte) *raw {
	_, err := r.s.Write(b)
	require.NoError(r.t, err)
	return r
}

func (r *raw) send(m wire.Message) *raw { return r.write(wire.AppendFrame(nil, &m)) }

// want reads one reply.
func (r *raw) want(typ wire.Type) *wire.Message {
	r.t.Helper()
	body, err := wire.ReadFrame(r.r, nil, wire.MaxReceive)
	require.NoError(r.t, err)
	m := new(wire.Message)
	require.NoError(r.t, wire.Decode(body, m))
	assert.Equal(r.t, typ, m.Type)
	return m
}

// refused wants the stream to be reset without a reply.
func (r *raw) refused() {
	r.t.Helper()
	_, err := r.r.ReadByte()
	assert.ErrorIs(r.t, err, network.ErrReset)
}

// ended wants the stream to be closed in peace without a further reply.
func (r *raw) ended() {
	r.t.Helper()
	_, err := r.r.ReadByte()
	assert.Equal(r.t, io.EOF, err)
}

func record(key, value string) wire.Message {
	return wire.Message{Type: wire.PutValue, Key: []byte(key), HasRecord: true,
		Record: wire.Record{Key: []byte(key), Value: []byte(value)}}
}

var multihash = []byte("\x12\x20the digest of something, 32 byte")

func TestRequests(t *testing.T) {
	servers, _ := swarm(t, 3, p2p.Config{})
	n, other := servers[0], servers[1]
	h := connect(t, bare(t), n)
	require.NoError(t, n.Connect(context20(t), *host.InfoFromHost(h))) // waits for identify
	s := open(t, h, n.ID())

	t.Run("find node", func(t *testing.T) {
		m := s.send(wire.Message{Type: wire.FindNode, Key: []byte("k")}).want(wire.FindNode)
		assert.Len(t, m.CloserPeers, 2)
		for _, p := range m.CloserPeers {
			assert.NotZero(t, p.Addrs.Len())
			assert.NotEqual(t, []byte(n.ID()), p.ID)
		}
		assert.Empty(t, m.Key)
		assert.Zero(t, m.ClusterLevelRaw)
	})
	t.Run("find node of a client that is connected", func(t *testing.T) { // ipfs-kad L427
		m := open(t, h, n.ID()).send(wire.Message{Type: wire.FindNode, Key: []byte(h.ID())}).want(wire.FindNode)
		require.Len(t, m.CloserPeers, 3)
		last := m.CloserPeers[2]
		assert.Equal(t, []byte(h.ID()), last.ID)
		assert.Equal(t, len(h.Addrs()), last.Addrs.Len())
	})
	t.Run("find node of the server itself", func(t *testing.T) {
		m := open(t, h, n.ID()).send(wire.Message{Type: wire.FindNode, Key: []byte(n.ID())}).want(wire.FindNode)
		assert.Len(t, m.CloserPeers, 3)
	})
	t.Run("ping", func(t *testing.T) { s.send(wire.Message{Type: wire.Ping}).want(wire.Ping) })
	t.Run("put and get", func(t *testing.T) {
		put := record("/v/a", "ok a")
		put.Record.TimeReceived = []byte("2001-01-01T00:00:00Z")
		m := s.send(put).want(wire.PutValue)
		assert.Equal(t, "/v/a", string(m.Key))
		assert.Equal(t, "ok a", string(m.Record.Value))
		m = s.send(wire.Message{Type: wire.GetValue, Key: []byte("/v/a")}).want(wire.GetValue)
		assert.True(t, m.HasRecord)
		assert.Equal(t, "/v/a", string(m.Record.Key))
		assert.Equal(t, "ok a", string(m.Record.Value))
		assert.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`, string(m.Record.TimeReceived))
		assert.NotEqual(t, "2001-01-01T00:00:00Z", string(m.Record.TimeReceived))
		assert.Len(t, m.CloserPeers, 2)
	})
	t.Run("get of nothing", func(t *testing.T) {
		m := s.send(wire.Message{Type: wire.GetValue, Key: []byte("/v/b")}).want(wire.GetValue)
		assert.False(t, m.HasRecord)
		assert.Len(t, m.CloserPeers, 2)
	})
	t.Run("get of a key of a megabyte", func(t *testing.T) { // no store takes one, and nobody gets the echo
		open(t, h, n.ID()).send(wire.Message{Type: wire.GetValue, Key: append([]byte("/v/"), make([]byte, 1<<20)...)}).refused()
	})
	t.Run("providers", func(t *testing.T) {
		addr := []byte("\x04\x7f\x00\x00\x01\x06\x0f\xa1")
		// No reply: the next frame answers the next request.
		s.send(wire.Message{Type: wire.AddProvider, Key: multihash, ProviderPeers: []wire.Peer{
			{ID: []byte("rubbish")},
			{ID: []byte(other.ID()), Addrs: wire.MakeAddrs(addr)},
			{ID: []byte(h.ID()), Addrs: wire.MakeAddrs([]byte("undecodable"), addr)},
		}})
		m := s.send(wire.Message{Type: wire.GetProviders, Key: multihash}).want(wire.GetProviders)
		require.Len(t, m.ProviderPeers, 1)
		assert.Equal(t, []byte(h.ID()), m.ProviderPeers[0].ID)
		assert.Contains(t, string(m.ProviderPeers[0].Addrs), string(addr))
		assert.NotContains(t, string(m.ProviderPeers[0].Addrs), "undecodable")
		assert.Len(t, m.CloserPeers, 2)
	})
	t.Run("a request in the last bytes of a stream is answered", func(t *testing.T) {
		r := open(t, h, n.ID()).send(wire.Message{Type: wire.Ping})
		require.NoError(t, r.s.CloseWrite())
		r.want(wire.Ping)
		r.ended()
	})
	t.Run("no bytes at all", func(t *testing.T) {
		r := open(t, h, n.ID())
		require.NoError(t, r.s.CloseWrite())
		r.ended()
	})
	t.Run("requests in a row", func(t *testing.T) {
		var b []byte
		for _, typ := range []wire.Type{wire.Ping, wire.FindNode, wire.GetProviders, wire.Ping, wire.GetValue} {
			b = wire.AppendFrame(b, &wire.Message{Type: typ, Key: []byte("/v/a")})
		}
		r := open(t, h, n.ID()).write(b)
		for _, typ := range []wire.Type{wire.Ping, wire.FindNode, wire.GetProviders, wire.Ping, wire.GetValue} {
			r.want(typ)
		}
	})
	t.Run("a frame byte by byte", func(t *testing.T) {
		r := open(t, h, n.ID())
		for _, c := range wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte("some key")}) {
			r.write([]byte{c})
		}
		r.want(wire.FindNode)
	})
	t.Run("a frame of 3 MiB", func(t *testing.T) {
		m := wire.Message{Type: wire.Ping, Key: make([]byte, 3<<20)}
		open(t, h, n.ID()).send(m).want(wire.Ping)
	})
}

func TestRefusals(t *testing.T) {
	n := start(t, p2p.Config{})
	h := connect(t, bare(t), n)
	require.Equal(t, "ok 2", string(open(t, h, n.ID()).send(record("/v/seq", "ok 2")).want(wire.PutValue).Record.Value))
	frame := func(m wire.Message) []byte { return wire.AppendFrame(nil, &m) }
	for name, b := range map[string][]byte{
		"unknown type":                frame(wire.Message{Type: 99, Key: []byte("k")}),
		"negative type":               frame(wire.Message{Type: -1, Key: []byte("k")}),
		"empty frame":                 {0},
		"rubbish":                     {5, 0xff, 0xff, 0xff, 0xff, 0xff},
		"length not shortest":         {0x80, 0x00},
		"length of ten bytes":         []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"length over 4 MiB":           {0x81, 0x80, 0x80, 0x02},
		"length of 2^62":              []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x40"),
		"find node without key":       frame(wire.Message{Type: wire.FindNode}),
		"get value without key":       frame(wire.Message{Type: wire.GetValue}),
		"get providers without key":   frame(wire.Message{Type: wire.GetProviders}),
		"get providers, 81 bytes":     frame(wire.Message{Type: wire.GetProviders, Key: make([]byte, 81)}),
		"add provider without key":    frame(wire.Message{Type: wire.AddProvider, ProviderPeers: []wire.Peer{{ID: []byte(h.ID())}}}),
		"add provider, 81 bytes":      frame(wire.Message{Type: wire.AddProvider, Key: make([]byte, 81), ProviderPeers: []wire.Peer{{ID: []byte(h.ID())}}}),
		"add provider without any":    frame(wire.Message{Type: wire.AddProvider, Key: multihash}),
		"add provider of another":     frame(wire.Message{Type: wire.AddProvider, Key: multihash, ProviderPeers: []wire.Peer{{ID: []byte(n.ID())}}}),
		"put without record":          frame(wire.Message{Type: wire.PutValue, Key: []byte("/v/x")}),
		"put without key":             frame(wire.Message{Type: wire.PutValue, HasRecord: true, Record: wire.Record{Key: []byte("/v/x"), Value: []byte("ok")}}),
		"put without record key":      frame(wire.Message{Type: wire.PutValue, Key: []byte("/v/x"), HasRecord: true, Record: wire.Record{Value: []byte("ok x")}}),
		"put of two keys":             frame(wire.Message{Type: wire.PutValue, Key: []byte("/v/x"), HasRecord: true, Record: wire.Record{Key: []byte("/v/y"), Value: []byte("ok x")}}),
		"put in an unknown namespace": frame(record("/foo/x", "ok x")),
		"put without namespace":       frame(record("x", "ok x")),
		"put of what is not valid":    frame(record("/v/x", "no")),
		"put of an older one":         frame(record("/v/seq", "ok 1")),
		"put of rubbish under pk":     frame(record("/pk/x", "ok x")),
		"put of rubbish under ipns":   frame(record("/ipns/x", "ok x")),
	} {
		t.Run(name, func(t *testing.T) {
			open(t, h, n.ID()).write(b).refused()
		})
	}
	t.Run("the end within a frame", func(t *testing.T) {
		r := open(t, h, n.ID()).write([]byte{10, 8})
		require.NoError(t, r.s.CloseWrite())
		r.refused()
	})
	t.Run("the end within a length", func(t *testing.T) {
		r := open(t, h, n.ID()).write([]byte{0x80})
		require.NoError(t, r.s.CloseWrite())
		r.refused()
	})
	// What was refused on other streams harmed nobody.
	open(t, h, n.ID()).send(wire.Message{Type: wire.GetValue, Key: []byte("/v/seq")}).want(wire.GetValue)
}

func TestMode(t *testing.T) {
	ctx := context20(t)
	n := start(t, p2p.Config{})
	h := connect(t, bare(t), n)
	r := open(t, h, n.ID()).send(wire.Message{Type: wire.Ping})
	r.want(wire.Ping)
	speaks := func() bool {
		ps, err := h.Peerstore().SupportsProtocols(n.ID(), p2p.DefaultProtocol)
		return err == nil && len(ps) == 1
	}
	require.Eventually(t, speaks, bound, tick)

	require.NoError(t, n.SetMode(kad.ModeClient))
	assert.Equal(t, kad.ModeClient, n.Mode())
	r.refused() // the open stream has ended
	require.Eventually(t, func() bool { return !speaks() }, bound, tick)
	_, err := h.NewStream(ctx, n.ID(), p2p.DefaultProtocol)
	assert.Error(t, err)

	require.NoError(t, n.SetMode(kad.ModeServer))
	require.Eventually(t, speaks, bound, tick)
	open(t, h, n.ID()).send(wire.Message{Type: wire.Ping}).want(wire.Ping)
}

// TestAdmission: who only asks is never told to others, who answers is (libp2p-kad L95).
func TestAdmission(t *testing.T) {
	n := start(t, p2p.Config{})
	h := connect(t, bare(t), n)
	open(t, h, n.ID()).send(wire.Message{Type: wire.FindNode, Key: []byte("k")}).want(wire.FindNode)
	assert.Empty(t, n.Table())

	server := connect(t, bare(t), n)
	require.NoError(t, n.Connect(context20(t), *host.InfoFromHost(server))) // waits for identify
	server.SetStreamHandler(p2p.DefaultProtocol, func(s network.Stream) { _ = s.Reset() })
	require.Eventually(t, func() bool { return len(n.Table()) == 1 }, bound, tick)
	m := open(t, h, n.ID()).send(wire.Message{Type: wire.FindNode, Key: []byte("k")}).want(wire.FindNode)
	require.Len(t, m.CloserPeers, 1)
	assert.Equal(t, []byte(server.ID()), m.CloserPeers[0].ID)
	var want wire.Addrs
	for _, a := range server.Addrs() {
		want = want.Append(a.Bytes())
	}
	assert.Equal(t, want, m.CloserPeers[0].Addrs) // its listen address, not the port that it dialled from

	server.RemoveStreamHandler(p2p.DefaultProtocol)
	require.Eventually(t, func() bool { return len(n.Table()) == 0 }, bound, tick)
}

func TestLimits(t *testing.T) {
	t.Run("streams of a connection", func(t *testing.T) {
		n := start(t, p2p.Config{Limits: p2p.Limits{InboundStreams: 3}})
		h := connect(t, bare(t), n)
		var open3 []*raw
		for range 3 {
			r := open(t, h, n.ID()).send(wire.Message{Type: wire.Ping})
			r.want(wire.Ping)
			open3 = append(open3, r)
		}
		r := open(t, h, n.ID())
		_, _ = r.s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.Ping}))
		r.refused()
		for _, r := range open3 {
			r.send(wire.Message{Type: wire.Ping}).want(wire.Ping)
		}
		// Another connection has a count of its own; and a place that was given back is free.
		open(t, connect(t, bare(t), n), n.ID()).send(wire.Message{Type: wire.Ping}).want(wire.Ping)
		require.NoError(t, open3[0].s.CloseWrite())
		open3[0].ended()
		require.Eventually(t, func() bool {
			r := open(t, h, n.ID())
			_, _ = r.s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.Ping}))
			_, err := wire.ReadFrame(r.r, nil, wire.MaxReceive)
			return err == nil
		}, bound, tick)
	})
	t.Run("requests of a connection wait for their turn", func(t *testing.T) {
		n := start(t, p2p.Config{Limits: p2p.Limits{InboundRequests: 1}})
		h := connect(t, bare(t), n)
		ping := wire.AppendFrame(nil, &wire.Message{Type: wire.Ping})
		first := open(t, h, n.ID()).write(ping)
		first.want(wire.Ping)
		first.write(ping[:1]) // takes the one place
		second := open(t, h, n.ID()).write(ping)
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _ = second.r.Peek(1)
		}()
		// Another connection is served meanwhile.
		open(t, connect(t, bare(t), n), n.ID()).write(ping).want(wire.Ping)
		first.write(ping[1:])
		first.want(wire.Ping)
		<-answered
		second.want(wire.Ping)
	})
}

// TestMemoryOfLongFrames: a long frame is counted by go-libp2p's resource manager, as long as it is being served.
func TestMemoryOfLongFrames(t *testing.T) {
	limits := rcmgr.PartialLimitConfig{Stream: rcmgr.ResourceLimits{Memory: 1 << 20}}.Build(rcmgr.InfiniteLimits)
	manager, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits))
	require.NoError(t, err)
	given, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableMetrics(), libp2p.ResourceManager(manager))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, given.Close()) })
	n := start(t, p2p.Config{Host: given})
	h := connect(t, bare(t), n)
	s := open(t, h, n.ID())
	for range 3 { // what was counted is given back
		s.send(wire.Message{Type: wire.Ping, Key: make([]byte, 700<<10)}).want(wire.Ping)
	}
	r := open(t, h, n.ID())
	_, _ = r.s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.Ping, Key: make([]byte, 2<<20)}))
	r.refused()
	s.send(wire.Message{Type: wire.Ping}).want(wire.Ping)
}

func TestPrivateAddresses(t *testing.T) {
	servers, _ := swarm(t, 3, p2p.Config{})
	n := start(t, p2p.Config{PublicOnly: true})
	require.NoError(t, n.Connect(context20(t), info(servers[0])))
	h := connect(t, bare(t), n)
	// That the server answers proves it at an address which a public swarm does not want.
	put, err := n.PutRecordTo(context20(t), p2p.Record{Key: []byte("/v/k"), Value: []byte("ok k")}, []peer.ID{servers[0].ID()}, kad.One)
	require.NoError(t, err)
	assert.Len(t, put.Stored, 1)
	assert.Empty(t, n.Table())
	r := open(t, h, n.ID())
	assert.Empty(t, r.send(wire.Message{Type: wire.FindNode, Key: []byte("k")}).want(wire.FindNode).CloserPeers)
	private := []byte("\x04\x0a\x00\x00\x01\x06\x0f\xa1")
	public := []byte("\x04\x08\x08\x08\x08\x06\x0f\xa1")
	r.send(wire.Message{Type: wire.AddProvider, Key: multihash, ProviderPeers: []wire.Peer{
		{ID: []byte(h.ID()), Addrs: wire.MakeAddrs(private, public)}}})
	m := r.send(wire.Message{Type: wire.GetProviders, Key: multihash}).want(wire.GetProviders)
	require.Len(t, m.ProviderPeers, 1)
	assert.Contains(t, string(m.ProviderPeers[0].Addrs), string(public))
	assert.NotContains(t, string(m.ProviderPeers[0].Addrs), string(private))
	_, err = n.AddAddress(servers[1].ID(), servers[1].Host().Addrs()[0])
	assert.ErrorIs(t, err, p2p.ErrPrivate)
}
