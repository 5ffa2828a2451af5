package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
)

// runner checks one target.
type runner struct {
	config *Config
	pool   *pool
	ledger *check.Ledger
	report *Report
	judged plan.ProfileSet // of this pass over the cases
	stale  bool

	mu      sync.Mutex
	shared  *node
	results map[*plan.Plan][]record.Result
	solo    []soloCase

	telling     sync.Mutex // one event at a time
	done, total int
}

// event tells the caller how far the run is.
func (r *runner) event(e Event) {
	r.telling.Lock()
	defer r.telling.Unlock()
	if e.Kind == Finished {
		r.done++
	}
	e.Target, e.Done, e.Total = r.pool.factory.Name(), r.done, r.total
	if r.config.Progress != nil {
		r.config.Progress(e)
	}
}

// soloCase is a case that ran beside others on a node which ended: it runs again alone, to find out whose doing it was.
type soloCase struct {
	plan *plan.Plan
	node *node
	finding
}

// judges is in which profiles this pass judges a case.
func (r *runner) judges(p *plan.Plan) plan.ProfileSet {
	var set plan.ProfileSet
	for _, profile := range plan.Profiles {
		if p.Header.Profiles.Has(profile) && r.judged.Has(profile) {
			set |= 1 << profile
		}
	}
	return set
}

// run runs all cases; its error is ErrTarget, when the target could not be met or was lost.
func (r *runner) run(ctx context.Context, plans []*plan.Plan) error {
	name := r.pool.factory.Name()
	defer r.pool.close()
	r.results = map[*plan.Plan][]record.Result{}
	err := r.pool.meet(ctx)
	version := ""
	if err == nil {
		h := r.pool.hello
		version = strings.TrimSpace(h.Name + " " + h.Version)
		r.report.Versions[name] = version
		r.config.Log.Write(record.Entry{Type: record.TypeTarget, Target: name, Text: version})
		r.ledger = check.NewLedger(h.Name, h.Version, time.Now(), r.config.Known, r.config.Builtin)
	} else {
		r.ledger = check.NewLedger("", "", time.Now(), nil, nil)
	}
	passes := []plan.ProfileSet{0}
	if err == nil && slices.Contains(r.pool.hello.Options, "profile") {
		// It behaves as the profile says, so it is asked in each of them.
		passes = nil
		for _, p := range plan.Profiles {
			passes = append(passes, 1<<p)
		}
	}
	for _, r.judged = range passes {
		for _, p := range plans {
			if r.judges(p) != 0 {
				r.total++
			}
		}
	}
	r.event(Event{Kind: Planned})
	for _, r.judged = range passes {
		if r.judged != 0 {
			r.pool.profile = r.judged.List()[0].String()
		}
		r.pass(ctx, plans, err)
		if ctx.Err() != nil {
			break
		}
	}
	for _, p := range plans {
		slices.SortStableFunc(r.results[p], func(a, b record.Result) int { return profileOf(a) - profileOf(b) })
		r.report.Results = append(r.report.Results, r.results[p]...)
	}
	ids := map[string]bool{}
	for _, p := range r.config.Plans {
		ids[p.Header.ID] = true
	}
	fatal, notes := r.ledger.Stale(func(id string) bool { return ids[id] })
	r.stale = len(fatal) > 0
	r.report.Notes = append(r.report.Notes, append(fatal, notes...)...)
	if err == nil {
		err = r.pool.given()
	}
	return err
}

func profileOf(r record.Result) int {
	p, _ := plan.ParseProfile(r.Profile)
	return int(p)
}

