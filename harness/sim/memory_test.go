package sim

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// TestMemory: what Config.Memory says beforehand is within a quarter of what the heap takes at its peak, with the collector set
// as the command sets it (a run at each half more).
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 100 MB")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	idle := static(20_000, 100, 1e6)
	lied := static(20_000, 100, 1e6)
	lied.Adversaries = []Adversary{{Kind: Liar, Share: 50_000}}
	grown := static(2000, 0, 1e9)
	grown.Tables, grown.For, grown.Kad = Grown, 15*kad.Second, kad.Config{}
	churned := grown
	churned.Churn = Churn{Kind: LogNormal, Median: 3 * kad.Hour}
	for _, c := range []struct {
		name string
		cfg  Config
	}{{"ideal", idle}, {"ghosts of liars", lied}, {"grown", grown}, {"half of them away", churned}} {
		cfg, said := c.cfg, c.cfg.Memory()
		runtime.GC()
		before, peak := heap(), uint64(0)
		window := 0
		cfg.Inspect = func(*Snapshot) {
			if window++; window%50 == 0 {
				peak = max(peak, heap())
			}
		}
		w, err := New(context.Background(), cfg)
		require.NoError(t, err)
		peak = heap()
		_, err = w.Run(context.Background())
		require.NoError(t, err)
		ratio := float64(said) / float64(peak-before)
		t.Logf("%s: %d bytes a node said, %d taken: %.2f", c.name, said/uint64(cfg.Nodes), (peak-before)/uint64(cfg.Nodes), ratio)
		assert.InDelta(t, 1, ratio, 0.25, c.name)
		runtime.KeepAlive(w)
	}
}
