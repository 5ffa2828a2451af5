package plan_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
)

// real is the first point of a plan in testdata/explain, which has each word of its kind once.
func real(t *testing.T, name string, points int) *plan.Simulation {
	t.Helper()
	src, err := os.ReadFile("testdata/explain/" + name)
	require.NoError(t, err)
	p, err := plan.Parse(name, src)
	require.NoError(t, err)
	require.Empty(t, plan.Lint(p).Fatal())
	assert.True(t, p.Real())
	assert.False(t, p.Simulated())
	assert.Empty(t, plan.Cases([]*plan.Plan{p}))
	require.Len(t, p.Simulations(), points)
	return p.Simulations()[0]
}

// needs are those of a simulation without their texts.
func needs(s *plan.Simulation) (out []plan.Need) {
	for _, n := range s.Needs {
		n.Pos, n.Text = plan.Pos{}, ""
		out = append(out, n)
	}
	return out
}

// TestLoadOfRequests: each word of a load reaches its field, and what its lines share reaches all of them.
func TestLoadOfRequests(t *testing.T) {
	s := real(t, "load.plan", 8)
	assert.Equal(t, plan.World{Seed: 7, Real: true, Transport: "tcp", Security: "noise", Table: 400, Check: 5_000, Rounds: 5, Timeout: 2 * time.Second}, s.World)
	line := func(w plan.Workload) plan.Workload {
		w.Warmup, w.Connections, w.Streams, w.Reuse = 5*time.Second, 4, 8, "connections"
		return w
	}
	second := func(n int) plan.Rate { return plan.Rate{Count: n, Per: time.Second} }
	assert.Equal(t, []plan.Workload{
		line(plan.Workload{Rate: second(500), To: second(2000), Poisson: true, From: time.Second, For: 10 * time.Second, Mix: []plan.Part{
			{Kind: "FIND_NODE", Key: "zipf", Keys: 1000, Skew: 1_100_000}, {Kind: "GET_VALUE", Published: true, Lag: time.Second, Weight: 2}, {Kind: "PING"}}}),
		line(plan.Workload{Count: 100, For: 5 * time.Second, Mix: []plan.Part{{Kind: "PUT_VALUE", Key: "hot", Keys: 100, HotOf: 10, Share: 800_000, Size: 1024}}}),
		line(plan.Workload{Count: 50, Mix: []plan.Part{{Kind: "ADD_PROVIDER", Keys: 50}}}),
		line(plan.Workload{Rate: plan.Rate{Count: 3, Per: time.Minute}, Count: 5, Mix: []plan.Part{{Kind: "GET_PROVIDERS", Key: "uniform", Keys: 50}}}),
	}, s.Loads)
	assert.Equal(t, []plan.Need{
		{Figure: "due", Stat: "p99", Op: plan.OpLess, Unit: plan.UnitTime, Value: 50e6},
		{Figure: "service", Stat: "mean", Op: plan.OpAtMost, Unit: plan.UnitTime, Value: 2_500_000},
		{Figure: "start", Stat: "p99", Op: plan.OpLess, Unit: plan.UnitTime, Value: 1e6},
		{Figure: "errors", Op: plan.OpLess, Value: 1_000},
		{Figure: "timeouts", Op: plan.OpEqual},
		{Figure: "late", Op: plan.OpLess, Value: 10_000},
		{Figure: "dropped", Op: plan.OpEqual, Unit: plan.UnitCount},
		{Figure: "wrong", Op: plan.OpEqual, Unit: plan.UnitCount},
		{Figure: "rate", Op: plan.OpAtLeast, Unit: plan.UnitRate, Value: 1_000_000_000},
		{Figure: "cpu", Op: plan.OpLess, Unit: plan.UnitTime, Value: 200_000},
	}, needs(s))
}

// TestNetworkOfNodes: each word of a network of real nodes reaches its field.
func TestNetworkOfNodes(t *testing.T) {
	s := real(t, "real-network.plan", 8)
	assert.Equal(t, plan.World{Nodes: 20, Seed: 7, Tables: "grown", Clients: 200_000, Seeds: 2, First: 5, Batch: 5, Every: time.Second, Sample: time.Second,
		Real: true, Transport: "tcp", K: 10, Alpha: 3, Beta: 3, Refresh: 10 * time.Minute, Timeout: 5 * time.Second, Deadline: 20 * time.Second}, s.World)
	assert.Equal(t, plan.Links{Kind: "constant", Low: 20 * time.Millisecond, High: 20 * time.Millisecond}, s.Links)
	assert.Equal(t, plan.Churn{Kind: "weibull", Median: time.Minute, Away: 30 * time.Second, Shape: 500_000}, s.Churn)
	assert.Equal(t, []plan.Fault{
		{Kind: "crash", Share: 100_000, At: 5 * time.Second, Until: 10 * time.Second},
		{Kind: "crash", Share: 50_000, At: 12 * time.Second},
		{Kind: "silent", Adversary: true, Share: 50_000, At: 6 * time.Second},
		{Kind: "slow", Adversary: true, Share: 50_000},
	}, s.Faults)
	require.Len(t, s.Loads, 5)
	assert.Empty(t, s.Loads[0].Reuse)
	all := needs(s)
	assert.Equal(t, []plan.Need{
		{Figure: "cpu", Op: plan.OpLess, Unit: plan.UnitTime, Value: 100e6},
		{Figure: "connections", Op: plan.OpLess, Unit: plan.UnitCount, Value: 20_000_000},
		{Figure: "goroutines", Op: plan.OpLess, Unit: plan.UnitCount, Value: 1_000_000_000},
		{Figure: "heap", Op: plan.OpLess, Unit: plan.UnitSize, Value: 32 << 20},
	}, all[len(all)-4:])
}

