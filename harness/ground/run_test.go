package ground

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/harness/run"
)

// runners are the two that need no daemon.
var runners = map[string]func(context.Context, Config) (*Run, error){"local": Local, "procs": Procs}

// both runs a test with either runner, and looks for what it left behind.
func both(t *testing.T, test func(t *testing.T, run func(context.Context, Config) (*Run, error))) {
	for name, run := range runners {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			test(t, run)
			assert.Empty(t, children(t), "no process is left")
		})
	}
}

// children are the living processes that this one started, directly or not, by what /proc says; none where there is none.
func children(t *testing.T) (pids []string) {
	parent := map[string]string{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(stat), ") ") // pid (name) state ppid
		if fields := strings.Fields(after); len(fields) > 1 && fields[0] != "Z" {
			parent[e.Name()] = fields[1]
		}
	}
	self := strconv.Itoa(os.Getpid())
	for pid := range parent {
		for p := parent[pid]; p != "" && p != "0"; p = parent[p] {
			if p == self {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func TestARun(t *testing.T) {
	both(t, func(t *testing.T, exec func(context.Context, Config) (*Run, error)) {
		out := t.TempDir()
		r, err := exec(t.Context(), Config{Case: "ping", Cases: trivial, Out: out, Params: map[string]string{"rounds": "3"},
			Groups: []Group{{ID: "old", Count: 2}, {ID: "new", Count: 2, Params: map[string]string{"rounds": "3", "transport": "quic"}}}})
		require.NoError(t, err)
		require.Len(t, r.Instances, 4)
		assert.Equal(t, []string{Plan, "ping"}, []string{r.Plan, r.Case})
		assert.Equal(t, filepath.Join(out, Plan, r.ID), r.Dir)
		var seqs []int
		for i, o := range r.Instances {
			assert.Equal(t, OK, o.State)
			assert.Equal(t, []string{"new", "new", "old", "old"}[i], o.Group)
			assert.Equal(t, i%2, o.Index)
			assert.Equal(t, 4, o.Count)
			assert.Equal(t, "3", o.Params["rounds"])
			assert.Equal(t, map[string]string{"new": "quic", "old": "tcp"}[o.Group], o.Params["transport"])
			require.Len(t, o.Points, 3)
			assert.Equal(t, []any{"round", 2.0}, []any{o.Points[2].Name, o.Points[2].Value})
			assert.False(t, o.Points[0].At.After(o.Points[2].At))
			seqs = append(seqs, o.Seq)
		}
		slices.Sort(seqs)
		assert.Equal(t, []int{1, 2, 3, 4}, seqs)
	})
}

// TestOutputsAreTheSame: whoever ran them, instances write the same events, but for times, places and what a process of its own
// has to tell about its surroundings.
func TestOutputsAreTheSame(t *testing.T) {
	told := map[string][]string{}
	for name, exec := range runners {
		r, err := exec(t.Context(), Config{Case: "ping", Cases: trivial, Out: t.TempDir(), Instances: 1})
		require.NoError(t, err)
		var all []string
		for _, file := range []string{"run.out", "results.out"} {
			require.NoError(t, eachLine(filepath.Join(r.Dir, "single/0", file), func(line []byte) error {
				text := string(line)
				if strings.Contains(text, "InfluxDB") || strings.Contains(text, "network initialisation") {
					return nil
				}
				text = strings.ReplaceAll(text, r.ID, "RUN")
				text = strings.ReplaceAll(text, filepath.Dir(filepath.Dir(r.Dir)), "OUT")
				_, after, _ := strings.Cut(text, ",") // without its time
				all = append(all, after)
				return nil
			}))
		}
		told[name] = all
	}
	assert.Len(t, told["local"], 6, "start, numbers, message, success, two points")
	assert.Equal(t, told["procs"], told["local"])
}

func TestTheFirstFailureEndsTheRun(t *testing.T) {
	both(t, func(t *testing.T, exec func(context.Context, Config) (*Run, error)) {
		for how, want := range map[string]string{
			"error":     "boom",
			"panic":     "panic: boom",
			"point":     `point "no-name": expected a name of letters, digits, . and _`,
			"no number": "point x: NaN: expected a number",
			"long":      strings.Repeat("<", maxText) + " … (131072 bytes)",
		} {
			r, err := exec(t.Context(), Config{Case: "fail", Cases: trivial, Out: t.TempDir(), Params: map[string]string{"how": how}})
			require.EqualError(t, err, "instance 3 of 5 (group single): "+want)
			assert.Equal(t, 1, run.ExitCode(err))
			states := map[State]int{}
			for _, o := range r.Instances {
				states[o.State]++
				if o.State == Aborted && how != "long" { // whose text is cut off where another's is within it
					assert.Equal(t, "instance 3 of 5 (group single): "+want, o.Error)
				}
			}
			assert.Equal(t, 4, states[Aborted], how)
			assert.EqualError(t, r.Err(), err.Error(), "the outputs tell the same")
		}
	})
}

// hanging runs the case hang, and calls then when all of its instances hang.
func hanging(t *testing.T, ctx context.Context, exec func(context.Context, Config) (*Run, error), c Config, then func()) (*Run, error) {
	c.Case, c.Cases = "hang", trivial
	if c.Out == "" {
		c.Out = t.TempDir()
	}
	type result struct {
		run *Run
		err error
	}
	ended := make(chan result, 1)
	go func() {
		r, err := exec(ctx, c)
		ended <- result{r, err}
	}()
	then()
	select {
	case r := <-ended:
		return r.run, r.err
	case <-time.After(time.Minute):
		t.Fatal("the run does not end")
		return nil, nil
	}
}

// watched is a service of the test's own, and a function that waits until n instances hang at it.
func watched(t *testing.T) (addr string, stop func(), wait func(n int)) {
	l, stop, h := serveHub(t)
	return l, stop, func(n int) {
		require.Eventually(t, func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			for key, s := range h.states {
				if strings.HasSuffix(key, ":states:never") && len(s.waiting) > 0 && s.waiting[1].waiters == n {
					return true
				}
			}
			return false
		}, time.Minute, time.Millisecond)
	}
}

func TestAKilledInstanceEndsTheRun(t *testing.T) {
	for how, c := range map[string]struct {
		signal os.Signal
		want   string
		state  State
	}{
		"at once":    {os.Kill, "its process ended (signal: killed)", Incomplete},
		"by request": {syscall.SIGTERM, "interrupted", Failed},
	} {
		t.Run(how, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			addr, stop, wait := watched(t)
			defer stop()
			out := t.TempDir()
			r, err := hanging(t, t.Context(), Procs, Config{Out: out, SyncService: addr}, func() {
				wait(3)
				found, err := fs.Glob(os.DirFS(out), "kadbench/*/single/1/pid")
				require.NoError(t, err)
				require.Len(t, found, 1)
				text, err := os.ReadFile(filepath.Join(out, found[0]))
				require.NoError(t, err)
				pid, err := strconv.Atoi(string(text))
				require.NoError(t, err)
				p, err := os.FindProcess(pid)
				require.NoError(t, err)
				require.NoError(t, p.Signal(c.signal))
			})
			require.NotNil(t, r)
			hit := r.Instances[1]
			assert.Equal(t, c.state, hit.State)
			assert.EqualError(t, err, fmt.Sprintf("instance %d of 3 (group single): %s", hit.Seq, c.want))
			assert.Equal(t, 1, run.ExitCode(err))
			for _, i := range []int{0, 2} {
				assert.Equal(t, Aborted, r.Instances[i].State, "they heard of it and ended by themselves")
				assert.Contains(t, []string{err.Error(), fmt.Sprintf("instance %d of 3 (group single): %v", hit.Seq, errGone)}, r.Instances[i].Error,
					"by whoever noticed first, its parent or the service")
			}
			assert.Empty(t, children(t))
		})
	}
}

func TestALostServiceEndsTheRun(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	addr, stop, wait := watched(t)
	r, err := hanging(t, t.Context(), Procs, Config{SyncService: addr}, func() {
		wait(3)
		stop()
	})
	require.ErrorContains(t, err, "the sync service at "+addr+" was lost")
	assert.Equal(t, 4, run.ExitCode(err))
	for _, o := range r.Instances {
		assert.Equal(t, Failed, o.State)
		assert.Contains(t, o.Error, "the sync service at "+addr+" was lost")
	}
	assert.Empty(t, children(t))
	_, err = Procs(t.Context(), Config{Case: "ping", Cases: trivial, Out: t.TempDir(), SyncService: addr})
	require.ErrorIs(t, err, ErrSync)
	assert.ErrorContains(t, err, "cannot be reached")
}

func TestAnInterruptEndsTheRun(t *testing.T) {
	t.Run("procs", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		addr, stop, wait := watched(t)
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		r, err := hanging(t, ctx, Procs, Config{SyncService: addr}, func() { wait(3); cancel() })
		require.ErrorIs(t, err, ErrInterrupted)
		assert.Equal(t, 130, run.ExitCode(err))
		for _, o := range r.Instances {
			assert.Equal(t, Aborted, o.State)
			assert.Equal(t, "interrupted", o.Error)
		}
		assert.Empty(t, children(t))
	})
	t.Run("local", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		ctx, cancel := context.WithCancel(t.Context())
		r, err := hanging(t, ctx, Local, Config{}, cancel)
		require.ErrorIs(t, err, ErrInterrupted)
		require.Len(t, r.Instances, 3)
		for _, o := range r.Instances {
			assert.Equal(t, Aborted, o.State)
			assert.Equal(t, "interrupted", o.Error)
		}
	})
}

