package p2p_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// TestStore: what the application puts is held, listed, served and removed as what peers put is.
func TestStore(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n, client := on(t, hosts[0], kad.ModeServer), on(t, hosts[1], kad.ModeClient)
		defer n.Close()
		defer client.Close()
		require.NoError(t, client.Connect(t.Context(), info(n)))
		s := n.Store()
		key := []byte("/v/k")

		t0 := time.Now()
		require.NoError(t, s.Put(p2p.StoredRecord{Key: key, Value: []byte("ok k"), Publisher: stranger, Expires: t0.Add(time.Hour)}))
		got, ok := s.Get(key)
		require.True(t, ok)
		want := p2p.StoredRecord{Key: key, Value: []byte("ok k"), Publisher: stranger, Received: got.Received, Expires: got.Expires}
		assert.Equal(t, want, got)
		assert.True(t, got.Received.Equal(t0) && got.Expires.Equal(t0.Add(time.Hour)))
		assert.Equal(t, []p2p.StoredRecord{want}, s.Records())
		got.Value[0] = 'x' // a copy
		value, err := client.GetValue(t.Context(), string(key))
		require.NoError(t, err)
		assert.Equal(t, "ok k", string(value))

		assert.ErrorIs(t, s.Put(p2p.StoredRecord{Key: key, Value: []byte("no")}), p2p.ErrInvalid)
		assert.ErrorIs(t, s.Put(p2p.StoredRecord{Key: []byte("/x/k"), Value: []byte("ok")}), p2p.ErrNamespace)
		assert.ErrorIs(t, s.Put(p2p.StoredRecord{Key: key, Value: []byte("ok a")}), kad.ErrWorseRecord)
		assert.ErrorIs(t, s.Put(p2p.StoredRecord{Key: key, Value: append([]byte("ok z"), make([]byte, 70_000)...)}), p2p.ErrTooLarge)
		after(time.Hour) // the timer was set to its end
		synctest.Wait()
		assert.Empty(t, s.Records())
		require.NoError(t, s.Put(p2p.StoredRecord{Key: key, Value: []byte("ok a")}))
		require.NoError(t, s.Remove(key))
		_, ok = s.Get(key)
		assert.False(t, ok)
		require.NoError(t, s.Remove(key), "twice")
	})
}

func TestStoreProviders(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n, client := on(t, hosts[0], kad.ModeServer), on(t, hosts[1], kad.ModeClient)
		defer n.Close()
		defer client.Close()
		require.NoError(t, client.Connect(t.Context(), info(n)))
		s := n.Store()
		other := peer.AddrInfo{ID: stranger, Addrs: []ma.Multiaddr{somewhere}}
		require.NoError(t, s.AddProvider(p2p.StoredProvider{Key: multihash, Provider: other, Expires: time.Now().Add(time.Hour)}))
		require.NoError(t, n.Provide(t.Context(), content, false))
		list := s.Providers(multihash)
		require.Len(t, list, 2)
		assert.Equal(t, other, list[0].Provider)
		assert.Equal(t, info(n), list[1].Provider, "with the addresses of the present")
		assert.Equal(t, list[1:], s.Provided())
		got, err := client.GetProviders(t.Context(), multihash, 0)
		require.NoError(t, err)
		assert.Len(t, got.Providers, 2)

		assert.ErrorIs(t, s.AddProvider(p2p.StoredProvider{Key: multihash, Provider: peer.AddrInfo{ID: "x"}}), p2p.ErrInvalid)
		assert.ErrorIs(t, s.AddProvider(p2p.StoredProvider{Key: nil, Provider: other}), p2p.ErrInvalid)
		require.NoError(t, s.RemoveProvider(multihash, n.ID()))
		assert.Empty(t, s.Provided())
		require.NoError(t, s.RemoveProvider(multihash, hosts[1].ID()), "nobody")
		assert.Len(t, s.Providers(multihash), 1)
		for i := range 30 { // others cannot keep the node from saying what it provides
			require.NoError(t, s.AddProvider(p2p.StoredProvider{Key: multihash, Provider: peer.AddrInfo{ID: somebody(n, 0, i)}, Expires: time.Now().Add(time.Hour)}))
		}
		assert.Len(t, s.Providers(multihash), 20)
		require.NoError(t, n.Provide(t.Context(), content, false))
		assert.Len(t, s.Provided(), 1)
		assert.Len(t, s.Providers(multihash), 20)
		after(time.Hour)
		synctest.Wait()
		assert.Equal(t, s.Provided(), s.Providers(multihash))
	})
}

// TestStoreBeforeStart: a node may be given its records first, and forgets nothing of them.
func TestStoreBeforeStart(t *testing.T) {
	virtual(t, 1, func(t *testing.T, hosts []host.Host) {
		n, err := p2p.New(p2p.Config{Host: hosts[0], Validators: p2p.Namespaces("v"), Kad: kad.Config{Mode: kad.ModeServer}})
		require.NoError(t, err)
		s := n.Store()
		require.NoError(t, s.Put(p2p.StoredRecord{Key: []byte("/v/k"), Value: []byte("ok k"), Expires: time.Now().Add(time.Minute)}))
		require.NoError(t, n.Start(t.Context()))
		defer n.Close()
		assert.Len(t, s.Records(), 1)
		after(time.Minute)
		synctest.Wait()
		assert.Empty(t, s.Records())
		require.NoError(t, n.Close())
		assert.ErrorIs(t, s.Put(p2p.StoredRecord{Key: []byte("/v/k"), Value: []byte("ok k")}), p2p.ErrClosed)
	})
}

// TestStoreAtOnce is for the race detector: the view, the operations and the peers work on one store.
func TestStoreAtOnce(t *testing.T) {
	servers, client := swarm(t, 2, p2p.Config{Transports: []string{p2p.TCP}})
	var all sync.WaitGroup
	for i := range 4 {
		key := []byte{'/', 'v', '/', 'a' + byte(i)}
		all.Go(func() {
			for range 20 {
				assert.NoError(t, servers[0].Store().Put(p2p.StoredRecord{Key: key, Value: []byte("ok k")}))
				servers[0].Store().Records()
				assert.NoError(t, servers[0].Store().Remove(key))
			}
		})
		all.Go(func() {
			for range 10 {
				_, _ = client.PutRecord(context20(t), p2p.Record{Key: key, Value: []byte("ok k")}, kad.One)
				_, _ = client.GetRecord(context20(t), key, 0)
			}
		})
	}
	all.Wait()
}
