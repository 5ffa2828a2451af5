package run_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

func TestMain(m *testing.M) {
	// What a run starts it also ends: puppets, nodes, probes and their goroutines.
	goleak.VerifyTestMain(m)
}

// script makes a plan of the lines of a script between A and T.
func script(t *testing.T, id string, lines ...string) *plan.Plan {
	src := "# " + id + "\nid " + id + "\ncatalogue ST-01\nspec libp2p-kad L386\nlevel must\n\npeer T target\npeer A\n" + strings.Join(lines, "\n") + "\n"
	p, err := plan.Parse(id+".plan", []byte(src))
	require.NoError(t, err)
	return p
}

// asks is a script of one request, whose key the fake obeys.
func asks(t *testing.T, id, key string) *plan.Plan {
	return script(t, id, "open s A -> T", fmt.Sprintf("send s FIND_NODE key=%q", key), "want s FIND_NODE within=5s")
}

func config(f *fake, plans ...*plan.Plan) run.Config {
	f.name = "fake"
	return run.Config{Targets: []target.Factory{f}, Plans: plans, Seed: 7}
}

// verdicts are those of the base profile by case.
func verdicts(r *run.Report) map[string]record.Verdict {
	all := map[string]record.Verdict{}
	for _, res := range r.Results {
		if res.Profile == "base" {
			all[res.Case] = res.Verdict
		}
	}
	return all
}

func TestACrashIsTheFaultOfTheCaseThatRepeatsIt(t *testing.T) {
	f := &fake{}
	var plans []*plan.Plan
	for i := range 6 {
		plans = append(plans, asks(t, fmt.Sprintf("a/waits-%d", i), "wait 400ms; echo"))
	}
	plans = append(plans, asks(t, "a/crashes", "wait 100ms; crash"), asks(t, "a/after", "echo"))
	report, err := run.Check(context.Background(), config(f, plans...))
	require.ErrorIs(t, err, run.ErrFailed)
	require.Equal(t, 1, run.ExitCode(err))
	for id, v := range verdicts(report) {
		if id == "a/crashes" {
			require.Equal(t, record.Fail, v)
			continue
		}
		require.Equal(t, record.Pass, v, id)
	}
	i := slices.IndexFunc(report.Results, func(r record.Result) bool { return r.Case == "a/crashes" })
	require.Equal(t, "wanted FIND_NODE within=5s, got the target's process ended", report.Results[i].Why)
	require.Equal(t, "fake: a last word\n", report.Results[i].Failure.Log)
}

func TestACrashThatDoesNotComeBackFailsAllThatRanThen(t *testing.T) {
	f := &fake{onceOnly: true}
	report, err := run.Check(context.Background(), config(f,
		asks(t, "a/one", "meet 3; stay; echo"), asks(t, "a/two", "meet 3; crash"), asks(t, "a/three", "meet 3; stay; echo")))
	require.ErrorIs(t, err, run.ErrFailed)
	require.Equal(t, 3, report.Summary.Failed)
	require.Contains(t, report.Results[0].Why, "alone it did not happen again")
	require.Contains(t, report.Results[0].Why, "beside ")
	require.Contains(t, report.Results[0].Why, "a/two")
}

func TestATargetThatHangsIsReplaced(t *testing.T) {
	f := &fake{}
	c := config(f, script(t, "a/hangs", "open s A -> T", `send s FIND_NODE key="hang"`, "want s FIND_NODE within=200ms"), asks(t, "a/after", "echo"))
	c.Jobs, c.Patience = 1, time.Second
	report, err := run.Check(context.Background(), c)
	require.ErrorIs(t, err, run.ErrFailed)
	require.Equal(t, map[string]record.Verdict{"a/hangs": record.Fail, "a/after": record.Pass}, verdicts(report))
	require.Equal(t, 2, f.made)
}

func TestAnAddressThatHangsIsLost(t *testing.T) {
	f := &fake{remote: true}
	c := config(f, script(t, "a/hangs", "open s A -> T", `send s FIND_NODE key="hang"`, "want s FIND_NODE within=200ms"), asks(t, "a/after", "echo"))
	c.Jobs, c.Patience = 1, time.Second
	report, err := run.Check(context.Background(), c)
	require.ErrorIs(t, err, run.ErrTarget)
	require.Equal(t, 3, report.Summary.Exit)
	require.Equal(t, map[string]record.Verdict{"a/hangs": record.Fail, "a/after": record.Skipped}, verdicts(report))
}

