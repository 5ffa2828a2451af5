package network

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/harness/target"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/ipfs/go-log/v2/writer.(*MirrorWriter).logRoutine"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// suite is what every kind passes: a network of eight in which each does what a node can.
func suite(t *testing.T, k Kind, spec Spec) {
	const size = 8
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NotEmpty(t, k.Name())
	require.NotEmpty(t, k.Version())
	nodes := make([]Node, size)
	for i := range nodes {
		s := spec
		s.Seed, s.Server, s.Refresh = [32]byte{1, byte(i)}, true, 0
		n, err := k.New(ctx, s)
		require.NoError(t, err)
		t.Cleanup(func() { _ = n.Close() })
		nodes[i] = n
		if i > 0 {
			require.NoError(t, n.Connect(ctx, nodes[0].Info()))
		}
	}
	require.Eventually(t, func() bool { return len(nodes[0].Table()) == size-1 }, 10*time.Second, 5*time.Millisecond, "who connects enters the table")
	for range 2 {
		bootstrapAll(ctx, t, nodes)
	}
	for i, n := range nodes {
		require.Eventually(t, func() bool { return len(n.Table()) == size-1 }, 10*time.Second, 5*time.Millisecond, "node %d: %d", i, len(n.Table()))
	}
	if nodes[0].Host() != nil {
		assert.Positive(t, nodes[1].Stats().Requests)
		assert.Positive(t, nodes[1].Stats().Dials)
		// Who dials another that dials it may have asked on the connection that is then closed; and a lookup that has come to its
		// end waits for nobody: few of what it asked.
		assert.Less(t, 2*nodes[1].Stats().Failed, nodes[1].Stats().Requests)
	}
	t.Run("closest", func(t *testing.T) {
		for i, n := range nodes {
			finds(ctx, t, n, fmt.Appendf(nil, "key %d", i), nodes, i)
		}
	})
	t.Run("find peer", func(t *testing.T) {
		got, err := nodes[1].FindPeer(ctx, nodes[6].Info().ID)
		require.NoError(t, err)
		assert.Equal(t, nodes[6].Info().ID, got.ID)
		assert.NotEmpty(t, got.Addrs)
	})
	t.Run("provide and find", func(t *testing.T) {
		key, err := mh.Sum([]byte("something"), mh.SHA2_256, -1)
		require.NoError(t, err)
		for _, limit := range []int{0, 1} {
			require.ErrorIs(t, nodes[2].FindProviders(ctx, key, limit, func(peer.ID) {}), ErrNotFound)
		}
		require.NoError(t, nodes[1].Provide(ctx, key))
		require.NoError(t, nodes[3].Provide(ctx, key))
		require.EventuallyWithT(t, func(t *assert.CollectT) { // nobody acknowledges a provider
			var found []peer.ID
			assert.NoError(t, nodes[5].FindProviders(ctx, key, 0, func(p peer.ID) { found = append(found, p) }))
			assert.ElementsMatch(t, []peer.ID{nodes[1].Info().ID, nodes[3].Info().ID}, found)
		}, 10*time.Second, 20*time.Millisecond)
		found := 0
		require.NoError(t, nodes[5].FindProviders(ctx, key, 1, func(peer.ID) { found++ }))
		assert.Equal(t, 1, found)
	})
	t.Run("put and get", func(t *testing.T) {
		_, err := nodes[7].Get(ctx, "/v/nothing")
		require.ErrorIs(t, err, ErrNotFound)
		require.NoError(t, nodes[1].Put(ctx, "/v/something", []byte("ok value")))
		got, err := nodes[7].Get(ctx, "/v/something")
		require.NoError(t, err)
		assert.Equal(t, "ok value", string(got))
		assert.Error(t, nodes[1].Put(ctx, "/v/else", []byte("no value")))
	})
	t.Run("a context that has ended", func(t *testing.T) {
		over, end := context.WithCancel(ctx)
		end()
		_, err := nodes[1].Closest(over, []byte("key"))
		assert.Error(t, err)
		_, err = nodes[1].Get(over, "/v/something")
		assert.Error(t, err)
	})
	t.Run("a client is in nobody's table", func(t *testing.T) {
		s := spec
		s.Seed = [32]byte{2}
		n, err := k.New(ctx, s)
		require.NoError(t, err)
		defer func() { assert.NoError(t, n.Close()) }()
		require.NoError(t, n.Connect(ctx, nodes[0].Info()))
		require.Eventually(t, func() bool { return len(n.Table()) > 0 }, 10*time.Second, 5*time.Millisecond)
		finds(ctx, t, n, []byte("of a client"), nodes, -1)
		assert.NotContains(t, nodes[0].Table(), n.Info().ID)
	})
	for _, n := range nodes {
		assert.NoError(t, n.Close())
	}
}

