package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// benchOf is the load of a plan with these lines on these targets, whose log is in a directory of its own.
func benchOf(t *testing.T, lines string, targets ...string) BenchConfig {
	p, err := plan.Parse("test.plan", []byte("# A load.\nid load/test\n"+lines+"\n"))
	require.NoError(t, err)
	log, err := record.Create(t.TempDir(), record.Run{})
	require.NoError(t, err)
	c := BenchConfig{Plans: []*plan.Plan{p}, Log: log}
	for _, text := range targets {
		f, err := target.Parse(text)
		require.NoError(t, err)
		c.Targets = append(c.Targets, f)
	}
	return c
}

// logOf closes the log and reads its lines of the loads.
func logOf(t *testing.T, c BenchConfig, r *BenchReport) (benches []*record.Bench, turns []*record.Turn, measured []*record.Measured) {
	require.NoError(t, c.Log.Close(r.Summary))
	log, err := record.Open(filepath.Dir(c.Log.Path()))
	require.NoError(t, err)
	defer log.Close()
	for e, err := range log.Entries() {
		require.NoError(t, err)
		switch e.Type {
		case record.TypeBench:
			benches = append(benches, e.Bench)
		case record.TypeTurn:
			turns = append(turns, e.Turn)
		case record.TypeMeasured:
			measured = append(measured, e.Measured)
		}
	}
	return benches, turns, measured
}

// TestBench: two targets in turn on real sockets, from a plan to a log.
func TestBench(t *testing.T) {
	c := benchOf(t, `world real table=60 rounds=2 check=100%
load FIND_NODE rate=300/s for=300ms warmup=50ms connections=2 streams=2 weight=2
load PING
need errors=0 due.p50<10s start.p50<10s rate>=1/s late<=100%`, "ref:", "echo:")
	r, err := Bench(t.Context(), c)
	require.NoError(t, err)
	benches, turns, measured := logOf(t, c, r)
	require.Len(t, benches, 2)
	require.Len(t, measured, 2)
	var order []string
	for _, turn := range turns {
		order = append(order, fmt.Sprint(benches[turn.Number].Target, turn.Round))
		assert.Equal(t, uint64(90), turn.Requests)
		assert.InDelta(t, 300, turn.Offered, 1)
	}
	assert.Equal(t, []string{"ref1", "echo1", "ref2", "echo2"}, order)
	ref, echo := measured[0], measured[1]
	assert.Equal(t, 2, ref.Turns)
	assert.Equal(t, uint64(180), ref.Answered)
	assert.InDelta(t, 120, ref.Checked, 30, "all answers to FIND_NODE, two of three requests")
	assert.Zero(t, ref.Wrong)
	assert.Zero(t, echo.Checked, "its answers are the same whatever is asked")
	assert.Nil(t, ref.Against)
	require.NotNil(t, echo.Against)
	assert.Positive(t, echo.Against.Rate.Median)
	require.Len(t, ref.Needs, 7, "those of the plan, and those of every load: %v", ref.Needs)
	for _, n := range ref.Needs {
		assert.Equal(t, record.Pass, n.Verdict, "%s %s %s", n.Text, n.Got, n.Why)
	}
	summaries := r.Summaries()
	require.Len(t, summaries, 2)
	assert.Equal(t, "ref", summaries[0].Target)
	require.NotNil(t, summaries[0].Due.P50)
	assert.Nil(t, summaries[0].ServerCPU, "it runs in this process")
}

// scripted is a load of which each turn comes out as a function says.
func scripted(c *BenchConfig, load func(d *bench.Driver, turn int) *bench.Result) {
	c.load = func(_ context.Context, d *bench.Driver, turn int) (*bench.Result, error) { return load(d, turn), nil }
}

// result of a turn of one second in which so many requests took so long.
func result(n uint64, took time.Duration) *bench.Result {
	r := &bench.Result{Span: time.Second, Requests: n, Answered: n, Ended: n, ServerCPU: time.Duration(n) * 10 * time.Microsecond, Foreign: 0.01}
	for range n {
		r.Due.Add(int64(took))
		r.Service.Add(int64(took))
		r.Start.Add(0)
	}
	return r
}

const smallLoad = "world real rounds=3\nload FIND_NODE rate=1000/s for=1s\n"

