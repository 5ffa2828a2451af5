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

// smaller has the plans that TestOneDigest does not run whole, so that it takes so little: fewer nodes, and less
// time where that still has what the plan is about. scripts/digests.sh runs them to their ends.
var smaller = map[string]struct {
	nodes int
	time  time.Duration
}{
	"sim/growth":          {nodes: 400},
	"sim/mass-exit":       {nodes: 300},
	"sim/churn-3h":        {nodes: 500},
	"sim/churn-1h":        {nodes: 500},
	"sim/churn-20m":       {nodes: 300},
	"sim/partition":       {nodes: 150, time: 50 * time.Minute}, // the cut and what comes after it
	"sim/record-survival": {nodes: 100, time: 6 * time.Hour},
	"sim/provide-48h":     {nodes: 100, time: 13 * time.Hour}, // an interval of announcing anew
	"sim/churn-100k":      {nodes: 500, time: time.Hour},
}

// TestOneDigest: every plan that the suite carries gives the same digest on 1, 2 and 4 shards, and on 2 again: those of up to
// 10,000 nodes whole, but for what smaller says, and of larger ones 3 s of 10,000 nodes; of a sweep the last such point. It
// takes 40 s of processor time.
func TestOneDigest(t *testing.T) {
	if testing.Short() {
		t.Skip("it simulates all plans, several times")
	}
	found, err := plan.LoadAll(plans.FS, "sim", "plans/")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	ids := map[string]bool{}
	for _, p := range found {
		id := p.Header.ID
		ids[id] = true
		var s *plan.Simulation // the last that is not too large, or simply the last
		for _, point := range p.Simulations() {
			if s == nil || point.World.Nodes <= 10_000 || s.World.Nodes > 10_000 {
				s = point
			}
		}
		less, ok := smaller[id]
		if !ok && s.World.Nodes > 10_000 {
			less.nodes, less.time = 10_000, 3*time.Second
		}
		t.Run(strings.TrimPrefix(id, "sim/"), func(t *testing.T) {
			t.Parallel()
			first := ""
			for _, shards := range []int{1, 2, 4, 2} {
				c := SimConfig{Plans: []*plan.Plan{p}, Point: s.At(), Shards: shards, Nodes: less.nodes, For: less.time}
				report, err := Simulate(t.Context(), c)
				if err != nil {
					require.ErrorIs(t, err, ErrNeed, "a smaller one may miss its figures")
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
	for id := range smaller {
		assert.True(t, ids[id], "there is no plan %s", id)
	}
}
