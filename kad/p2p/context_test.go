package p2p_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// stranger is the id of a peer that is nowhere; its key cannot be had from it.
var stranger = peer.ID("\x12\x20someone whom nobody has ever met")

// content is the CID of what multihash is the hash of.
var content = cid.NewCidV1(cid.Raw, multihash)

// waiting are all methods that wait for others, each with a peer that reads requests and says nothing.
func waiting(n *p2p.Node, silent peer.ID, unreachable peer.AddrInfo) map[string]func(ctx context.Context) error {
	key, rec := []byte("/v/k"), p2p.Record{Key: []byte("/v/k"), Value: []byte("ok k")}
	return map[string]func(ctx context.Context) error{
		"Connect":         func(ctx context.Context) error { return n.Connect(ctx, unreachable) },
		"Bootstrap":       n.Bootstrap,
		"GetClosestPeers": func(ctx context.Context) error { _, err := n.GetClosestPeers(ctx, []byte("k"), 0); return err },
		"LookupPeer":      func(ctx context.Context) error { _, err := n.LookupPeer(ctx, stranger); return err },
		"FindPeer":        func(ctx context.Context) error { _, err := n.FindPeer(ctx, stranger); return err },
		"GetRecord":       func(ctx context.Context) error { _, err := n.GetRecord(ctx, key, 0); return err },
		"PutRecord":       func(ctx context.Context) error { _, err := n.PutRecord(ctx, rec, kad.One); return err },
		"PutRecordTo": func(ctx context.Context) error {
			_, err := n.PutRecordTo(ctx, rec, []peer.ID{silent}, kad.One)
			return err
		},
		"StartProviding": func(ctx context.Context) error { _, err := n.StartProviding(ctx, multihash); return err },
		"GetProviders":   func(ctx context.Context) error { _, err := n.GetProviders(ctx, multihash, 0); return err },
		"StreamRecords": func(ctx context.Context) (last error) {
			for _, err := range n.StreamRecords(ctx, []byte("/v/other")) {
				last = err
			}
			return last
		},
		"StreamProviders": func(ctx context.Context) (last error) {
			for _, err := range n.StreamProviders(ctx, []byte("other")) {
				last = err
			}
			return last
		},
		"PutValue":     func(ctx context.Context) error { return n.PutValue(ctx, "/v/k", []byte("ok k")) },
		"GetValue":     func(ctx context.Context) error { _, err := n.GetValue(ctx, "/v/other"); return err },
		"GetPublicKey": func(ctx context.Context) error { _, err := n.GetPublicKey(ctx, stranger); return err },
		"Provide":      func(ctx context.Context) error { return n.Provide(ctx, content, true) },
		"SearchValue": func(ctx context.Context) error {
			values, err := n.SearchValue(ctx, "/v/other")
			if err != nil {
				return err
			}
			for range values {
				return io.ErrUnexpectedEOF // nobody has any
			}
			return ctx.Err()
		},
		"FindProvidersAsync": func(ctx context.Context) error {
			for range n.FindProvidersAsync(ctx, cid.NewCidV1(cid.Raw, []byte("\x12\x20another digest, which nobody has!")), 0) {
				return io.ErrUnexpectedEOF
			}
			return ctx.Err()
		},
	}
}

// TestContexts: a call whose context is cancelled, or whose deadline passes, returns at that instant, whatever it waits
// for, and its query does not go on without it.
func TestContexts(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		hanging(hosts[1])
		n := on(t, hosts[0], kad.ModeClient)
		defer n.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		// Nobody listens on that port of the simulated network, and nobody says so.
		nobody := peer.AddrInfo{ID: stranger, Addrs: []ma.Multiaddr{ma.StringCast(
			strings.Replace(hosts[1].Addrs()[0].String(), "/udp/", "/udp/1", 1))}}
		for name, do := range waiting(n, hosts[1].ID(), nobody) {
			for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
				begin := func() (context.Context, context.CancelFunc) {
					if want == context.DeadlineExceeded {
						return context.WithTimeout(context.Background(), time.Second)
					}
					ctx, cancel := context.WithCancel(context.Background())
					time.AfterFunc(time.Second, cancel)
					return ctx, cancel
				}
				ctx, cancel := begin()
				took := stopwatch()
				assert.ErrorIs(t, do(ctx), want, name)
				assert.Equal(t, time.Second, took(), name)
				cancel()
				synctest.Wait()
				assert.Empty(t, n.Queries(), name)

				// And one that has ended before: nothing begins.
				took = stopwatch()
				assert.ErrorIs(t, do(ctx), want, name)
				assert.Zero(t, took(), name)
				assert.Empty(t, n.Queries(), name)
			}
		}
		after(15 * time.Second) // the requests end by themselves
	})
}

func stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