// TestNeeds: each figure of a load can be held, missed, or impossible to tell.
func TestNeeds(t *testing.T) {
	c := benchOf(t, smallLoad+`need due.p99<30ms service.p99<30ms start.p99<1ms errors<10% timeouts<1% late<1% dropped=0 rate>=1000/s cpu<30us
need due.p99<10ms service.p99<10ms errors<1% timeouts=0 late=0 rate>1000/s cpu<10us wrong=0 due.p999<1s`, "ref:")
	scripted(&c, func(*bench.Driver, int) *bench.Result {
		r := result(2000, 20*time.Millisecond)
		r.Errors, r.Timeouts, r.Late, r.Ended = 40, 2, 4, 1000
		return r
	})
	r, err := Bench(t.Context(), c)
	assert.ErrorIs(t, err, ErrNeed)
	assert.Equal(t, 5, ExitCode(err))
	var got []string
	for _, n := range r.Measured[0].Needs {
		got = append(got, fmt.Sprintf("%s %s: %s%s", n.Verdict, n.Text, n.Got, n.Why))
	}
	assert.Equal(t, strings.TrimSpace(`
pass due.p99<30ms: due.p99 20ms (20ms to 20ms) of 6000 requests
pass service.p99<30ms: service.p99 20ms (20ms to 20ms) of 6000 requests
pass start.p99<1ms: start.p99 0s (0s to 0s) of 6000 requests
pass errors<10%: errors 0.0210 (0.0177 to 0.0249) of 6000 requests
pass timeouts<1%: timeouts 0.0010 (0.0005 to 0.0022) of 6000 requests
pass late<1%: late 0.0020 (0.0011 to 0.0035) of 6000 requests
pass dropped=0: dropped 0 of 6000 requests
pass rate>=1000/s: rate 1000/s median of 3 turns (1000/s to 1000/s)
pass cpu<30us: cpu 20µs median of 3 turns (20µs to 20µs)
fail due.p99<10ms: due.p99 20ms (20ms to 20ms) of 6000 requests
fail service.p99<10ms: service.p99 20ms (20ms to 20ms) of 6000 requests
fail errors<1%: errors 0.0210 (0.0177 to 0.0249) of 6000 requests
fail timeouts=0: timeouts 0.0010 (0.0005 to 0.0022) of 6000 requests
fail late=0: late 0.0020 (0.0011 to 0.0035) of 6000 requests
fail rate>1000/s: rate 1000/s median of 3 turns (1000/s to 1000/s)
fail cpu<10us: cpu 20µs median of 3 turns (20µs to 20µs)
skipped wrong=0: no answer was compared with the true nearest
skipped due.p999<1s: p999 of 6000 requests: 10000 are needed, so that 10 lie beyond it`), strings.Join(got, "\n"))
}

// TestEveryLoad: what was not sent as it was due fails a load whose plan says nothing of it.
func TestEveryLoad(t *testing.T) {
	for _, spoil := range []func(*bench.Result){
		func(r *bench.Result) { r.Dropped = 1 },
		func(r *bench.Result) { r.Late = 21 },
		func(r *bench.Result) { r.Checked, r.Wrong = 10, 1 },
	} {
		c := benchOf(t, smallLoad, "ref:")
		scripted(&c, func(*bench.Driver, int) *bench.Result {
			r := result(2000, time.Millisecond)
			spoil(r)
			return r
		})
		r, err := Bench(t.Context(), c)
		assert.ErrorIs(t, err, ErrNeed)
		assert.Equal(t, 1, r.Summary.Failed)
	}
}

// TestForeign: a turn beside which others kept the machine busy is done again, three times at most, and then counts with what
// stands beside it.
func TestForeign(t *testing.T) {
	c := benchOf(t, smallLoad, "ref:")
	busy := map[int]bool{4: true, 8: true, 9: true, 10: true, 11: true}
	var asked []int
	scripted(&c, func(_ *bench.Driver, turn int) *bench.Result {
		asked = append(asked, turn)
		r := result(1000, time.Millisecond)
		if busy[turn] {
			r.Foreign = 0.5
		}
		return r
	})
	var again []string
	c.Progress = func(e BenchEvent) { again = append(again, e.Again) }
	r, err := Bench(t.Context(), c)
	require.NoError(t, err)
	_, turns, measured := logOf(t, c, r)
	assert.Equal(t, []int{4, 5, 8, 9, 10, 11, 12}, asked, "of the rounds 1, 2 and 3, all with keys of their own")
	assert.Len(t, turns, 7)
	void := "others kept 50.0 % of the processors busy"
	assert.Equal(t, []string{void, "", void, void, void, "", ""}, again)
	assert.Equal(t, 3, measured[0].Turns)
	assert.Equal(t, new(0.5), turns[5].Foreign, "it is told of the turn that counts")

	c = benchOf(t, smallLoad, "ref:")
	c.Foreign = -1
	scripted(&c, func(*bench.Driver, int) *bench.Result {
		r := result(1000, time.Millisecond)
		r.Foreign = 1
		return r
	})
	r, err = Bench(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, 3, r.Measured[0].Turns)

	c = benchOf(t, smallLoad, "ref:")
	scripted(&c, func(*bench.Driver, int) *bench.Result {
		r := result(1000, time.Millisecond)
		r.Foreign = -1
		return r
	})
	r, err = Bench(t.Context(), c)
	require.NoError(t, err)
	_, turns, measured = logOf(t, c, r)
	assert.Nil(t, turns[0].Foreign, "nobody knows it")
	assert.Nil(t, measured[0].Foreign)
}

// dying is a target that ends.
type dying struct {
	target.Target
	died chan struct{}
}

func (d dying) Died() <-chan struct{} { return d.died }
func (d dying) Log() string           { return "no more memory" }