// Cases which give parameters or seat have nodes of their own, on processes which are used again; the others share one.
func TestIsolation(t *testing.T) {
	f := &fake{seats: true, methods: []string{"table"}}
	var plans []*plan.Plan
	for i := range 3 {
		plans = append(plans, script(t, fmt.Sprintf("a/own-%d", i), "connect A -> T", "open s A -> T", `send s FIND_NODE key="echo"`, "want s FIND_NODE"))
		plans = append(plans, asks(t, fmt.Sprintf("a/shared-%d", i), "echo"))
	}
	c := config(f, plans...)
	c.Jobs = 1
	report, err := run.Check(context.Background(), c)
	require.NoError(t, err)
	require.Equal(t, 6, report.Summary.Passed)
	require.Equal(t, 2, f.made, "one process for the shared node, one for the others in turn")
	require.Equal(t, 4, f.starts)
}

// Repeated, a case that has the target for itself gets a fresh one each time, and one that shares it gets a fresh one with
// each repetition of the user's: what it left behind would answer it.
func TestRepetitionsBeginAnew(t *testing.T) {
	for _, c := range []struct {
		lines  []string
		repeat int
		header string
		starts int
	}{
		{[]string{"connect A -> T"}, 3, "", 3},
		{nil, 3, "", 3},
		{nil, 1, "repeat 3\n", 1},
		{nil, 2, "repeat 3\n", 2},
		{[]string{"connect A -> T"}, 2, "repeat 3\n", 6},
		{[]string{"connect A -> T"}, 1, "each i=1..4\n", 4},
		{nil, 1, "each i=1..4\n", 1},
	} {
		f := &fake{}
		lines := append(c.lines, "open s A -> T", `send s FIND_NODE key="echo"`, "want s FIND_NODE")
		p := script(t, "a/again", lines...)
		p, err := plan.Parse(p.File, []byte(strings.Replace(string(p.Source), "level must\n", "level must\n"+c.header, 1)))
		require.NoError(t, err)
		conf := config(f, p)
		conf.Repeat = c.repeat
		report, err := run.Check(context.Background(), conf)
		require.NoError(t, err)
		require.Equal(t, 1, report.Summary.Passed)
		require.Equal(t, c.starts, f.starts, "%+v", c)
	}
}

// The words of the target's line reach its start, in the units of the control protocol.
func TestParametersReachStart(t *testing.T) {
	f := &fake{}
	p := script(t, "a/words", "open s A -> T", `send s FIND_NODE key="echo"`, "want s FIND_NODE")
	line := "peer T target mode=client k=5 beta=2 namespaces=v filter=public background=true transports=tcp expiry.provider=48h expiry.record=90s\n"
	p, err := plan.Parse(p.File, []byte(strings.Replace(string(p.Source), "peer T target\n", line, 1)))
	require.NoError(t, err)
	_, err = run.Check(context.Background(), config(f, p))
	require.NoError(t, err)
	require.Len(t, f.started, 1)
	got := f.started[0]
	require.NotEmpty(t, got.Seed)
	got.Seed = ""
	require.Equal(t, target.StartParams{
		Mode: "client", Protocol: run.DefaultProtocol, K: 5, Beta: 2, Namespaces: []string{"v"}, Filter: "public", Background: true,
		Transports: []string{"tcp"}, Expiry: map[string]int64{"provider": 172_800_000, "record": 90_000},
	}, got)
}

func TestATargetThatDoesNotStartIsTriedThreeTimes(t *testing.T) {
	f := &fake{broken: "start"}
	_, err := run.Check(context.Background(), config(f, asks(t, "a/one", "echo"), asks(t, "a/two", "echo")))
	require.ErrorIs(t, err, run.ErrTarget)
	require.Equal(t, 3, f.made)
}

// Nothing goes beside a case that wants to be alone.
func TestAlone(t *testing.T) {
	var plans []*plan.Plan
	for i := range 6 {
		p := asks(t, fmt.Sprintf("a/case-%d", i), "wait 50ms; echo")
		p.Header.Alone = i%2 == 0
		plans = append(plans, p)
	}
	c := config(&fake{}, plans...)
	running := map[string]bool{}
	c.Progress = func(e run.Event) { // one event at a time
		switch e.Kind {
		case run.Started:
			running[e.Case] = true
		case run.Finished:
			delete(running, e.Case)
		}
		for _, p := range plans {
			if p.Header.Alone && running[p.Header.ID] {
				require.Len(t, running, 1)
			}
		}
	}
	_, err := run.Check(context.Background(), c)
	require.NoError(t, err)
}

