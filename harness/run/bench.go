package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// BenchConfig says what to load on real sockets; its zero value lacks Plans and Targets. A value that is not zero wins over
// the plan's.
type BenchConfig struct {
	Plans   []*plan.Plan // of worlds that are real
	Targets []target.Factory
	// Self is the command of `kadbench node`, as which targets of the forms ref: and echo: run, so that what they take of
	// the processors can be told from what the load takes; none: they run in this process. Unlimited lifts the limits of
	// their resource managers.
	Self      []string
	Unlimited bool

	Seed        *uint64
	Rate        plan.Rate     // of each line; a closed line becomes an open one
	For, Warmup time.Duration // of each line
	Connections int
	Streams     int
	Nodes       int // of a network
	Rounds      int
	Point       string // only the points of the sweep with these settings; "": all
	FindMax     bool   // seek the highest rate at which the plan's needs hold
	// Foreign is the share of the processors that others may keep busy in a turn, 0 to 1; a turn with more is done again.
	// 0: DefaultForeign; negative: any.
	Foreign float64
	Mixed   bool // the nodes of a network are of all targets in turn; else each target has a network of its own

	Log      *record.Writer // nil: nowhere
	Command  func(p *plan.Plan, at string, seed uint64) string
	Progress func(BenchEvent) // called from one goroutine; nil: nobody

	load func(ctx context.Context, d *bench.Driver, turn int) (*bench.Result, error) // nil: Driver.Turn
}

const (
	// DefaultForeign is how much of the processors others may have: beside a tenth the rates of two targets in turn differ
	// by less than their own spread.
	DefaultForeign = 0.1
	// DefaultRounds of a comparison are the least of which an interval can be told, and five of each side the least whose
	// difference can be significant at one in twenty with one of them out of order.
	DefaultRounds = 5
	// MaxRounds bounds a run: a hundred rounds of ten seconds and two targets take more than half an hour.
	MaxRounds = 100
)

// BenchEvent tells how far a load is.
type BenchEvent struct {
	Plan, Point, Target string
	Round, Rounds       int           // from 1; those that were done again are not counted
	Elapsed, Span       time.Duration // of this turn, warming up included
	PerSecond           float64       // of the turn so far
	Again               string        // why a turn is done again; else ""
	Ended               bool          // the turn is over
}

// BenchReport is what loads were.
type BenchReport struct {
	Benches  []record.Bench
	Measured []record.Measured // those that came to their end, each with the Number of its Bench
	Networks []*SimRun         // of plans with nodes
	Summary  record.Summary
}

// Bench runs each plan, at each point of its sweep, against each target. The report is there whatever the error: nil,
// ErrNeed when a figure did not come out, ErrUsage when nothing could begin, ErrTarget, ErrHarness, or the context's when it
// was interrupted.
func Bench(ctx context.Context, c BenchConfig) (*BenchReport, error) {
	report := &BenchReport{}
	err := c.bench(ctx, report)
	for _, m := range report.Measured {
		for _, n := range m.Needs {
			report.Summary.Add(n.Verdict)
		}
	}
	for _, r := range report.Networks {
		for _, n := range r.Needs {
			report.Summary.Add(n.Verdict)
		}
	}
	if err == nil && report.Summary.Failed > 0 {
		err = fmt.Errorf("%w: %d of %d", ErrNeed, report.Summary.Failed, report.Summary.Total())
	}
	report.Summary.Log, report.Summary.Exit = c.Log.Path(), ExitCode(err)
	return report, err
}

// Check says why nothing can begin, an ErrUsage.
func (c *BenchConfig) Check() error {
	_, err := c.points()
	return err
}

// point is one point of one plan's sweep: what its targets are loaded with.
type benchPoint struct {
	plan  *plan.Plan
	world *plan.Simulation
	seed  uint64
}

func (c *BenchConfig) points() (points []benchPoint, err error) {
	usage := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrUsage, fmt.Errorf(format, args...))
	}
	if len(c.Targets) == 0 {
		return nil, usage("no target to load")
	}
	if c.Rounds < 0 || c.Rounds > MaxRounds {
		return nil, usage("rounds: %d: up to %d", c.Rounds, MaxRounds)
	}
	for _, f := range c.Targets {
		if !f.Private() {
			return nil, usage("target %s: it is not on this machine nor in a private network, and load goes nowhere else", f)
		}
	}
	for _, p := range c.Plans {
		if !p.Real() {
			return nil, usage("plan %s: its world is not real: kadbench sim runs simulations, kadbench check cases", p.File)
		}
		before := len(points)
		for _, s := range p.Simulations() {
			if !within(s.Point, c.Point) {
				continue
			}
			point := benchPoint{plan: p, world: s, seed: s.World.Seed}
			if c.Seed != nil {
				point.seed = *c.Seed
			}
			if err := c.check(point); err != nil {
				return nil, usage("plan %s: %w", p.File, err)
			}
			points = append(points, point)
		}
		if len(points) == before {
			return nil, usage("plan %s: no point of its sweep has %s", p.File, c.Point)
		}
	}
	if len(points) == 0 {
		return nil, usage("no plan to run")
	}
	return points, nil
}

// check says what cannot be of one point.
func (c *BenchConfig) check(p benchPoint) error {
	if p.world.World.Nodes > 0 {
		return c.checkNetworks(p)
	}
	cfg, err := c.loadOf(p)
	if err != nil {
		return err
	}
	return cfg.CheckLoad()
}

func (c *BenchConfig) bench(ctx context.Context, report *BenchReport) error {
	points, err := c.points()
	if err != nil {
		return err
	}
	for _, p := range points {
		if p.world.World.Nodes > 0 {
			err = c.networks(ctx, p, report)
		} else {
			err = c.servers(ctx, p, report)
		}
		if err != nil {
			break
		}
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return fmt.Errorf("interrupted: %w", context.Canceled)
	}
	return err
}

func (c *BenchConfig) tell(e BenchEvent) {
	if c.Progress != nil {
		c.Progress(e)
	}
}
