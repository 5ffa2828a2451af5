package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
)

// benchOf reads a command line as main does.
func benchOf(t *testing.T, args ...string) *benchCmd {
	t.Helper()
	var c cli
	parser, err := kong.New(&c, kong.Vars{"out": "", "jobs": "1"})
	require.NoError(t, err)
	_, err = parser.Parse(append([]string{"bench"}, args...))
	require.NoError(t, err)
	return &c.Bench
}

// TestBenchFlags: each flag reaches its field, and comes back in the command that repeats the run.
func TestBenchFlags(t *testing.T) {
	args := strings.Fields("load/find-node ref: floor=echo: --seed 9 --rate 30/m --for 3s --warmup 2s --connections 5 --streams 6 --foreign 25" +
		" --find-max --unlimited")
	c := benchOf(t, args...)
	cfg, err := c.config()
	require.NoError(t, err)
	require.Len(t, cfg.Plans, 1)
	require.Len(t, cfg.Targets, 2)
	assert.Equal(t, "floor", cfg.Targets[1].Name())
	require.Len(t, cfg.Self, 2)
	assert.Equal(t, "node", cfg.Self[1])
	repeat := cfg.Command(cfg.Plans[0], "", *cfg.Seed)
	assert.Equal(t, strings.Join(args, " "), repeat[strings.Index(repeat, "load/"):])
	cfg.Plans, cfg.Targets, cfg.Self, cfg.Seed, cfg.Command = nil, nil, nil, nil, nil
	assert.Equal(t, run.BenchConfig{Rate: plan.Rate{Count: 30, Per: time.Minute}, For: 3 * time.Second, Warmup: 2 * time.Second, Connections: 5, Streams: 6,
		Foreign: 0.25, FindMax: true, Unlimited: true}, cfg)

	c = benchOf(t, "load/quic")
	cfg, err = c.config()
	require.NoError(t, err)
	assert.Equal(t, "ref:", cfg.Targets[0].String(), "unless another is named")
	assert.Zero(t, cfg.Foreign)
	assert.Contains(t, cfg.Command(cfg.Plans[0], "transport=quic", 3), "bench load/quic ref: --seed 3 --point transport=quic")
	assert.NotContains(t, cfg.Command(cfg.Plans[0], "seed=3", 3), "--seed", "the sweep chooses it")

	for flag, want := range map[string]float64{"100": -1, "0": 5e-324, "50": 0.5} {
		cfg, err := benchOf(t, "load/quic", "--foreign", flag).config()
		require.NoError(t, err)
		assert.Equal(t, want, cfg.Foreign, "%s %%: where 0 would be the default", flag)
	}
	cfg, err = benchOf(t, "network/dead", "ref:", "go:", "--nodes", "7", "--mixed").config()
	require.NoError(t, err)
	assert.Equal(t, "go 7 true", fmt.Sprint(cfg.Targets[1].Name(), " ", cfg.Nodes, " ", cfg.Mixed))
	assert.Contains(t, cfg.Command(cfg.Plans[0], "", 3), "bench network/dead ref: go: --seed 3 --nodes 7 --mixed")

	_, err = benchOf(t, "network/dead", "--streams", "7").config()
	assert.ErrorContains(t, err, "--streams: it is about a load of requests, and plan network/dead is a network")
	_, err = benchOf(t, "load/quic", "ref:", "echo:", "--mixed").config()
	assert.ErrorContains(t, err, "--mixed: it is about a network, and plan load/quic is a load of requests")
	for _, flags := range [][]string{{"--unlimited"}, {"--foreign", "5"}, {"--find-max"}} {
		_, err = benchOf(t, append([]string{"network/dead"}, flags...)...).config()
		assert.ErrorContains(t, err, flags[0]+": it is about a load of requests")
	}
	cfg, err = benchOf(t, "load/quic", "--rounds", "8").config()
	require.NoError(t, err)
	assert.Equal(t, 8, cfg.Rounds)
	_, err = benchOf(t, "network/dead", "ref:", "--mixed").config()
	assert.ErrorContains(t, err, "--mixed with the target ref: alone")
	_, err = benchOf(t, "load/quic", "x=cmd:true", "--unlimited").config()
	assert.ErrorContains(t, err, "--unlimited: it is about ref: and echo:")
	_, err = benchOf(t, "load/quic", "x=cmd:true", "mine=echo:", "--unlimited").config()
	assert.NoError(t, err)
	_, err = benchOf(t, "load/quic", "--rounds", "8", "--find-max").config()
	assert.ErrorContains(t, err, "--rounds 8 with --find-max")
}

