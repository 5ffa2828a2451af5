package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/record"
)

// again is how often a turn is done again while the machine is busy with something else; then it counts as it is, and its
// foreign load stands beside it.
const again = 3

// servers loads the targets of one point in turn, round after round (A B A B …), so that what else the machine does hits
// all of them alike. All stay up from the first round to the last.
func (c *BenchConfig) servers(ctx context.Context, p benchPoint, report *BenchReport) error {
	var all []*server
	defer func() {
		for _, s := range all {
			s.close()
		}
	}()
	for _, f := range c.Targets {
		s, err := c.start(ctx, f, p)
		if err != nil {
			return err
		}
		all = append(all, s)
		s.bench.Number = len(report.Benches)
		c.describe(s, p)
		report.Benches = append(report.Benches, s.bench)
		if err := c.write(record.Entry{Type: record.TypeBench, Bench: &s.bench}); err != nil {
			return err
		}
	}
	if err := c.compareTables(all); err != nil {
		return err
	}
	if c.FindMax {
		return c.highest(ctx, p, all, report)
	}
	began := time.Now()
	for round := 1; round <= all[0].bench.Rounds; round++ {
		for _, s := range all {
			if err := c.turn(ctx, s, p, round, began); err != nil {
				return err
			}
		}
	}
	for i, s := range all {
		m := s.measured()
		if i > 0 {
			m.Against = against(all[0], s)
		}
		for _, n := range needsOf(p.world.Needs, s.driver.Closed) {
			m.Needs = append(m.Needs, s.need(n))
		}
		if err := c.finish(m, report); err != nil {
			return err
		}
	}
	return nil
}

// describe completes the line that opens what a target is asked.
func (c *BenchConfig) describe(s *server, p benchPoint) {
	b := &s.bench
	b.Plan, b.File, b.Prose, b.Seed = p.plan.Header.ID, p.plan.File, p.plan.Prose, p.seed
	b.Point = settings(p.world.Point)
	b.World = c.settled(worldSettings(p.plan, p.world.Point, c.For, "seed", "rounds"))
	if s.table != nil {
		b.World = append(b.World, record.Setting{Name: "in the table", Value: fmt.Sprint(len(s.table))})
	}
	b.Rounds = c.Rounds
	if b.Rounds == 0 {
		b.Rounds = p.world.World.Rounds
	}
	switch {
	case c.FindMax: // one search of many turns
		b.Rounds = 1
	case b.Rounds == 0 && len(c.Targets) > 1:
		b.Rounds = DefaultRounds
	case b.Rounds == 0:
		b.Rounds = 1
	}
	if c.Command != nil {
		b.Repeat = c.Command(p.plan, p.world.At(), p.seed)
	}
}

// compareTables notes where tables differ: what a server has to look through is part of what is measured.
func (c *BenchConfig) compareTables(all []*server) error {
	var first *server
	for _, s := range all {
		switch {
		case s.table == nil:
		case first == nil:
			first = s
		case !slices.Equal(first.table, s.table):
			text := fmt.Sprintf("the tables differ: %s has %d peers, %s %d", first.bench.Target, len(first.table), s.bench.Target, len(s.table))
			if err := c.write(record.Entry{Type: record.TypeNote, Text: text}); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn loads one target once, and again while others keep the machine busy.
func (c *BenchConfig) turn(ctx context.Context, s *server, p benchPoint, round int, began time.Time) error {
	limit := c.Foreign
	if limit == 0 {
		limit = DefaultForeign
	}
	for try := 0; ; try++ {
		e := BenchEvent{Plan: s.bench.Plan, Point: p.world.At(), Target: s.bench.Target, Round: round, Rounds: s.bench.Rounds,
			Span: s.driver.Warmup + s.driver.Span}
		s.driver.Progress = func(elapsed time.Duration, ended uint64) {
			e.Elapsed = elapsed
			if measured := (elapsed - s.driver.Warmup).Seconds(); measured > 0 {
				e.PerSecond = float64(ended) / measured
			}
			c.tell(e)
		}
		at := time.Since(began)
		r, err := c.loadOnce(ctx, s, round*(again+1)+try)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, bench.ErrConfig) {
				return fmt.Errorf("%w: %w", ErrUsage, err)
			}
			if errors.Is(err, errEnded) { // what it said last may be why
				err = fmt.Errorf("%w%s", err, logTail(s.target.Log()))
			}
			return fmt.Errorf("%w %s: %w", ErrTarget, s.bench.Target, err)
		}
		turn := record.Turn{Number: s.bench.Number, Round: round, At: at, Tally: tallyOf(r)}
		if !s.driver.Closed {
			turn.Offered = float64(r.Requests) / r.Span.Seconds()
		}
		busy := limit >= 0 && r.Foreign > limit && try < again
		if busy {
			turn.Void = fmt.Sprintf("others kept %.1f %% of the processors busy", 100*r.Foreign)
		}
		if err := c.write(record.Entry{Type: record.TypeTurn, Turn: &turn}); err != nil {
			return err
		}
		e.Again, e.Ended, e.Elapsed, e.PerSecond = turn.Void, true, e.Span, turn.PerSecond
		c.tell(e)
		if busy {
			continue
		}
		s.turns = append(s.turns, turn)
		merge(&s.sum, r)
		return nil
	}
}

// errEnded is the end of a target's process under a load, which is broken off then: nothing of it counts.
var errEnded = errors.New("its process ended under the load")

func (c *BenchConfig) loadOnce(ctx context.Context, s *server, turn int) (*bench.Result, error) {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-s.target.Died():
			stop()
		case <-loading.Done():
		}
	}()
	load := c.load
	if load == nil {
		load = func(ctx context.Context, d *bench.Driver, turn int) (*bench.Result, error) { return d.Turn(ctx, turn) }
	}
	r, err := load(loading, &s.driver, turn)
	select {
	case <-s.target.Died():
		return nil, errEnded
	default:
		return r, err
	}
}

func (c *BenchConfig) write(e record.Entry) error {
	if err := c.Log.Write(e); err != nil {
		return fmt.Errorf("%w: %w", ErrHarness, err)
	}
	return nil
}

func (c *BenchConfig) finish(m record.Measured, report *BenchReport) error {
	report.Measured = append(report.Measured, m)
	return c.write(record.Entry{Type: record.TypeMeasured, Measured: &m})
}
