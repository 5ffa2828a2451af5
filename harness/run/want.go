package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/target"
)

// DefaultSilence is how long silence lasts at least, unless for= says otherwise: 200 ms is a hundred times what an answer
// on loopback takes, and the probe's answer shows that the target was not merely busy.
const DefaultSilence = 200 * time.Millisecond

// want judges one stream for those profiles that have not failed before. It returns which alternative was taken, -1 for
// none.
func (s *script) want(ctx context.Context, all []*alternative, open plan.ProfileSet) (int, outcome, error) {
	st, err := s.stream(all[0].want.Stream)
	if err != nil {
		return -1, outcome{}, fault(all[0].line, "", err)
	}
	st.wanted = true
	began := time.Now()
	silence := slices.IndexFunc(all, func(a *alternative) bool { return a.want.Expect.Kind == plan.ExpectSilence })
	var proof *proof
	waiting := ctx // ends where nobody waits any longer
	if silence >= 0 {
		proof = s.prove(ctx, st, max(forSilence(all[silence].want.Expect.For), patience(all)))
		defer proof.stop()
		if suffices(all, silence, open) {
			var cancel context.CancelFunc
			waiting, cancel = context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(proof.done, cancel)()
		}
	}
	for _, a := range all {
		if x := &a.want.Expect; x.Within == 0 {
			x.Within = plan.DefaultWait
			if a != all[0] {
				x.Within = all[0].want.Expect.Within // an or waits as long as its want
			}
		}
	}
	nothing, err := s.first(ctx, waiting, st, began, all, proof)
	if err != nil {
		return -1, outcome{}, err
	}
	taken := -1
	for i, a := range all {
		switch {
		case i == silence:
			continue
		case nothing: // for all of them, whatever comes while they are gone through
			s.unmet(a, began)
		default:
			if err := s.judge(ctx, waiting, st, began, a); err != nil {
				return -1, outcome{}, err
			}
		}
		if taken < 0 && a.miss == nil {
			taken = i
		}
	}
	if silence >= 0 && !settled(all, silence) {
		// Tried last: it holds as well when the stream has ended, so whatever names the end comes first.
		if err := s.silent(ctx, st, all[silence], proof); err != nil {
			return -1, outcome{}, err
		}
		if taken < 0 && all[silence].miss == nil {
			taken = silence
		}
	}
	switch {
	case taken < 0:
		st.take(1)
	case taken != silence:
		st.take(max(1, all[taken].want.Expect.Times))
		s.capture(all[taken].captures)
	}
	s.judges(all)
	return taken, verdicts(all), nil
}

// suffices says whether every profile that is still judged here accepts silence: then its proof ends the wait. For the
// others the line waits as long as it says, since a slow answer is none of silence's business.
func suffices(all []*alternative, silence int, open plan.ProfileSet) bool {
	for _, p := range open.List() {
		if all[silence].profiles.Has(p) {
			continue
		}
		if slices.ContainsFunc(all, func(a *alternative) bool { return a.profiles.Has(p) }) {
			return false
		}
	}
	return true
}

// first waits for the first event, as long as any alternative waits; waiting ends when nobody does. It reports whether
// nothing came.
func (s *script) first(ctx, waiting context.Context, st *stream, began time.Time, all []*alternative, proof *proof) (nothing bool, err error) {
	var longest time.Duration
	frames := false
	for _, a := range all {
		if a.want.Expect.Kind != plan.ExpectSilence {
			longest, frames = max(longest, a.want.Expect.Within), true
		}
	}
	if !frames {
		longest = proof.limit
	}
	wait, cancel := s.deadline(waiting, began, longest)
	defer cancel()
	_, err = st.at(wait, 0)
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.Is(err, errSilent):
		return true, nil
	}
	return false, err
}

// deadline is the context of a wait: the line's own time, or what a retry has left.
func (s *script) deadline(ctx context.Context, began time.Time, within time.Duration) (context.Context, context.CancelFunc) {
	end := began.Add(within)
	if !s.until.IsZero() {
		last := s.until
		if soon := began.Add(lastRound); last.Before(soon) {
			last = soon
		}
		if last.Before(end) {
			end = last
		}
	}
	return context.WithDeadline(ctx, end)
}

// judge holds what came on a stream against one alternative.
func (s *script) judge(ctx, waiting context.Context, st *stream, began time.Time, a *alternative) error {
	x := a.want.Expect
	wait, cancel := s.deadline(waiting, began, x.Within)
	defer cancel()
	a.captures = map[string]plan.Value{}
	for i := range max(1, x.Times) {
		e, err := st.at(wait, i)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errSilent):
			s.unmet(a, began)
		case err != nil:
			return err
		case i == 0 && e.At.After(began.Add(x.Within)):
			a.miss = s.failure(a.line, "", fmt.Sprintf("%s after %s", s.describe(e), e.At.Sub(began).Round(time.Millisecond)))
		default:
			if err := s.event(a, e); err != nil {
				return fault(a.line, "", err)
			}
		}
		if a.miss != nil {
			if st.fault != nil && !errors.Is(st.fault, target.ErrRefused) {
				a.miss.silent = true
			}
			if x.Times > 1 {
				a.miss.Got = fmt.Sprintf("(%d of %d) %s", i+1, x.Times, a.miss.Got)
			}
			return nil
		}
	}
	return nil
}

// unmet says that nothing came for an alternative.
func (s *script) unmet(a *alternative, began time.Time) {
	within := a.want.Expect.Within
	a.miss = s.failure(a.line, "", fmt.Sprintf("nothing within %s", within))
	if !s.until.IsZero() && began.Add(within).After(s.until) {
		a.miss.Got = "nothing until the end of the retry"
	}
	a.miss.silent = true
}
