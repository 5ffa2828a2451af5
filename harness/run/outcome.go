package run

import (
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/harness/stats"
)

// figures are what one run of a world comes to: its operations by kind, its samples, and what it was as a whole. They are
// counted as the operations end, so a million of them take no more room than a thousand.
type figures struct {
	k       int // recall is at k
	kinds   [len(kindNames)]kindTally
	samples []sim.Sample
	result  *sim.Result // nil: the run was broken off
}

func newFigures(s *plan.Simulation, cfg *sim.Config) *figures {
	return &figures{k: cfg.Kad.WithDefaults().K}
}

// kindTally is what became of the operations of one kind.
//
// A latency counts from the moment at which an operation was due: it holds the wait for somebody to do it too. What its
// deadline ended, or the end of the run or of its node, is later than all that came to an end, nobody knows how much. Of
// the latter nothing else counts, as it might have succeeded.
type kindTally struct {
	count, timedOut, unfinished uint64

	success stats.Proportion // of those that ended
	recall  stats.Ratio

	took, first            stats.Histogram // nanoseconds
	bytes                  stats.Histogram
	hops, requests, failed stats.Counts

	misses []record.Miss // the first record.MaxMisses
	missed uint64

	since recent
}

// recent are the operations that have ended since the last sample.
type recent struct {
	took             []time.Duration
	ok, true, sought int
}

// row takes an operation that has ended.
func (f *figures) row(r sim.Row) {
	t := &f.kinds[r.Op.Kind]
	t.count++
	waited := r.Began - r.Op.At
	took := waited + r.Took
	if r.Censored {
		t.unfinished++
		t.took.Censor(took)
		if seeks(r.Op.Kind) && r.Found == 0 {
			t.first.Censor(took)
		}
		return
	}
	if r.TimedOut {
		t.timedOut++
		t.took.Censor(took)
	} else {
		t.took.Add(took)
	}
	if seeks(r.Op.Kind) {
		if r.Found > 0 {
			t.first.Add(waited + r.First)
		} else {
			t.first.Censor(took) // it would still be looking
		}
	}
	t.success.Add(r.OK)
	if r.Sought > 0 {
		t.recall.Add(uint32(r.True), uint32(r.Sought))
	}
	if !r.Blind {
		t.requests.Add(uint64(r.Requests))
		t.failed.Add(uint64(r.Failed))
		if r.Bytes > 0 || r.Requests == 0 { // none of requests: those of a real node's bootstrap are of no one key
			t.bytes.Add(int64(min(r.Bytes, stats.Longest)))
		}
	}
	if r.Hops > 0 { // none: there is no result to which peers could have led
		t.hops.Add(uint64(r.Hops))
	}
	t.miss(r)
	t.since.add(r, time.Duration(took))
}

// seeks says whether an operation has a first answer that its caller could use before it ends.
func seeks(k sim.OpKind) bool { return k == sim.Find || k == sim.Get }

// miss notes an operation that did not find all there was, or did not do what it was to do.
func (t *kindTally) miss(r sim.Row) {
	if r.OK && r.True == r.Sought {
		return
	}
	t.missed++
	if len(t.misses) == record.MaxMisses {
		return
	}
	t.misses = append(t.misses, record.Miss{At: time.Duration(r.Op.At), Node: uint32(r.Node), Key: r.Op.Key,
		Found: r.Found, True: r.True, Sought: r.Sought, Why: whyMissed(r)})
}

func whyMissed(r sim.Row) string {
	switch {
	case r.TimedOut:
		return "deadline"
	case r.Op.Kind == sim.Find && r.Found > 0:
		return "no provider that lives"
	case r.Op.Kind == sim.Find:
		return "no provider"
	case r.Op.Kind == sim.Get && r.Found > 0:
		return "not the best record"
	case r.Op.Kind == sim.Get:
		return "no record"
	case r.Op.Kind == sim.Put || r.Op.Kind == sim.Provide:
		return "nobody took it"
	case r.Sought > 0 && r.True < r.Sought:
		return "not all of the closest"
	}
	return "no result"
}

func (s *recent) add(r sim.Row, took time.Duration) {
	s.took = append(s.took, took)
	if r.OK {
		s.ok++
	}
	s.true += r.True
	s.sought += r.Sought
}

// sum tells what ended since the last sample, and begins anew. Its percentiles describe these operations and no others, so
// they are told of however few there are.
func (s *recent) sum(kind string) record.Since {
	slices.Sort(s.took)
	at := func(percent int) float64 { return milliseconds(int64(s.took[(len(s.took)*percent+99)/100-1])) }
	out := record.Since{Kind: kind, Ended: len(s.took), OK: s.ok, P50: at(50), P90: at(90)}
	if s.sought > 0 {
		out.Recall = float64(s.true) / float64(s.sought)
	}
	*s = recent{took: s.took[:0]}
	return out
}

// sample takes a point of the time series, and returns it as the log has it.
func (f *figures) sample(s sim.Sample) record.Sample {
	f.samples = append(f.samples, s)
	out := record.Sample{At: time.Duration(s.At), Up: s.Up, Entries: s.Entries, Dead: s.Dead, Missing: s.Missing, Records: s.Records,
		Expected: s.Expected, Providers: s.Providers, Queries: s.Queries, Events: s.Events}
	for i := range f.kinds {
		if t := &f.kinds[i]; len(t.since.took) > 0 {
			out.Since = append(out.Since, t.since.sum(kindNames[i]))
		}
	}
	return out
}

// end takes what the run was as a whole.
func (f *figures) end(r *sim.Result) { f.result = r }

// of is the tally of one kind, or of all for "".
func (f *figures) of(kind string) *kindTally {
	all := &kindTally{}
	for i := range f.kinds {
		if kindNames[i] == kind {
			return &f.kinds[i]
		}
		if kind == "" {
			all.merge(&f.kinds[i])
		}
	}
	return all
}

// merge adds the figures of another kind; lists of single operations are left out.
func (t *kindTally) merge(o *kindTally) {
	t.count += o.count
	t.timedOut += o.timedOut
	t.unfinished += o.unfinished
	t.success.Merge(o.success)
	t.recall.Merge(o.recall)
	t.took.Merge(&o.took)
	t.first.Merge(&o.first)
	t.bytes.Merge(&o.bytes)
	t.hops.Merge(&o.hops)
	t.requests.Merge(&o.requests)
	t.failed.Merge(&o.failed)
}
