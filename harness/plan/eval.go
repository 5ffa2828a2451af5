package plan

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Env is what a plan's values need to know of the run: who the peers are, what was captured, the seed and the time.
type Env interface {
	// Peer is who the name stands for in this run. The target is one of them.
	Peer(name string) (Identity, error)
	// Capture is the value of $name: captured by a matcher, given by let, or a loop's.
	Capture(name string) (Value, bool)
	// Seed is the run's; rand() is drawn from it, the plan's id and the place in the plan.
	Seed() uint64
	// Now is the time from which a record's validity counts, if it is given as a duration.
	Now() time.Time
}

// Identity is a peer as the harness knows it.
type Identity struct {
	ID        []byte   // the binary peer id
	PublicKey []byte   // libp2p's PublicKey message
	Addrs     [][]byte // binary multiaddrs, without a trailing /p2p
	// Sign signs with its private key; nil for the target, whose key is its own.
	Sign func([]byte) ([]byte, error)
}

// Limits of values: 16 MiB is four times the largest frame that any implementation reads; 65,536 entries of a list are
// three times what the longest list of a case has (20,000 closerPeers).
const (
	maxFrame = 16 << 20
	maxList  = 1 << 16
)

// Evaluator turns the plan's expressions into values. It may be used by several goroutines if its Env may.
type Evaluator struct {
	plan *Plan
	env  Env

	mu    sync.Mutex
	known map[string]Value // fixtures evaluated so far
}

// NewEvaluator returns an evaluator for one run of a plan.
func NewEvaluator(p *Plan, env Env) *Evaluator {
	return &Evaluator{plan: p, env: env, known: map[string]Value{}}
}

// Eval computes a value. Its error is an *Error at the expression's place.
func (ev *Evaluator) Eval(e *Expr) (Value, error) {
	v, err := (&evaluation{Evaluator: ev}).eval(e)
	if err != nil {
		return Value{}, ev.fail(e.Pos, e.String(), err)
	}
	return v, nil
}

// Fixture computes @name; a frame fixture is its bytes, the length before it included.
func (ev *Evaluator) Fixture(name string) (Value, error) {
	v, err := (&evaluation{Evaluator: ev}).fixture(name)
	if err != nil {
		return Value{}, ev.fail(Pos{File: ev.plan.File}, "@"+name, err)
	}
	return v, nil
}

// FixtureBytes is Fixture as bytes: for a frame what `raw s @name` writes, the length before the message included.
func (ev *Evaluator) FixtureBytes(name string) ([]byte, error) {
	v, err := ev.Fixture(name)
	if err != nil {
		return nil, err
	}
	return v.AsBytes()
}

// fail places an error, unless it has a place of its own.
func (ev *Evaluator) fail(pos Pos, what string, err error) error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return &Error{Pos: pos, What: what, Msg: err.Error()}
}

// evaluation is one walk; stack holds the fixtures it is inside of.
type evaluation struct {
	*Evaluator
	stack []string
}

func (v *evaluation) eval(e *Expr) (Value, error) {
	switch e.Kind {
	case ExprString:
		return Value{Kind: KindText, Bytes: []byte(e.Text)}, nil
	case ExprHex:
		b, err := hex.DecodeString(e.Text)
		return Value{Bytes: b}, err
	case ExprFixture:
		return v.fixture(e.Text)
	case ExprCapture:
		if got, ok := v.env.Capture(e.Text); ok {
			return got, nil
		}
		return Value{}, fmt.Errorf("$%s has no value yet", e.Text)
	case ExprCall:
		f, ok := findFunction(e.Text)
		if !ok {
			return Value{}, checkCall(e)
		}
		return f.eval(v, e)
	case ExprList:
		list, err := v.all(e.Args)
		return Value{Kind: KindList, List: list}, err
	case ExprMessage:
		fields, err := v.fields(e.Fields)
		return Value{Kind: KindMessage, Fields: fields}, err
	case ExprEntry:
		x, err := v.peer(e.Text)
		if err == nil {
			x.Changed, err = v.fields(e.Fields)
		}
		return Value{Kind: KindPeer, Peer: x}, err
	case ExprSelect:
		return v.selection(e)
	case ExprSlice:
		return v.slice(e)
	}
	return v.word(e.Text)
}

// all evaluates each of a list; a range among them stands for its peers.
func (v *evaluation) all(list []*Expr) ([]Value, error) {
	out := make([]Value, 0, len(list))
	for _, e := range list {
		x, err := v.eval(e)
		if err != nil {
			return nil, err
		}
		if x.Kind == KindList && e.Kind == ExprWord {
			out = append(out, x.List...)
			continue
		}
		out = append(out, x)
	}
	return out, nil
}