// TestKindOfWorld: nodes make a real world a network, on its line or in the sweep; what is not written has its default.
func TestKindOfWorld(t *testing.T) {
	for _, test := range []struct {
		script string
		kind   plan.WorldKind
		world  plan.World
	}{
		{"world sim nodes=5\nload lookup count=5\n", plan.SimWorld, plan.World{Nodes: 5, Seed: 1}},
		{"world real\npeer T target\nload PING closed for=5s\n", plan.LoadWorld, plan.World{Seed: 1, Real: true, Transport: "tcp", Security: "noise", Check: 10_000}},
		{"world real transport=quic check=0%\nload PING closed for=5s\n", plan.LoadWorld, plan.World{Seed: 1, Real: true, Transport: "quic"}},
		{"world real nodes=5\nload lookup count=5\n", plan.NetworkWorld, plan.World{Nodes: 5, Seed: 1, Real: true, Transport: "tcp", Tables: "grown"}},
		{"sweep nodes=7\nload lookup count=5\nworld real\n", plan.NetworkWorld, plan.World{Nodes: 7, Seed: 1, Real: true, Transport: "tcp", Tables: "grown"}},
	} {
		p, err := plan.Parse("a/x.plan", []byte("# P.\nid a/x\n"+test.script))
		require.NoError(t, err, test.script)
		require.Empty(t, plan.Lint(p), test.script)
		assert.Equal(t, test.kind, p.Kind(), test.script)
		assert.Equal(t, test.world, p.Simulations()[0].World, test.script)
	}
	assert.Zero(t, parse(t, head+"peer T target\n").Kind())
}

// TestRateOfNeed: of whatever size, and in whatever unit, it is millionths of one a second.
func TestRateOfNeed(t *testing.T) {
	for text, want := range map[string]int64{"10000000/s": 10_000_000_000_000, "600000/m": 10_000_000_000, "36/h": 10_000, "1/m": 16_666} {
		p, err := plan.Parse("load/x.plan", []byte("id load/x\nworld real\nload PING closed for=5s\nneed rate>="+text+"\n"))
		require.NoError(t, err)
		assert.Equal(t, want, p.Simulations()[0].Needs[0].Value, text)
		require.NoError(t, plan.CheckWorld(p), "it has no prose, and can be run")
	}
	_, err := plan.ParseRate("5")
	assert.ErrorContains(t, err, "a rate was expected")
}

// TestSweepOfLoad: what all lines share stands by itself, and so does any word of a load's only line.
func TestSweepOfLoad(t *testing.T) {
	point := func(script string) *plan.Simulation {
		p, err := plan.Parse("load/x.plan", []byte("# P.\nid load/x\nworld real\n"+script))
		require.NoError(t, err)
		require.Empty(t, plan.Lint(p).Fatal())
		return p.Simulations()[len(p.Simulations())-1]
	}
	s := point("load FIND_NODE rate=5/s for=5s\nload PING streams=4\nsweep streams=8,32 reuse=nothing FIND_NODE.rate=7/s\n")
	require.Len(t, s.Loads, 1)
	assert.Equal(t, []any{32, "nothing", 7}, []any{s.Loads[0].Streams, s.Loads[0].Reuse, s.Loads[0].Rate.Count})
	assert.Equal(t, "streams=32 reuse=nothing FIND_NODE.rate=7/s", s.At())
	s = point("load FIND_NODE rate=5/s for=5s\nsweep rate=6/s,9/s transport=quic\n")
	assert.Equal(t, []any{9, "quic", ""}, []any{s.Loads[0].Rate.Count, s.World.Transport, s.World.Security})
}

// TestWords: each world is told its own words, and a name that two kinds of world share has the meaning of each.
func TestWords(t *testing.T) {
	meaning := func(verb, name string, in plan.WorldKind) (out []string) {
		for _, r := range plan.Words(verb, in) {
			if r.Name == name {
				out = append(out, r.Meaning)
			}
		}
		return out
	}
	assert.Empty(t, meaning("world", "preset", plan.LoadWorld|plan.NetworkWorld))
	assert.Len(t, meaning("world", "preset", plan.SimWorld), 1)
	assert.Empty(t, meaning("world", "table", plan.SimWorld|plan.NetworkWorld))
	for _, name := range []string{"timeouts", "cpu"} {
		load, network := meaning("need", name, plan.LoadWorld), meaning("need", name, plan.NetworkWorld)
		require.Len(t, load, 1, name)
		require.Len(t, network, 1, name)
		assert.NotEqual(t, load, network, name)
	}
}
