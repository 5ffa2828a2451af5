package p2p

import (
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// TestFit: addresses go first, then closer peers, then providers, and the record never (ruling 6).
func TestFit(t *testing.T) {
	const limit = 16 << 10
	peers := func(n, addrs, size int) (ps []wire.Peer) {
		for range n {
			p := wire.Peer{ID: make([]byte, 34)}
			for range addrs {
				p.Addrs = p.Addrs.Append(make([]byte, size))
			}
			ps = append(ps, p)
		}
		return ps
	}
	count := func(ps []wire.Peer) (addrs int) {
		for _, p := range ps {
			addrs += p.Addrs.Len()
		}
		return addrs
	}
	for _, c := range []struct {
		name                                  string
		m                                     wire.Message
		closer, closerAddrs, provs, provAddrs int
		over                                  bool
	}{
		{"small", wire.Message{CloserPeers: peers(20, 3, 20)}, 20, 60, 0, 0, false},
		{"many addresses", wire.Message{CloserPeers: peers(20, 100, 20)}, 20, 160, 0, 0, false},
		{"long addresses", wire.Message{CloserPeers: peers(20, 3, 500)}, 20, 20, 0, 0, false},
		{"longer addresses", wire.Message{CloserPeers: peers(20, 3, 2000)}, 8, 8, 0, 0, false},
		{"providers", wire.Message{CloserPeers: peers(20, 8, 50), ProviderPeers: peers(20, 8, 50)}, 20, 80, 20, 80, false},
		{"too many providers", wire.Message{CloserPeers: peers(20, 3, 50), ProviderPeers: peers(400, 3, 50)}, 0, 0, 400, 0, false},
		{"far too many providers", wire.Message{ProviderPeers: peers(1000, 3, 50)}, 0, 0, 431, 0, false},
		{"a record beside", wire.Message{HasRecord: true, Record: wire.Record{Value: make([]byte, 16000)}, CloserPeers: peers(20, 3, 20)}, 6, 6, 0, 0, false},
		{"a record too long", wire.Message{HasRecord: true, Record: wire.Record{Value: make([]byte, 60000)}, CloserPeers: peers(20, 3, 20)}, 0, 0, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			value := len(c.m.Record.Value)
			fit(&c.m, limit)
			assert.Equal(t, c.over, wire.Size(&c.m) > limit)
			assert.Len(t, c.m.Record.Value, value)
			assert.Equal(t, []int{c.closer, c.closerAddrs, c.provs, c.provAddrs},
				[]int{len(c.m.CloserPeers), count(c.m.CloserPeers), len(c.m.ProviderPeers), count(c.m.ProviderPeers)})
		})
	}
}

func TestCleanAddrs(t *testing.T) {
	id, err := peer.Decode("12D3KooWLU2zMNVpfRWwgmP7uXBwNVzvsgYbFhgFHF4SEqyoHSZS")
	require.NoError(t, err)
	n := &Node{cfg: Config{PublicOnly: true}}
	text := func(s string) []byte { return ma.StringCast(s).Bytes() }
	unknown := append(text("/ip4/8.8.8.8/udp/1"), 0xff, 0xff, 0x03, 1, 2)
	for _, c := range []struct {
		name    string
		in      []byte
		want    string // "" is: left out
		private bool   // left out where only public addresses are wanted
	}{
		{"plain", text("/ip4/8.8.8.8/tcp/1"), "/ip4/8.8.8.8/tcp/1", false},
		{"with its own id", text("/ip4/8.8.8.8/tcp/1/p2p/" + id.String()), "/ip4/8.8.8.8/tcp/1", false},
		{"with another's id", text("/ip4/8.8.8.8/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"), "", false},
		{"nothing but its id", text("/p2p/" + id.String()), "", false},
		{"a relay", text("/ip4/8.8.8.8/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit"),
			"/ip4/8.8.8.8/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit", false},
		{"a name", text("/dns4/example.org/tcp/1"), "/dns4/example.org/tcp/1", false},
		{"quic", text("/ip4/8.8.8.8/udp/1/quic-v1"), "/ip4/8.8.8.8/udp/1/quic-v1", false},
		{"loopback", text("/ip4/127.0.0.1/tcp/1"), "/ip4/127.0.0.1/tcp/1", true},
		{"private", text("/ip4/10.0.0.1/tcp/1"), "/ip4/10.0.0.1/tcp/1", true},
		{"rubbish", []byte("rubbish"), "", false},
		{"cut short", text("/ip4/8.8.8.8/tcp/1")[:6], "", false},
		{"empty", nil, "", false},
		{"a protocol that we do not know", unknown, string(unknown), true},
		{"overlong", text("/dns4/" + strings.Repeat("a.", 300) + "org/tcp/1"), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := text("/ip4/9.9.9.9/tcp/2")
			in := kad.Addrs(wire.MakeAddrs(c.in, good))
			var want wire.Addrs
			if c.want != "" {
				if c.want == string(unknown) {
					want = want.Append(unknown)
				} else {
					want = want.Append(text(c.want))
				}
			}
			assert.Equal(t, kad.Addrs(want.Append(good)), cleanAddrs(nil, []byte(id), in, nil))
			if c.private {
				want = nil
			}
			assert.Equal(t, kad.Addrs(want.Append(good)), cleanAddrs(nil, []byte(id), in, n.filter()))
		})
	}
	t.Run("too many", func(t *testing.T) {
		var many wire.Addrs
		for range 100 {
			many = many.Append(text("/ip4/9.9.9.9/tcp/2"))
		}
		assert.Equal(t, maxAddrs, cleanAddrs(nil, []byte(id), kad.Addrs(many), nil).Len())
	})
}

