package run

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
)

const (
	// retryFirst and retryMost are the pauses between the rounds of a retry: short at first, since most of what has no
	// reply takes effect in a millisecond, then doubling, so that a slow target is not flooded.
	retryFirst = 10 * time.Millisecond
	retryMost  = 500 * time.Millisecond
	// lastRound is what a round that begins just before the end of its retry may still take for one line.
	lastRound = time.Second
)

// outcome says in which profiles a part of the script failed, and how.
type outcome struct {
	failed [3]*failure
}

// failure is a line that was not met.
type failure struct {
	record.Failure
	silent bool // nothing came: worth asking whether the target still lives
}

// merge adds the failures of a later part; the first of a profile stays.
func (o *outcome) merge(later outcome) {
	for p := range o.failed {
		if o.failed[p] == nil {
			o.failed[p] = later.failed[p]
		}
	}
}

// all says whether every profile of the set has failed: then the rest of the script judges nothing.
func (o *outcome) all(set plan.ProfileSet) bool {
	for _, p := range set.List() {
		if o.failed[p] == nil {
			return false
		}
	}
	return true
}

// within are the failures in these profiles.
func (o outcome) within(set plan.ProfileSet) outcome {
	for _, p := range plan.Profiles {
		if !set.Has(p) {
			o.failed[p] = nil
		}
	}
	return o
}

// profiles are those that failed.
func (o outcome) profiles() (set plan.ProfileSet) {
	for p, f := range o.failed {
		if f != nil {
			set |= 1 << p
		}
	}
	return set
}

// name puts the round in which it happened before what came.
func (o *outcome) name(round string) {
	done := map[*failure]bool{nil: true} // one failure may stand for several profiles
	for _, f := range o.failed {
		if !done[f] {
			f.Got, done[f] = "("+round+") "+f.Got, true
		}
	}
}

// fails is an outcome in which a line failed in every profile.
func fails(f *failure) (o outcome) {
	for _, p := range plan.Profiles {
		o.failed[p] = f
	}
	return o
}

// script goes through the lines of a plan in a world. Its methods return what failed; an error is the suite's fault, the
// end of the case's time, or the target's death (the context's cause).
type script struct {
	*world
	judged plan.ProfileSet
	scope  plan.ProfileSet // those which the block of an alternative binds
	until  time.Time       // within a retry: when its last round should be over
}

// remaining are the profiles that are judged and have not failed.
func (s *script) remaining(before outcome) (set plan.ProfileSet) {
	for _, p := range s.judged.List() {
		if before.failed[p] == nil {
			set |= 1 << p
		}
	}
	return set
}

// lines goes through the lines in order, and stops when every profile has failed.
func (s *script) lines(ctx context.Context, lines []*plan.Line, before outcome) (o outcome, err error) {
	for _, l := range lines {
		sofar := before
		sofar.merge(o)
		if sofar.all(s.judged) {
			return o, nil
		}
		if err := pause(ctx, l.After); err != nil {
			return o, err
		}
		more, err := s.line(ctx, l, sofar)
		o.merge(more)
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// line goes through one line and its block.
func (s *script) line(ctx context.Context, l *plan.Line, before outcome) (outcome, error) {
	s.mu.Lock()
	s.at = l
	s.mu.Unlock()
	switch stmt := l.Stmt.(type) {
	case plan.Retry:
		return s.retry(ctx, l, stmt, before)
	case plan.EachLoop:
		return s.each(ctx, l, stmt, before)
	case plan.Want:
		return s.accepts(ctx, l, before, s.want)
	case plan.Result:
		return s.accepts(ctx, l, before, s.result)
	case plan.Saw:
		return s.accepts(ctx, l, before, s.saw)
	}
	sides := l.Sides
	if len(sides) == 0 {
		sides = []plan.Stmt{l.Stmt}
	}
	if seat, ok := l.Stmt.(plan.Seat); ok {
		return s.seat(ctx, l, seat)
	}
	results, err := beside(len(sides), func(i int) (outcome, error) { return s.do(ctx, l, sides[i]) })
	var o outcome
	for _, r := range results {
		o.merge(r)
	}
	return o, err
}

// beside runs n things at the same time, and returns their results in order and the first error.
func beside[T any](n int, do func(i int) (T, error)) ([]T, error) {
	results, errs := make([]T, n), make([]error, n)
	if n == 1 {
		results[0], errs[0] = do(0)
		return results, errs[0]
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { results[i], errs[i] = do(i) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// retry tries a block, with new streams each time, until all of it holds. A profile for which a round has held is content,
// whatever the next rounds bring for the others.
func (s *script) retry(ctx context.Context, l *plan.Line, r plan.Retry, before outcome) (outcome, error) {
	end := time.Now().Add(r.Within)
	open := s.remaining(before)
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		round := &script{world: s.world, judged: open, scope: s.scope, until: end}
		captures, streams := s.snapshot()
		o, err := round.lines(ctx, l.Block, outcome{})
		o.merge(s.unopened(streams))
		o = o.within(open)
		open = o.profiles()
		if err != nil || open == 0 || time.Now().Add(wait).After(end) {
			return o, err
		}
		s.restore(captures, streams)
		if err := pause(ctx, wait); err != nil {
			return o, err
		}
	}
}

// snapshot and restore let a round of a retry leave nothing behind.
func (s *script) snapshot() (map[string]plan.Value, map[string]*stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.captures), maps.Clone(s.streams)
}

func (s *script) restore(captures map[string]plan.Value, streams map[string]*stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, st := range s.streams {
		if streams[name] != st {
			st.finish()
		}
	}
	s.captures, s.streams = captures, streams
}

func (s *script) each(ctx context.Context, l *plan.Line, e plan.EachLoop, before outcome) (o outcome, err error) {
	for i := e.Each.From; i <= e.Each.To; i++ {
		sofar := before
		sofar.merge(o)
		if sofar.all(s.judged) {
			return o, nil
		}
		block, err := l.Iterate(i)
		if err != nil {
			return o, fault(l, "", err)
		}
		more, err := s.lines(ctx, block, sofar)
		more.name(fmt.Sprintf("%s=%d", e.Each.Name, i))
		o.merge(more)
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// failure is a line that was not met, in the words of a report.
func (s *script) failure(l *plan.Line, want, got string) *failure {
	return &failure{Failure: record.Failure{Line: l.Pos.String(), Want: want, Got: got}}
}

// pause waits; an error is why the case ended meanwhile.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
