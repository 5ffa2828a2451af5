package p2p_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	libp2precord "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// router is a routing.Routing and the host that it works on.
type router struct {
	routing.Routing
	h host.Host
}

// routers makes count of them, all in each other's tables.
type routers func(t *testing.T, count int) []router

// ours are Nodes.
func ours(t *testing.T, count int) (list []router) {
	servers, _ := swarm(t, count, p2p.Config{Transports: []string{p2p.TCP}})
	for _, n := range servers {
		list = append(list, router{n, n.Host()})
	}
	return list
}

// theirs are go-libp2p-kad-dht's.
func theirs(t *testing.T, count int) (list []router) {
	ctx := context20(t)
	var all []*dht.IpfsDHT
	for range count {
		h := bare(t)
		d, err := dht.New(h, dht.Mode(dht.ModeServer), dht.DisableAutoRefresh(), dht.AddressFilter(nil),
			dht.ProtocolPrefix("/test"), // under /ipfs no namespace may be added
			dht.Validator(libp2precord.NamespacedValidator{"v": greatest{}, "pk": libp2precord.PublicKeyValidator{}}))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, d.Close()) })
		for _, other := range list {
			require.NoError(t, h.Connect(ctx, *host.InfoFromHost(other.h)))
		}
		list, all = append(list, router{d, h}), append(all, d)
	}
	for _, d := range all {
		require.Eventually(t, func() bool { return d.RoutingTable().Size() == count-1 }, bound, tick)
	}
	return list
}

// greatest is the namespace v as go-libp2p validates.
type greatest struct{}

func (greatest) Validate(_ string, value []byte) error {
	if !bytes.HasPrefix(value, []byte("ok ")) {
		return errors.New("not ok")
	}
	return nil
}

func (greatest) Select(_ string, values [][]byte) (best int, err error) {
	for i := range values {
		if bytes.Compare(values[i], values[best]) > 0 {
			best = i
		}
	}
	return best, nil
}

// TestRouting holds a Node to what go-libp2p-kad-dht does behind the same interface.
func TestRouting(t *testing.T) {
	for name, make := range map[string]routers{"kad": ours, "go-libp2p-kad-dht": theirs} {
		t.Run(name, func(t *testing.T) { testRouting(t, make) })
	}
}

