package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"github.com/kadbench/kadbench/harness/record"
)

// sides loads two logs.
func sides(t *testing.T, a, b string) (x, y []*Log) {
	t.Helper()
	for _, name := range []string{a, b} {
		l, err := Load(filepath.Join("testdata", filepath.FromSlash(name)))
		require.NoError(t, err)
		l.Path = filepath.ToSlash(l.Path)
		x, y = y, []*Log{l}
	}
	return x, y
}

func TestCompare(t *testing.T) {
	for name, s := range map[string][2]string{
		"loads":   {"bench/monday", "bench/tuesday"},
		"cases":   {"runs/monday", "runs/tuesday"},
		"same":    {"sim/exit", "sim/exit"},
		"network": {"bench/network", "bench/network"},
		"nothing": {"bench/monday", "sim/exit"},
	} {
		for _, width := range []int{100, 80} {
			t.Run(fmt.Sprint(name, width), func(t *testing.T) {
				a, b := sides(t, s[0], s[1])
				if name == "network" { // another build: one figure is another, and a need is missed
					o := b[0].Simulations[1].Outcome
					o.Figures[0].Hops.Mean *= 1.2
					o.Needs[0].Verdict, o.Needs[0].Got = record.Fail, "recall@20 0.9 of 1000 lookups"
				}
				var text bytes.Buffer
				require.NoError(t, Compare(a, b, 0.05).Write(&text, Options{Width: width, All: name == "same"}))
				golden(t, fmt.Sprintf("compare/%s-%d.txt", name, width), text.Bytes())
				for line := range strings.Lines(text.String()) {
					if !strings.HasPrefix(line, "A  ") && !strings.HasPrefix(line, "B  ") {
						assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), width, line)
					}
				}
			})
		}
	}
}

// What is worse in one direction is better in the other, figure by figure.
func TestCompareBothWays(t *testing.T) {
	a, b := sides(t, "bench/monday", "bench/tuesday")
	there, back := Compare(a, b, 0.05), Compare(b, a, 0.05)
	require.Equal(t, len(there.Figures), len(back.Figures))
	worse := 0
	for i, f := range there.Figures {
		g := back.Figures[i]
		assert.Equal(t, f.P, g.P)
		assert.Equal(t, map[string]string{Worse: Better, Better: Worse}[f.Verdict], g.Verdict, "%s %s", f.Target, f.Figure)
		if f.Verdict == Worse {
			worse++
			assert.Equal(t, "go", f.Target, "only go became slower")
		}
	}
	assert.Greater(t, worse, 4)
	verdicts, figures := there.Worse()
	assert.Equal(t, []int{1, worse}, []int{verdicts, figures}, "by a tenth, which is beyond the threshold")
	_, figures = Compare(a, b, 0.25).Worse()
	assert.Zero(t, figures, "and within another")
}

// What was not alike on both sides, and what others did meanwhile, stands above the figures.
func TestCompareNotes(t *testing.T) {
	notes := func(change func(a, b *Log)) string {
		a, b := sides(t, "bench/monday", "bench/monday")
		change(a[0], b[0])
		return strings.Join(Compare(a, b, 0.05).Notes, "\n")
	}
	assert.Empty(t, notes(func(_, _ *Log) {}))
	for want, change := range map[string]func(a, b *Log){
		"the versions differ: go go-libp2p-kad-dht v0.42.1 in A, go go-libp2p-kad-dht v0.50 in B": func(_, b *Log) { b.Benches[1].Version = "go-libp2p-kad-dht v0.50" },
		"the seeds differ: 7 in A, 8 in B": func(_, b *Log) { b.Run.Seed = 8 },
		"the machines differ: linux/amd64, 2 CPUs, go1.26.8 in A, linux/amd64, 64 CPUs, go1.26.8 in B": func(_, b *Log) { b.Run.CPUs = 64 },
		"what was asked differs: load/find-node: streams 32 in A, load/find-node: streams 8 in B": func(_, b *Log) {
			for _, one := range b.Benches {
				one.World = slices.Clone(one.World)
				one.World[slices.IndexFunc(one.World, func(s record.Setting) bool { return s.Name == "streams" })].Value = "8"
			}
		},
		"others kept up to 2.0 % of the processors busy in A, and 40.0 % in B": func(_, b *Log) { b.Benches[0].Turns[0].Foreign = new(0.4) },
	} {
		got := notes(change)
		assert.True(t, strings.HasPrefix(got, want), got)
		assert.NotContains(t, got, "\n")
	}
	assert.Empty(t, notes(func(_, b *Log) {
		other := *b.Benches[0]
		other.Plan, other.World = "load/other", []record.Setting{{Name: "streams", Value: "8"}}
		b.Benches = append(b.Benches, &other)
	}), "what only one side was asked is compared with nothing")
}

