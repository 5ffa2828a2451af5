package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// ErrNeed: a simulation ran and a figure that its plan needs did not come out.
var ErrNeed = errors.New("a need was missed")

// SimConfig says what to simulate; its zero value lacks only Plans. A value that is not zero wins over the plan's.
type SimConfig struct {
	Plans  []*plan.Plan
	Seed   *uint64       // nil: the plan's
	Nodes  int           // of each world
	Shards int           // of each world
	For    time.Duration // simulated time in which operations begin: loads that last for a time last until it
	Point  string        // only the points of the sweep with these settings: alpha=3 k=20; "": all
	Wire   bool          // encode and decode every message
	IDs    [][]byte      // of the nodes, as many as there are; nil: drawn from the seed
	Trace  []kad.Peer    // nodes whose steps go to Steps

	Steps io.Writer // nil: nowhere
	Rows  io.Writer // a line of CSV for each operation; nil: nowhere

	Memory uint64 // bytes that a world may take; 0: AvailableMemory

	// Digests are those that `need digest=@fixtures` means; nil: the ones carried in the binary. With Record they are not
	// compared, but that of each run is noted in it.
	Digests *Digests
	Record  bool

	Log *record.Writer // nil: nowhere
	// Command is the one that repeats a run, at being the point of its sweep; nil: none is told.
	Command  func(p *plan.Plan, at string, seed uint64) string
	Progress func(SimEvent) // called from one goroutine; nil: nobody

	world func(context.Context, sim.Config) (simulated, error) // nil: sim.New
}

// world is what a simulation is run on.
type simulated interface {
	Run(context.Context) (*sim.Result, error)
}

func newSimulated(ctx context.Context, cfg sim.Config) (simulated, error) { return sim.New(ctx, cfg) }

// SimEvent tells how far a simulation is.
type SimEvent struct {
	Plan      string
	Point     string // the point of its sweep: alpha=3 k=20
	Run, Runs int    // the first run is 1
	Ended     bool   // the run is over
	sim.Progress
}

// SimReport is what simulations were.
type SimReport struct {
	Runs    []*SimRun // those that began
	Summary record.Summary
}

// SimRun is one run: one point of a plan's sweep.
type SimRun struct {
	Plan    *plan.Plan
	Point   []plan.Setting   // what the sweep chose
	Repeat  string           // the command that repeats it
	Needs   []record.NeedGot // none if it did not come to its end
	Digest  string           // 16 hexadecimal digits
	Outcome *record.Outcome  // also of a run that was stopped

	number  int  // of all runs
	index   int  // of the plan's
	altered bool // the command chose other nodes, or another seed, than the plan
	shards  int
	config  sim.Config // after the run: what tells it apart alone
	world   *plan.Simulation
	figures *figures
}

// Missed are the needs that were missed.
func (r *SimRun) Missed() (missed []record.NeedGot) {
	for _, n := range r.Needs {
		if n.Verdict == record.Fail {
			missed = append(missed, n)
		}
	}
	return missed
}

// Simulate runs each plan, at each point of its sweep. The report is there whatever the error: nil, ErrNeed when a figure did
// not come out, ErrUsage when nothing could begin, ErrHarness, or the context's when it was interrupted: a run stops between
// two windows then, and what there is of it is reported.
func Simulate(ctx context.Context, c SimConfig) (*SimReport, error) {
	report := &SimReport{}
	err := c.simulate(ctx, report)
	for _, r := range report.Runs {
		for _, n := range r.Needs {
			report.Summary.Add(n.Verdict)
		}
	}
	report.Summary.Log, report.Summary.Exit = c.Log.Path(), ExitCode(err)
	return report, err
}

func (c *SimConfig) simulate(ctx context.Context, report *SimReport) error {
	runs, err := c.runs()
	if err != nil {
		return err
	}
	if c.Digests == nil {
		if c.Digests, err = CarriedDigests(); err != nil {
			return fmt.Errorf("%w: %w", ErrHarness, err)
		}
	}
	rows, err := newRowWriter(c.Rows)
	missed := 0
	for i, r := range runs {
		if err != nil {
			break
		}
		report.Runs = append(report.Runs, r)
		err = c.carryOut(ctx, r, rows, SimEvent{Plan: r.Plan.Header.ID, Point: r.world.At(), Run: i + 1, Runs: len(runs)})
		if len(r.Missed()) > 0 {
			missed++
		}
		r.config, r.figures = sim.Config{Seed: r.config.Seed, Nodes: r.config.Nodes, Shards: r.config.Shards}, nil // a sweep has many runs
		runtime.GC()                                                                                               // of the world that is gone: the next one takes its place
	}
	if flushed := rows.flush(); err == nil && flushed != nil {
		err = fmt.Errorf("%w: rows: %w", ErrHarness, flushed)
	}
	if err == nil && missed > 0 {
		err = fmt.Errorf("%w: in %d of %d runs", ErrNeed, missed, len(runs))
	}
	return err
}

// Check says why the plans cannot be simulated, an ErrUsage: what a world refuses, what does not fit in memory, a node that is
// not there, a plan that is none.
func (c *SimConfig) Check() error {
	_, err := c.runs()
	return err
}

