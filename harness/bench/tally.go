package bench

import (
	"context"
	"errors"
	"maps"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kadbench/kadbench/harness/stats"
)

// Result is what became of the requests of one turn: of those that were due within its span.
type Result struct {
	Span     time.Duration
	Requests uint64 // due
	Answered uint64
	Errors   uint64
	Timeouts uint64
	Late     uint64 // begun more than LateAfter after they were due, and not for want of a stream
	Dropped  uint64 // never sent
	Checked  uint64
	Wrong    uint64

	// Ended is how many answers came within the span, whenever they were due: what the server did.
	Ended uint64

	Due     stats.Histogram // nanoseconds from due to answered; of a closed load that of Service
	Service stats.Histogram // from sent to answered
	Start   stats.Histogram // from due to sent, with what was dropped; none of a closed load
	Bytes   stats.Mean      // of an answer's body

	ServerCPU time.Duration // within the span; negative: nobody knows
	ClientCPU time.Duration
	Foreign   float64 // share of the processors that others kept busy, 0 to 1; negative: nobody knows

	Why     []Cause
	Seconds []Second
}

// LateAfter is how much later than due a request may begin without a reason: what a sleep of the system's may be off on a
// busy machine, and a tenth of what a request over a real network takes at least.
const LateAfter = time.Millisecond

// Cause is an error and how often it came.
type Cause struct {
	What string
	N    uint64
}

// maxCauses are kept: more than that is one error with numbers in it.
const maxCauses = 10

// Second is what ended within one second of the span.
type Second struct {
	Answered, Errors uint64
	P50, P99         time.Duration // from due; to a sixteenth
}

// tally counts for some workers, so that there are a few of them and not one for each stream: a histogram takes 290 KB.
type tally struct {
	mu      sync.Mutex
	r       Result
	why     map[string]uint64
	seconds []second
}

// second counts latencies in sixteen steps for each doubling.
type second struct {
	answered, errors uint64
	of               [64 * 16]uint32
}

func (t *tally) answered(of *turn, s shot, began, ended time.Duration, size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of.measured(ended) {
		t.r.Ended++
		at := t.second(int((ended - of.Warmup) / time.Second))
		at.answered++
		at.of[step(ended-s.Due)]++
	}
	if !of.measured(s.Due) {
		return
	}
	t.begin(of, s, began)
	t.r.Answered++
	t.r.Service.Add(int64(ended - began))
	if !of.Closed {
		t.r.Due.Add(int64(ended - s.Due))
	}
	t.r.Bytes.Add(uint64(size))
}

// begin counts a request that was sent.
func (t *tally) begin(of *turn, s shot, began time.Duration) {
	t.r.Requests++
	if of.Closed {
		return
	}
	t.r.Start.Add(int64(began - s.Due))
	if s.prompt && began-s.Due > LateAfter {
		t.r.Late++
	}
}

// failed counts a request whose stream failed.
func (t *tally) failed(of *turn, s shot, began, ended time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gaveUp(of, s, began, ended) {
		t.r.Errors++
		t.cause(err)
	}
}

func (t *tally) timedOut(of *turn, s shot, began, ended time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gaveUp(of, s, began, ended) {
		t.r.Timeouts++
	}
}

// gaveUp counts a request that got no answer. Also of one that failed at once all that is known is that none came within
// the timeout: else a server that refuses quickly would have the better percentiles for it.
func (t *tally) gaveUp(of *turn, s shot, began, ended time.Duration) bool {
	if of.measured(ended) {
		t.second(int((ended-of.Warmup)/time.Second)).errors++
	}
	if !of.measured(s.Due) {
		return false
	}
	t.begin(of, s, began)
	t.r.Service.Censor(int64(max(ended-began, of.Timeout)))
	if !of.Closed {
		t.r.Due.Censor(int64(max(ended-s.Due, of.Timeout)))
	}
	return true
}

// dropped counts a request that found no stream in its time.
func (t *tally) dropped(of *turn, due time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !of.measured(due) {
		return
	}
	t.r.Requests++
	t.r.Dropped++
	t.r.Due.Censor(int64(of.Timeout))
	t.r.Start.Censor(int64(of.Timeout))
	t.second(int((due-of.Warmup)/time.Second)).errors++
}

func (t *tally) judged(right bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Checked++
	if !right {
		t.r.Wrong++
	}
}

// ends are the two of a connection, as the system's errors name them: a port in a text would make each connection's error
// another one.
var ends = regexp.MustCompile(` (tcp|udp)[46]? \S+->\S+:\d+`)

// cause notes an error by its text.
func (t *tally) cause(err error) {
	what := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		what = "deadline exceeded"
	}
	what, _, _ = strings.Cut(what, "\n")
	what = ends.ReplaceAllString(what, " $1")
	if t.why == nil {
		t.why = map[string]uint64{}
	}
	if _, ok := t.why[what]; !ok && len(t.why) >= maxCauses-1 {
		what = "other errors"
	}
	t.why[what]++
}

func (t *tally) second(n int) *second {
	for len(t.seconds) <= n {
		t.seconds = append(t.seconds, second{})
	}
	return &t.seconds[n]
}

// step is the place of a latency: its doubling, and the next four bits.
func step(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 16 {
		return int(v)
	}
	exponent := bits.Len64(v) - 5
	return (exponent+1)*16 + int(v>>exponent)&15
}

// latency is the middle of a step.
func latency(step int) time.Duration {
	if step < 16 {
		return time.Duration(step)
	}
	exponent := step/16 - 1
	return time.Duration(uint64(16+step%16)<<exponent + uint64(1)<<exponent>>1)
}

// sum puts the tallies of a span together. A second in which nothing ended is one, also at the end.
func sum(tallies []*tally, span time.Duration) *Result {
	r := &Result{Span: span}
	why := map[string]uint64{}
	seconds := make([]second, (span+time.Second-1)/time.Second)
	for _, t := range tallies {
		o := &t.r
		for _, n := range []struct{ to, from *uint64 }{{&r.Requests, &o.Requests}, {&r.Answered, &o.Answered}, {&r.Errors, &o.Errors},
			{&r.Timeouts, &o.Timeouts}, {&r.Late, &o.Late}, {&r.Dropped, &o.Dropped}, {&r.Checked, &o.Checked}, {&r.Wrong, &o.Wrong}, {&r.Ended, &o.Ended}} {
			*n.to += *n.from
		}
		r.Due.Merge(&o.Due)
		r.Service.Merge(&o.Service)
		r.Start.Merge(&o.Start)
		r.Bytes.Merge(o.Bytes)
		for what, n := range t.why {
			why[what] += n
		}
		for i := range t.seconds {
			seconds[i].add(&t.seconds[i])
		}
	}
	for _, what := range slices.Sorted(maps.Keys(why)) {
		r.Why = append(r.Why, Cause{what, why[what]})
	}
	slices.SortStableFunc(r.Why, func(a, b Cause) int { return int(b.N) - int(a.N) })
	for i := range seconds {
		s := &seconds[i]
		r.Seconds = append(r.Seconds, Second{s.answered, s.errors, s.quantile(50), s.quantile(99)})
	}
	return r
}

func (s *second) add(o *second) {
	s.answered += o.answered
	s.errors += o.errors
	for i, n := range o.of {
		s.of[i] += n
	}
}

func (s *second) quantile(percent uint64) time.Duration {
	rank, below := (s.answered*percent+99)/100, uint64(0)
	for i, n := range s.of {
		if below += uint64(n); below >= rank && n > 0 {
			return latency(i)
		}
	}
	return 0
}
