package gotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/plans"
)

// Config says how the suite runs; its zero value runs all cases that kadbench carries, in the profile base.
type Config struct {
	Profile string   // base, amino or defacto: whose verdicts decide; "": base
	Cases   []string // globs of ids, as find-node/*; none: all. go test's -run chooses among them
	Skip    []string // globs of ids that do not run
	Plans   []string // directories of plans instead of those that kadbench carries
	Known   []string // files of expected failures, as fixtures/known has them
	Strict  bool     // a should that is missed fails
	Slow    bool     // slow cases run too, unless the test is -short
	Jobs    int      // cases side by side; 0: 8
	Seed    uint64   // of every identity and random byte
	Log     string   // a new directory for the log, which kadbench report reads; "": none
}

// Run runs the suite against a target with the zero Config.
func Run(t *testing.T, target string) {
	t.Helper()
	Config{}.Run(t, target)
}

// Host is the target which listens in this process: the first loopback address of the host.
func Host(h host.Host) string {
	for _, a := range h.Addrs() {
		if manet.IsIPLoopback(a) {
			return fmt.Sprintf("addr:%s/p2p/%s", a, h.ID())
		}
	}
	return fmt.Sprintf("addr:%v", h.Addrs()) // which Run refuses, and names
}

// Run runs the suite as subtests of t and returns when all have ended.
func (c Config) Run(t *testing.T, target string) {
	t.Helper()
	cfg, err := c.config(target)
	if err != nil {
		t.Fatalf("kadbench: %v", err)
	}
	s := &suite{config: cfg, log: c.Log, results: map[string]chan record.Result{}, done: make(chan struct{})}
	outer := t
	t.Run(cfg.Profile.String(), func(t *testing.T) {
		s.ctx = outer.Context()
		for _, p := range run.Select(&cfg) {
			t.Run(p.Header.ID, func(t *testing.T) {
				s.choose(p)
				t.Parallel() // goes on when all have been chosen
				s.once.Do(func() { go s.run() })
				r, judged := s.wait(p)
				show(t, r, judged)
			})
		}
	})
	s.once.Do(func() { close(s.done) }) // nothing was chosen
	<-s.done
	if s.err != nil {
		t.Errorf("kadbench: %v", s.err)
	}
	for _, note := range s.notes {
		t.Logf("kadbench: %s", note)
	}
}

// config reads what the fields name.
func (c Config) config(text string) (cfg run.Config, err error) {
	cfg = run.Config{Cases: c.Cases, Skip: c.Skip, Strict: c.Strict, Slow: c.Slow && !testing.Short(), Jobs: c.Jobs, Seed: c.Seed}
	if c.Profile != "" {
		if cfg.Profile, err = plan.ParseProfile(c.Profile); err != nil {
			return cfg, err
		}
	}
	f, err := target.Parse(text)
	if err != nil {
		return cfg, err
	}
	cfg.Targets = []target.Factory{f}
	cfg.Command = func(_, caseID string) string { return "go test -run '/" + cfg.Profile.String() + "/" + caseID + "'" }
	if len(c.Plans) == 0 {
		cfg.Plans, err = plan.LoadAll(plans.FS, "conformance", "plans/")
	}
	for _, dir := range c.Plans {
		more, err := plan.LoadAll(os.DirFS(dir), ".", dir+"/")
		if err != nil {
			return cfg, err
		}
		cfg.Plans = append(cfg.Plans, more...)
	}
	if err != nil {
		return cfg, err
	}
	for _, name := range c.Known {
		src, err := os.ReadFile(name)
		if err != nil {
			return cfg, err
		}
		k, err := check.ReadKnown(name, src)
		if err != nil {
			return cfg, err
		}
		cfg.Known = append(cfg.Known, k)
	}
	if cfg.Builtin, err = check.CarriedKnown(); err != nil {
		return cfg, err
	}
	return cfg, cfg.Check()
}

// suite is one run and the subtests that wait for it.
type suite struct {
	config run.Config
	log    string
	ctx    context.Context
	once   sync.Once

	mu      sync.Mutex
	chosen  []string                      // ids
	results map[string]chan record.Result // by case; closed when nothing more comes

	done  chan struct{} // closed when the run has ended
	notes []string
	err   error
}

// choose notes that go test runs this case.
func (s *suite) choose(p *plan.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chosen = append(s.chosen, p.Header.ID)
	s.results[p.Header.ID] = make(chan record.Result, 1)
}

// wait waits for the verdict of a case; ok is false if there is none.
func (s *suite) wait(p *plan.Plan) (r record.Result, ok bool) {
	r, ok = <-s.results[p.Header.ID]
	return r, ok
}

// run runs what was chosen.
func (s *suite) run() {
	cfg := s.config
	cfg.Cases = s.chosen
	if s.log != "" {
		f := cfg.Targets[0]
		if cfg.Log, s.err = record.Create(s.log, record.Run{Command: os.Args, Seed: cfg.Seed, Targets: map[string]string{f.Name(): f.String()}}); s.err != nil {
			s.end()
			return
		}
	}
	cfg.Progress = func(e run.Event) {
		for _, r := range e.Results {
			if r.Profile == cfg.Profile.String() {
				s.results[e.Case] <- r
			}
		}
	}
	r, err := run.Check(s.ctx, cfg)
	s.notes = r.Notes
	if shown := errors.Is(err, run.ErrFailed) && r.Summary.Failed > 0; !shown && s.ctx.Err() == nil {
		s.err = err
	}
	if cfg.Log != nil {
		s.err = errors.Join(s.err, cfg.Log.Close(r.Summary))
	}
	s.end()
}

func (s *suite) end() {
	for _, c := range s.results {
		close(c)
	}
	close(s.done)
}

// show makes a verdict the outcome of a subtest.
func show(t *testing.T, r record.Result, judged bool) {
	t.Helper()
	switch {
	case !judged:
		t.Skip("it was not judged: the run ended before")
	case slices.Contains([]record.Verdict{record.Fail, record.XPass, record.Errored}, r.Verdict):
		t.Errorf("\n%s", report.Block(r))
	case r.Verdict == record.Warn:
		t.Logf("\n%s", report.Block(r))
	case r.Verdict == record.Unsupported, r.Verdict == record.Skipped:
		t.Skip(strings.TrimSpace(fmt.Sprintf("%s: %s", r.Verdict, r.Why)))
	case r.Why != "":
		t.Logf("%s: %s", r.Verdict, r.Why)
	}
}
