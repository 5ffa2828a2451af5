package kad_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// fullTablePeers makes peer ids that fill fifteen buckets of twenty around a local id.
func fullTablePeers(local []byte) [][]byte {
	rng := rand.New(rand.NewPCG(1, 1))
	own := kad.KeyOf(local)
	var have [15]int
	var ids [][]byte
	for len(ids) < 300 {
		id := randomID(rng)
		key := kad.KeyOf(id)
		if b := own.CommonPrefix(&key); b < len(have) && have[b] < 20 {
			have[b]++
			ids = append(ids, id)
		}
	}
	return ids
}

func randomID(rng *rand.Rand) []byte {
	id := []byte{0x12, 0x20}
	for range 32 {
		id = append(id, byte(rng.Uint32()))
	}
	return id
}

// BenchmarkNearest compares the 20 nearest peers of a full table of 300 with those of go-libp2p-kbucket.
func BenchmarkNearest(b *testing.B) {
	local := randomID(rand.New(rand.NewPCG(2, 2)))
	ids := fullTablePeers(local)
	rng := rand.New(rand.NewPCG(3, 3))
	targets := make([][]byte, 1024)
	for i := range targets {
		targets[i] = randomID(rng)
	}

	b.Run("kad", func(b *testing.B) {
		k, _ := tableOf(b, local, ids)
		keys := make([]kad.Key, len(targets))
		for i := range targets {
			keys[i] = kad.KeyOf(targets[i])
		}
		var dst []kad.Near
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			dst = k.Table().Nearest(dst[:0], &keys[i%len(keys)], 20)
		}
		require.Len(b, dst, 20)
	})
	b.Run("kbucket", func(b *testing.B) {
		rt, err := kbucket.NewRoutingTable(20, kbucket.ConvertPeerID(peer.ID(local)), time.Minute, peerstore.NewMetrics(), 100*time.Hour, nil)
		require.NoError(b, err)
		for _, id := range ids {
			_, err := rt.TryAddPeer(peer.ID(id), true, false)
			require.NoError(b, err)
		}
		require.Equal(b, 300, rt.Size())
		keys := make([]kbucket.ID, len(targets))
		for i := range targets {
			keys[i] = kbucket.ConvertPeerID(peer.ID(targets[i]))
		}
		var got []peer.ID
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			got = rt.NearestPeers(keys[i%len(keys)], 20)
		}
		require.Len(b, got, 20)
	})
}

// tableOf makes a node whose table holds the given peers.
func tableOf(tb testing.TB, local []byte, ids [][]byte) (*kad.Kademlia, *kad.Output) {
	k, err := kad.New(local, kad.NewDirectory(), kad.Config{Mode: kad.ModeServer})
	require.NoError(tb, err)
	var out kad.Output
	for i, id := range ids {
		in := kad.Input{Kind: kad.OpAddAddress, Peer: kad.PeerInfo{ID: id}, Addr: fmt.Appendf(nil, "/mem/%d", i)}
		k.Step(1, in, &out)
		require.Equal(tb, kad.UpdateSuccess, out.Update)
	}
	require.Equal(tb, len(ids), k.Table().Len())
	return k, &out
}

// BenchmarkFindNode is a whole Step that serves FIND_NODE from a full table.
func BenchmarkFindNode(b *testing.B) {
	local := randomID(rand.New(rand.NewPCG(2, 2)))
	ids := fullTablePeers(local)
	k, out := tableOf(b, local, ids)
	rng := rand.New(rand.NewPCG(3, 3))
	keys := make([][]byte, 1024)
	for i := range keys {
		keys[i] = randomID(rng)
	}
	in := kad.Input{Kind: kad.FindNodeReq, Peer: kad.PeerInfo{ID: ids[0]}, Request: 1}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in.Key = keys[i%len(keys)]
		k.Step(2, in, out)
	}
}
