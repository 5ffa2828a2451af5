package ground

import (
	"context"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestInstancesMeetInMemory: those of one run share a network.
func TestInstancesMeetInMemory(t *testing.T) {
	c := Case{Name: "meet", Min: 1, Max: 10, Default: 5, Params: []Param{{Name: "transport", Type: "string", Default: "mem"}}}
	c.Run = func(ctx context.Context, in *Instance) error {
		h, err := in.Mem.Host(seedOf(1, in.Seq))
		if err != nil {
			return err
		}
		defer h.Close()
		if err := in.Sync.Publish(ctx, "peers", peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}); err != nil {
			return err
		}
		err = in.Sync.Collect(ctx, "peers", in.Count, func(item []byte) error {
			var other peer.AddrInfo
			if err := other.UnmarshalJSON(item); err != nil || other.ID == h.ID() {
				return err
			}
			return h.Connect(ctx, other)
		})
		if err != nil {
			return err
		}
		in.Out.Point("peers", float64(len(h.Network().Peers())))
		return in.Barrier(ctx, "done")
	}
	r, err := Local(t.Context(), Config{Case: "meet", Cases: []*Case{&c}, Out: t.TempDir()})
	require.NoError(t, err)
	for _, o := range r.Instances {
		assert.Equal(t, 4.0, o.Points[0].Value)
	}
}
