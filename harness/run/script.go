package run

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
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
	until  time.Time // within a retry: when its last round should be over
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
		return s.wants(ctx, l, before)
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

// do carries out one statement.
func (s *script) do(ctx context.Context, l *plan.Line, stmt plan.Stmt) (outcome, error) {
	at := l.Pos.String()
	switch stmt := stmt.(type) {
	case plan.Connect:
		return s.connect(ctx, l, stmt)
	case plan.Disconnect:
		m, err := s.member(stmt.From)
		if err != nil || m.puppet == nil {
			return outcome{}, fault(l, "disconnect is said of a puppet and the target", err)
		}
		return outcome{}, fault(l, "", m.puppet.Disconnect(s.node.id))
	case plan.Identify:
		return s.identify(ctx, l, stmt)
	case plan.Let:
		v, err := s.value(stmt.Value)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		s.capture(map[string]plan.Value{stmt.Name: v})
	case plan.Open:
		return outcome{}, fault(l, "", s.openStream(ctx, stmt))
	case plan.Send:
		st, err := s.stream(stmt.Stream)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		frame, err := s.values.EncodeFrame(stmt.Frame)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		for range max(1, stmt.Times) {
			if err := st.write(ctx, frame, at); err != nil {
				return outcome{}, err
			}
		}
	case plan.Raw:
		return outcome{}, s.raw(ctx, l, stmt)
	case plan.Finish:
		st, err := s.stream(stmt.Stream)
		if err != nil {
			return outcome{}, fault(l, "", err)
		}
		st.log(record.Entry{Type: record.TypeStream, Event: stmt.How, Dir: record.Sent, Line: at})
		if st.raw == nil {
			return outcome{}, nil
		}
		// That the target ended the stream before us is for the next want to judge.
		switch stmt.How {
		case "half":
			st.raw.CloseWrite()
		case "close":
			st.raw.Close()
		default:
			st.raw.Reset()
		}
	default:
		return outcome{}, fault(l, l.Verb+" is not carried out by this version", nil)
	}
	return outcome{}, nil
}

// fault places an error at its line; nil without a reason.
func fault(l *plan.Line, what string, err error) error {
	switch {
	case err == nil && what == "":
		return nil
	case err == nil:
		return fmt.Errorf("%s: %s: %s", l.Pos, l.Verb, what)
	case what == "":
		return fmt.Errorf("%s: %s: %w", l.Pos, l.Verb, err)
	}
	return fmt.Errorf("%s: %s: %s: %w", l.Pos, l.Verb, what, err)
}

func (s *script) openStream(ctx context.Context, o plan.Open) error {
	m, err := s.member(o.From)
	if err != nil {
		return err
	}
	if m.puppet == nil || m.puppet.Kind() == target.Nobody {
		return fmt.Errorf("%s opens no streams: a puppet with a host was expected", o.From)
	}
	if !s.cast[o.To].decl.Target {
		return fmt.Errorf("a stream to %s: streams are opened to the target", o.To)
	}
	proto := o.Proto
	if proto == "" {
		proto = s.node.protocol
	}
	st := s.open(ctx, o.Stream, m, proto, o.Lazy)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.streams[o.Stream]; old != nil {
		old.finish()
	}
	s.streams[o.Stream] = st
	return nil
}

func (s *script) raw(ctx context.Context, l *plan.Line, r plan.Raw) error {
	st, err := s.stream(r.Stream)
	if err != nil {
		return fault(l, "", err)
	}
	var rest []byte
	for _, e := range r.Values {
		v, err := s.value(e)
		if err != nil {
			return fault(l, "", err)
		}
		b, err := v.AsBytes()
		if err != nil {
			return fault(l, "", err)
		}
		rest = append(rest, b...)
	}
	// One write, so that a target may see it all at once; with every, one for each byte.
	step := len(rest)
	if r.Every > 0 {
		step = 1
	}
	for ; len(rest) > 0; rest = rest[step:] {
		if err := st.write(ctx, rest[:step], l.Pos.String()); err != nil {
			return err
		}
		if err := pause(ctx, r.Every); err != nil {
			return err
		}
	}
	return nil
}