func testRouting(t *testing.T, make routers) {
	ctx := context20(t)
	rs := make(t, 4)

	t.Run("values", func(t *testing.T) {
		require.NoError(t, rs[0].PutValue(ctx, "/v/a", []byte("ok 1")))
		for _, r := range rs {
			got, err := r.GetValue(ctx, "/v/a")
			require.NoError(t, err)
			assert.Equal(t, "ok 1", string(got))
		}
		require.NoError(t, rs[1].PutValue(ctx, "/v/a", []byte("ok 2")))
		got, err := rs[2].GetValue(ctx, "/v/a", dht.Quorum(2))
		require.NoError(t, err)
		assert.Equal(t, "ok 2", string(got))
		assert.Error(t, rs[1].PutValue(ctx, "/v/a", []byte("ok 1")), "a worse one than is held")
		assert.Error(t, rs[1].PutValue(ctx, "/v/b", []byte("no")))
		assert.Error(t, rs[1].PutValue(ctx, "/x/b", []byte("ok")))
	})
	t.Run("no such value", func(t *testing.T) {
		_, err := rs[0].GetValue(ctx, "/v/nothing")
		assert.ErrorIs(t, err, routing.ErrNotFound)
		values, err := rs[0].SearchValue(ctx, "/v/nothing")
		require.NoError(t, err)
		for v := range values {
			t.Errorf("%q", v)
		}
	})
	t.Run("search", func(t *testing.T) {
		require.NoError(t, rs[0].PutValue(ctx, "/v/s", []byte("ok s")))
		values, err := rs[3].SearchValue(ctx, "/v/s")
		require.NoError(t, err)
		var all []string
		for v := range values {
			all = append(all, string(v))
		}
		assert.Equal(t, []string{"ok s"}, all, "each better than the last")
	})
	t.Run("providers", func(t *testing.T) {
		require.NoError(t, rs[0].Provide(ctx, content, true))
		require.NoError(t, rs[1].Provide(ctx, content, true))
		for count, want := range map[int]int{0: 2, 1: 1, 2: 2, 9: 2} {
			found := map[peer.ID]bool{}
			for p := range rs[3].FindProvidersAsync(ctx, content, count) {
				assert.False(t, found[p.ID], "twice")
				found[p.ID] = true
			}
			assert.Len(t, found, want, "count %d", count)
		}
		require.NoError(t, rs[2].Provide(ctx, cid.NewCidV1(cid.Raw, []byte("\x12\x20a digest of what is not announced")[:34]), false))
		assert.Error(t, rs[2].Provide(ctx, cid.Undef, true))
		for p := range rs[2].FindProvidersAsync(ctx, cid.Undef, 0) {
			t.Error(p)
		}
	})
	t.Run("peers", func(t *testing.T) {
		h := connect2(t, bare(t), rs[3].h)
		require.Eventually(t, func() bool { // identify
			found, err := rs[0].FindPeer(ctx, h.ID())
			return err == nil && found.ID == h.ID() && len(found.Addrs) > 0
		}, bound, 10*tick)
		_, err := rs[0].FindPeer(ctx, stranger)
		assert.ErrorIs(t, err, routing.ErrNotFound)
		_, err = rs[0].FindPeer(ctx, "")
		assert.Error(t, err)
	})
	t.Run("public key", func(t *testing.T) {
		key, _, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
		require.NoError(t, err)
		id, err := peer.IDFromPrivateKey(key)
		require.NoError(t, err)
		value, err := crypto.MarshalPublicKey(key.GetPublic())
		require.NoError(t, err)
		require.NoError(t, rs[0].PutValue(ctx, routing.KeyForPublicKey(id), value))
		got, err := routing.GetPublicKey(rs[2], ctx, id)
		require.NoError(t, err)
		assert.True(t, key.GetPublic().Equals(got))
		fetcher := rs[2].Routing.(routing.PubKeyFetcher)
		require.Nil(t, rs[2].h.Peerstore().PubKey(id))
		got, err = fetcher.GetPublicKey(ctx, id)
		require.NoError(t, err)
		assert.True(t, key.GetPublic().Equals(got))
		assert.True(t, key.GetPublic().Equals(rs[2].h.Peerstore().PubKey(id)), "it is kept")
		got, err = fetcher.GetPublicKey(ctx, rs[1].h.ID())
		require.NoError(t, err)
		assert.True(t, rs[1].h.Peerstore().PubKey(rs[1].h.ID()).Equals(got))
		_, err = fetcher.GetPublicKey(ctx, stranger)
		assert.Error(t, err)
	})
	t.Run("bootstrap", func(t *testing.T) { assert.NoError(t, rs[1].Bootstrap(ctx)) })
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		values, err := rs[3].SearchValue(ctx, "/v/s")
		require.NoError(t, err)
		found := rs[3].FindProvidersAsync(ctx, content, 0)
		cancel() // nobody reads, and no goroutine is left
		require.Eventually(t, func() bool {
			_, open := <-values
			return !open
		}, bound, tick)
		require.Eventually(t, func() bool {
			_, open := <-found
			return !open
		}, bound, tick)
	})
}

func connect2(t *testing.T, h, to host.Host) host.Host {
	require.NoError(t, h.Connect(context20(t), *host.InfoFromHost(to)))
	return h
}