// runs lists all runs, or says what is wrong with one of them: nothing begins before all can.
func (c *SimConfig) runs() (runs []*SimRun, err error) {
	usage := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrUsage, fmt.Errorf(format, args...))
	}
	have := c.Memory
	if have == 0 {
		have = AvailableMemory()
	}
	for _, p := range c.Plans {
		if p.Real() {
			return nil, usage("plan %s: its world is real, and this command simulates; kadbench bench runs it", p.File)
		}
		if !p.Simulated() {
			return nil, usage("plan %s: it is a case, not a simulation; kadbench check runs it", p.File)
		}
		before := len(runs)
		for i, s := range p.Simulations() {
			if !within(s.Point, c.Point) {
				continue
			}
			for _, point := range s.Point {
				if point.Name == "nodes" && c.Nodes != 0 || point.Name == "seed" && c.Seed != nil {
					return nil, usage("plan %s: its sweep chooses %s, and so does the command: one of the two was expected", p.File, point.Name)
				}
			}
			nodes := cmp.Or(c.Nodes, s.World.Nodes)
			for _, n := range c.Trace {
				if n < 1 || int(n) > nodes {
					return nil, usage("--trace %d: the nodes of %s are 1 to %d", n, p.Header.ID, nodes)
				}
			}
			cfg, err := worldOf(p, s, c)
			if err != nil {
				return nil, usage("plan %w", err)
			}
			if err := fits(cfg, have); err != nil {
				return nil, usage("plan %s: %w", p.File, err)
			}
			r := &SimRun{Plan: p, Point: s.Point, number: len(runs), index: i, config: cfg, world: s}
			r.altered = cfg.Nodes != s.World.Nodes || cfg.Seed != s.World.Seed
			if c.Command != nil {
				r.Repeat = c.Command(p, s.At(), cfg.Seed)
			}
			runs = append(runs, r)
		}
		if len(runs) == before {
			return nil, usage("plan %s: no point of its sweep has %s", p.File, c.Point)
		}
	}
	if len(runs) == 0 {
		return nil, usage("no plan to simulate")
	}
	return runs, nil
}

// within says whether a point has all of these settings.
func within(point []plan.Setting, at string) bool {
	for _, word := range strings.Fields(at) {
		if !slices.ContainsFunc(point, func(s plan.Setting) bool { return s.Name+"="+s.Value == word }) {
			return false
		}
	}
	return true
}

// carryOut makes a world, runs it, judges what came out, and logs all of it. What there is of a run that did not come to its
// end is logged too.
func (c *SimConfig) carryOut(ctx context.Context, r *SimRun, rows *rowWriter, e SimEvent) error {
	cfg := r.config
	r.figures = newFigures(r.world, &cfg)
	var kept error // the first thing that could not be written
	keep := func(err error) {
		if kept == nil && err != nil {
			kept = fmt.Errorf("%w: %w", ErrHarness, err)
		}
	}
	cfg.Watch = sim.Observer{
		Row:    func(row sim.Row) { r.figures.row(row); keep(rows.write(r, row)) },
		Sample: func(s sim.Sample) { keep(c.sampled(r, r.figures.sample(s))) },
		Progress: func(p sim.Progress) {
			if e.Progress = p; c.Progress != nil {
				c.Progress(e)
			}
		},
	}
	stepped := map[kad.Peer]bool{}
	if c.Steps != nil {
		cfg.Watch.Step = func(at kad.Duration, node kad.Peer, in string, out []string) {
			stepped[node] = true
			writeStep(c.Steps, at, node, in, out)
		}
	}
	keep(c.began(r))
	if e.Nodes = cfg.Nodes; c.Progress != nil {
		c.Progress(e)
	}
	result, err := c.play(ctx, cfg)
	if result != nil {
		r.Digest, r.shards = fmt.Sprintf("%016x", result.Digest), result.Shards
		r.figures.end(result)
		e.At, e.Events = result.Until, result.Events
	}
	for _, n := range c.Trace {
		if c.Steps != nil && err == nil && !stepped[n] {
			fmt.Fprintf(c.Steps, "#%d took no step: it was never there, or is one of those that do harm\n", n)
		}
	}
	switch {
	case err != nil:
	case result.Stopped:
		err = fmt.Errorf("interrupted: %w", context.Canceled)
	default:
		c.note(r)
		for _, n := range r.world.Needs {
			r.Needs = append(r.Needs, c.need(r, n))
		}
	}
	keep(c.ended(r, result, err))
	if e.Ended = true; c.Progress != nil {
		c.Progress(e)
	}
	if err == nil {
		err = kept
	}
	return err
}

// need holds one figure against its bound.
func (c *SimConfig) need(r *SimRun, n plan.Need) record.NeedGot {
	if n.Figure == "digest" {
		return c.digestNeed(r, n)
	}
	return r.figures.measure(n)
}

// play makes a world and runs it. A panic in it is an error: the log stays whole.
func (c *SimConfig) play(ctx context.Context, cfg sim.Config) (result *sim.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %w: %v\n%s", ErrHarness, sim.ErrPanic, r, debug.Stack())
		}
	}()
	create := c.world
	if create == nil {
		create = newSimulated
	}
	w, err := create(ctx, cfg)
	if err == nil {
		result, err = w.Run(ctx)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = fmt.Errorf("interrupted: %w", context.Canceled)
	default:
		err = fmt.Errorf("%w: %w", ErrHarness, err)
	}
	return result, err
}