func (s *script) connect(ctx context.Context, l *plan.Line, c plan.Connect) (outcome, error) {
	name := c.From
	if m := s.cast[name]; m != nil && m.decl.Target {
		name = c.To
	}
	m, err := s.member(name)
	if err != nil {
		return outcome{}, fault(l, "", err)
	}
	if m.puppet == nil {
		return outcome{}, fault(l, "connect is said of a puppet and the target", nil)
	}
	if name == c.To || m.puppet.Kind() == target.Nobody {
		return outcome{}, fault(l, "", s.offer(ctx, m, "connect"))
	}
	if err := m.puppet.Connect(ctx, s.node.info()); err != nil {
		if ctx.Err() != nil {
			return outcome{}, context.Cause(ctx)
		}
		return fails(s.failure(l, "a connection", err.Error())), nil
	}
	return outcome{}, nil
}

// offer tells the target of a puppet through its control channel: connect dials it, add_address only notes it.
func (s *script) offer(ctx context.Context, m *member, method string) error {
	for _, a := range m.puppet.Addrs() {
		var params any = map[string]string{"addr": a.String() + "/p2p/" + m.ID.String()}
		if method == "add_address" {
			params = map[string]string{"peer": m.ID.String(), "addr": a.String()}
		}
		if err := s.node.target.Call(ctx, method, params, nil); err != nil {
			if why, ok := unsupported(err); ok {
				return fmt.Errorf("%w: %s: %s", errUnsupported, method, why)
			}
			return err
		}
	}
	return nil
}

// identify asks what the target tells about itself, again and again until it matches or the time is over.
func (s *script) identify(ctx context.Context, l *plan.Line, i plan.Identify) (outcome, error) {
	m, err := s.member(i.Peer)
	if err != nil || m.puppet == nil {
		return outcome{}, fault(l, "identify is asked by a puppet", err)
	}
	within := i.Within
	if within == 0 {
		within = plan.DefaultWait
	}
	ctx2, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var bad *failure
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		told, err := s.tell(ctx2, m)
		if err == nil {
			captures, miss, err := check.Judge(told, i.Match, s, s.names)
			if err != nil {
				return outcome{}, fault(l, "", err)
			}
			if miss == nil {
				s.capture(captures)
				return outcome{}, nil
			}
			bad = s.failure(l, l.Text, miss.Got)
			bad.Diff = miss.Diff
		} else if bad == nil || ctx2.Err() == nil {
			bad = s.failure(l, l.Text, err.Error())
		}
		// Without within it is judged once: it is what the target tells now.
		if i.Within == 0 || pause(ctx2, wait) != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	return fails(bad), nil
}

func (s *script) tell(ctx context.Context, m *member) (check.Identity, error) {
	if err := m.puppet.Connect(ctx, s.node.info()); err != nil {
		return check.Identity{}, err
	}
	told, err := m.puppet.Identify(ctx, s.node.id)
	if err != nil {
		return check.Identity{}, err
	}
	id := check.Identity{Protocols: told.Protocols, Agent: told.Agent, ID: []byte(s.node.id)}
	for _, a := range told.Addrs {
		id.Addrs = append(id.Addrs, a.Bytes())
	}
	return id, nil
}

// retry tries a block, with new streams each time, until all of it holds.
func (s *script) retry(ctx context.Context, l *plan.Line, r plan.Retry, before outcome) (outcome, error) {
	end := time.Now().Add(r.Within)
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		round := &script{world: s.world, judged: s.judged, until: end}
		captures, streams := s.snapshot()
		o, err := round.lines(ctx, l.Block, before)
		if err != nil {
			return o, err
		}
		if o == (outcome{}) || time.Now().Add(wait).After(end) {
			return o, nil
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

// addrs are the addresses of a member, as they are told to others.
func (w *world) addrs(m *member) []ma.Multiaddr {
	if m.decl.Target {
		return w.node.addrs
	}
	return m.puppet.Addrs()
}