// Verdicts have an order, and what was not judged has no place in it.
func TestVerdictChanges(t *testing.T) {
	side := func(v record.Verdict) []*Log {
		l := &Log{}
		if v != "" {
			l.Results = []Result{{Result: record.Result{Case: "a/b", Target: "ref", Profile: "base", Verdict: v}}}
		}
		return []*Log{l}
	}
	for _, c := range []struct {
		a, b record.Verdict
		want string
	}{
		{record.Pass, record.Fail, Worse}, {record.Pass, record.Warn, Worse}, {record.Warn, record.Fail, Worse}, {record.Pass, record.XFail, Worse},
		{record.Pass, record.Unsupported, Worse}, {record.Pass, record.Errored, Worse}, {record.XFail, record.XPass, Worse}, {record.Pass, "unheard of", Worse},
		{record.Fail, record.Pass, Better}, {record.Fail, record.XFail, Better}, {record.Unsupported, record.Pass, Better},
		{record.Fail, record.Errored, Changed}, {record.Pass, record.Skipped, Changed}, {record.Skipped, record.Fail, Changed},
		{record.Pass, "", OnlyA}, {"", record.Fail, OnlyB}, {record.Pass, record.Pass, ""},
	} {
		got := Compare(side(c.a), side(c.b), 0)
		if c.want == "" {
			assert.Equal(t, 1, got.Alike)
			assert.Empty(t, got.Verdicts)
			continue
		}
		require.Len(t, got.Verdicts, 1)
		assert.Equal(t, c.want, got.Verdicts[0].Change, "%s to %s", c.a, c.b)
	}
	worst := Compare(side(record.Fail), append(side(record.Fail), side(record.Pass)...), 0)
	assert.Equal(t, 1, worst.Alike, "of several logs of a side the worst counts")
}

// Several runs of a simulation, whose seeds differ, are as many samples; runs that did not end are a verdict.
func TestCompareSimulations(t *testing.T) {
	runs := func(factor float64, seeds ...uint64) []*Log {
		l := &Log{}
		for i, seed := range seeds {
			mean := (10 + float64(i)/10) * factor
			s := &Simulation{Simulation: record.Simulation{Number: i, Plan: "sim/a", Seed: seed, Nodes: 10, Point: []record.Setting{{Name: "seed", Value: fmt.Sprint(seed)}, {Name: "alpha", Value: "3"}}},
				Outcome: &record.Outcome{Digest: fmt.Sprintf("%016x", seed+uint64(factor)), Figures: []record.Figures{{Kind: "lookup", Count: 100, Hops: &record.Distribution{N: 100, Mean: mean}}}}}
			l.Simulations = append(l.Simulations, s)
		}
		return []*Log{l}
	}
	c := Compare(runs(1, 1, 2, 3, 4), runs(2, 1, 2, 3, 9), 0.05)
	require.Len(t, c.Figures, 1)
	f := c.Figures[0]
	assert.Equal(t, whose{Plan: "sim/a", Point: "alpha=3", Kind: "lookup"}, f.whose)
	assert.Equal(t, []any{"hops", Worse, true, 4, 4}, []any{f.Figure, f.Verdict, f.Beyond, f.A.N, f.B.N})
	require.Len(t, c.Digests, 3, "of the seeds that both have")
	assert.NotEqual(t, c.Digests[0].A, c.Digests[0].B)

	one := Compare(runs(1, 1), runs(2, 1), 0.05).Figures[0]
	assert.True(t, one.Few)
	assert.Equal(t, []string{"", "+100.0 %", "one"}, []string{one.Verdict, one.change(), one.chance()}, "nothing is claimed of one sample each")

	cut := runs(1, 1)
	cut[0].Simulations[0].Outcome = nil
	got := Compare(runs(1, 1), cut, 0).Verdicts
	require.Len(t, got, 1)
	assert.Equal(t, []string{"run", "sim/a alpha=3", Worse}, []string{got[0].Case, got[0].Plan, got[0].Change})
}

