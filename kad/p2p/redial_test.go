package p2p

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialled is a host that notes when it was told to connect, and when it last had done so.
type dialled struct {
	host.Host
	mu     sync.Mutex
	at     []time.Time
	rested []time.Duration // before each but the first: the time since the end of the last
	end    time.Time
}

func (h *dialled) Connect(ctx context.Context, to peer.AddrInfo) error {
	h.mu.Lock()
	h.at = append(h.at, time.Now())
	if !h.end.IsZero() {
		h.rested = append(h.rested, time.Since(h.end))
	}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.end = time.Now()
		h.mu.Unlock()
	}()
	return h.Host.Connect(ctx, to)
}

// take gives the times since the last call.
func (h *dialled) take() []time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.at
	h.at = nil
	return at
}

// TestRedial: the bootstrap peer is dialled at once; while it cannot be reached, again and again, ever more seldom, five
// minutes apart on average; when it is back and in the table, no more; when the table is empty again, within seconds; when
// the node gets a listen address, at once; and Close ends it.
func TestRedial(t *testing.T) {
	var drop atomic.Pointer[func(simnet.Packet) bool]
	away := func(simnet.Packet) bool { return true }
	drop.Store(&away)
	simulated(t, 2, &drop, func(t *testing.T, hosts []host.Host) {
		answering(hosts[1], DefaultProtocol, echo)
		h := &dialled{Host: hosts[0]}
		cfg := quiet(h)
		for _, a := range hosts[1].Addrs() {
			cfg.Bootstrap = append(cfg.Bootstrap, a.String()+"/p2p/"+hosts[1].ID().String())
		}
		start := time.Now()
		n := running(t, cfg)
		table := func() int { synctest.Wait(); return len(n.Table()) }

		pass(time.Hour)
		at := h.take()
		require.Greater(t, len(at), 10)
		assert.Equal(t, start, at[0])
		h.mu.Lock()
		rested := slices.Clone(h.rested)
		h.mu.Unlock()
		wait := minRedial
		for i, rest := range rested {
			assert.GreaterOrEqual(t, rest, wait/2, "rest %d", i)
			assert.Less(t, rest, wait*3/2, "rest %d", i)
			wait = min(2*wait, maxRedial)
		}
		assert.Greater(t, len(slices.Compact(rested[9:])), 1) // they differ: there is chance in them

		drop.Store(nil) // it is back
		pass(maxRedial*3/2 + n.limits.RequestTimeout)
		assert.Equal(t, 1, table())
		h.take()
		pass(time.Hour)
		assert.Empty(t, h.take())

		start = time.Now()
		removed, err := n.RemovePeer(hosts[1].ID())
		require.NoError(t, err)
		require.NotNil(t, removed)
		pass(10 * time.Second)
		at = h.take()
		require.NotEmpty(t, at)
		assert.LessOrEqual(t, at[0].Sub(start), minRedial*3/2)

		// The network goes and comes.
		drop.Store(&away)
		require.NoError(t, hosts[0].Network().ClosePeer(hosts[1].ID()))
		_, _ = n.RemovePeer(hosts[1].ID())
		pass(time.Hour)
		last := slices.MaxFunc(h.take(), time.Time.Compare)
		pass(time.Until(last.Add(maxRedial/2 - 10*time.Second)))
		require.Empty(t, h.take()) // the next is not due yet
		listen, err := ma.NewMultiaddr("/ip4/1.0.0.1/udp/9000/quic-v1")
		require.NoError(t, err)
		start = time.Now()
		require.NoError(t, hosts[0].Network().Listen(listen))
		pass(9 * time.Second)
		at = h.take()
		require.NotEmpty(t, at)
		assert.LessOrEqual(t, at[0].Sub(start), time.Second)

		start = time.Now()
		require.NoError(t, n.Close())
		assert.Less(t, time.Since(start), time.Second)
		pass(time.Hour)
		assert.Empty(t, h.take())
	})
}
