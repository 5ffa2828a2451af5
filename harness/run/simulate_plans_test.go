package run

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/plans"
)

// Bounds of TestOneDigest, so that it takes seconds. scripts/digests.sh runs the plans to their ends.
const (
	digestNodes = 300
	digestTime  = 20 * time.Second
)

// TestOneDigest: every plan that the suite carries gives the same digest on 1, 2 and 4 shards, and again: the beginning of the
// last point of its sweep, in a small world.
func TestOneDigest(t *testing.T) {
	if testing.Short() {
		t.Skip("it simulates all plans, several times")
	}
	found, err := plan.LoadAll(plans.FS, "sim", "plans/")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, p := range found {
		sims := p.Simulations()
		s := sims[len(sims)-1]
		t.Run(strings.TrimPrefix(p.Header.ID, "sim/"), func(t *testing.T) {
			var first string
			for _, shards := range []int{1, 2, 4, 2} {
				c := SimConfig{Plans: []*plan.Plan{p}, Point: s.At(), Shards: shards, Nodes: nodesFor(s), For: digestTime}
				report, err := Simulate(t.Context(), c)
				if err != nil {
					require.ErrorIs(t, err, ErrNeed, "it is too short for its figures")
				}
				require.Len(t, report.Runs, 1)
				if first == "" {
					first = report.Runs[0].Digest
				}
				assert.Equal(t, first, report.Runs[0].Digest, "%d shards", shards)
			}
			assert.Len(t, first, 16)
		})
	}
}

// nodesFor is the size of a small world in which each node that a load names is there.
func nodesFor(s *plan.Simulation) int {
	nodes := min(digestNodes, s.World.Nodes)
	for _, l := range s.Loads {
		for _, m := range l.Mix {
			nodes = max(nodes, int(m.Node))
		}
	}
	return nodes
}
