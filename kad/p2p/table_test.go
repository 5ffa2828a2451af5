package p2p_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// somebody is an id that nobody has, in the given bucket of n, the i-th of its kind.
func somebody(n *p2p.Node, bucket, i int) peer.ID {
	own := kad.KeyOf([]byte(n.ID()))
	for x := 0; ; x++ {
		id := append([]byte{0x12, 32, byte(x), byte(x >> 8), byte(i)}, make([]byte, 29)...)
		if key := kad.KeyOf(id); own.CommonPrefix(&key) == bucket {
			return peer.ID(id)
		}
	}
}

var somewhere = ma.StringCast("/ip4/127.0.0.1/tcp/1")

func TestBuckets(t *testing.T) {
	n := start(t, p2p.Config{Transports: []string{p2p.TCP}, Kad: kad.Config{K: 2, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}})
	assert.Empty(t, n.Buckets())
	ids := map[peer.ID]int{}
	for _, b := range []int{0, 0, 3} {
		id := somebody(n, b, len(ids))
		ids[id] = b
		update, err := n.AddAddress(id, somewhere)
		require.NoError(t, err)
		assert.Equal(t, kad.UpdateSuccess, update)
	}
	buckets := n.Buckets()
	require.Len(t, buckets, 2)
	own, seen := kad.KeyOf([]byte(n.ID())), 0
	for i, want := range []struct{ index, entries int }{{0, 2}, {3, 1}} {
		b := buckets[i]
		assert.Equal(t, want.index, b.Index)
		assert.Len(t, b.Entries, want.entries)
		assert.Empty(t, b.Pending)
		for _, e := range b.Entries {
			seen++
			assert.Equal(t, want.index, ids[e.ID])
			assert.Equal(t, want.index, e.Bucket)
			assert.Equal(t, []ma.Multiaddr{somewhere}, e.Addrs)
			assert.False(t, e.Connected || e.Pending)
			assert.WithinDuration(t, time.Now(), e.Seen, bound)
			var zero kad.Key
			d := own.Distance(kad.KeyOf([]byte(e.ID)))
			assert.LessOrEqual(t, zero.Compare(&b.Min, &d), 0)
			assert.LessOrEqual(t, zero.Compare(&d, &b.Max), 0)
			same, ok := n.Bucket([]byte(e.ID))
			assert.True(t, ok)
			assert.Equal(t, b, same)
		}
	}
	assert.Equal(t, 3, seen)
	assert.Len(t, n.Table(), 3)
	// The widest and the narrowest.
	far, ok := n.Bucket([]byte(somebody(n, 0, 9)))
	require.True(t, ok)
	assert.Equal(t, byte(0x80), far.Min[0])
	assert.Equal(t, byte(0xff), far.Max[0])
	near, ok := n.Bucket([]byte(somebody(n, 9, 9)))
	require.True(t, ok)
	assert.Empty(t, near.Entries)
	assert.Equal(t, []byte{0, 0x40}, near.Min[:2])
	assert.Equal(t, []byte{0, 0x7f}, near.Max[:2])
	_, ok = n.Bucket([]byte(n.ID()))
	assert.False(t, ok)
}

// TestRemoved: what is taken out of the table is returned as it was.
func TestRemoved(t *testing.T) {
	n := start(t, p2p.Config{Transports: []string{p2p.TCP}})
	id := somebody(n, 1, 0)
	add := func(addrs ...ma.Multiaddr) {
		for _, a := range addrs {
			_, err := n.AddAddress(id, a)
			require.NoError(t, err)
		}
	}
	other := ma.StringCast("/ip4/127.0.0.1/tcp/2")
	add(somewhere, other)
	gone, err := n.RemoveAddress(id, somewhere)
	require.NoError(t, err)
	assert.Nil(t, gone, "the peer stays")
	assert.Equal(t, []ma.Multiaddr{other}, n.PeerAddresses(id))
	gone, err = n.RemoveAddress(id, somewhere)
	require.NoError(t, err)
	assert.Nil(t, gone, "it is gone already")
	gone, err = n.RemoveAddress(id, other.Encapsulate(ma.StringCast("/p2p/"+id.String())))
	require.NoError(t, err)
	require.NotNil(t, gone, "with its last address goes the peer")
	assert.Equal(t, p2p.Entry{ID: id, Addrs: []ma.Multiaddr{other}, Bucket: 1, Seen: gone.Seen}, *gone)
	assert.Empty(t, n.Table())

	add(somewhere, other)
	gone, err = n.RemovePeer(id)
	require.NoError(t, err)
	require.NotNil(t, gone)
	assert.Equal(t, []ma.Multiaddr{somewhere, other}, gone.Addrs)
	gone, err = n.RemovePeer(id)
	require.NoError(t, err)
	assert.Nil(t, gone)
	_, err = n.AddAddress(n.ID(), somewhere)
	require.NoError(t, err)
	assert.Empty(t, n.Table(), "nobody stands in its own table")
}

