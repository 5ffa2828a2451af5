package p2p_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// TestQueries: what runs can be seen while it runs, and be ended; whoever waits for it gets what was reached.
func TestQueries(t *testing.T) {
	virtual(t, 3, func(t *testing.T, hosts []host.Host) {
		hanging(hosts[1])
		server, n := on(t, hosts[2], kad.ModeServer), on(t, hosts[0], kad.ModeClient)
		defer server.Close()
		defer n.Close()
		for _, h := range hosts[1:] {
			require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(h)))
		}
		events := n.Events()
		var closest p2p.ClosestPeers
		var failed error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			closest, failed = n.GetClosestPeers(t.Context(), []byte("k"), 0)
		}()
		providers := make(chan error)
		go func() {
			_, err := n.GetProviders(t.Context(), multihash, 0)
			providers <- err
		}()
		after(time.Second)
		running := n.Queries()
		require.Len(t, running, 2)
		assert.Less(t, running[0].ID(), running[1].ID())
		var q p2p.Query
		for _, r := range running {
			if info, ok := r.Info(); ok && info.Kind == kad.ResGetClosestPeers {
				assert.Equal(t, "k", string(info.Key))
				q = r
			}
		}
		same, ok := n.Query(q.ID())
		require.True(t, ok)
		assert.Equal(t, q, same)
		stats, ok := q.Stats()
		require.True(t, ok)
		assert.Equal(t, p2p.Stats{Requests: 2, Successes: 1, Hops: stats.Hops, Duration: time.Second}, stats)

		took := stopwatch()
		require.NoError(t, q.Finish())
		<-ended
		assert.Zero(t, took())
		require.NoError(t, failed)
		require.Len(t, closest.Peers, 1)
		assert.Equal(t, server.ID(), closest.Peers[0].ID)

		// It has ended, and says so in every way.
		assert.ErrorIs(t, q.Finish(), kad.ErrUnknownQuery)
		_, ok = q.Info()
		assert.False(t, ok)
		_, ok = q.Stats()
		assert.False(t, ok)
		_, ok = n.Query(q.ID())
		assert.False(t, ok)
		assert.Len(t, n.Queries(), 1)
		ev := <-events
		assert.Equal(t, kad.QueryProgressed, ev.Kind)
		assert.Equal(t, q.ID(), ev.Query)
		assert.True(t, ev.Step.Last)
		assert.NoError(t, <-providers)
		after(15 * time.Second)
		synctest.Wait()
	})
}

// TestBootstrapProgress: each lookup of a bootstrap is told with how many remain.
func TestBootstrapProgress(t *testing.T) {
	servers, _ := swarm(t, 6, p2p.Config{Transports: []string{p2p.TCP}, Kad: kad.Config{BootstrapThrottle: -1, BootstrapInterval: -1}})
	n := servers[0]
	events := n.Events()
	require.NoError(t, n.Bootstrap(context20(t)))
	var remaining []uint32
	for ev := range events {
		if ev.Kind == kad.QueryProgressed && ev.Result == kad.ResBootstrap {
			remaining = append(remaining, ev.Remaining)
			assert.Equal(t, ev.Remaining == 0, ev.Step.Last)
			assert.Equal(t, uint32(len(remaining)), ev.Step.Count)
			if ev.Step.Last {
				break
			}
		}
	}
	for i, r := range remaining {
		assert.Equal(t, len(remaining)-1-i, int(r))
	}
}

// TestStreams: results come as they arrive, and to stop reading ends the query.
func TestStreams(t *testing.T) {
	virtual(t, 3, func(t *testing.T, hosts []host.Host) {
		hanging(hosts[1])
		server, n := on(t, hosts[2], kad.ModeServer), on(t, hosts[0], kad.ModeClient)
		defer server.Close()
		defer n.Close()
		for _, h := range hosts[1:] {
			require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(h)))
		}
		require.NoError(t, server.Store().Put(p2p.StoredRecord{Key: []byte("/v/k"), Value: []byte("ok k")}))
		require.NoError(t, server.Store().AddProvider(p2p.StoredProvider{Key: multihash, Provider: info(n)}))
		require.NoError(t, server.Store().AddProvider(p2p.StoredProvider{Key: multihash, Provider: info(server)}))

		// The one that is silent would keep a collected call for ten seconds.
		took := stopwatch()
		for r, err := range n.StreamRecords(t.Context(), []byte("/v/k")) {
			require.NoError(t, err)
			assert.Equal(t, server.ID(), r.Peer)
			assert.Equal(t, "ok k", string(r.Value))
			break
		}
		for p, err := range n.StreamProviders(t.Context(), multihash) {
			require.NoError(t, err)
			assert.Contains(t, []any{server.ID(), n.ID()}, p.ID)
			break
		}
		assert.Less(t, took(), time.Second)
		synctest.Wait()
		assert.Empty(t, n.Queries())

		// The rest, to the end.
		var peers int
		for _, err := range n.StreamProviders(t.Context(), multihash) {
			require.NoError(t, err)
			peers++
		}
		assert.Positive(t, peers)
		var last error
		for _, err := range n.StreamRecords(t.Context(), []byte("/v/none")) {
			last = err
		}
		assert.ErrorIs(t, last, p2p.ErrNotFound)
		after(15 * time.Second)
		synctest.Wait()
	})
}

// TestAbandonedPut: a put whose context ends while it looks does not go on to give to those it has found.
func TestAbandonedPut(t *testing.T) {
	virtual(t, 3, func(t *testing.T, hosts []host.Host) {
		hanging(hosts[1])
		server, n := on(t, hosts[2], kad.ModeServer), on(t, hosts[0], kad.ModeClient)
		defer server.Close()
		defer n.Close()
		for _, h := range hosts[1:] {
			require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(h)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := n.PutRecord(ctx, p2p.Record{Key: []byte("/v/k"), Value: []byte("ok k")}, kad.One)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		after(15 * time.Second)
		_, held := server.Store().Get([]byte("/v/k"))
		assert.False(t, held)
	})
}

// TestUnread: a channel that nobody reads is closed with its context, and holds nothing back.
func TestUnread(t *testing.T) {
	virtual(t, 1, func(t *testing.T, hosts []host.Host) {
		n := on(t, hosts[0], kad.ModeServer)
		defer n.Close()
		require.NoError(t, n.Store().Put(p2p.StoredRecord{Key: []byte("/v/k"), Value: []byte("ok k")}))
		require.NoError(t, n.Provide(t.Context(), content, false))
		ctx, cancel := context.WithCancel(t.Context())
		values, err := n.SearchValue(ctx, "/v/k")
		require.NoError(t, err)
		found := n.FindProvidersAsync(ctx, content, 0)
		synctest.Wait() // both have something to say
		cancel()
		synctest.Wait()
		_, open := <-values
		assert.False(t, open)
		_, open = <-found
		assert.False(t, open)
	})
}
