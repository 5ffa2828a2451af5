package network

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// coreOperations are those of which the core tells its hops.
var coreOperations = map[string]func(ctx context.Context, n *refNode, key string) (result []peer.ID, hops uint32, err error){
	"lookup": func(ctx context.Context, n *refNode, key string) (result []peer.ID, hops uint32, err error) {
		got, err := n.GetClosestPeers(ctx, []byte(key), 0)
		for _, p := range got.Peers {
			result = append(result, p.ID)
		}
		return result, got.Stats.Hops, err
	},
	"provide": func(ctx context.Context, n *refNode, key string) ([]peer.ID, uint32, error) {
		got, err := n.StartProviding(ctx, []byte(key))
		return nil, got.Stats.Hops, err
	},
	"find": func(ctx context.Context, n *refNode, key string) ([]peer.ID, uint32, error) {
		got, err := n.GetProviders(ctx, []byte(key), 0)
		return nil, got.Stats.Hops, err
	},
	"put": func(ctx context.Context, n *refNode, key string) ([]peer.ID, uint32, error) {
		got, err := n.PutRecord(ctx, p2p.Record{Key: []byte(key), Value: valueOf(1)}, 1)
		return nil, got.Stats.Hops, err
	},
	"get": func(ctx context.Context, n *refNode, key string) ([]peer.ID, uint32, error) {
		got, err := n.GetRecord(ctx, []byte(key), 0)
		return nil, got.Stats.Hops, err
	},
}

// TestHopsAreTheCores: what is counted on the wire is what the core says of itself, of each operation. Each node answers late by
// a time of its own, so that no two answers come at once: else the core might take them in another order than they were read.
func TestHopsAreTheCores(t *testing.T) {
	for name, spec := range map[string]Spec{"narrow": {K: 4, Alpha: 3, Beta: 3}, "amino": {}, "silent": {K: 8, Alpha: 1, Beta: 8}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := refNodes(t, 60, spec)
				for i, n := range nodes {
					n.counted().mood.silent.Store(name == "silent" && i%5 == 0)
				}
				seen := map[uint32]int{}
				for i := range 80 {
					for j, op := range []string{"lookup", "provide", "find", "put", "get"} {
						n := nodes[(7*i+13*j)%len(nodes)]
						key := fmt.Sprintf("/v/%d", i)
						if op == "provide" || op == "find" {
							key = multihash(t, i)
						}
						stop := n.counted().watch(key, cmp.Or(spec.K, 20), n.Table())
						result, hops, err := coreOperations[op](t.Context(), n, key)
						require.NoError(t, err)
						require.Equal(t, hops, stop(result).hops, "%s %d", op, i)
						seen[hops]++
						require.NoError(t, sleep(t.Context(), time.Second)) // what it has left to be done
					}
				}
				t.Log(seen)
				assert.Zero(t, seen[0])
				if name != "amino" {
					assert.Greater(t, len(seen), 2, "chains of several lengths")
				}
			})
		})
	}
}

func multihash(t *testing.T, i int) string {
	hash, err := mh.Sum(fmt.Append(nil, i), mh.SHA2_256, -1)
	require.NoError(t, err)
	return string(hash)
}

// refNodes are nodes that know each other as the protocol makes it.
func refNodes(t *testing.T, count int, spec Spec) (nodes []*refNode) {
	k, err := Find("ref")
	require.NoError(t, err)
	m := NewMem(5 * time.Millisecond)
	for i := range count {
		s := spec
		s.Seed, s.Server, s.owned = [32]byte{7, byte(i)}, true, true
		s.Host, err = m.Host(s.Seed)
		require.NoError(t, err)
		n, err := k.New(t.Context(), s)
		require.NoError(t, err)
		t.Cleanup(func() { _ = n.Close() })
		nodes = append(nodes, n.(*refNode))
		nodes[i].counted().mood.late.Store(int64(time.Millisecond) + rand.New(rand.NewPCG(2, uint64(i))).Int64N(int64(50*time.Millisecond)))
		if i > 0 {
			require.NoError(t, n.Connect(t.Context(), nodes[i/2].Info()))
		}
	}
	for range 2 {
		for _, n := range nodes {
			require.NoError(t, n.Bootstrap(t.Context()))
		}
	}
	return nodes
}

// TestChains: the first who names a peer counts; what is named once a record is on its way does not, nor what is beyond the bound.
func TestChains(t *testing.T) {
	names := func(ids ...string) []byte {
		var m wire.Message
		for _, id := range ids {
			m.CloserPeers = append(m.CloserPeers, wire.Peer{ID: []byte(id), Addrs: wire.MakeAddrs([]byte("an address"))})
		}
		return wire.Append(nil, &m)
	}
	begun := func() *chains {
		c := chainsTo("k", 2, []peer.ID{"a", "b"})
		c.ask(wire.FindNode, "a")
		c.answer("a", names("b", "c", "d"))
		return c
	}
	c := begun()
	c.answer("c", names("d", "e"))
	c.ask(wire.FindNode, "far") // of the table, too
	c.answer("e", names("far", "f"))
	for id, hops := range map[peer.ID]uint8{"a": 1, "b": 1, "c": 2, "d": 2, "e": 3, "far": 1, "f": 4, "unheard": 1} {
		assert.Equal(t, hops, c.longest([]peer.ID{id, "a"}), id)
	}
	near := nearest([]peer.ID{"a", "c", "e"}, c.target, 2, keyOfPeer, func(peer.ID) bool { return true })
	assert.Equal(t, c.longest(near), c.longest(nil), "the nearest that have answered")
	assert.Zero(t, chainsTo("k", 2, []peer.ID{"a"}).longest(nil), "nobody has")

	for _, kind := range []wire.Type{wire.PutValue, wire.AddProvider} {
		c = begun()
		c.ask(kind, "b")
		c.answer("c", names("e"))
		assert.EqualValues(t, 1, c.longest([]peer.ID{"e"}))
		assert.EqualValues(t, 1, c.longest(nil), "a alone has answered")
	}

	c = begun()
	for i := range 3 * maxMet {
		id := peer.ID(fmt.Sprint(i))
		c.ask(wire.FindNode, id)
		c.answer(id, names(fmt.Sprint("of ", i)))
	}
	assert.Len(t, c.hops, maxMet)
	assert.Len(t, c.answered, maxMet)

	c = begun()
	for i := range 1000 {
		c.answer(peer.ID(fmt.Sprint(i-1)), names(fmt.Sprint(i)))
	}
	assert.EqualValues(t, 255, c.longest([]peer.ID{"999"}))
}

func BenchmarkChains(b *testing.B) {
	ids := make([]peer.ID, 100)
	for i := range ids {
		ids[i] = peer.ID(fmt.Sprintf("%038d", i*7919))
	}
	var m wire.Message
	for _, id := range ids[:20] {
		m.CloserPeers = append(m.CloserPeers, wire.Peer{ID: []byte(id), Addrs: wire.MakeAddrs([]byte("an address of 40 bytes, or a few more"))})
	}
	body := wire.Append(nil, &m)
	b.ReportAllocs()
	for b.Loop() {
		c := chainsTo("key", 20, ids)
		for _, id := range ids[:20] {
			c.ask(wire.FindNode, id)
			c.answer(id, body)
		}
		c.longest(ids[:20])
	}
}