func TestKnownFailures(t *testing.T) {
	k, err := check.ReadKnown("known.toml", []byte(`
name = "fake-kad"
[[known]]
case = "a/fails"
reason = "got eof"
link = "https://example.org/1"
until = 2100-01-01
[[known]]
case = "a/passes"
reason = "got eof"
link = "https://example.org/2"
until = 2100-01-01
`))
	require.NoError(t, err)
	c := config(&fake{}, asks(t, "a/fails", "eof"), asks(t, "a/passes", "echo"))
	c.Known = []*check.Known{k}
	report, err := run.Check(context.Background(), c)
	require.ErrorIs(t, err, run.ErrFailed, "an unexpected pass fails")
	require.Equal(t, map[string]record.Verdict{"a/fails": record.XFail, "a/passes": record.XPass}, verdicts(report))
	require.Equal(t, 1, report.Summary.Expected)
	require.Equal(t, 1, report.Summary.Failed)

	c.Plans = c.Plans[:1]
	report, err = run.Check(context.Background(), c)
	require.ErrorIs(t, err, run.ErrFailed, "an entry without a case fails the run")
	require.Equal(t, []string{"known.toml: a/passes: no such case"}, report.Notes)
	require.Zero(t, report.Summary.Failed)

	c.Known, c.Builtin = nil, c.Known
	report, err = run.Check(context.Background(), c)
	require.NoError(t, err, "a built-in file is about all cases of the project, whichever are run")
	require.Empty(t, report.Notes)
	require.Equal(t, 1, report.Summary.Expected)
}

func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	log, err := record.Create(dir, record.Run{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	c := config(&fake{}, asks(t, "a/first", "echo"), asks(t, "a/waits", "wait 4s; echo"), asks(t, "a/later", "echo"))
	c.Jobs, c.Log = 1, log
	c.Progress = func(e run.Event) {
		if e.Kind == run.Started && e.Case == "a/waits" {
			cancel()
		}
	}
	report, err := run.Check(ctx, c)
	require.Equal(t, 130, run.ExitCode(err))
	require.Equal(t, map[string]record.Verdict{"a/first": record.Pass}, verdicts(report))
	require.NoError(t, log.Close(report.Summary))
	r, err := record.Open(dir)
	require.NoError(t, err)
	for _, err := range r.Entries() {
		require.NoError(t, err)
	}
	require.True(t, r.Ended())
}

// The log holds the bytes of both directions, and who they were to.
func TestTheLogHoldsEveryFrame(t *testing.T) {
	dir := t.TempDir()
	log, err := record.Create(dir, record.Run{})
	require.NoError(t, err)
	c := config(&fake{}, script(t, "a/two", "open s A -> T", `send s FIND_NODE key="echo; eof"`, "want s FIND_NODE", "want s eof"))
	c.Log = log
	report, err := run.Check(context.Background(), c)
	require.NoError(t, err)
	require.NoError(t, log.Close(report.Summary))
	r, err := record.Open(dir)
	require.NoError(t, err)
	var got []string
	for e, err := range r.Entries() {
		require.NoError(t, err)
		switch e.Type {
		case record.TypeFrame, record.TypeStream:
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s%s %d %s", e.Type, e.Stream, e.Peer, e.Dir, e.Event, len(e.Bytes), e.Line)))
			require.Equal(t, "a/two", e.Case)
			require.NotZero(t, e.At)
		case record.TypeTarget:
			got = append(got, e.Type+" "+e.Text)
		case record.TypeCase:
			got = append(got, e.Type+" "+e.Event)
		}
	}
	require.Equal(t, []string{
		"target fake-kad v1.2.3",
		"case begin",
		"stream s A opened 0",
		"frame s A sent 14 a/two.plan:10",
		"frame s A received 14",
		"stream s A eof 0",
		"case end",
	}, got)
}

func TestProgressCountsEachPass(t *testing.T) {
	var mu sync.Mutex
	var done, total, most int
	c := config(&fake{options: []string{"profile"}}, asks(t, "a/one", "echo"), asks(t, "a/two", "echo"))
	c.Progress = func(e run.Event) {
		require.True(t, mu.TryLock(), "one event at a time")
		defer mu.Unlock()
		if e.Kind == run.Finished {
			done++
			require.Len(t, e.Results, 1)
		}
		total, most = e.Total, max(most, e.Done)
	}
	report, err := run.Check(context.Background(), c)
	require.NoError(t, err)
	require.Equal(t, []int{6, 6, 6}, []int{done, total, most})
	require.Equal(t, 2, report.Summary.Passed)
	require.Len(t, report.Results, 6)
	require.Equal(t, []string{"base", "amino", "defacto"}, []string{report.Results[0].Profile, report.Results[1].Profile, report.Results[2].Profile})
}

func TestFilters(t *testing.T) {
	all := []*plan.Plan{asks(t, "find-node/one", "echo"), asks(t, "find-node/two", "echo"), asks(t, "put-value/one", "echo")}
	ids := func(c run.Config) (ids []string) {
		for _, p := range run.Select(&c) {
			ids = append(ids, p.Header.ID)
		}
		return ids
	}
	for _, c := range []struct {
		config run.Config
		want   string
	}{
		{run.Config{}, "find-node/one find-node/two put-value/one"},
		{run.Config{Cases: []string{"find-node/*"}}, "find-node/one find-node/two"},
		{run.Config{Cases: []string{"**/one"}}, "find-node/one put-value/one"},
		{run.Config{Cases: []string{"find-node/two", "put-value/one"}}, "find-node/two put-value/one"},
		{run.Config{Areas: []string{"put-value"}}, "put-value/one"},
		{run.Config{Levels: []plan.Level{plan.Should}}, ""},
		{run.Config{Levels: []plan.Level{plan.Must}}, "find-node/one find-node/two put-value/one"},
		{run.Config{Shard: run.Shard{I: 1, N: 2}}, "find-node/one put-value/one"},
		{run.Config{Shard: run.Shard{I: 2, N: 2}}, "find-node/two"},
		{run.Config{Cases: []string{"**"}}, "find-node/one find-node/two put-value/one"},
	} {
		c.config.Plans = all
		require.Equal(t, c.want, strings.Join(ids(c.config), " "), "%+v", c.config)
	}
	skip := config(&fake{}, all...)
	skip.Skip = []string{"find-node/*"}
	report, err := run.Check(context.Background(), skip)
	require.NoError(t, err)
	require.Equal(t, 2, report.Summary.Skipped)
	require.Equal(t, 1, report.Summary.Passed)
}

func TestUsage(t *testing.T) {
	one := asks(t, "a/one", "echo")
	for name, c := range map[string]struct {
		change func(*run.Config)
		says   string
	}{
		"no target":    {func(c *run.Config) { c.Targets = nil }, "no target"},
		"twice":        {func(c *run.Config) { c.Targets = append(c.Targets, c.Targets[0]) }, `two targets are called "fake"`},
		"jobs":         {func(c *run.Config) { c.Jobs = 1000 }, "jobs 1000"},
		"repeat":       {func(c *run.Config) { c.Repeat = -1 }, "repeat -1"},
		"shard":        {func(c *run.Config) { c.Shard = run.Shard{I: 3, N: 2} }, "shard 3/2"},
		"glob":         {func(c *run.Config) { c.Cases = []string{"["} }, `case "["`},
		"not private":  {func(c *run.Config) { c.Targets = []target.Factory{&fake{name: "far", remote: true, public: true}} }, "--remote"},
		"no such case": {func(c *run.Config) { c.Cases = []string{"x/*"} }, "no case matches (--case x/*) among 1"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(&fake{}, one)
			c.change(&conf)
			report, err := run.Check(context.Background(), conf)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, 2, run.ExitCode(err))
			require.Equal(t, 2, report.Summary.Exit)
			require.Empty(t, report.Results)
		})
	}
}

