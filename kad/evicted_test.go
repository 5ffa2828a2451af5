package kad_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/kadtest"
)

// A network that was cut for so long that each half has evicted the other grows together again within a few bootstraps, though
// no table names anybody of the other half when the cut ends.
func TestCutNetworkGrowsTogether(t *testing.T) {
	t.Parallel()
	w := newIdle(t, 5, 40, kad.Config{})
	w.pass(20 * kad.Minute)
	side := map[*kadtest.Node]bool{}
	for i, n := range w.nodes {
		side[n] = i%2 == 0
	}
	across := func() (known int) {
		for _, n := range w.nodes {
			for _, other := range w.nodes {
				if side[n] != side[other] {
					if has, _ := n.K.Table().Contains(n.K.Directory().Find(other.ID)); has {
						known++
					}
				}
			}
		}
		return known
	}
	require.Greater(t, across(), 500, "they have met")
	w.Cut = func(a, b *kadtest.Node) bool { return side[a] != side[b] }
	for _, n := range w.nodes {
		for _, other := range w.nodes {
			if side[n] != side[other] {
				w.Disconnect(n, other)
			}
		}
	}
	w.pass(kad.Hour)
	require.Zero(t, across(), "each half has evicted the other")
	w.Cut = nil
	w.pass(kad.Hour)
	require.Greater(t, across(), 500)
}
