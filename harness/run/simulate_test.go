package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// fakeWorld ends every operation a second after it was due, well, unless play says otherwise.
type fakeWorld struct {
	cfg  sim.Config
	play func(sim.Config, *sim.Result) error
}

func fakeWorlds(play func(sim.Config, *sim.Result) error) func(context.Context, sim.Config) (simulated, error) {
	return func(_ context.Context, cfg sim.Config) (simulated, error) { return &fakeWorld{cfg, play}, nil }
}

func (w *fakeWorld) Run(ctx context.Context) (*sim.Result, error) {
	cfg := w.cfg
	r := &sim.Result{Seed: cfg.Seed, Nodes: cfg.Nodes, Shards: cfg.Shards, Until: cfg.For, LoadOf: make([]uint32, cfg.Nodes+1)}
	r.Digest = cfg.Seed<<32 | uint64(cfg.Nodes)<<8 | uint64(cfg.Kad.Alpha)
	for cfg.Load != nil {
		op, ok := cfg.Load.Next()
		if !ok {
			break
		}
		if ctx.Err() != nil {
			r.Stopped, r.Until = true, op.At
			break
		}
		r.Events += 10
		cfg.Watch.Row(sim.Row{Op: op, Node: kad.Peer(1 + int(op.Key)%cfg.Nodes), Began: op.At, Took: kad.Second, Requests: 5, Hops: 2, Bytes: 1000, Found: 20, True: 20, Sought: 20, OK: true})
	}
	sample := sim.Sample{At: r.Until, Up: cfg.Nodes, Events: r.Events}
	r.Samples = append(r.Samples, sample)
	cfg.Watch.Sample(sample)
	cfg.Watch.Progress(sim.Progress{Nodes: cfg.Nodes, At: r.Until, Until: cfg.For, Events: r.Events})
	if w.play != nil {
		if err := w.play(cfg, r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// logged reads the lines of a log, each as its type and what matters.
func logged(t *testing.T, log *record.Writer) (lines []string) {
	t.Helper()
	r, err := record.Open(log.Path())
	require.NoError(t, err)
	defer r.Close()
	for e, err := range r.Entries() {
		require.NoError(t, err)
		line := e.Type
		switch {
		case e.Simulation != nil:
			line += fmt.Sprintf(" %d %s%v seed=%d nodes=%d repeat=%s", e.Simulation.Number, e.Simulation.Plan, e.Simulation.Point, e.Simulation.Seed, e.Simulation.Nodes, e.Simulation.Repeat)
		case e.Sample != nil:
			line += fmt.Sprintf(" %d at=%s", e.Sample.Number, e.Sample.At)
		case e.Outcome != nil:
			line += fmt.Sprintf(" %d until=%s stopped=%v error=%q %s", e.Outcome.Number, e.Outcome.Until, e.Outcome.Stopped, e.Outcome.Error, e.Outcome.Digest)
			for _, n := range e.Outcome.Needs {
				line += fmt.Sprintf(" [%s: %s, %s]", n.Text, n.Verdict, n.Got)
			}
		case e.Summary != nil:
			line += fmt.Sprintf(" %s exit=%d", e.Summary, e.Summary.Exit)
		}
		lines = append(lines, line)
	}
	require.True(t, r.Ended())
	return lines
}

func simulateInto(t *testing.T, ctx context.Context, c SimConfig) (*SimReport, []string, error) {
	t.Helper()
	log, err := record.Create(t.TempDir(), record.Run{})
	require.NoError(t, err)
	c.Log = log
	report, err := Simulate(ctx, c)
	require.NoError(t, log.Close(report.Summary))
	return report, logged(t, log), err
}

const sweeping = `id sim/x
world sim nodes=100 seed=3
load lookup rate=10/s for=10s
need success>0.9 took.p50<900ms
need events<=1000
sweep alpha=1,3
`

// TestSimulate: a run for each point, what each leaves in the log, and a need that is missed.
func TestSimulate(t *testing.T) {
	p := simulationOf(t, sweeping)
	var told []string
	c := SimConfig{
		Plans: []*plan.Plan{p}, Shards: 1, world: fakeWorlds(nil),
		Command: func(p *plan.Plan, at string, seed uint64) string {
			return fmt.Sprintf("run %s at %q with %d", p.File, at, seed)
		},
		Progress: func(e SimEvent) {
			told = append(told, fmt.Sprintf("%d/%d %s %v %d", e.Run, e.Runs, e.Point, e.Ended, e.Events))
		},
	}
	report, lines, err := simulateInto(t, t.Context(), c)
	assert.ErrorIs(t, err, ErrNeed)
	assert.EqualError(t, err, "a need was missed: in 2 of 2 runs")
	assert.Equal(t, 5, report.Summary.Exit)
	require.Len(t, report.Runs, 2)
	assert.Equal(t, "sim/x alpha=3", report.Runs[1].String())
	require.Len(t, report.Runs[0].Missed(), 1)
	assert.Equal(t, "took.p50<900ms", report.Runs[0].Missed()[0].Text)
	assert.Equal(t, "x.plan:4", report.Runs[0].Missed()[0].Line)
	require.Len(t, lines, 8)
	assert.Equal(t, `simulation 1 sim/x[{alpha 3}] seed=3 nodes=100 repeat=run x.plan at "alpha=3" with 3`, lines[4])
	assert.Equal(t, "sample 1 at=10s", lines[5])
	assert.Regexp(t, `^outcome 1 until=10s stopped=false error="" 0000000300006403 \[success>0.9: pass, .*\] \[took.p50<900ms: fail, .*\] \[events<=1000: pass, .*\]$`, lines[6])
	assert.Equal(t, "summary 4 passed, 2 failed, 0 warned, 0 expected, 0 unsupported, 0 skipped, 0 errors exit=5", lines[7])
	assert.Equal(t, []string{"1/2 alpha=1 false 0", "1/2 alpha=1 false 1000", "1/2 alpha=1 true 1000",
		"2/2 alpha=3 false 0", "2/2 alpha=3 false 1000", "2/2 alpha=3 true 1000"}, told)

	s := report.Runs[1].Summary()
	assert.Equal(t, uint64(100), s.Lookups)
	require.NotNil(t, s.Recall)
	assert.Equal(t, 1.0, *s.Recall)
	assert.InDelta(t, 1000, *s.Latency.P50, 1)
	assert.Equal(t, "0000000300006403", s.Digest)

	c.Point = "alpha=3"
	report, _, _ = simulateInto(t, t.Context(), c)
	require.Len(t, report.Runs, 1)
	assert.Equal(t, "sim/x alpha=3", report.Runs[0].String())
}

// TestSimulateStops: an interrupted run is in the log with what there is of it, and no other begins.
func TestSimulateStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := SimConfig{Plans: []*plan.Plan{simulationOf(t, sweeping)}, Shards: 1}
	c.world = func(_ context.Context, cfg sim.Config) (simulated, error) {
		row := cfg.Watch.Row
		cfg.Watch.Row = func(r sim.Row) {
			if row(r); r.Op.At == 5*kad.Second {
				cancel()
			}
		}
		return &fakeWorld{cfg, nil}, nil
	}
	report, lines, err := simulateInto(t, ctx, c)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 130, report.Summary.Exit)
	require.Len(t, lines, 5)
	assert.Equal(t, `outcome 0 until=5.1s stopped=true error="" 0000000300006401`, lines[3])

	c.world = func(context.Context, sim.Config) (simulated, error) { return nil, ctx.Err() } // while nodes were made
	_, lines, err = simulateInto(t, ctx, c)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, `outcome 0 until=0s stopped=true error="" `, lines[2])
}