// TestBenchProgress: without a terminal a line every ten seconds, one for each turn of several, and one for each that is
// done again.
func TestBenchProgress(t *testing.T) {
	var err strings.Builder
	p := (&app{stderr: &err}).benchProgress(false)
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	tell := func(after time.Duration, e run.BenchEvent) {
		now = now.Add(after)
		e.Plan, e.Rounds, e.Span = "load/x", 2, 20*time.Second
		p.event(e)
	}
	s := time.Second
	tell(0, run.BenchEvent{Target: "ref", Round: 1})
	tell(9*s, run.BenchEvent{Target: "ref", Round: 1, Elapsed: 9 * s, PerSecond: 15_400})
	tell(s, run.BenchEvent{Target: "ref", Round: 1, Elapsed: 10 * s, PerSecond: 15_600})
	tell(10*s, run.BenchEvent{Target: "ref", Round: 1, Elapsed: 20 * s, Ended: true, Again: "others kept 40 % of the processors busy"})
	tell(0, run.BenchEvent{Target: "ref", Round: 1})
	tell(20*s, run.BenchEvent{Target: "ref", Round: 1, Elapsed: 20 * s, PerSecond: 16_200, Ended: true})
	tell(5*s, run.BenchEvent{Target: "echo", Round: 2, Point: "streams=8"})
	tell(11*s, run.BenchEvent{Target: "echo", Round: 2, Point: "streams=8", Elapsed: 11 * s})
	p.close()
	assert.Equal(t, `load/x ref, round 1 of 2: 10.0 of 20.0 s, 15 k/s
load/x ref, round 1 of 2: it is done again: others kept 40 % of the processors busy
load/x ref, round 1 of 2: 16 k/s
load/x streams=8 echo, round 2 of 2: 11.0 of 20.0 s
`, err.String())

	err.Reset()
	p = (&app{stderr: &err}).benchProgress(true)
	p.event(run.BenchEvent{Rounds: 2, Ended: true})
	p.close()
	assert.Empty(t, err.String(), "--quiet")
}

// TestInterruptedBench: it ends soon, with exit code 130 and a whole log, and its targets end with it.
func TestInterruptedBench(t *testing.T) {
	dir := t.TempDir()
	self := filepath.Join(dir, "kadbench") // by this name TestMain knows what it is, and what its targets are
	if err := os.Link(os.Args[0], self); err != nil {
		t.Skipf("the test binary under another name: %v", err)
	}
	file := filepath.Join(dir, "long.plan")
	require.NoError(t, os.WriteFile(file, []byte("id load/long\nworld real\nload PING closed for=200ms connections=1 streams=1\n"), 0o644))
	cmd := exec.Command(self, "bench", file, "--rounds", "100", "--foreign", "100", "--out", dir)
	var stdout strings.Builder
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(stderr)
	require.True(t, lines.Scan())
	assert.Regexp(t, `^load/long ref, round 1 of 100: \S.*/s$`, lines.Text(), "a turn is over")

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	assert.Equal(t, "kadbench: interrupted", last)
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	assert.Equal(t, 130, exit.ExitCode())
	assert.Contains(t, stdout.String(), "load/long")

	r, err := record.Open(dir)
	require.NoError(t, err)
	defer r.Close()
	turns, measured := 0, 0
	for e, err := range r.Entries() {
		require.NoError(t, err)
		if e.Turn != nil {
			turns++
		}
		if e.Measured != nil {
			measured++
		}
	}
	assert.True(t, r.Ended(), "the log has its summary")
	assert.Positive(t, turns)
	assert.Zero(t, measured, "not judged")
}