// finds wants a lookup to find all nodes but one. On a busy machine it may end without who answers late, and the next knows better.
func finds(ctx context.Context, t *testing.T, n Node, key []byte, nodes []Node, but int) {
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		got, err := n.Closest(ctx, key)
		assert.NoError(t, err)
		assert.Equal(t, nearestOf(key, nodes, but), got)
	}, 20*time.Second, 5*time.Millisecond)
}

func bootstrapAll(ctx context.Context, t *testing.T, nodes []Node) {
	var done sync.WaitGroup
	for _, n := range nodes {
		done.Go(func() { assert.NoError(t, n.Bootstrap(ctx)) })
	}
	done.Wait()
}

// nearestOf are all nodes but one, nearest to a key first.
func nearestOf(key []byte, nodes []Node, but int) (ids []peer.ID) {
	at := sha256.Sum256(key)
	far := func(id peer.ID) []byte {
		d := sha256.Sum256([]byte(id))
		for i := range d {
			d[i] ^= at[i]
		}
		return d[:]
	}
	for i, n := range nodes {
		if i != but {
			ids = append(ids, n.Info().ID)
		}
	}
	slices.SortFunc(ids, func(a, b peer.ID) int { return bytes.Compare(far(a), far(b)) })
	return ids
}

func TestKinds(t *testing.T) {
	for _, name := range Names() {
		for over, spec := range map[string]Spec{
			"noise": {}, "tls": {Security: "tls", Unlimited: true}, "quic": {Transport: "quic"}, "late": {Delay: 2 * time.Millisecond},
		} {
			t.Run(name+" "+over, func(t *testing.T) {
				t.Parallel()
				k, err := Find(name)
				require.NoError(t, err)
				suite(t, k, spec)
			})
		}
	}
}

// TestProcesses has the process kind speak with references behind the lines of the control protocol.
func TestProcesses(t *testing.T) {
	t.Parallel()
	f, err := target.Parse("some=ref:mutant=none")
	if err != nil {
		f, err = target.Parse("some=ref:")
	}
	require.NoError(t, err)
	suite(t, Process(f), Spec{})
}

func TestRefused(t *testing.T) {
	_, err := Find("c")
	require.ErrorContains(t, err, "expected ref or go")
	k, err := Find("go")
	require.NoError(t, err)
	for _, s := range []Spec{{Transport: "mem"}, {Transport: "quic", Delay: time.Millisecond}, {Transport: "quic", Security: "tls"}} {
		_, err = k.New(t.Context(), s)
		require.ErrorIs(t, err, ErrUnsupported)
	}
	for _, s := range []Spec{{Listen: "localhost"}, {Security: "plain"}, {Delay: time.Minute}, {Delay: -1}} {
		_, err = k.New(t.Context(), s)
		require.Error(t, err)
	}
	ref, err := target.Parse("ref:")
	require.NoError(t, err)
	for _, s := range []Spec{{Delay: 1}, {Transport: "mem"}, {Security: "tls"}} {
		_, err = Process(ref).New(t.Context(), s)
		require.ErrorIs(t, err, ErrUnsupported)
	}
}

func TestKindOf(t *testing.T) {
	of := func(text string) string {
		f, err := target.Parse(text)
		require.NoError(t, err)
		k, err := KindOf(f)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%T %s", k, k.Name())
	}
	assert.Equal(t, "network.kind ref", of("ref:"))
	assert.Equal(t, "network.kind ref", of("our=ref:"))
	assert.Equal(t, "network.processes x", of("x=cmd:./a --b=c"))
	assert.Contains(t, of("addr:/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"), "it is one node")
	f, err := InProcess("go")
	require.NoError(t, err)
	assert.Equal(t, "go:", f.String())
	assert.Equal(t, "go", f.Name())
	k, err := KindOf(f)
	require.NoError(t, err)
	assert.Equal(t, "go", k.Name())
	_, err = f.New(t.Context())
	assert.ErrorIs(t, err, target.ErrUnsupported)
}
