package run

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/network"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/harness/target"
)

// networkOfTwo is a plan against networks of both implementations; a log takes what comes.
func networkOfTwo(t *testing.T, lines string) BenchConfig {
	c := benchOf(t, lines, "ref:")
	f, err := network.InProcess("go")
	require.NoError(t, err)
	c.Targets = append(c.Targets, f)
	c.Command = func(p *plan.Plan, at string, seed uint64) string { return "again" }
	return c
}

func networkLog(t *testing.T, c BenchConfig) (began []*record.Simulation, samples int, ended []*record.Outcome) {
	require.NoError(t, c.Log.Close(record.Summary{}))
	r, err := record.Open(c.Log.Path())
	require.NoError(t, err)
	defer r.Close()
	for e, err := range r.Entries() {
		require.NoError(t, err)
		switch {
		case e.Simulation != nil:
			began = append(began, e.Simulation)
		case e.Sample != nil:
			samples++
		case e.Outcome != nil:
			ended = append(ended, e.Outcome)
		}
	}
	return began, samples, ended
}

// inBubble runs a plan in memory and virtual time.
func inBubble(t *testing.T, c BenchConfig) (report *BenchReport, err error) {
	synctest.Test(t, func(t *testing.T) { report, err = Bench(t.Context(), c) })
	return report, err
}

func TestNetworks(t *testing.T) {
	c := networkOfTwo(t, `
world  real nodes=8 transport=mem seed=5
link   constant 10ms
load   lookup rate=4/s for=5s
load   provide keys=5 rate=1/s for=4s
load   find published lag=1s rate=2/s from=2s for=3s
need   recall@20>0.9 success>0.9 unfinished=0 operations>=10 hops.mean<2 lookup.hops.max<=2 find.hops.min>=1 connections<100 goroutines<1000 heap<64MiB cpu<10s
need   connections<1
`)
	c.Rounds = 2
	events := map[string]int{}
	c.Progress = func(e BenchEvent) {
		if e.Ended {
			events[e.Target]++
		}
	}
	report, err := inBubble(t, c)
	require.ErrorIs(t, err, ErrNeed)
	require.Len(t, report.Networks, 4)
	assert.Equal(t, map[string]int{"ref": 2, "go": 2}, events)
	assert.Equal(t, 4, report.Summary.Failed)
	began, samples, ended := networkLog(t, c)
	require.Len(t, began, 4)
	require.Len(t, ended, 4)
	assert.Equal(t, 4*5, samples)
	for i, s := range began {
		assert.Equal(t, []string{"ref", "go"}[i%2], s.Target)
		assert.Equal(t, 8, s.Nodes)
		assert.EqualValues(t, 5, s.Seed)
		assert.Equal(t, 5*time.Second, s.For)
		assert.Equal(t, "again", s.Repeat)
		o := ended[i]
		assert.Equal(t, s.Number, o.Number)
		require.NotNil(t, o.Cost.Nodes)
		assert.InDelta(t, 7, o.Cost.Nodes.Connections, 2)
		assert.InDelta(t, 7, o.Cost.Nodes.Entries, 0.5)
		assert.Positive(t, o.Cost.Sent)
		require.Len(t, o.Figures, 3)
		assert.EqualValues(t, 20, o.Figures[0].Count)
		assert.InDelta(t, 1, o.Figures[0].Recall.Value(), 0)
		for _, f := range o.Figures {
			assert.Equal(t, f.Count, f.Hops.N, "of every operation: %s", f.Kind)
		}
		require.Len(t, o.Needs, 12)
		for _, n := range o.Needs {
			assert.Equal(t, n.Text == "connections<1", n.Verdict == record.Fail, "%+v", n)
		}
	}
}

// TestMixed: one network of all targets in turn; what the command says goes before the plan.
func TestMixed(t *testing.T) {
	c := networkOfTwo(t, `
world  real nodes=30 transport=mem
faults crash share=30% at=1s
load   lookup rate=4/s for=5s
`)
	seed := uint64(9)
	c.Mixed, c.Nodes, c.For, c.Seed = true, 6, 2*time.Second, &seed
	c.Rate = plan.Rate{Count: 10, Per: time.Second}
	report, err := inBubble(t, c)
	require.NoError(t, err)
	require.Len(t, report.Networks, 1)
	began, _, ended := networkLog(t, c)
	assert.Equal(t, "ref+go", began[0].Target)
	assert.Equal(t, 6, began[0].Nodes)
	assert.EqualValues(t, 9, began[0].Seed)
	assert.EqualValues(t, 20, ended[0].Figures[0].Count)
}

func TestNetworkRefused(t *testing.T) {
	for want, lines := range map[string]string{
		"tables=grown was expected":     "world real nodes=4 tables=ideal",
		"10 s, which no option changes": "world real nodes=4 timeout=1s",
		"held back from outside":        "world real nodes=4 transport=quic\nlink constant 10ms",
		"Config.Nodes: 1, expected":     "world real nodes=1",
	} {
		c := networkOfTwo(t, lines+"\nload lookup rate=1/s for=1s\n")
		_, err := Bench(t.Context(), c)
		require.ErrorIs(t, err, ErrUsage, want)
		require.ErrorContains(t, err, want)
		began, _, _ := networkLog(t, c)
		assert.Empty(t, began, "nothing begins")
	}
	c := networkOfTwo(t, "world real nodes=4\nload lookup rate=1/s for=1s\n")
	far, err := target.Parse("addr:/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5")
	require.NoError(t, err)
	c.Targets = append(c.Targets, far)
	_, err = Bench(t.Context(), c)
	require.ErrorIs(t, err, ErrUsage)
}

// TestNetworkInterrupted: what there is of it is in the log.
func TestNetworkInterrupted(t *testing.T) {
	c := networkOfTwo(t, "world real nodes=4 transport=mem\nload lookup rate=10/s for=1h\n")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(time.Minute, cancel)
		_, err := Bench(ctx, c)
		require.ErrorIs(t, err, context.Canceled)
	})
	_, _, ended := networkLog(t, c)
	require.Len(t, ended, 1)
	assert.True(t, ended[0].Stopped)
	assert.Positive(t, ended[0].Figures[0].Count)
}

// TestNetworkNeedOfProcesses: what nobody counts is no 0 that holds.
func TestNetworkNeedOfProcesses(t *testing.T) {
	r := &SimRun{figures: newFigures(nil, &sim.Config{})}
	r.figures.row(sim.Row{Op: sim.Operation{Kind: sim.Lookup}, Took: 1e6, OK: true, Blind: true})
	for _, figure := range []string{"hops", "rpcs", "dead", "cpu", "connections", "goroutines", "heap"} {
		got := networkNeed(r, &network.Result{}, plan.Need{Figure: figure, Stat: "max", Op: plan.OpLess, Value: 1e6})
		assert.Equal(t, record.Skipped, got.Verdict, figure)
		assert.Equal(t, "nodes in processes of their own do not show it", got.Why, figure)
	}
	assert.Equal(t, record.Pass, networkNeed(r, &network.Result{}, plan.Need{Figure: "operations", Op: plan.OpEqual, Value: 1e6}).Verdict)
}