// TestRoutingErrors: errors.Is finds our name of an error and go-libp2p's.
func TestRoutingErrors(t *testing.T) {
	ctx := context20(t)
	n := start(t, p2p.Config{Transports: []string{p2p.TCP}})
	_, err := n.GetValue(ctx, "/v/k")
	assert.ErrorIs(t, err, routing.ErrNotFound)
	assert.ErrorIs(t, err, p2p.ErrNotFound)
	for _, err := range []error{
		n.PutValue(ctx, "/x/k", []byte("ok")),
		second(n.GetValue(ctx, "/x/k")),
		second(n.SearchValue(ctx, "/x/k")),
	} {
		assert.ErrorIs(t, err, routing.ErrNotSupported)
		assert.ErrorIs(t, err, p2p.ErrNamespace)
	}
	assert.ErrorIs(t, second(n.GetValue(ctx, "k")), p2p.ErrInvalid)
	assert.ErrorIs(t, n.PutValue(ctx, "/v/k", []byte("ok"), p2p.Quorum(-1)), p2p.ErrInvalid)

	// Nobody to ask.
	err = n.PutValue(ctx, "/v/k", []byte("ok k"))
	assert.ErrorIs(t, err, p2p.ErrNoPeers)
	assert.ErrorIs(t, err, p2p.ErrQuorum)
	_, err = n.FindPeer(ctx, stranger)
	assert.ErrorIs(t, err, p2p.ErrNoPeers)
	assert.ErrorIs(t, err, routing.ErrNotFound)
	assert.ErrorIs(t, n.Provide(ctx, content, true), p2p.ErrNoPeers)
	assert.ErrorIs(t, n.Bootstrap(ctx), p2p.ErrNoPeers)

	require.NoError(t, n.Close())
	assert.ErrorIs(t, n.PutValue(ctx, "/v/k", []byte("ok k")), p2p.ErrClosed)
	assert.ErrorIs(t, second(n.GetValue(ctx, "/v/k")), p2p.ErrClosed)
	assert.ErrorIs(t, second(n.SearchValue(ctx, "/v/k")), p2p.ErrClosed)
	assert.ErrorIs(t, n.Provide(ctx, content, false), p2p.ErrClosed)
	for range n.FindProvidersAsync(ctx, content, 0) {
		t.Error("a provider")
	}
}

func second[T any](_ T, err error) error { return err }

// TestRoutingOptions: quorum, offline and expired.
func TestRoutingOptions(t *testing.T) {
	virtual(t, 4, func(t *testing.T, hosts []host.Host) {
		ctx := t.Context()
		var servers []*p2p.Node
		for _, h := range hosts[1:] {
			servers = append(servers, on(t, h, kad.ModeServer))
		}
		n := on(t, hosts[0], kad.ModeClient)
		for _, s := range servers {
			defer s.Close()
			require.NoError(t, n.Connect(ctx, info(s)))
		}
		defer n.Close()

		// Each of three has another value: whoever wants one takes what comes first, whoever wants all gets the best.
		for i, s := range servers {
			require.NoError(t, s.Store().Put(p2p.StoredRecord{Key: []byte("/v/q"), Value: []byte{'o', 'k', ' ', '1' + byte(i)}}))
		}
		for _, quorum := range []routing.Option{p2p.Quorum(1), dht.Quorum(1)} {
			values, err := n.SearchValue(ctx, "/v/q", quorum)
			require.NoError(t, err)
			assert.Len(t, collect(values), 1)
		}
		got, err := n.GetValue(ctx, "/v/q")
		require.NoError(t, err)
		assert.Equal(t, "ok 3", string(got))
		assert.ErrorIs(t, n.PutValue(ctx, "/v/far", []byte("ok"), p2p.Quorum(3)), p2p.ErrInvalid)
		assert.NoError(t, n.PutValue(ctx, "/v/far", []byte("ok far"), p2p.Quorum(3)))

		// Offline is this node's store, and takes no time.
		took := stopwatch()
		_, err = n.GetValue(ctx, "/v/s", routing.Offline)
		assert.ErrorIs(t, err, routing.ErrNotFound)
		require.NoError(t, n.PutValue(ctx, "/v/s", []byte("ok s"), routing.Offline))
		assert.ErrorIs(t, n.PutValue(ctx, "/v/s", []byte("ok a"), routing.Offline), kad.ErrWorseRecord)
		got, err = n.GetValue(ctx, "/v/s", routing.Offline)
		require.NoError(t, err)
		assert.Equal(t, "ok s", string(got))
		assert.Zero(t, took())
		for _, s := range servers {
			_, held := s.Store().Get([]byte("/v/s"))
			assert.False(t, held)
		}

		// A value that has expired counts only for whoever says so, and only where there is no other.
		require.NoError(t, n.Store().Put(p2p.StoredRecord{Key: []byte("/v/old"), Value: []byte("ok old"), Expires: time.Now().Add(time.Minute)}))
		after(time.Minute - time.Millisecond)
		require.NoError(t, n.Store().Put(p2p.StoredRecord{Key: []byte("/v/old"), Value: []byte("ok old"), Expires: time.Now()}))
		for _, c := range []struct {
			options []routing.Option
			err     error
		}{
			{[]routing.Option{routing.Offline}, routing.ErrNotFound},
			{[]routing.Option{routing.Offline, routing.Expired}, nil},
			{[]routing.Option{routing.Expired}, nil},
		} {
			got, err := n.GetValue(ctx, "/v/old", c.options...)
			assert.ErrorIs(t, err, c.err)
			assert.Equal(t, c.err == nil, string(got) == "ok old")
		}
		synctest.Wait()
	})
}

