package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// DefaultTimeout is how long a case may take unless it says otherwise.
const DefaultTimeout = 30 * time.Second

// deathNotice is how long the news of a process's end may take: its last output is read for a second first.
const deathNotice = 2 * time.Second

// What ends a case from outside; causes of its context.
var (
	errDied    = errors.New("the target's process ended")
	errHung    = errors.New("the target does not answer")
	errTimeout = errors.New("the case took too long")
)

// finding is what one case came to, over all its values and repetitions.
type finding struct {
	outcome
	unsupported string
	fault       error           // of the suite
	unjudged    plan.ProfileSet // in which no line was judged: none at all is 0
	untold      string          // why, where the target cannot tell
	ended       error           // errDied or errHung
	shown       map[string]string
	log         string // tail of the target's log, where it ended
	took        time.Duration
}

// attempts runs a case for each value of its header's each, as often as it repeats, and ends with the first failure in
// all profiles. A case that has the target for itself gets a fresh one each time; one that shares it, each time that the
// user's repetition begins anew: its keys and identities are the same, and so would be what it finds.
func (r *runner) attempts(ctx context.Context, p *plan.Plan, n *node) (f finding) {
	profiles := r.judges(p)
	began := time.Now()
	f.shown = map[string]string{}
	var own *node // instead of n
	defer func() {
		f.took = time.Since(began)
		if own != nil {
			r.pool.stop(own)
		}
	}()
	runs := max(1, p.Header.Repeat)
	times := runs * max(1, r.config.Repeat)
	from, to := 0, 0
	if e := p.Header.Each; e != nil {
		from, to = e.From, e.To
	}
	for attempt := range times {
		for i := from; i <= to; i++ {
			bound, err := p.Bound(i)
			if err != nil {
				f.fault = err
				return f
			}
			first := attempt == 0 && i == from
			if !first && !n.remote && (isolated(p) || i == from && attempt%runs == 0) {
				if own != nil {
					r.pool.stop(own)
				}
				if own, err = r.pool.startScaled(ctx, p, n.scale); err != nil {
					f.fault = err
					return f
				}
			}
			at := n
			if own != nil {
				at = own
			}
			one := r.attempt(ctx, bound, at, profiles, attempt)
			var round []string
			if p.Header.Each != nil {
				round = append(round, fmt.Sprintf("%s=%d", p.Header.Each.Name, i))
			}
			if times > 1 {
				round = append(round, fmt.Sprintf("%d of %d times", attempt+1, times))
			}
			if len(round) > 0 {
				one.name(strings.Join(round, ", "))
			}
			f.merge(one.outcome)
			for name, v := range one.shown {
				f.shown[name] = v
			}
			f.unsupported, f.fault, f.ended, f.log, f.untold = one.unsupported, one.fault, one.ended, one.log, one.untold
			f.unjudged |= one.unjudged
			if f.unsupported != "" || f.fault != nil || f.ended != nil || f.all(profiles) || ctx.Err() != nil {
				return f
			}
		}
	}
	return f
}