// TestDiedUnderLoad: a turn is broken off when its target ends, however long it would have lasted.
func TestDiedUnderLoad(t *testing.T) {
	c := benchOf(t, smallLoad, "ref:")
	points, err := c.points()
	require.NoError(t, err)
	s := &server{target: dying{died: make(chan struct{})}, bench: record.Bench{Target: "dying"}}
	c.load = func(ctx context.Context, _ *bench.Driver, _ int) (*bench.Result, error) {
		close(s.target.(dying).died)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	err = c.turn(t.Context(), s, points[0], 1, time.Now())
	assert.ErrorIs(t, err, ErrTarget)
	assert.ErrorContains(t, err, "dying: its process ended under the load")
	assert.ErrorContains(t, err, "no more memory")
	assert.NotErrorIs(t, err, context.Canceled)
}

// TestSettled: the log tells the load as it was, not as the plan has it where the command said otherwise.
func TestSettled(t *testing.T) {
	const lines = "world real transport=tcp rounds=1\nload FIND_NODE rate=200/s to=400/s poisson for=1s connections=2 streams=3 warmup=1s weight=2\nload PING"
	told := func(alter func(*BenchConfig)) string {
		c := benchOf(t, lines, "ref:")
		alter(&c)
		scripted(&c, func(*bench.Driver, int) *bench.Result { return result(2000, time.Millisecond) })
		r, err := Bench(t.Context(), c)
		require.NoError(t, err)
		var all []string
		for _, s := range r.Benches[0].World {
			all = append(all, s.Name+" "+s.Value)
		}
		return strings.Join(all, ", ")
	}
	assert.Equal(t, "transport tcp, load FIND_NODE rate=200/s to=400/s poisson for=1s connections=2 streams=3 warmup=1s weight=2, load PING",
		told(func(*BenchConfig) {}))
	assert.Equal(t, "transport tcp, load FIND_NODE poisson weight=2, load PING, for 2s, rate 30/m, warmup 3s, connections 5, streams 6", told(func(c *BenchConfig) {
		c.Rate, c.For, c.Warmup, c.Connections, c.Streams = plan.Rate{Count: 30, Per: time.Minute}, 2*time.Second, 3*time.Second, 5, 6
	}))
}

// TestOffered: the largest table that a plan can ask for has addresses for documentation alone, each peer its own.
func TestOffered(t *testing.T) {
	seen := map[string]bool{}
	for i := range 10_000 {
		for j := range 3 {
			at := offered(i, j)
			require.Regexp(t, `^/ip4/198\.51\.100\.\d+/tcp/4\d\d\d$`, at)
			require.False(t, seen[at], at)
			seen[at] = true
		}
	}
}

// TestBenchRefuses: what cannot be loaded is refused before anything begins.
func TestBenchRefuses(t *testing.T) {
	for want, alter := range map[string]func(*BenchConfig){
		"no target":              func(c *BenchConfig) { c.Targets = nil },
		"load goes nowhere else": func(c *BenchConfig) { c.Targets[0] = public(t) },
		"no plan":                func(c *BenchConfig) { c.Plans = nil },
		"rounds: 101":            func(c *BenchConfig) { c.Rounds = 101 },
		"streams: 5000":          func(c *BenchConfig) { c.Streams = 5000 },
		"no point":               func(c *BenchConfig) { c.Point = "streams=9" },
		"its world is not real": func(c *BenchConfig) {
			p, err := plan.Parse("sim.plan", []byte("# A.\nid sim/a\nworld sim nodes=10\nload lookup count=1\n"))
			require.NoError(t, err)
			c.Plans = []*plan.Plan{p}
		},
	} {
		c := benchOf(t, smallLoad, "ref:")
		alter(&c)
		assert.ErrorContains(t, c.Check(), want)
		_, err := Bench(t.Context(), c)
		assert.ErrorIs(t, err, ErrUsage)
	}
}

func public(t *testing.T) target.Factory {
	f, err := target.Parse("addr:/ip4/8.8.8.8/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA")
	require.NoError(t, err)
	return f
}

// TestBenchInterrupted: an interrupted load says so, and leaves the turns that were over.
func TestBenchInterrupted(t *testing.T) {
	c := benchOf(t, smallLoad, "ref:")
	ctx, cancel := context.WithCancel(t.Context())
	c.load = func(ctx context.Context, _ *bench.Driver, turn int) (*bench.Result, error) {
		if turn > 4 {
			cancel()
			return nil, ctx.Err()
		}
		return result(100, time.Millisecond), nil
	}
	r, err := Bench(ctx, c)
	assert.Equal(t, 130, ExitCode(err))
	assert.True(t, errors.Is(err, context.Canceled))
	_, turns, measured := logOf(t, c, r)
	assert.Len(t, turns, 1)
	assert.Empty(t, measured)
}

// TestNobodyThere: a target that cannot be started is named once.
func TestNobodyThere(t *testing.T) {
	c := benchOf(t, smallLoad, "gone=cmd:./no/such/program")
	_, err := Bench(t.Context(), c)
	require.ErrorIs(t, err, ErrTarget)
	assert.Equal(t, 3, ExitCode(err))
	assert.True(t, strings.HasPrefix(err.Error(), "target gone=cmd:./no/such/program: cannot be reached: no program"), err)
}