// TestWhoDoesNotHeedItsContextIsLeftBehind: a goroutine cannot be killed, but nobody waits for it.
func TestWhoDoesNotHeedItsContextIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var told struct {
			seconds int
			last    Progress
		}
		c := Case{Name: "deaf", Min: 1, Max: 2, Default: 2, Params: []Param{{Name: "transport", Type: "string", Default: "mem"}},
			Run: func(ctx context.Context, in *Instance) error {
				if in.Seq == 1 {
					<-release
				}
				return in.Barrier(ctx, "all")
			}}
		began := time.Now()
		r, err := Local(t.Context(), Config{Case: "deaf", Cases: []*Case{&c}, Out: t.TempDir(), Progress: func(p Progress) { told.seconds++; told.last = p }})
		assert.EqualError(t, err, `a case failed: the run had not ended after 10m0s: 0 of 2 instances have ended; state "all" was entered by 1`)
		assert.GreaterOrEqual(t, told.seconds, 600, "it was told each second")
		assert.Equal(t, []any{2, "all", 1}, []any{told.last.Count, told.last.State, told.last.Entered})
		assert.Equal(t, DefaultTimeout+grace, time.Since(began))
		for _, o := range r.Instances {
			assert.Equal(t, Aborted, o.State)
		}
		text, err := os.ReadFile(filepath.Join(r.Dir, "single/0/run.out"))
		require.NoError(t, err)
		assert.Contains(t, string(text), "still ran 2s after the run had ended")
		close(release)
	})
}

