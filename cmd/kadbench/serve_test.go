package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// serving starts a node that listens over TCP on loopback, and gives the line that says where.
func serving(t *testing.T, args ...string) (r ready, end func()) {
	cmd := exec.Command(os.Args[0], append([]string{"serve", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"}, args...)...)
	cmd.Args[0] = "kadbench" // by this name TestMain knows what it is
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.NoError(t, json.NewDecoder(bufio.NewReader(out)).Decode(&r))
	return r, func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		assert.NoError(t, cmd.Wait())
	}
}

// TestServeStore: what a node was given before it ended it still has when it is started again, under the same id; and it
// tells Prometheus what it does.
func TestServeStore(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := []string{"--seed", "7", "--store", t.TempDir(), "--metrics", "127.0.0.1:0"}
	key := []byte("\x12\x20the digest of something provided")
	client := func(r ready) *p2p.Node {
		n, err := p2p.New(p2p.Config{Kad: kad.Config{Mode: kad.ModeClient}, Bootstrap: r.Addrs})
		require.NoError(t, err)
		require.NoError(t, n.Start(ctx))
		require.NoError(t, n.Bootstrap(ctx))
		return n
	}

	first, end := serving(t, args...)
	provider := client(first)
	_, err := provider.StartProviding(ctx, key)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(t *assert.CollectT) { // nobody acknowledges a provider
		resp, err := http.Get(first.Metrics)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Contains(t, string(text), `libp2p_kad_inbound_requests_total{request="AddProvider"} 1`)
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, provider.Close())
	end()

	second, end := serving(t, args...)
	defer end()
	assert.Equal(t, first.Peer, second.Peer)
	other := client(second)
	defer other.Close()
	found, err := other.GetProviders(ctx, key, 0)
	require.NoError(t, err)
	require.Len(t, found.Providers, 1)
	assert.Equal(t, []peer.ID{provider.ID()}, []peer.ID{found.Providers[0].ID})
}