// TestPending: who connects while its bucket is full of peers that do not waits for a place; it can be seen and removed.
func TestPending(t *testing.T) {
	server := start(t, p2p.Config{Transports: []string{p2p.TCP}})
	n := start(t, p2p.Config{Transports: []string{p2p.TCP}, Kad: kad.Config{K: 1, Mode: kad.ModeClient,
		BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1, ManualInserts: true}})
	own, key := kad.KeyOf([]byte(n.ID())), kad.KeyOf([]byte(server.ID()))
	bucket := own.CommonPrefix(&key)
	require.NoError(t, n.Connect(context20(t), info(server)))
	// Its place is taken by a peer whose dial hangs: a host that is there and says nothing.
	_, err := n.AddAddress(somebody(n, bucket, 0), mute(t))
	require.NoError(t, err)
	update, err := n.AddAddress(server.ID(), server.Host().Addrs()[0])
	require.NoError(t, err)
	require.Equal(t, kad.UpdatePending, update)
	b, ok := n.Bucket([]byte(server.ID()))
	require.True(t, ok)
	require.Len(t, b.Pending, 1)
	assert.Equal(t, server.ID(), b.Pending[0].ID)
	assert.True(t, b.Pending[0].Pending)
	assert.True(t, b.Pending[0].Connected)
	assert.NotContains(t, n.Table(), server.ID())
	gone, err := n.RemovePeer(server.ID())
	require.NoError(t, err)
	require.NotNil(t, gone)
	assert.True(t, gone.Pending && gone.Connected)
	b, _ = n.Bucket([]byte(server.ID()))
	assert.Empty(t, b.Pending)
}

// TestClosestLocalPeers asks nobody and gives the nearest of the table.
func TestClosestLocalPeers(t *testing.T) {
	n := start(t, p2p.Config{Transports: []string{p2p.TCP}, Kad: kad.Config{K: 3}})
	for i := range 6 {
		_, err := n.AddAddress(somebody(n, i, i), somewhere)
		require.NoError(t, err)
	}
	near := n.ClosestLocalPeers([]byte("a key"))
	require.Len(t, near, 3)
	target := kad.KeyOf([]byte("a key"))
	distance := func(id peer.ID) kad.Key { return target.Distance(kad.KeyOf([]byte(id))) }
	var zero kad.Key
	for i := range near[1:] {
		a, b := distance(near[i].ID), distance(near[i+1].ID)
		assert.Negative(t, zero.Compare(&a, &b))
	}
	farther := 0
	last := distance(near[2].ID)
	for _, id := range n.Table() {
		if d := distance(id); zero.Compare(&last, &d) < 0 {
			farther++
		}
	}
	assert.Equal(t, 3, farther)
	assert.Equal(t, []ma.Multiaddr{somewhere}, near[0].Addrs)
	assert.Empty(t, n.Queries())
}

// TestPeerAddresses: the table's come first, then what a query that runs has heard.
func TestPeerAddresses(t *testing.T) {
	virtual(t, 3, func(t *testing.T, hosts []host.Host) {
		hanging(hosts[2])
		server, n := on(t, hosts[1], kad.ModeServer), on(t, hosts[0], kad.ModeClient)
		defer server.Close()
		defer n.Close()
		require.NoError(t, server.Connect(t.Context(), *host.InfoFromHost(hosts[2])))
		require.NoError(t, n.Connect(t.Context(), info(server)))
		assert.Equal(t, server.Host().Addrs(), n.PeerAddresses(server.ID()))
		assert.Empty(t, n.PeerAddresses(stranger))
		assert.Empty(t, n.PeerAddresses(hosts[2].ID()))
		var wait = make(chan struct{})
		go func() {
			defer close(wait)
			_, _ = n.GetClosestPeers(t.Context(), []byte("k"), 0)
		}()
		after(time.Second) // the server has named the third, who does not answer
		assert.Equal(t, hosts[2].Addrs(), n.PeerAddresses(hosts[2].ID()))
		require.Len(t, n.Queries(), 1)
		require.NoError(t, n.Queries()[0].Finish())
		<-wait
		after(15 * time.Second)
		synctest.Wait()
	})
}

// mute is an address where somebody accepts connections and never says a word.
func mute(t *testing.T) ma.Multiaddr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	addr, err := manet.FromNetAddr(l.Addr())
	require.NoError(t, err)
	return addr
}