func TestAStrangersAddressGetsNoFloods(t *testing.T) {
	p := script(t, "a/flood", "open s A -> T", `send s FIND_NODE key="echo" times=1000`, "want s FIND_NODE times=1000")
	require.Contains(t, p.Header.Needs, "flood")
	c := config(&fake{remote: true, public: true}, p)
	c.Remote = true
	report, err := run.Check(context.Background(), c)
	require.NoError(t, err)
	require.Equal(t, 1, report.Summary.Unsupported)
}

func TestExitCodes(t *testing.T) {
	for code, err := range map[int]error{0: nil, 1: run.ErrFailed, 2: run.ErrNothing, 3: run.ErrTarget, 4: errors.New("anything"), 130: context.Canceled} {
		require.Equal(t, code, run.ExitCode(err))
	}
	require.Equal(t, 2, run.ExitCode(fmt.Errorf("%w: x", run.ErrUsage)))
	require.Equal(t, 4, run.ExitCode(run.ErrHarness))
}

// Repeated with the same seed, a run has the same cast and the same bytes.
func TestSeedBringsEverythingBack(t *testing.T) {
	frames := func(seed uint64) (all []string) {
		dir := t.TempDir()
		log, err := record.Create(dir, record.Run{})
		require.NoError(t, err)
		c := config(&fake{}, script(t, "a/seeded", "peer B1..B9", "open s A -> T", "send s FIND_NODE key=rand(8) providerPeers={id=B7} closerPeers={id=T}", "want s FIND_NODE"))
		c.Log, c.Seed = log, seed
		report, err := run.Check(context.Background(), c)
		require.NoError(t, err)
		require.NoError(t, log.Close(report.Summary))
		b, err := os.ReadFile(dir + "/" + record.FileName)
		require.NoError(t, err)
		for line := range strings.Lines(string(b)) {
			if i := strings.Index(line, `"bytes":`); i >= 0 {
				all = append(all, line[i:])
			}
		}
		return all
	}
	require.Equal(t, frames(7), frames(7))
	require.NotEqual(t, frames(7), frames(8))
}
