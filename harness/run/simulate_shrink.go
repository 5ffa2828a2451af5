package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/sim"
)

// ErrNothingFails: a plan that was to shrink does not fail.
var ErrNothingFails = errors.New("nothing fails")

// Limits of Shrink where a ShrinkConfig says 0.
const (
	// DefaultTries are enough for a plan of twenty lines with ten numbers, each of them halved ten times.
	DefaultTries = 300
	// DefaultShrinkTime is as long as a person waits for it.
	DefaultShrinkTime = 10 * time.Minute
)

// ShrinkConfig says what to shrink.
type ShrinkConfig struct {
	SimConfig                                        // of one plan. Log, Rows, Steps and Progress are not used
	Tries     int                                    // runs at most; 0: DefaultTries
	Time      time.Duration                          // wall time after which no other run begins; 0: DefaultShrinkTime
	Told      func(try int, what string, fails bool) // of each try; nil: nobody
}

// Shrunk is the smallest plan that was found.
type Shrunk struct {
	Source []byte // of a plan, ready to be saved
	Fails  string // the need that it misses, as written, or that a node panics
	Why    string // what came instead
	Tries  int
	Cut    bool // the tries or the time had run out: there may be a smaller one
}

// Shrink finds a smaller plan that fails as the given one does, with the same seed: the same need is missed, or a node
// panics as well. It leaves out needs that hold, then lines, then halves numbers, then leaves out words, one after the other
// and again until none of it goes on failing. The same plan gives the same result, unless time runs out. The error is
// ErrNothingFails, ErrUsage, or the context's: then what was found by then is there too.
func Shrink(ctx context.Context, c ShrinkConfig) (*Shrunk, error) {
	if len(c.Plans) != 1 {
		return nil, fmt.Errorf("%w: one plan to shrink was expected, not %d", ErrUsage, len(c.Plans))
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	s := &shrinker{c: c, file: c.Plans[0].File, tried: map[string]bool{}, tries: c.Tries, ends: time.Now().Add(c.Time)}
	if c.Tries == 0 {
		s.tries = DefaultTries
	}
	if c.Time == 0 {
		s.ends = time.Now().Add(DefaultShrinkTime)
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	for s.improve(ctx) {
	}
	out := &Shrunk{Source: []byte(s.best.text()), Fails: s.fails.what, Why: s.fails.why, Tries: s.done, Cut: s.over(ctx)}
	if text, err := plan.Format(s.file, out.Source); err == nil {
		out.Source = text
	}
	if ctx.Err() != nil {
		return out, fmt.Errorf("interrupted: %w", context.Canceled)
	}
	return out, nil
}

// missed is what a run misses.
type missed struct{ what, why string }

const panics = "no node panics"

type shrinker struct {
	c     ShrinkConfig
	file  string
	best  draft
	fails missed
	tried map[string]bool // by its text: what did not fail once will not
	done  int
	tries int
	ends  time.Time
}

func (s *shrinker) over(ctx context.Context) bool {
	return ctx.Err() != nil || s.done >= s.tries || time.Now().After(s.ends)
}

// begin runs the plan as it was given, finds the first point of its sweep that fails, and writes into the plan what the
// command chose, so that it stands for itself.
func (s *shrinker) begin(ctx context.Context) error {
	p := s.c.Plans[0]
	for _, sim := range p.Simulations() {
		if !within(sim.Point, s.c.Point) {
			continue
		}
		d := draftOf(string(p.Source))
		d.fix(sim.Point)
		if s.c.Nodes != 0 {
			d.set("world", "nodes", fmt.Sprint(s.c.Nodes))
		}
		if s.c.Seed != nil {
			d.set("world", "seed", fmt.Sprint(*s.c.Seed))
		}
		f, err := s.run(ctx, d, strings.TrimSpace("as it is "+sim.At()))
		switch {
		case err != nil:
			return err
		case len(f) > 0:
			s.best, s.fails = d, f[0]
			return nil
		}
	}
	return fmt.Errorf("%w: %s meets its needs", ErrNothingFails, p.Header.ID)
}

// improve goes once through all that could be smaller, and says whether anything was.
func (s *shrinker) improve(ctx context.Context) (smaller bool) {
	try := func(d draft, what string) bool {
		if s.over(ctx) || s.tried[d.text()] {
			return false
		}
		s.tried[d.text()] = true
		fails, err := s.run(ctx, d, what)
		for _, f := range fails {
			if err == nil && f.what == s.fails.what {
				s.best, s.fails.why, smaller = d, f.why, true
				return true
			}
		}
		return false
	}
	if d, some := s.best.withNeed(s.fails.what); some {
		try(d, "the needs that hold")
	}
	for i := len(s.best.lines) - 1; i >= 0; i-- {
		if d, what, ok := s.best.without(i); ok {
			try(d, what)
		}
	}
	for i := range s.best.lines {
		for j := range s.best.lines[i].words {
			for { // until it holds, or cannot be less
				d, what, ok := s.best.halved(i, j)
				if !ok || !try(d, what) {
					break
				}
			}
		}
	}
	for i := range s.best.lines {
		for j := len(s.best.lines[i].words) - 1; j > 0; j-- {
			if d, what, ok := s.best.withoutWord(i, j); ok {
				try(d, what)
			}
		}
	}
	return smaller && !s.over(ctx)
}

// run runs a draft and says how it fails. A draft that is no plan, or one that a world refuses, fails in no way that counts.
func (s *shrinker) run(ctx context.Context, d draft, what string) (fails []missed, err error) {
	p, err := plan.Parse(s.file, []byte(d.text()))
	if err != nil || !p.Simulated() || len(p.Simulations()) != 1 {
		return nil, nil
	}
	c := SimConfig{Plans: []*plan.Plan{p}, Shards: s.c.Shards, Wire: s.c.Wire, Memory: s.c.Memory, Digests: s.c.Digests, world: s.c.world}
	if c.Check() != nil {
		return nil, nil
	}
	s.done++
	report, err := Simulate(ctx, c)
	switch {
	case errors.Is(err, sim.ErrPanic):
		fails = append(fails, missed{panics, firstLine(err.Error())})
	case errors.Is(err, ErrNeed):
		for _, n := range report.Runs[0].Missed() {
			fails = append(fails, missed{n.Text, n.Got})
		}
	case err != nil:
		return nil, err
	}
	if s.c.Told != nil {
		same := false
		for _, f := range fails {
			same = same || s.fails.what == "" || f.what == s.fails.what
		}
		s.c.Told(s.done, what, same)
	}
	return fails, nil
}