// TestWhoDoesNotHeedItsContextIsKilled: the grace is over then, and nothing is left.
func TestWhoDoesNotHeedItsContextIsKilled(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	addr, stop, wait := watched(t)
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := hanging(t, ctx, Procs, Config{SyncService: addr, Params: map[string]string{"deaf": "true"}}, func() { wait(3); cancel() })
	assert.ErrorIs(t, err, ErrInterrupted)
	assert.Empty(t, children(t))
}

func TestARunHasItsTime(t *testing.T) {
	both(t, func(t *testing.T, exec func(context.Context, Config) (*Run, error)) {
		_, err := exec(t.Context(), Config{Case: "hang", Cases: trivial, Out: t.TempDir(), Timeout: time.Millisecond})
		require.ErrorIs(t, err, run.ErrFailed)
		assert.ErrorContains(t, err, "the run had not ended after 1ms: 0 of 3 instances have ended")
	})
}

func TestConfigIsChecked(t *testing.T) {
	for want, c := range map[string]Config{
		`usage: no such case: "none"`:                            {Case: "none"},
		"usage: Out: expected a directory":                       {Case: "ping"},
		"usage: case fail with 101 instances: expected 1 to 100": {Case: "fail", Instances: 101, Out: "x"},
		"usage: 3 instances and groups: one of the two":          {Case: "ping", Instances: 3, Groups: []Group{{ID: "a", Count: 1}}, Out: "x"},
		`usage: group "a/b" of 1: expected a name`:               {Case: "ping", Groups: []Group{{ID: "a/b", Count: 1}}, Out: "x"},
		"usage: group a: expected once":                          {Case: "ping", Groups: []Group{{ID: "a", Count: 1}, {ID: "a", Count: 1}}, Out: "x"},
		`usage: parameter rounds: "x" is no int`:                 {Case: "ping", Params: map[string]string{"rounds": "x"}, Out: "x"},
		"usage: group b: parameter transport: expected mem for all": {Case: "ping", Out: "x", Groups: []Group{
			{ID: "a", Count: 1}, {ID: "b", Count: 1, Params: map[string]string{"transport": "mem"}}}},
		"usage: timeout -1s: expected a time above 0": {Case: "ping", Timeout: -time.Second, Out: "x"},
	} {
		c.Cases = trivial
		err := c.Check()
		require.ErrorContains(t, err, want)
		assert.Equal(t, 2, run.ExitCode(err))
	}
	_, err := Procs(t.Context(), Config{Case: "ping", Cases: trivial, Out: t.TempDir(), Params: map[string]string{"transport": "mem"}})
	assert.EqualError(t, err, "usage: parameter transport: mem is a network within one process: expected it with instances as goroutines only")
	if run.AvailableMemory() > 0 {
		_, err = Procs(t.Context(), Config{Case: "ping", Cases: many, Out: t.TempDir(), Instances: maxInstances})
		assert.ErrorContains(t, err, "usage: 10000 processes need about ")
	}
}

var many = []*Case{{Name: "ping", Min: 1, Max: maxInstances, Default: 1, Run: ping}}

// TestAThousandInstances: the outputs and barriers of as many goroutines.
func TestAThousandInstances(t *testing.T) {
	var once sync.Once
	c := Case{Name: "many", Min: 1, Max: 1000, Default: 1000, Run: func(ctx context.Context, in *Instance) error {
		once.Do(func() { assert.Equal(t, 1000, in.Count) })
		in.Out.Point("seq", float64(in.Seq))
		return in.Barrier(ctx, "all")
	}}
	r, err := Local(t.Context(), Config{Case: "many", Cases: []*Case{&c}, Out: t.TempDir()})
	require.NoError(t, err)
	assert.Len(t, r.Instances, 1000)
}