func TestCompareAsJSON(t *testing.T) {
	a, b := sides(t, "bench/monday", "bench/tuesday")
	b[0].Benches[0].Turns = b[0].Benches[0].Turns[:1] // too few to test
	var out bytes.Buffer
	c := Compare(a, b, 0.05)
	require.NoError(t, c.JSON(&out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	types := make(map[string]int)
	for _, line := range lines {
		var one struct {
			Type, Target, Figure string
			P                    *float64
		}
		require.NoError(t, json.Unmarshal([]byte(line), &one), line)
		types[one.Type]++
		if one.Type == "figure" {
			assert.Equal(t, one.Target == "ref", one.P == nil, line)
		}
	}
	assert.Equal(t, map[string]int{"verdict": len(c.Verdicts), "figure": len(c.Figures), "summary": 1}, types)
	assert.Contains(t, lines[len(lines)-1], `"type":"summary","verdicts_worse":1`)
}

// benchstat, made of the same parts as here, comes to the same verdicts from the lines that are written for it.
func TestBenchfmtAgrees(t *testing.T) {
	type sample struct{ name, unit string }
	parse := func(l []*Log) map[sample][]float64 {
		var b bytes.Buffer
		require.NoError(t, Benchfmt(&b, l))
		r, found := benchfmt.NewReader(&b, "log"), map[sample][]float64{}
		for r.Scan() {
			switch rec := r.Result().(type) {
			case *benchfmt.SyntaxError:
				t.Fatal(rec)
			case *benchfmt.Result:
				assert.Contains(t, []string{"load/find-node", "network/lookup", "load/find-max", "sim/exit-half"}, rec.GetConfig("plan"))
				assert.Equal(t, "linux", rec.GetConfig("goos"))
				for _, v := range rec.Values {
					at := sample{string(rec.Name.Full()), v.Unit}
					found[at] = append(found[at], v.Value)
				}
			}
		}
		require.NoError(t, r.Err())
		return found
	}
	for _, s := range [][2]string{{"bench/monday", "bench/tuesday"}, {"bench/max", "bench/max"}, {"bench/network", "bench/network"}, {"sim/exit", "sim/exit"}} {
		a, b := sides(t, s[0], s[1])
		was, is := parse(a), parse(b)
		figures, least := 0, 8
		if s[0] == "bench/max" {
			least = 3 // the highest rate of two targets at two points
		}
		for _, f := range Compare(a, b, 0.05).Figures {
			tidy, unit := tidied(f.of.Scale, f.Unit)
			r := reading{whose: f.whose}
			at := sample{r.name(), unit}
			require.NotEmpty(t, was[at], "%v", at)
			x, y := benchmath.NewSample(was[at], &benchmath.DefaultThresholds), benchmath.NewSample(is[at], &benchmath.DefaultThresholds)
			theirs := benchmath.AssumeNothing.Compare(x, y)
			assert.InDelta(t, f.P, theirs.P, 1e-9, "%v", at)
			assert.InEpsilon(t, f.A.Value*tidy, benchmath.AssumeNothing.Summary(x, 0.95).Center, 1e-8, "%v", at)
			assert.Equal(t, f.Significant, theirs.FormatDelta(1, 2) != "~", "%v", at)
			figures++
		}
		assert.Greater(t, figures, least)
	}
}

// tidied is the factor from the unit of the log to that which a reader of the format makes of it.
func tidied(scale float64, unit string) (float64, string) {
	if strings.Contains(unit, "ns") && !strings.Contains(unit, "connections") {
		head, denominator, _ := strings.Cut(unit, "/")
		if strings.HasSuffix(head, "ns") {
			head = strings.TrimSuffix(head, "ns") + "sec"
			if denominator != "" {
				head += "/" + denominator
			}
			return scale / 1e9, head
		}
	}
	return scale, unit
}

func TestBenchfmt(t *testing.T) {
	l := loaded(t, "monday")
	for _, b := range l.Benches {
		b.Turns = b.Turns[:1]
	}
	l.Benches[2].Target = "echo of /x y"
	var b bytes.Buffer
	require.NoError(t, Benchfmt(&b, []*Log{l}))
	golden(t, "compare/benchfmt.txt", b.Bytes())
	b.Reset()
	require.NoError(t, Benchfmt(&b, []*Log{l}, []*Log{l}))
	assert.Equal(t, 1, strings.Count(b.String(), "\nside: A\n"))
	assert.Equal(t, 1, strings.Count(b.String(), "\nside: B\n"))
}

// A figure has a direction, as whoever reads its name would say, and a unit of its own.
func TestFigures(t *testing.T) {
	units := make(map[string]bool)
	up, neither := []string{"req/s", "max-req/s", "success", "recall", "events/s"}, []string{"B/req"}
	for _, f := range figuresOf {
		want := -1
		switch {
		case slices.Contains(up, f.Unit):
			want = 1
		case slices.Contains(neither, f.Unit):
			want = 0
		}
		assert.Equal(t, want, f.Better, f.Unit)
		assert.False(t, units[f.Unit], f.Unit)
		units[f.Unit] = true
		assert.NotNil(t, f.show)
		assert.False(t, f.Scale == 0 || math.IsNaN(f.Scale))
		count := 0
		for _, has := range []bool{f.turn != nil, f.most != nil, f.kind != nil, f.run != nil} {
			if has {
				count++
			}
		}
		assert.Equal(t, 1, count, "%s is of turns, searches, operations or runs", f.Unit)
	}
	require.NoError(t, Compare(nil, nil, 0).JSON(io.Discard))
}
