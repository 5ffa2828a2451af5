package run

import (
	"context"
	"fmt"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// BenchConfig says what to load on real sockets; its zero value lacks Plans and Targets. A value that is not zero wins over
// the plan's.
type BenchConfig struct {
	Plans   []*plan.Plan // of worlds that are real
	Targets []target.Factory

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
}

// DefaultForeign is how much of the processors others may have: beside a tenth the rates of two targets in turn differ by
// less than their own spread.
const DefaultForeign = 0.1

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

// Summaries are the last lines of --json, one for each target.
func (r *BenchReport) Summaries() []record.BenchSummary { return nil }

// Bench runs each plan, at each point of its sweep, against each target. The report is there whatever the error: nil,
// ErrNeed when a figure did not come out, ErrUsage when nothing could begin, ErrTarget, ErrHarness, or the context's when it
// was interrupted.
func Bench(ctx context.Context, c BenchConfig) (*BenchReport, error) {
	return &BenchReport{}, fmt.Errorf("%w: bench: not yet", ErrHarness)
}