func FuzzCleanAddrs(f *testing.F) {
	f.Add([]byte("\x12\x08\x04\x7f\x00\x00\x01\x06\x00\x01"), true)
	f.Add([]byte("\x12\x00"), false)
	f.Fuzz(func(t *testing.T, b []byte, public bool) {
		n := &Node{cfg: Config{PublicOnly: public}}
		out := cleanAddrs(nil, []byte("\x12\x20........................!......."), kad.Addrs(b), n.filter())
		require.NoError(t, out.Check())
		require.LessOrEqual(t, len(out), maxAddrBytes+maxAddrs*3)
		multiaddrs(out)
	})
}

func TestValidID(t *testing.T) {
	for _, s := range []string{"12D3KooWLU2zMNVpfRWwgmP7uXBwNVzvsgYbFhgFHF4SEqyoHSZS", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"} {
		id, err := peer.Decode(s)
		require.NoError(t, err)
		assert.True(t, validID([]byte(id)))
	}
	for _, b := range [][]byte{nil, {}, {0}, {0, 0}, []byte("rubbish"), append([]byte{0x12, 32}, make([]byte, 31)...), append([]byte{0, 43}, make([]byte, 43)...)} {
		assert.False(t, validID(b), "%x", b)
	}
}

// TestServing: once warm, what lies between reading a FIND_NODE and writing its answer allocates nothing.
func TestServing(t *testing.T) {
	n, err := New(Config{Kad: kad.Config{Mode: kad.ModeServer}, Transports: []string{TCP}})
	require.NoError(t, err)
	require.NoError(t, n.Start(t.Context()))
	defer n.Close()
	for i := range 200 {
		id := append([]byte{0x12, 32, byte(i)}, make([]byte, 31)...)
		_, err := n.AddAddress(peer.ID(id), ma.StringCast("/ip4/9.9.9.9/tcp/2"))
		require.NoError(t, err)
	}
	st := &inboundStream{n: n, conn: &inboundConn{peer: []byte(n.id)}}
	body := wire.Append(nil, &wire.Message{Type: wire.FindNode, Key: []byte("some key of thirty-two bytes, no")})
	serve := func() {
		x := exchanges.Get().(*exchange)
		if wire.Decode(body, &x.request) != nil || !x.input(st) {
			t.Fatal("refused")
		}
		now, _, _ := n.serveStep(x)
		answer := x.answer()
		if !x.reply(answer, now, n.limits.SendBytes) || len(x.response.CloserPeers) != 20 {
			t.Fatal("not answered")
		}
		x.release()
	}
	serve()
	if raced {
		t.Skip("sync.Pool drops at random under the race detector")
	}
	assert.Less(t, testing.AllocsPerRun(1000, serve), 1.0)
}