func collect[T any](ch <-chan T) (all []T) {
	for v := range ch {
		all = append(all, v)
	}
	return all
}

// TestSearchValue streams better values only, in any order of arrival.
func TestSearchValue(t *testing.T) {
	for _, c := range []struct{ arrive, want string }{
		{"123", "123"}, {"132", "13"}, {"213", "23"}, {"231", "23"}, {"312", "3"}, {"321", "3"}, {"222", "2"},
	} {
		t.Run(c.arrive, func(t *testing.T) {
			virtual(t, 4, func(t *testing.T, hosts []host.Host) {
				n := on(t, hosts[0], kad.ModeClient)
				defer n.Close()
				for i, h := range hosts[1:] {
					serving(h, func(m *wire.Message, s network.Stream) bool {
						if m.Type != wire.GetValue {
							return answer(s, *m)
						}
						after(time.Duration(i) * 100 * time.Millisecond)
						return answer(s, recordAs(wire.GetValue, "/v/k", "ok "+c.arrive[i:i+1]))
					})
					require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(h)))
				}
				values, err := n.SearchValue(t.Context(), "/v/k")
				require.NoError(t, err)
				var got string
				for _, v := range collect(values) {
					got += strings.TrimPrefix(string(v), "ok ")
				}
				assert.Equal(t, c.want, got)

				var all string // StreamRecords leaves out none
				for r, err := range n.StreamRecords(t.Context(), []byte("/v/k")) {
					require.NoError(t, err)
					all += strings.TrimPrefix(string(r.Value), "ok ")
				}
				assert.Equal(t, c.arrive, all)
				synctest.Wait()
			})
		})
	}
}

// TestLibp2pRouting: a go-libp2p host with a Node as its router connects to a peer of whom it knows the id alone.
func TestLibp2pRouting(t *testing.T) {
	ctx := context20(t)
	servers, _ := swarm(t, 3, p2p.Config{Transports: []string{p2p.TCP}})
	var n *p2p.Node
	h := bare(t, libp2p.Routing(func(h host.Host) (routing.PeerRouting, error) {
		var err error
		if n, err = p2p.New(p2p.Config{Host: h, Kad: kad.Config{Mode: kad.ModeClient}}); err != nil {
			return nil, err
		}
		return n, n.Start(ctx)
	}))
	defer func() { assert.NoError(t, n.Close()) }()
	require.NoError(t, n.Connect(ctx, info(servers[0])))
	require.Empty(t, h.Peerstore().Addrs(servers[2].ID()))
	require.NoError(t, h.Connect(ctx, peer.AddrInfo{ID: servers[2].ID()}))
	assert.Error(t, h.Connect(ctx, peer.AddrInfo{ID: stranger}))
}

// TestPublishName publishes and resolves a name as a program does that knows routing.ValueStore alone.
func TestPublishName(t *testing.T) {
	ctx := context20(t)
	var store []routing.ValueStore
	for _, r := range ours(t, 3) {
		store = append(store, r)
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	require.NoError(t, err)
	id, err := peer.IDFromPrivateKey(key)
	require.NoError(t, err)
	name := ipns.NameFromPeer(id)
	for seq := range uint64(2) {
		rec, err := ipns.NewRecord(key, path.FromCid(content), seq, time.Now().Add(time.Hour), time.Minute)
		require.NoError(t, err)
		value, err := ipns.MarshalRecord(rec)
		require.NoError(t, err)
		require.NoError(t, store[seq].PutValue(ctx, string(name.RoutingKey()), value))
	}
	value, err := store[2].GetValue(ctx, string(name.RoutingKey()))
	require.NoError(t, err)
	rec, err := ipns.UnmarshalRecord(value)
	require.NoError(t, err)
	seq, err := rec.Sequence()
	require.NoError(t, err)
	assert.Equal(t, uint64(1), seq)
}
