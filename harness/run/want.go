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
	"github.com/kadbench/kadbench/kad/wire"
)

// DefaultSilence is how long silence lasts at least, unless for= says otherwise: 200 ms is a hundred times what an answer
// on loopback takes, and the probe's answer shows that the target was not merely busy.
const DefaultSilence = 200 * time.Millisecond

// alternative is the want, or one of its or lines, for one stream.
type alternative struct {
	line *plan.Line
	want plan.Want

	captures map[string]plan.Value // of the whole line, when it matched
	miss     *failure              // nil: it matched
}

// wants judges a want and its alternatives, for each of its streams, and goes on with the block of what matched.
func (s *script) wants(ctx context.Context, l *plan.Line, before outcome) (o outcome, err error) {
	sides := max(1, len(l.Sides))
	chosen := make([]int, sides)
	results, err := beside(sides, func(i int) (outcome, error) {
		var o outcome
		var err error
		chosen[i], o, err = s.want(ctx, alternatives(l, i))
		return o, err
	})
	for i, r := range results {
		if sides > 1 {
			r.name(l.Names[i])
		}
		o.merge(r)
	}
	if err != nil {
		return o, err
	}
	// The block of each alternative that some stream took, once, in the order of the lines.
	for n, a := range append([]*plan.Line{l}, l.Alts...) {
		taken := false
		for _, c := range chosen {
			taken = taken || c == n
		}
		if !taken || len(a.Block) == 0 {
			continue
		}
		sofar := before
		sofar.merge(o)
		more, err := s.lines(ctx, a.Block, sofar)
		o.merge(more)
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// alternatives are what is accepted on stream i of a line, in order.
func alternatives(l *plan.Line, i int) []*alternative {
	var all []*alternative
	for _, line := range append([]*plan.Line{l}, l.Alts...) {
		stmt := line.Stmt
		if i < len(line.Sides) {
			stmt = line.Sides[i]
		}
		a := &alternative{line: line, want: stmt.(plan.Want)}
		if x := &a.want.Expect; x.Within == 0 {
			x.Within = plan.DefaultWait
			if len(all) > 0 {
				x.Within = all[0].want.Expect.Within // an or waits as long as its want
			}
		}
		all = append(all, a)
	}
	return all
}

// want judges one stream. It returns which alternative was taken, -1 for none.
func (s *script) want(ctx context.Context, all []*alternative) (int, outcome, error) {
	st, err := s.stream(all[0].want.Stream)
	if err != nil {
		return -1, outcome{}, fault(all[0].line, "", err)
	}
	began := time.Now()
	silence := -1
	for i, a := range all {
		if a.want.Expect.Kind == plan.ExpectSilence {
			silence = i
		}
	}
	var proof *proof
	if silence >= 0 {
		proof = s.prove(ctx, st, max(forSilence(all[silence].want.Expect.For), patience(all)))
		defer proof.stop()
	}
	if err := s.first(ctx, st, began, all, proof); err != nil {
		return -1, outcome{}, err
	}
	taken := -1
	for i, a := range all {
		if i == silence {
			continue
		}
		if err := s.judge(ctx, st, began, a, proof); err != nil {
			return -1, outcome{}, err
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
	return taken, verdicts(all), nil
}

func forSilence(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultSilence
	}
	return d
}

// patience is how long alternatives to silence may take by their own words: silence is not concluded before.
func patience(all []*alternative) (longest time.Duration) {
	for _, a := range all {
		if stmt := a.line.Stmt.(plan.Want); stmt.Expect.Kind != plan.ExpectSilence {
			longest = max(longest, stmt.Expect.Within)
		}
	}
	return longest
}

// settled says whether every profile which accepts silence is content with another alternative already; then nobody
// waits for its proof.
func settled(all []*alternative, silence int) bool {
	for _, p := range all[silence].want.Profiles.List() {
		met := false
		for i, a := range all {
			met = met || i != silence && a.miss == nil && a.want.Profiles.Has(p)
		}
		if !met {
			return false
		}
	}
	all[silence].miss = &failure{}
	return true
}

// verdicts says in which profiles none of the accepted alternatives matched. A profile in which the line accepts nothing
// is not judged by it.
func verdicts(all []*alternative) (o outcome) {
	for _, p := range plan.Profiles {
		var missed []*alternative
		met := false
		for _, a := range all {
			if a.want.Profiles.Has(p) {
				missed = append(missed, a)
				met = met || a.miss == nil
			}
		}
		if met || len(missed) == 0 {
			continue
		}
		// The report speaks of the alternative that came nearest: the first whose type came, else the first.
		nearest := missed[0]
		for _, a := range missed {
			if a.miss.Diff != "" {
				nearest = a
				break
			}
		}
		f := *nearest.miss
		f.Want = wanted(missed)
		o.failed[p] = &f
	}
	return o
}

// wanted is what the lines accept, in their own words.
func wanted(all []*alternative) string {
	var words []string
	for _, a := range all {
		words = append(words, expected(a.line))
	}
	return strings.Join(words, " or ")
}

// expected is a want as written, without its verb, stream, reason and profiles.
func expected(l *plan.Line) string {
	text := l.Text
	for range 2 {
		_, text, _ = strings.Cut(text, " ")
	}
	if i := strings.Index(text, ` why="`); i >= 0 {
		if end := strings.Index(text[i+6:], `"`); end >= 0 {
			text = text[:i] + text[i+6+end+1:]
		}
	}
	var words []string
	for _, w := range strings.Fields(text) {
		if !strings.HasPrefix(w, "profile=") {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// first waits for the first event, as long as any alternative waits, or until silence is proved.
func (s *script) first(ctx context.Context, st *stream, began time.Time, all []*alternative, proof *proof) error {
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
	wait, cancel := s.deadline(ctx, began, longest)
	defer cancel()
	if proof != nil {
		defer context.AfterFunc(proof.done, cancel)()
	}
	_, err := st.at(wait, 0)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, errSilent) {
		return err
	}
	return nil
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
func (s *script) judge(ctx context.Context, st *stream, began time.Time, a *alternative, proof *proof) error {
	x := a.want.Expect
	wait, cancel := s.deadline(ctx, began, x.Within)
	defer cancel()
	if proof != nil {
		defer context.AfterFunc(proof.done, cancel)()
	}
	a.captures = map[string]plan.Value{}
	for i := range max(1, x.Times) {
		e, err := st.at(wait, i)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errSilent) {
			a.miss = s.failure(a.line, "", fmt.Sprintf("nothing within %s", x.Within))
			if !s.until.IsZero() && began.Add(x.Within).After(s.until) {
				a.miss.Got = "nothing until the end of the retry"
			}
			a.miss.silent = true
		} else if err != nil {
			return err
		} else if i == 0 && e.At.After(began.Add(x.Within)) {
			a.miss = s.failure(a.line, "", fmt.Sprintf("%s after %s", s.describe(e), e.At.Sub(began).Round(time.Millisecond)))
		} else if err := s.event(a, e); err != nil {
			return fault(a.line, "", err)
		}
		if a.miss != nil {
			if x.Times > 1 {
				a.miss.Got = fmt.Sprintf("(%d of %d) %s", i+1, x.Times, a.miss.Got)
			}
			return nil
		}
	}
	return nil
}

// event judges one event; a miss is left in the alternative.
func (s *script) event(a *alternative, e target.Event) error {
	x := a.want.Expect
	if x.Kind != plan.ExpectFrame {
		if !isEnd(x.Kind, e) {
			s.missed(a, e)
		}
		return nil
	}
	if e.Kind != target.Frame {
		s.missed(a, e)
		return nil
	}
	m, err := check.NewMessage(e.Body)
	if err != nil {
		a.miss = s.failure(a.line, "", s.describe(e))
		a.miss.Bytes, a.miss.Where = s.where(e.Body, err)
		return nil
	}
	want, ok := check.TypeOf(x.Type)
	if !ok {
		return fmt.Errorf("type %q", x.Type)
	}
	if m.Type != want {
		s.missed(a, e)
		return nil
	}
	captures, miss, err := check.Judge(m, x.Match, lineEnv{s.world, a.captures}, s.names)
	if err != nil {
		return err
	}
	if miss == nil {
		for name, v := range captures {
			a.captures[name] = v
		}
		return nil
	}
	a.miss = s.failure(a.line, "", miss.Got)
	a.miss.Diff, a.miss.Bytes, a.miss.Where = miss.Diff, check.Hex(e.Body, miss.Span), check.Where(miss.What, miss.Span)
	return nil
}

// missed says that something else came altogether.
func (s *script) missed(a *alternative, e target.Event) {
	a.miss = s.failure(a.line, "", s.describe(e))
	b := e.Raw
	if e.Kind == target.Frame {
		b = e.Body // as everywhere, offsets count in the message
	}
	a.miss.Bytes = check.Hex(b, check.Span{To: len(b)})
}

// where is the place at which the decoder stopped.
func (s *script) where(body []byte, err error) (hex, where string) {
	span := check.Span{To: len(body)}
	var e *wire.Error
	if errors.As(err, &e) && e.Offset < len(body) {
		span.From = e.Offset
	}
	return check.Hex(body, span), check.Where("what is left", span)
}

// lineEnv knows the captures of the frames before on the same line too.
type lineEnv struct {
	*world
	line map[string]plan.Value
}

// Capture implements check.Env.
func (e lineEnv) Capture(name string) (plan.Value, bool) {
	if v, ok := e.line[name]; ok {
		return v, ok
	}
	return e.world.Capture(name)
}

// isEnd says whether an event is the end that is wanted.
func isEnd(k plan.ExpectKind, e target.Event) bool {
	refused := e.Err != nil && errors.Is(e.Err, target.ErrRefused)
	failed := e.Err != nil && errors.Is(e.Err, target.ErrDial)
	switch k {
	case plan.ExpectEOF:
		return e.Kind == target.EOF
	case plan.ExpectReset:
		return e.Kind == target.Reset && !refused && !failed
	case plan.ExpectEnded:
		return e.Kind == target.EOF || e.Kind == target.Reset && !refused && !failed
	case plan.ExpectRefused:
		return refused
	}
	return false
}

// describe is an event for people.
func (s *script) describe(e target.Event) string {
	switch e.Kind {
	case target.Frame:
		m, err := check.NewMessage(e.Body)
		if err != nil {
			return fmt.Sprintf("a frame of %d bytes which is no message: %v", len(e.Body), err)
		}
		return check.Summary(m, s.names)
	case target.Unreadable:
		return fmt.Sprintf("bytes which are no frame: %v", e.Err)
	case target.EOF:
		return "eof"
	case target.Closed:
		return "nothing: the plan has closed the stream"
	}
	switch {
	case errors.Is(e.Err, target.ErrRefused):
		return "refused: the protocol was not agreed"
	case errors.Is(e.Err, target.ErrDial):
		return fmt.Sprintf("no connection: %v", e.Err)
	case len(e.Raw) > 0:
		return fmt.Sprintf("reset, %d bytes into a frame", len(e.Raw))
	}
	return "reset"
}

// proof is the exchange that proves silence: what was asked before it has been dealt with.
type proof struct {
	done  context.Context // cancelled when it is over
	stop  context.CancelFunc
	limit time.Duration
	fault error // why there was no answer
	lives error // nil, or why the case ended meanwhile
}

// prove asks FIND_NODE for a random key on a fresh stream of the same connection, and lets the least time of silence pass.
func (s *script) prove(ctx context.Context, st *stream, least time.Duration) *proof {
	p := &proof{limit: least + s.patience}
	p.done, p.stop = context.WithCancel(context.Background())
	go func() {
		defer p.stop()
		over := make(chan error, 1)
		go func() { over <- pause(ctx, least) }()
		p.fault = s.probe(ctx, st.from, st.proto)
		p.lives = <-over
	}()
	return p
}

// probe asks FIND_NODE for a random key, and wants any answer.
func (s *script) probe(ctx context.Context, m *member, proto string) error {
	if m.puppet == nil || !m.puppet.Connected(s.node.id) {
		return errors.New("the connection is gone")
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	s.mu.Lock()
	s.probes++
	key := make([]byte, 32)
	r := seeded(s.seed, s.plan.Header.ID, "probe", fmt.Sprint(s.probes))
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	s.mu.Unlock()
	return ask(ctx, m.puppet, s.node, proto, key, func(e record.Entry) {
		e.Case, e.Target, e.Attempt, e.Stream, e.Peer = s.plan.Header.ID, s.node.name, s.attempt, "(probe)", m.Name
		s.log.Write(e)
	}, nil)
}

// ask makes one FIND_NODE exchange on a stream of its own.
func ask(ctx context.Context, p *target.Puppet, n *node, proto string, key []byte, log func(record.Entry), answer *wire.Message) error {
	st, err := p.Open(ctx, n.id, proto)
	if err != nil {
		return err
	}
	defer st.Reset()
	frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: key})
	log(record.Entry{Type: record.TypeFrame, Dir: record.Sent, Bytes: frame})
	if err := st.Write(ctx, frame); err != nil {
		return err
	}
	e, err := st.Next(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer to FIND_NODE in time")
	}
	if err != nil {
		return fmt.Errorf("no answer to FIND_NODE: %w", err)
	}
	log(record.Entry{Type: record.TypeFrame, Dir: record.Received, Bytes: e.Raw})
	if e.Kind != target.Frame {
		return fmt.Errorf("no answer to FIND_NODE: %s", e.Kind)
	}
	if answer == nil {
		answer = new(wire.Message)
	}
	if err := wire.Decode(e.Body, answer); err != nil {
		return fmt.Errorf("the answer to FIND_NODE: %w", err)
	}
	return nil
}

// silent judges silence: no frame came, and the probe was answered.
func (s *script) silent(ctx context.Context, st *stream, a *alternative, p *proof) error {
	if e, came := st.came(); came {
		s.missed(a, e)
		return nil
	}
	select {
	case <-p.done.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.fault != nil {
		a.miss = s.failure(a.line, "", fmt.Sprintf("silence, but the exchange that should prove it failed: %v", p.fault))
		a.miss.silent = true
		return nil
	}
	if e, came := st.came(); came {
		s.missed(a, e)
	}
	return nil
}