// attempt runs the script once.
func (r *runner) attempt(ctx context.Context, p *plan.Plan, n *node, profiles plan.ProfileSet, attempt int) (f finding) {
	limit := p.Header.Timeout
	if limit == 0 {
		limit = DefaultTimeout
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	defer close(watched)
	go func() {
		select {
		case <-n.target.Died():
			cancel(errDied)
		case <-n.gone:
			cancel(errHung)
		case <-watched:
		}
	}()
	w, err := newWorld(ctx, cancel, p, n, r.config, attempt)
	defer w.close()
	if err == nil {
		w.limit, w.timer = limit, time.AfterFunc(limit, func() { cancel(errTimeout) })
		defer w.timer.Stop()
		s := &script{world: w, judged: profiles, scope: profiles}
		f.outcome, err = s.lines(ctx, p.Script, outcome{})
		f.merge(s.unopened(nil))
		if err == nil {
			var more outcome
			more, err = s.ending(ctx, f.outcome)
			f.merge(more)
		}
		f.unjudged = profiles &^ (w.seen | f.profiles())
		if err == nil && w.dropped() {
			// A process that crashes takes its connections along before anybody hears of its end.
			pause(ctx, deathNotice)
		}
	}
	w.logPeers()
	f.shown, f.untold = w.shown, w.untold
	if n.died() || errors.Is(err, target.ErrDied) {
		err = errDied // whatever the line noticed of it
	}
	switch {
	case err == nil:
	case errors.Is(err, errDied), errors.Is(err, errHung):
		f.ended, f.log = err, n.target.Log()
		// What the line saw of the end is not what it is about.
		f.outcome = fails(w.ended(err.Error()))
	case errors.Is(err, errTimeout):
		late := w.ended(fmt.Sprintf("%v: %s", errTimeout, limit))
		late.silent = true
		f.merge(fails(late))
	case errors.Is(err, errUnsupported):
		f.unsupported = strings.TrimPrefix(err.Error(), errUnsupported.Error()+": ")
	default:
		f.fault = err
	}
	return f
}

// ended is the failure of the line that a case was at when it ended from outside.
func (w *world) ended(got string) *failure {
	w.mu.Lock()
	l := w.at
	w.mu.Unlock()
	f := &failure{Failure: record.Failure{Got: got, Line: w.plan.File}}
	if l != nil {
		f.Line, f.Want = l.Pos.String(), l.Text
		if _, ok := l.Stmt.(plan.Want); ok {
			f.Want = expected(l)
		}
	}
	return f
}

// verdicts are those of a case, one for each profile in which it is judged.
func (r *runner) verdicts(p *plan.Plan, f finding) []record.Result {
	var all []record.Result
	for _, profile := range r.judges(p).List() {
		res := r.result(p, profile)
		res.Took = f.took
		missed := f.failed[profile]
		level := p.Header.Levels[profile]
		switch {
		case f.unsupported != "":
			res.Verdict, res.Why = record.Unsupported, f.unsupported
		case missed != nil:
			res.Verdict, res.Why = check.Verdict(level, true, r.config.Strict), check.Why(&missed.Failure)
			// A target that ends is at fault whatever the clause says.
			if f.ended != nil {
				res.Verdict = record.Fail
			}
			failure := missed.Failure
			failure.Prose, failure.Clause = p.Prose, strings.Join(p.Header.Clauses(), "; ")
			failure.Repeat, failure.Log = r.command(p.Header.ID), f.log
			res.Failure = &failure
		case f.fault != nil:
			res.Verdict, res.Why = record.Errored, f.fault.Error()
		case f.unjudged&(1<<profile) != 0 && f.untold != "":
			res.Verdict, res.Why = record.Unsupported, f.untold
		case f.unjudged&(1<<profile) != 0:
			res.Verdict, res.Why = record.Errored, "no line of the script judges anything in this profile"
		default:
			res.Verdict = record.Pass
		}
		res.Measured = f.measured(level)
		if level == plan.Info || level == plan.May {
			if res.Verdict == record.Pass && missed != nil {
				res.Why = "measured only: " + res.Why
			}
		} else if res.Verdict == record.Pass || res.Verdict == record.Fail || res.Verdict == record.Warn {
			res.Verdict, res.Why = r.ledger.Judge(p.Header.ID, profile.String(), res.Verdict, res.Why)
		}
		all = append(all, res)
	}
	return all
}

// measured is what a report shows beside the verdict: which alternatives were taken, and the captures of a case that
// only measures.
func (f *finding) measured(level plan.Level) map[string]string {
	out := map[string]string{}
	for name, v := range f.shown {
		if level == plan.Info || level == plan.May || strings.HasPrefix(name, "line ") {
			out[name] = v
		}
	}
	return out
}

// result is the frame of a verdict.
func (r *runner) result(p *plan.Plan, profile plan.Profile) record.Result {
	return record.Result{
		Target: r.pool.factory.Name(), Case: p.Header.ID, Catalogue: p.Header.Catalogue,
		Profile: profile.String(), Level: p.Header.Levels[profile].String(),
	}
}

// same is the same verdict in each profile, for a case that did not run.
func (r *runner) same(p *plan.Plan, v record.Verdict, why string) []record.Result {
	var all []record.Result
	for _, profile := range r.judges(p).List() {
		res := r.result(p, profile)
		res.Verdict, res.Why = v, why
		all = append(all, res)
	}
	return all
}

func (r *runner) command(id string) string {
	if r.config.Command != nil {
		return r.config.Command(r.pool.factory.String(), id)
	}
	return fmt.Sprintf("kadbench check %s --case %s --seed %d", r.pool.factory, id, r.config.Seed)
}