// pass goes through the cases once: those that can share the time side by side, those that want it alone after them.
// lost is why the target cannot be asked at all.
func (r *runner) pass(ctx context.Context, plans []*plan.Plan, lost error) {
	var together, alone []*plan.Plan
	for _, p := range plans {
		verdict, why := r.spared(p, lost)
		switch {
		case r.judges(p) == 0:
		case verdict != "":
			r.keep(p, r.same(p, verdict, why))
		case p.Header.Alone:
			alone = append(alone, p)
		default:
			together = append(together, p)
		}
	}
	// Those that may take longest begin first.
	slices.SortStableFunc(together, func(a, b *plan.Plan) int { return int(b.Header.Timeout - a.Header.Timeout) })
	jobs := r.config.Jobs
	if jobs == 0 {
		jobs = DefaultJobs
	}
	r.side(ctx, together, jobs)
	r.side(ctx, alone, 1)
	r.again(ctx)
	r.mu.Lock()
	shared := r.shared
	r.shared = nil
	r.mu.Unlock()
	if shared != nil {
		r.pool.stop(shared)
	}
}

// spared is the verdict of a case which does not run, and why.
func (r *runner) spared(p *plan.Plan, lost error) (record.Verdict, string) {
	for _, glob := range r.config.Skip {
		if Match(glob, p.Header.ID) {
			return record.Skipped, "left out by --skip " + glob
		}
	}
	if p.Header.Slow && !r.config.Slow {
		return record.Skipped, "slow: it runs with --slow"
	}
	if lost != nil {
		return record.Skipped, firstLine(lost.Error())
	}
	f := r.pool.factory
	if why := lacking(p, r.pool.hello, f); why != "" {
		return record.Unsupported, why
	}
	return "", ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// side runs cases, n at a time.
func (r *runner) side(ctx context.Context, plans []*plan.Plan, n int) {
	work := make(chan *plan.Plan)
	var all sync.WaitGroup
	for range min(n, len(plans)) {
		all.Go(func() {
			for p := range work {
				r.one(ctx, p)
			}
		})
	}
	for _, p := range plans {
		if ctx.Err() != nil {
			break
		}
		work <- p
	}
	close(work)
	all.Wait()
}

// one runs one case, on the shared node or on one of its own.
func (r *runner) one(ctx context.Context, p *plan.Plan) {
	r.event(Event{Kind: Started, Case: p.Header.ID})
	own := isolated(p) && !r.pool.factory.Remote()
	if r.pool.factory.Remote() && uses(p, "seat") {
		r.pool.seats.Lock()
		defer r.pool.seats.Unlock()
	}
	n, err := r.node(ctx, p, own)
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errUnsupported):
		r.keep(p, r.same(p, record.Unsupported, strings.TrimPrefix(err.Error(), errUnsupported.Error()+": ")))
		return
	case errors.Is(err, ErrTarget):
		r.keep(p, r.same(p, record.Skipped, firstLine(err.Error())))
		return
	case err != nil:
		r.keep(p, r.same(p, record.Errored, err.Error()))
		return
	}
	n.enter(p.Header.ID)
	f := r.on(ctx, p, n)
	crowded := n.leave(p.Header.ID)
	if own {
		r.pool.stop(n)
	}
	if ctx.Err() != nil {
		return
	}
	if crowded && !n.remote && f.ended == nil && r.missed(p, f) {
		// It may be the doing of the others, who used up what the node has for all. Alone on a node it says what counts.
		if n, err := r.node(ctx, p, true); err == nil {
			f = r.on(ctx, p, n)
			r.pool.stop(n)
		}
		if ctx.Err() != nil {
			return
		}
		crowded = false
	}
	if n.scale != 0 && f.ended == nil && r.missed(p, f) {
		if n, err := r.pool.startScaled(ctx, p, slowScale); err == nil {
			f = r.on(ctx, p, n)
			r.pool.stop(n)
		}
		if ctx.Err() != nil {
			return
		}
	}
	if f.ended != nil && crowded && !n.remote {
		r.mu.Lock()
		r.solo = append(r.solo, soloCase{p, n, f})
		r.mu.Unlock()
		return
	}
	r.keep(p, r.verdicts(p, f))
}

