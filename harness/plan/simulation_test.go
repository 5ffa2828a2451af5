package plan_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

func simulations(t *testing.T, script string) []*plan.Simulation {
	t.Helper()
	p, err := plan.Parse("sim/x.plan", []byte("# P.\nid sim/x\n"+script))
	require.NoError(t, err)
	require.Empty(t, plan.Lint(p).Fatal())
	assert.True(t, p.Simulated())
	return p.Simulations()
}

// TestSimulation: each word of the language reaches its field.
func TestSimulation(t *testing.T) {
	src, err := os.ReadFile("testdata/explain/world.plan")
	require.NoError(t, err)
	p, err := plan.Parse("sim/evil-day.plan", src)
	require.NoError(t, err)
	require.Empty(t, plan.Lint(p))
	require.Len(t, p.Simulations(), 32)
	s := p.Simulations()[0]
	h, m := time.Hour, time.Minute
	assert.Equal(t, plan.World{Nodes: 2000, Seed: 7, Tables: "grown", Preset: "amino", K: 20, Alpha: 3, Beta: 3, Bucket: 20, Disjoint: true, Clients: 200_000,
		Seeds: 8, First: 1, Batch: 10, Every: time.Second, Refresh: 10 * m, Probe: plan.Off, Evict: 2, Replication: h, Publication: 22 * h, Provide: 12 * h,
		Patience: 250 * time.Millisecond, Timeout: 10 * time.Second, Deadline: m, ExpiryRecord: 48 * h, ExpiryProvider: 48 * h, ExpiryAddress: plan.Off,
		Wire: true, Shards: 2, Sample: 10 * m}, s.World)
	assert.Equal(t, plan.Links{Kind: "regions", Table: "table", Own: true, Jitter: 10 * time.Millisecond, Unreachable: 200_000, Slow: 50_000,
		SlowBy: 2 * time.Second, Dial: -1, DialTimeout: 5 * time.Second, Idle: 2 * m}, s.Links)
	assert.Equal(t, plan.Churn{Kind: "lognormal", Median: h, Away: h, Sigma: 1_000_000}, s.Churn)
	require.Len(t, s.Faults, 11)
	assert.Equal(t, plan.Fault{Kind: "crash", Share: 100_000, At: h, Until: 2 * h}, s.Faults[1])
	assert.Equal(t, plan.Fault{Kind: "loss", Share: 125_000, At: h, Until: 2 * h}, s.Faults[3])
	assert.Equal(t, plan.Fault{Kind: "eclipse", Adversary: true, Share: 10_000, Node: 3}, s.Faults[9])
	assert.Equal(t, plan.Fault{Kind: "flooder", Adversary: true, Share: 10_000, Rate: plan.Rate{Count: 10, Per: time.Second}}, s.Faults[10])
	key, err := p.KeyBytes(s.Faults[8].Key)
	require.NoError(t, err)
	assert.Len(t, key, 32)
	second := plan.Rate{Count: 50, Per: time.Second}
	assert.Equal(t, []plan.Workload{
		{Rate: second, To: plan.Rate{Count: 100, Per: time.Second}, Poisson: true, From: 10 * m, For: 12 * h, Mix: []plan.Part{
			{Kind: "lookup", Key: "zipf", Keys: 1000, Skew: 1_100_000}, {Kind: "bootstrap", Weight: 2}}},
		{Count: 100, Mix: []plan.Part{{Kind: "provide", Keys: 100}}},
		{Rate: plan.Rate{Count: 1, Per: m}, For: 2 * h, Mix: []plan.Part{{Kind: "find", Published: true, Lag: m}}},
		{Count: 100, For: h, Mix: []plan.Part{{Kind: "put", Key: "hot", Keys: 100, HotOf: 10, Share: 800_000, Node: 9}}},
		{Rate: plan.Rate{Count: 3, Per: h}, Count: 5, Mix: []plan.Part{{Kind: "get", Key: "uniform", Keys: 100}}},
	}, s.Loads)
	var needs []plan.Need
	for _, n := range s.Needs {
		n.Pos, n.Text = plan.Pos{}, ""
		needs = append(needs, n)
	}
	assert.Equal(t, []plan.Need{
		{Figure: "recall", N: 20, Op: plan.OpAtLeast, Value: 990_000},
		{Figure: "took", Stat: "p99", Op: plan.OpLess, Unit: plan.UnitTime, Value: 5e9},
		{Of: "get", Figure: "hops", Stat: "mean", Op: plan.OpAtMost, Unit: plan.UnitCount, Value: 3_500_000},
		{Figure: "first", Stat: "p50", Op: plan.OpLess, Unit: plan.UnitTime, Value: 1e9},
		{Of: "lookup", Figure: "success", Op: plan.OpGreater, Value: 990_000},
		{Figure: "unfinished", Op: plan.OpEqual, Unit: plan.UnitCount},
		{Figure: "digest", Op: plan.OpEqual, Unit: plan.UnitDigest, Digest: "@digest"},
	}, needs)
	assert.Equal(t, "0123456789abcdef\n", p.Fixtures["digest"].Text)
}

