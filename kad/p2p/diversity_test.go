package p2p

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

func groupOf(t *testing.T, addr string) uint64 {
	a, err := ma.NewMultiaddr(addr)
	require.NoError(t, err)
	return Group(a.Bytes())
}

// TestGroup: which addresses are of one network, which are not, and which count for nobody.
func TestGroup(t *testing.T) {
	const relay = "/p2p/12D3KooWQkSBAGQBEoeGiLzqL9mUAzPNWzNxjBZWbGJJcjYDXQx1/p2p-circuit"
	for _, same := range [][]string{
		{"/ip4/8.8.0.1/tcp/1", "/ip4/8.8.255.255/udp/2/quic-v1"},
		{"/ip4/8.9.0.1/tcp/1"},
		{"/ip4/12.0.0.1/tcp/1", "/ip4/12.255.0.1/tcp/1"}, // a /8 of one owner
		{"/ip4/17.1.0.1/tcp/1", "/ip4/17.2.0.1/tcp/1"},
		{"/ip6/2001:4860:4860::8888/tcp/1", "/ip6/2a00:1450:4001:800::1/tcp/1"}, // AS15169, in two registries
		{"/ip6/2606:4700::1111/tcp/1"},                                          // AS13335
	} {
		for _, a := range same {
			assert.NotZero(t, groupOf(t, a), a)
			assert.Equal(t, groupOf(t, same[0]), groupOf(t, a), a)
		}
		for _, other := range []string{"/ip4/9.8.0.1/tcp/1", "/ip4/73.1.1.1/tcp/1", "/ip6/2620:fe::fe/tcp/1"} {
			assert.NotEqual(t, groupOf(t, other), groupOf(t, same[0]))
		}
	}
	for _, nobody := range []string{
		"/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip4/10.1.2.3/tcp/1", "/ip4/192.168.1.1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip6/fd00::1/tcp/1", "/ip6/::ffff:8.8.1.1/tcp/1",
		"/dns4/example.com/tcp/1", "/dnsaddr/example.com", "/memory/1",
		"/ip4/8.8.8.8/tcp/1" + relay,
	} {
		assert.Zero(t, groupOf(t, nobody), nobody)
	}
	for _, bad := range []string{"", "\x04", "\x04\x08\x08", "rubbish", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		assert.Zero(t, Group([]byte(bad)))
	}
}

// TestGroupKinds: an IPv4 group, a /8, a system's number and a /32 are never taken for each other.
func TestGroupKinds(t *testing.T) {
	seen := map[uint64]bool{}
	for _, a := range []string{"/ip4/0.12.1.1/tcp/1", "/ip4/12.0.0.1/tcp/1", "/ip6/2606:4700::1111/tcp/1"} {
		seen[groupOf(t, a)>>32] = true
	}
	assert.Len(t, seen, 3)
}

func FuzzGroup(f *testing.F) {
	for _, a := range []string{"/ip4/8.8.8.8/tcp/1", "/ip6/2606:4700::1111/udp/1/quic-v1", "/dns4/example.com/tcp/1"} {
		m, err := ma.NewMultiaddr(a)
		require.NoError(f, err)
		f.Add(m.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) { assert.Equal(t, Group(b), Group(b)) })
}

// stranger is a peer id whose key shares so many bits with the node's.
func stranger(t *testing.T, n *Node, bucket, nth int) peer.ID {
	own := kad.KeyOf([]byte(n.id))
	id := append([]byte{0x12, 0x20}, make([]byte, 32)...)
	for i := range 1 << 20 {
		id[2], id[3], id[4], id[5] = byte(nth), byte(i), byte(i>>8), byte(i>>16)
		if key := kad.KeyOf(id); own.CommonPrefix(&key) == bucket {
			return peer.ID(id)
		}
	}
	t.Fatal("no such id")
	return ""
}

// TestDiversity: with Config.Diversity the table takes three peers of one network, two of them in one bucket; without it,
// all. Nobody is dialled.
func TestDiversity(t *testing.T) {
	for _, c := range []struct {
		on   bool
		want []kad.RoutingUpdate
	}{
		{false, []kad.RoutingUpdate{kad.UpdateSuccess, kad.UpdateSuccess, kad.UpdateSuccess, kad.UpdateSuccess, kad.UpdateSuccess, kad.UpdateSuccess, kad.UpdateSuccess}},
		{true, []kad.RoutingUpdate{kad.UpdateSuccess, kad.UpdateSuccess, kad.UpdateFailed, kad.UpdateSuccess, kad.UpdateFailed, kad.UpdateSuccess, kad.UpdateSuccess}},
	} {
		n := running(t, Config{Transports: []string{TCP}, Diversity: c.on, Kad: kad.Config{
			Mode: kad.ModeClient, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}})
		defer n.Close()
		var got []kad.RoutingUpdate
		for i, add := range []struct {
			bucket int
			addr   string
		}{
			{0, "/ip4/8.8.0.1/tcp/1"},
			{0, "/ip4/8.8.0.2/tcp/1"},
			{0, "/ip4/8.8.0.3/tcp/1"}, // a third in one bucket
			{1, "/ip4/8.8.0.4/tcp/1"},
			{2, "/ip4/8.8.0.5/tcp/1"}, // a fourth in the table
			{2, "/ip4/8.9.0.1/tcp/1"}, // another network
			{2, "/ip4/10.8.0.1/tcp/1"},
		} {
			a, err := ma.NewMultiaddr(add.addr)
			require.NoError(t, err)
			update, err := n.AddAddress(stranger(t, n, add.bucket, i), a)
			require.NoError(t, err)
			got = append(got, update)
		}
		assert.Equal(t, c.want, got)
		assert.Empty(t, n.host.Network().Conns())
	}
}