// TestSimulatePanic: what panics in a node is an error of the harness, and in the log.
func TestSimulatePanic(t *testing.T) {
	c := SimConfig{Plans: []*plan.Plan{simulationOf(t, sweeping)}, Shards: 1}
	c.world = fakeWorlds(func(sim.Config, *sim.Result) error { return fmt.Errorf("%w: index out of range", sim.ErrPanic) })
	report, lines, err := simulateInto(t, t.Context(), c)
	assert.ErrorIs(t, err, ErrHarness)
	assert.ErrorIs(t, err, sim.ErrPanic)
	assert.Equal(t, 4, report.Summary.Exit)
	require.Len(t, lines, 5, "no other run begins")
	assert.Contains(t, lines[3], "index out of range")

	c.world = fakeWorlds(func(sim.Config, *sim.Result) error { panic("between two windows") })
	_, lines, err = simulateInto(t, t.Context(), c)
	assert.ErrorIs(t, err, sim.ErrPanic)
	assert.Contains(t, lines[3], "between two windows")
}

// TestRefusals: what cannot be simulated is refused in one line before anything begins.
func TestRefusals(t *testing.T) {
	seed := uint64(1)
	of := func(text string) []*plan.Plan { return []*plan.Plan{simulationOf(t, text)} }
	one := "id sim/x\nworld sim nodes=1000\nload lookup count=1\n"
	for _, test := range []struct {
		c    SimConfig
		want string
	}{
		{SimConfig{}, "no plan to simulate"},
		{SimConfig{Plans: of(one), Trace: []kad.Peer{17, 1001}}, "--trace 1001: the nodes of sim/x are 1 to 1000"},
		{SimConfig{Plans: of(one), Trace: []kad.Peer{0}}, "--trace 0: the nodes of sim/x are 1 to 1000"},
		{SimConfig{Plans: of(sweeping), Point: "alpha=2"}, "plan x.plan: no point of its sweep has alpha=2"},
		{SimConfig{Plans: of(one + "sweep nodes=10,20\n"), Nodes: 5}, "plan x.plan: its sweep chooses nodes, and so does the command: one of the two was expected"},
		{SimConfig{Plans: of(one + "sweep seed=10,20\n"), Seed: &seed}, "plan x.plan: its sweep chooses seed, and so does the command: one of the two was expected"},
		{SimConfig{Plans: of(one), Nodes: 1 << 25}, "plan x.plan: simulation: Config.Nodes"},
		{SimConfig{Plans: of("id sim/x\nworld sim nodes=1000\nload lookup count=1 node=1000\n"), Nodes: 999}, "plan x.plan: load lookup: node=1000, and there are 999"},
	} {
		if test.c.Memory == 0 {
			test.c.Memory = 1 << 40
		}
		test.c.world = func(context.Context, sim.Config) (simulated, error) { t.Fatal("it began"); return nil, nil }
		report, err := Simulate(t.Context(), test.c)
		require.ErrorIs(t, err, ErrUsage)
		assert.Equal(t, 2, report.Summary.Exit)
		assert.Contains(t, err.Error(), test.want)
		assert.NotContains(t, err.Error(), "\n")
	}
	p, err := plan.Parse("ping.plan", []byte("id ping/x\ncatalogue PI-01\nspec libp2p-kad L1-L2\nlevel must\npeer T target\npeer A\nopen s A -> T\nsend s PING\nwant s PING\n"))
	require.NoError(t, err)
	_, err = Simulate(t.Context(), SimConfig{Plans: []*plan.Plan{p}})
	assert.EqualError(t, err, "usage: plan ping.plan: it is a case, not a simulation; kadbench check runs it")
}