// missed says whether a finding is more than a measurement: a must or should that was not met.
func (r *runner) missed(p *plan.Plan, f finding) bool {
	return f.unsupported == "" && slices.ContainsFunc(plan.Profiles, func(profile plan.Profile) bool {
		return f.failed[profile] != nil && p.Header.Levels[profile] <= plan.Should
	})
}

// on runs a case on a node, and asks after a failure for which nothing came whether the node still lives.
func (r *runner) on(ctx context.Context, p *plan.Plan, n *node) finding {
	r.config.Log.Write(record.Entry{Type: record.TypeCase, Target: n.name, Case: p.Header.ID, Event: "begin"})
	f := r.attempts(ctx, p, n)
	if silent(f) && f.ended == nil && ctx.Err() == nil {
		if err := healthy(ctx, n, r.config.patience(), func(e record.Entry) {
			e.Target, e.Case, e.Stream, e.Peer = n.name, p.Header.ID, "(health)", "(harness)"
			r.config.Log.Write(e)
		}); err != nil && ctx.Err() == nil {
			f.ended, f.log = errHung, n.target.Log()
			for i, missed := range f.failed {
				if missed != nil {
					late := *missed
					late.Got += fmt.Sprintf("; afterwards %v: %v", errHung, err)
					f.failed[i] = &late
				}
			}
			n.giveUp()
			if n.remote {
				r.pool.giveUp(r.pool.lose(fmt.Errorf("it does not answer any more: %w", err)))
			}
		}
	}
	r.config.Log.Write(record.Entry{Type: record.TypeCase, Target: n.name, Case: p.Header.ID, Event: "end"})
	return f
}

// silent says whether a failure is one for which nothing came.
func silent(f finding) bool {
	return slices.ContainsFunc(f.failed[:], func(missed *failure) bool { return missed != nil && missed.silent })
}

// node is where a case runs.
func (r *runner) node(ctx context.Context, p *plan.Plan, own bool) (*node, error) {
	if err := r.pool.given(); err != nil {
		return nil, err
	}
	if own {
		return r.pool.start(ctx, p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shared != nil && r.shared.lost() {
		r.shared.target.Close()
		r.shared = nil
	}
	if r.shared == nil {
		n, err := r.pool.start(ctx, nil)
		if err != nil {
			return nil, err
		}
		r.shared = n
	}
	return r.shared, nil
}

// again runs alone those that were on a node which ended, each on a new one. Whoever brings it down once more has failed;
// when nobody does, all of them have, since it went down under them.
func (r *runner) again(ctx context.Context) {
	r.mu.Lock()
	list := r.solo
	r.solo = nil
	r.mu.Unlock()
	second := make([]finding, len(list))
	guilty := map[*node]bool{}
	for i, c := range list {
		n, err := r.node(ctx, c.plan, false)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			second[i] = c.finding // it does not come up any more: what was seen stands
			guilty[c.node] = true
			continue
		}
		second[i] = r.on(ctx, c.plan, n)
		guilty[c.node] = guilty[c.node] || second[i].ended != nil
	}
	for i, c := range list {
		f := second[i]
		if !guilty[c.node] {
			var beside []string
			for _, o := range list {
				if o.node == c.node && o.plan != c.plan {
					beside = append(beside, o.plan.Header.ID)
				}
			}
			f = c.finding
			f.name("beside " + strings.Join(beside, ", ") + "; alone it did not happen again")
		}
		r.keep(c.plan, r.verdicts(c.plan, f))
	}
}

// keep writes down the results of a case.
func (r *runner) keep(p *plan.Plan, results []record.Result) {
	for _, res := range results {
		r.config.Log.Result(res)
	}
	r.mu.Lock()
	r.results[p] = append(r.results[p], results...)
	r.mu.Unlock()
	r.event(Event{Kind: Finished, Case: p.Header.ID, Results: results})
}
