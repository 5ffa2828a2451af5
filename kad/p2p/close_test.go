package p2p_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// leaves wants no goroutine beyond those that were there before.
func leaves(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// TestCloseUnderWay: Close ends every operation that waits, every stream of results whether it is read or not, the jobs,
// and the events that nobody reads; nothing of the node is left.
func TestCloseUnderWay(t *testing.T) {
	leaves(t)
	silent := bare(t)
	hanging(silent)
	n, err := p2p.New(p2p.Config{Transports: []string{p2p.TCP}, Validators: p2p.Namespaces("v", "pk"), Limits: p2p.Limits{Events: 2},
		Kad: kad.Config{Mode: kad.ModeServer, ReplicationInterval: int64(time.Millisecond), PublicationInterval: int64(time.Millisecond),
			ProvideInterval: int64(time.Millisecond), ProbeInterval: int64(time.Millisecond), BootstrapInterval: int64(time.Millisecond),
			BootstrapThrottle: int64(time.Millisecond), EvictAfter: -1}})
	require.NoError(t, err)
	require.NoError(t, n.Start(context.Background()))
	require.NoError(t, n.Connect(context20(t), *host.InfoFromHost(silent)))
	require.Eventually(t, func() bool { return len(n.Table()) == 1 }, bound, tick)
	require.NoError(t, n.Store().Put(p2p.StoredRecord{Key: []byte("/v/a"), Value: []byte("ok a")}))
	require.NoError(t, n.Provide(context.Background(), content, false))
	events := n.Events()

	var all sync.WaitGroup
	begun := waiting(n, silent.ID(), *host.InfoFromHost(silent))
	delete(begun, "Connect")
	for name, do := range begun {
		all.Go(func() {
			err := do(context.Background())
			if name != "SearchValue" && name != "FindProvidersAsync" { // their channels just end
				assert.ErrorIs(t, err, p2p.ErrClosed, name)
			}
		})
	}
	unread := n.FindProvidersAsync(context.Background(), content, 0) // knows of one: the node itself
	values, err := n.SearchValue(context.Background(), "/v/a")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(n.Queries()) >= len(begun) }, bound, tick)
	require.NoError(t, n.Close())
	all.Wait()
	_, open := <-unread
	assert.False(t, open)
	_, open = <-values
	assert.False(t, open)
	for range events { // what waited, and the end
	}
	require.NoError(t, n.Close(), "twice")
	assert.ErrorIs(t, n.Bootstrap(context.Background()), p2p.ErrClosed)
	assert.ErrorIs(t, n.Start(context.Background()), p2p.ErrClosed)
	require.NoError(t, silent.Close())
}

// TestTwiceInARow: a host outlives the nodes on it.
func TestTwiceInARow(t *testing.T) {
	leaves(t)
	h, server := bare(t), start(t, p2p.Config{Transports: []string{p2p.TCP}})
	for range 3 {
		n, err := p2p.New(p2p.Config{Host: h, Kad: kad.Config{Mode: kad.ModeServer}, Bootstrap: []string{server.Addrs()[0].String()}})
		require.NoError(t, err)
		require.NoError(t, n.Start(context20(t)))
		require.NoError(t, n.Connect(context20(t), info(server)))
		_, err = n.GetClosestPeers(context20(t), []byte("k"), 0)
		require.NoError(t, err)
		require.NoError(t, n.Close())
	}
	require.NoError(t, server.Close())
	require.NoError(t, h.Close())
}

// TestStartFails: half of a start is taken back, be it the context, the address or the host that failed.
func TestStartFails(t *testing.T) {
	leaves(t)
	n, err := p2p.New(p2p.Config{Transports: []string{p2p.TCP}})
	require.NoError(t, err)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	assert.ErrorIs(t, n.Start(ended), context.Canceled)
	require.NoError(t, n.Start(context.Background()), "the context was asked before anything was opened")
	require.NoError(t, n.Close())

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	n, err = p2p.New(p2p.Config{Transports: []string{p2p.TCP}, Listen: []string{"/ip4/127.0.0.1/tcp/" + port}})
	require.NoError(t, err)
	assert.Error(t, n.Start(context.Background()))
	assert.ErrorIs(t, n.Start(context.Background()), p2p.ErrClosed)
	for range n.Events() {
		t.Error("an event")
	}
	require.NoError(t, n.Close())

	never, err := p2p.New(p2p.Config{})
	require.NoError(t, err)
	require.NoError(t, never.Close())
}

// TestEventsReaders: several readers divide the events among them, and each of them ends with the node.
func TestEventsReaders(t *testing.T) {
	n := start(t, p2p.Config{Transports: []string{p2p.TCP}, Kad: kad.Config{BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}})
	var mu sync.Mutex
	seen := map[kad.QueryID]int{}
	var all sync.WaitGroup
	for range 3 {
		events := n.Events()
		all.Go(func() {
			for ev := range events {
				mu.Lock()
				seen[ev.Query]++
				mu.Unlock()
			}
		})
	}
	for range 30 {
		_, err := n.GetClosestPeers(context20(t), []byte("k"), 0)
		require.NoError(t, err)
	}
	require.NoError(t, n.Close())
	all.Wait()
	assert.Len(t, seen, 30)
	for _, times := range seen {
		assert.Equal(t, 1, times)
	}
	assert.Zero(t, n.Dropped())
}