// TestMemory: a world that does not fit is refused with the estimate, and so many nodes as are said to fit do.
func TestMemory(t *testing.T) {
	c := SimConfig{Plans: []*plan.Plan{simulationOf(t, "id sim/x\nworld sim nodes=1000000\nload lookup count=1\n")}, Memory: 2 << 30, world: fakeWorlds(nil)}
	_, err := Simulate(t.Context(), c)
	require.ErrorIs(t, err, ErrMemory)
	require.ErrorIs(t, err, ErrUsage)
	assert.Regexp(t, `^usage: plan x.plan: not enough memory: 1000000 nodes need about \S+ GiB, and this machine has 2.0 GiB available; --nodes \d+ would fit$`, err.Error())
	_, err = fmt.Sscanf(err.Error()[strings.Index(err.Error(), "--nodes"):], "--nodes %d would fit", &c.Nodes)
	require.NoError(t, err)
	assert.Greater(t, c.Nodes, 10_000)
	_, err = Simulate(t.Context(), c)
	assert.NoError(t, err)
	c.Nodes, c.Memory = 0, 1000
	_, err = Simulate(t.Context(), c)
	assert.ErrorContains(t, err, "not even one node fits")
}

// TestAvailableMemory: the least of what the system and the control group leave; pages of files may be given up.
func TestAvailableMemory(t *testing.T) {
	files := map[string]string{}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	assert.Zero(t, availableMemory(read), "unknown")
	files["/proc/meminfo"] = "MemTotal:  32000 kB\nMemFree: 1000 kB\nMemAvailable:   16000 kB\n"
	assert.Equal(t, uint64(16000<<10), availableMemory(read))
	files["/sys/fs/cgroup/memory.max"], files["/sys/fs/cgroup/memory.current"] = "max\n", "5\n"
	assert.Equal(t, uint64(16000<<10), availableMemory(read))
	files["/sys/fs/cgroup/memory.max"], files["/sys/fs/cgroup/memory.current"] = "1000000\n", "400000\n"
	assert.Equal(t, uint64(600_000), availableMemory(read))
	files["/sys/fs/cgroup/memory.stat"] = "anon 100\ninactive_file 300000\nactive_file 7\n"
	assert.Equal(t, uint64(900_000), availableMemory(read))
	files["/sys/fs/cgroup/memory.max"] = "300\n"
	assert.Equal(t, uint64(1), availableMemory(read), "nothing, but known")
	clear(files)
	files["/sys/fs/cgroup/memory/memory.limit_in_bytes"], files["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = "5000\n", "1000\n"
	assert.Equal(t, uint64(4000), availableMemory(read))
}

// TestRows: a line for each operation, in exact numbers.
func TestRows(t *testing.T) {
	var rows bytes.Buffer
	p := simulationOf(t, "id sim/x\nworld sim nodes=10\nload lookup rate=1/s for=2s\nload put count=1 from=1s\nsweep alpha=1\n")
	_, err := Simulate(t.Context(), SimConfig{Plans: []*plan.Plan{p}, Rows: &rows, world: fakeWorlds(nil)})
	require.NoError(t, err)
	assert.Equal(t, `plan,point,kind,key,due_ns,node,began_ns,took_ns,first_ns,requests,failed,hops,bytes,found,true,sought,ok,timed_out,censored
sim/x,alpha=1,lookup,0,0,1,0,1000000000,0,5,0,2,1000,20,20,20,true,false,false
sim/x,alpha=1,lookup,1,1000000000,2,1000000000,1000000000,0,5,0,2,1000,20,20,20,true,false,false
sim/x,alpha=1,put,0,1000000000,1,1000000000,1000000000,0,5,0,2,1000,20,20,20,true,false,false
`, rows.String())
	_, err = Simulate(t.Context(), SimConfig{Plans: []*plan.Plan{p}, Rows: full{}, world: fakeWorlds(nil)})
	require.ErrorIs(t, err, ErrHarness)
	assert.ErrorContains(t, err, "rows: no space")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestTrace: when, what came in, what went out.
func TestTrace(t *testing.T) {
	var b bytes.Buffer
	writeStep(&b, 61*kad.Second+5, 17, "< tick", []string{"> find_node #3", "! mode_changed"})
	assert.Equal(t, "  61.000000005s #17< tick\n                #17> find_node #3\n                #17! mode_changed\n", b.String())

	b.Reset()
	p := simulationOf(t, "id sim/x\nworld sim nodes=100\nload lookup count=1\n")
	_, err := Simulate(t.Context(), SimConfig{Plans: []*plan.Plan{p}, Trace: []kad.Peer{17}, Steps: &b, world: fakeWorlds(nil)})
	require.NoError(t, err)
	assert.Equal(t, "#17 took no step: it was never there, or is one of those that do harm\n", b.String())
}

// TestSmallWorld runs real worlds from end to end: twice the same digest, on one shard and on two, and its needs hold.
func TestSmallWorld(t *testing.T) {
	p := simulationOf(t, `id sim/small
world sim nodes=200 seed=1
link uniform 10ms..100ms loss=0.1%
load lookup rate=20/s for=10s
load put count=10 for=5s
load get published rate=2/s from=6s for=4s
need recall@20>0.95 get.success>0.8 unfinished=0
`)
	var digests []string
	for _, shards := range []int{1, 2} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		report, _, err := simulateInto(t, ctx, SimConfig{Plans: []*plan.Plan{p}, Shards: shards})
		cancel()
		require.NoError(t, err)
		require.Len(t, report.Runs, 1)
		digests = append(digests, report.Runs[0].Digest)
		s := report.Runs[0].Summary()
		assert.Equal(t, uint64(200), s.Lookups)
		assert.Equal(t, shards, s.Shards)
		assert.NotNil(t, s.Latency.P50)
	}
	assert.Regexp(t, `^[0-9a-f]{16}$`, digests[0])
	assert.Equal(t, digests[0], digests[1])
}