// TestSweep: the last axis changes first, and a word that is swept stands as if it were written on its line.
func TestSweep(t *testing.T) {
	all := simulations(t, "world sim nodes=100 alpha=1\nlink constant 5ms\nfaults liar share=1%\nload lookup count=5\n"+
		"sweep alpha=3,5 k=10,30\nsweep liar.share=2% loss=1%,2% expiry.record=1h\n")
	var at []string
	for _, s := range all {
		at = append(at, s.At())
		assert.Equal(t, uint32(20_000), s.Faults[0].Share)
		assert.Equal(t, time.Hour, s.World.ExpiryRecord)
	}
	assert.Equal(t, []string{
		"alpha=3 k=10 liar.share=2% loss=1% expiry.record=1h", "alpha=3 k=10 liar.share=2% loss=2% expiry.record=1h",
		"alpha=3 k=30 liar.share=2% loss=1% expiry.record=1h", "alpha=3 k=30 liar.share=2% loss=2% expiry.record=1h",
		"alpha=5 k=10 liar.share=2% loss=1% expiry.record=1h", "alpha=5 k=10 liar.share=2% loss=2% expiry.record=1h",
		"alpha=5 k=30 liar.share=2% loss=1% expiry.record=1h", "alpha=5 k=30 liar.share=2% loss=2% expiry.record=1h"}, at)
	last := all[7]
	assert.Equal(t, []any{5, 30, uint32(20_000)}, []any{last.World.Alpha, last.World.K, last.Links.Loss})
	assert.Equal(t, plan.Setting{Name: "k", Value: "30"}, last.Point[1])

	one := simulations(t, "world sim nodes=100\nload lookup count=5\nload bootstrap\nload put weight=3\n")
	require.Len(t, one, 1)
	assert.Empty(t, one[0].At())
	require.Len(t, one[0].Loads, 1, "lines without a rate share that of the line above")
	assert.Len(t, one[0].Loads[0].Mix, 3)
	assert.Equal(t, uint64(1), one[0].World.Seed)
}

// TestCases: a simulation is no case, and covers none.
func TestCases(t *testing.T) {
	sim, err := plan.Parse("sim/x.plan", []byte("# P.\nid sim/x\nspec ipfs-kad L357-L360\nworld sim nodes=100\nload lookup count=5\n"))
	require.NoError(t, err)
	one := parse(t, head+"peer T target\n")
	assert.False(t, one.Simulated())
	assert.Empty(t, one.Simulations())
	assert.Equal(t, []*plan.Plan{one}, plan.Cases([]*plan.Plan{sim, one}))
	for _, d := range plan.Cover([]*plan.Plan{sim}).Demands {
		assert.Empty(t, d.Cases)
	}
}