func (v *evaluation) fields(list []Field) ([]FieldValue, error) {
	out := make([]FieldValue, 0, len(list))
	for _, f := range list {
		x, err := v.eval(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out = append(out, FieldValue{Name: f.Name, Value: x})
	}
	return out, nil
}

// word is a number, a range of peers, the name of an enum's value, or a peer.
func (v *evaluation) word(w string) (Value, error) {
	if n, ok := parseNumber(w); ok {
		return n, nil
	}
	if strings.HasPrefix(w, "/") { // an address, or a path
		return Value{Kind: KindText, Bytes: []byte(w)}, nil
	}
	if strings.Contains(w, "..") {
		names, err := Range(w)
		if err != nil {
			return Value{}, err
		}
		list := make([]Value, len(names))
		for i, n := range names {
			if list[i], err = v.word(n); err != nil {
				return Value{}, err
			}
		}
		return Value{Kind: KindList, List: list}, nil
	}
	for _, enum := range [][]string{connections, MessageTypes} {
		if i := slices.Index(enum, w); i >= 0 {
			return Value{Kind: KindNumber, Num: int64(i)}, nil
		}
	}
	x, err := v.peer(w)
	return Value{Kind: KindPeer, Peer: x}, err
}

func (v *evaluation) peer(name string) (*Entry, error) {
	if !slices.ContainsFunc(v.plan.Peers, func(d *PeerDecl) bool { return d.Name == name }) {
		return nil, fmt.Errorf(`%q is neither a number nor a peer of this plan; a text stands in ""`, name)
	}
	id, err := v.env.Peer(name)
	if err != nil {
		return nil, err
	}
	return &Entry{Name: name, ID: id.ID, Addrs: id.Addrs}, nil
}

func (v *evaluation) selection(e *Expr) (Value, error) {
	if _, err := v.peer(e.X.Text); err != nil {
		return Value{}, err
	}
	id, err := v.env.Peer(e.X.Text)
	if err != nil {
		return Value{}, err
	}
	switch e.Text {
	case "pubkey":
		return Value{Bytes: id.PublicKey}, nil
	case "id":
		return Value{Bytes: id.ID}, nil
	case "addrs":
		out := Value{Kind: KindList}
		for _, a := range id.Addrs {
			out.List = append(out.List, Value{Bytes: a})
		}
		return out, nil
	}
	return Value{}, fmt.Errorf("%s", unknown("part of a peer", e.Text, selections))
}

// selections are what stands behind a peer's dot.
var selections = []string{"id", "addrs", "pubkey"}

func (v *evaluation) slice(e *Expr) (Value, error) {
	x, err := v.eval(e.X)
	if err != nil {
		return x, err
	}
	size, err := x.Len()
	if err != nil {
		return x, err
	}
	lo, err := v.index(e.Lo, 0)
	if err != nil {
		return x, err
	}
	hi, err := v.index(e.Hi, size)
	if err != nil {
		return x, err
	}
	if lo < 0 || hi < lo || hi > size {
		return x, fmt.Errorf("[%d:%d] of a value with %d", lo, hi, size)
	}
	if x.Kind == KindList {
		return Value{Kind: KindList, List: x.List[lo:hi]}, nil
	}
	b, err := x.AsBytes()
	if err != nil {
		return x, err
	}
	return Value{Bytes: b[lo:hi]}, nil
}

func (v *evaluation) index(e *Expr, otherwise int) (int, error) {
	if e == nil {
		return otherwise, nil
	}
	x, err := v.eval(e)
	if err != nil {
		return 0, err
	}
	n, err := x.AsNumber()
	return int(n), err
}

func (v *evaluation) fixture(name string) (Value, error) {
	fx, ok := v.plan.Fixtures[name]
	if !ok {
		return Value{}, fmt.Errorf("no fixture of the name %q", name)
	}
	if slices.Contains(v.stack, name) {
		return Value{}, fmt.Errorf("@%s is made of itself: %s", name, strings.Join(append(v.stack, name), " → "))
	}
	v.mu.Lock()
	got, done := v.known[name]
	v.mu.Unlock()
	if done {
		return got, nil
	}
	inner := &evaluation{Evaluator: v.Evaluator, stack: append(slices.Clone(v.stack), name)}
	var err error
	if fx.Frame != nil {
		got.Bytes, err = inner.frameFixture(fx)
	} else {
		got, err = inner.eval(fx.Value)
	}
	if err != nil {
		return Value{}, v.fail(fx.Pos, "@"+name, err)
	}
	if !v.usesCapture(fx, map[*Fixture]bool{}) {
		v.mu.Lock()
		v.known[name] = got
		v.mu.Unlock()
	}
	return got, nil
}

// usesCapture says whether a fixture's value may change while the plan runs. seen keeps it from entering one twice.
func (ev *Evaluator) usesCapture(fx *Fixture, seen map[*Fixture]bool) bool {
	seen[fx] = true
	found := false
	fx.walk(func(e *Expr) {
		switch e.Kind {
		case ExprCapture:
			found = true
		case ExprFixture:
			if inner := ev.plan.Fixtures[e.Text]; inner != nil && !seen[inner] {
				found = found || ev.usesCapture(inner, seen)
			}
		}
	})
	return found
}

// walk calls fn for every value of the fixture.
func (fx *Fixture) walk(fn func(*Expr)) {
	fx.Value.Walk(fn)
	if fx.Frame != nil {
		for _, f := range fx.Frame.Fields {
			f.Value.Walk(fn)
		}
	}
	for _, c := range fx.Changes {
		c.Value.Walk(fn)
	}
}
