package check

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
)

// ErrMatcher: a matcher cannot be judged, whatever came: the plan is at fault.
var ErrMatcher = errors.New("matcher")

// Env evaluates the right side of matchers.
type Env interface {
	// Value evaluates an expression. Got is the field it will be compared with.
	Value(e *plan.Expr, got Field) (plan.Value, error)
	// Capture is the value of an earlier capture.
	Capture(name string) (plan.Value, bool)
	// PeerID is the id of a peer by its name in the plan.
	PeerID(name string) ([]byte, bool)
}

// Mismatch is what does not hold about what came.
type Mismatch struct {
	Got  string // FIND_NODE closerPeers: S7 S31 A … (20)
	Diff string // not wanted: A; missing: S12
	Span Span   // the bytes in question; empty where nothing is to be seen in them
	What string // third of closerPeers
}

// Judge holds a subject against the matchers of a line. It returns the captures of the line when everything holds, else
// what does not. An error is the plan's fault.
func Judge(s Subject, matchers []plan.Matcher, env Env, names Namer) (map[string]plan.Value, *Mismatch, error) {
	j := judge{subject: s, env: env, names: names, captures: map[string]plan.Value{}}
	var got, diffs []string
	var bad *Mismatch
	for _, m := range matchers {
		f, d, err := j.matcher(m)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %s: %w", ErrMatcher, m.Text, err)
		}
		if d == nil {
			continue
		}
		if bad == nil {
			bad = &Mismatch{Span: d.span, What: d.what}
		}
		if line := m.Path + ": " + j.show(f); len(got) == 0 || got[len(got)-1] != line {
			got = append(got, line)
		}
		diffs = append(diffs, d.text)
	}
	if bad == nil {
		return j.captures, nil, nil
	}
	bad.Got = s.Head() + " " + strings.Join(got, ", ")
	bad.Diff = strings.Join(diffs, "; ")
	return nil, bad, nil
}

type judge struct {
	subject  Subject
	env      Env
	names    Namer
	captures map[string]plan.Value // of this line
}

// diff is how a field differs from what was wanted; nil where it does not.
type diff struct {
	text string
	span Span
	what string
}

func differs(format string, args ...any) *diff { return &diff{text: fmt.Sprintf(format, args...)} }

// matcher judges one condition; the field is what it looked at.
func (j *judge) matcher(m plan.Matcher) (Field, *diff, error) {
	name, entry, rest, err := Path(m.Path)
	if err != nil {
		return Field{}, nil, err
	}
	f, ok := j.subject.Field(name)
	if !ok {
		return Field{}, nil, fmt.Errorf("no field %q in %s", name, j.subject.Head())
	}
	if entry == "" {
		if rest != "" {
			if f, ok = f.Parts[rest]; !ok {
				return Field{}, nil, fmt.Errorf("%s has no field %q", name, rest)
			}
		}
		d, err := j.field(f, m, nil)
		switch {
		case d == nil:
		case d.what != "": // an element of the list
			d.what += " of " + m.Path
		case d.span == (Span{}):
			d.span, d.what = f.Span, m.Path
		}
		return f, d, err
	}
	if !f.Peers {
		return Field{}, nil, fmt.Errorf("%s is not a list of peers", name)
	}
	if entry == "*" {
		for i, item := range f.Items {
			part, ok := item.Field.Parts[rest]
			if !ok {
				return Field{}, nil, fmt.Errorf("an entry of %s has no field %q", name, rest)
			}
			d, err := j.field(part, m, []byte(item.Key))
			if err != nil {
				return part, nil, err
			}
			if d != nil {
				return part, &diff{j.names.Peer([]byte(item.Key)) + ": " + d.text, item.Span, nth(i) + " of " + name}, nil
			}
		}
		return f, nil, nil
	}
	id, ok := j.env.PeerID(entry)
	if !ok {
		return Field{}, nil, fmt.Errorf("no peer %q", entry)
	}
	for i, item := range f.Items {
		if item.Key != string(id) {
			continue
		}
		if rest == "" {
			if m.Op == plan.OpAbsent {
				return f, &diff{"not wanted: " + entry, item.Span, nth(i) + " of " + name}, nil
			}
			if m.Op == plan.OpPresent {
				return f, nil, nil
			}
			d, err := j.field(item.Field, m, id)
			return item.Field, d, err
		}
		part, ok := item.Field.Parts[rest]
		if !ok {
			return Field{}, nil, fmt.Errorf("an entry of %s has no field %q", name, rest)
		}
		d, err := j.field(part, m, id)
		if d != nil {
			d.span, d.what = item.Span, nth(i)+" of "+name
		}
		return part, d, err
	}
	if m.Op == plan.OpAbsent {
		return f, nil, nil
	}
	return f, &diff{"missing: " + entry, f.Span, name}, nil
}

// field judges one condition on one field; owner is the peer whose entry it is part of.
func (j *judge) field(f Field, m plan.Matcher, owner []byte) (*diff, error) {
	switch m.Op {
	case plan.OpPresent:
		if !f.Set {
			return differs("%s is absent", m.Path), nil
		}
		return nil, nil
	case plan.OpAbsent:
		if f.Set {
			return differs("%s is there", m.Path), nil
		}
		return nil, nil
	case plan.OpUnique:
		return j.unique(f)
	case plan.OpTime:
		if _, err := time.Parse(time.RFC3339Nano, string(f.Bytes)); err != nil {
			return differs("%s, wanted a time in RFC 3339", j.show(f)), nil
		}
		return nil, nil
	case plan.OpCapture:
		name := m.Value.Text
		v, ok := j.captures[name]
		if !ok {
			v, ok = j.env.Capture(name)
		}
		if !ok {
			j.captures[name] = Captured(f)
			return nil, nil
		}
		return j.compare(f, plan.OpEqual, v, owner)
	}
	v, err := j.env.Value(m.Value, f)
	if err != nil {
		return nil, err
	}
	return j.compare(f, m.Op, v, owner)
}

func (j *judge) unique(f Field) (*diff, error) {
	if f.Kind != ListField {
		return nil, errors.New("unique is said of lists only")
	}
	seen := map[string]bool{}
	for i, item := range f.Items {
		if seen[item.Key] {
			return &diff{"twice: " + j.showItem(f, item.Key), item.Span, nth(i)}, nil
		}
		seen[item.Key] = true
	}
	return nil, nil
}

// compare judges f op v.
func (j *judge) compare(f Field, op plan.Op, v plan.Value, owner []byte) (*diff, error) {
	if op == plan.OpAtMost || op == plan.OpAtLeast {
		return j.bound(f, op, v)
	}
	if op == plan.OpNotEqual {
		d, err := j.compare(f, plan.OpEqual, v, owner)
		if err == nil && d == nil {
			return differs("not wanted: %s", j.show(f)), nil
		}
		return nil, err
	}
	switch f.Kind {
	case NumberField:
		return j.number(f, op, v)
	case BytesField:
		return j.bytes(f, op, v)
	case MessageField:
		if op != plan.OpEqual || v.Kind != plan.KindPeer && v.Kind != plan.KindMessage {
			return nil, errors.New("an embedded message is compared by = with {field=value …}")
		}
		return j.parts(f, v)
	}
	return j.list(f, op, v, owner)
}

func (j *judge) bound(f Field, op plan.Op, v plan.Value) (*diff, error) {
	most, err := v.AsNumber()
	if err != nil {
		return nil, err
	}
	var n int64
	switch f.Kind {
	case NumberField:
		n = f.Int
	case BytesField:
		n = int64(len(f.Bytes))
	case ListField:
		n = int64(len(f.Items))
	default:
		return nil, errors.New("a message has no length")
	}
	if op == plan.OpAtMost && n > most {
		return differs("%d, wanted at most %d", n, most), nil
	}
	if op == plan.OpAtLeast && n < most {
		return differs("%d, wanted at least %d", n, most), nil
	}
	return nil, nil
}

func (j *judge) number(f Field, op plan.Op, v plan.Value) (*diff, error) {
	if op != plan.OpEqual {
		return nil, errors.New("a number is compared by = != <= >=")
	}
	want, err := v.AsNumber()
	if err != nil {
		return nil, err
	}
	if f.Int != want {
		return differs("%d, wanted %d", f.Int, want), nil
	}
	return nil, nil
}

func (j *judge) bytes(f Field, op plan.Op, v plan.Value) (*diff, error) {
	if op != plan.OpEqual {
		return nil, errors.New("bytes are compared by = != <= >=")
	}
	want, err := v.AsBytes()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(f.Bytes, want) {
		return differs("%s, wanted %s", j.names.text(f.Bytes), j.names.text(want)), nil
	}
	return nil, nil
}

// parts holds an entry or a record against those fields that are written.
func (j *judge) parts(f Field, v plan.Value) (*diff, error) {
	id, fields := identity(v)
	owner := f.Parts["id"].Bytes
	if v.Kind == plan.KindPeer && !bytes.Equal(owner, id) {
		return differs("%s, wanted %s", j.names.Peer(owner), j.names.Peer(id)), nil
	}
	for _, w := range fields {
		part, ok := f.Parts[w.Name]
		if !ok {
			return nil, fmt.Errorf("no field %q to compare", w.Name)
		}
		d, err := j.compare(part, plan.OpEqual, w.Value, owner)
		if err != nil {
			return nil, err
		}
		if d != nil {
			d.text = w.Name + ": " + d.text
			return d, nil
		}
	}
	return nil, nil
}

// identity is the id of a value that stands in a list of peers, and what else of its entry is to be compared.
func identity(v plan.Value) (id []byte, fields []plan.FieldValue) {
	switch v.Kind {
	case plan.KindPeer:
		return v.Peer.ID, v.Peer.Changed
	case plan.KindMessage:
		for _, f := range v.Fields {
			if f.Name == "id" {
				id, _ = f.Value.AsBytes()
			}
		}
		return id, v.Fields
	}
	id, _ = v.AsBytes()
	return id, nil
}

// list judges lists as sets: by the keys of their elements, and where an element says more, by that too.
func (j *judge) list(f Field, op plan.Op, v plan.Value, owner []byte) (*diff, error) {
	want := []plan.Value{v}
	if v.Kind == plan.KindList {
		want = v.List
	}
	wanted := map[string]plan.Value{}
	var order []string
	for _, w := range want {
		id, _ := identity(w)
		key := string(id)
		switch {
		case w.Kind == plan.KindNumber || w.Kind == plan.KindList:
			return nil, fmt.Errorf("an element of a list is a peer, an address or a text, not %s", w.Kind)
		case f.Addrs:
			key = string(Addr(AddrBytes(id), owner))
		}
		if _, twice := wanted[key]; !twice {
			order = append(order, key)
		}
		wanted[key] = w
	}
	var missing, extra []string
	var worst *diff
	got := map[string]bool{}
	for i, item := range f.Items {
		w, in := wanted[item.Key]
		first := !got[item.Key]
		got[item.Key] = true
		if in == (op == plan.OpNone) {
			if worst == nil {
				worst = &diff{span: item.Span, what: nth(i)}
			}
			if first {
				extra = append(extra, j.showItem(f, item.Key))
			}
		}
		if _, fields := identity(w); in && op != plan.OpNone && len(fields) > 0 {
			d, err := j.parts(item.Field, w)
			if err != nil {
				return nil, err
			}
			if d != nil {
				return &diff{j.names.Peer([]byte(item.Key)) + ": " + d.text, item.Span, nth(i)}, nil
			}
		}
	}
	for _, key := range order {
		if !got[key] {
			missing = append(missing, j.showItem(f, key))
		}
	}
	if op == plan.OpAll {
		extra, worst = nil, nil
	}
	if op == plan.OpNone || op == plan.OpOnly {
		missing = nil
	}
	if len(extra)+len(missing) == 0 {
		return nil, nil
	}
	if worst == nil {
		worst = &diff{}
	}
	var words []string
	if len(extra) > 0 {
		words = append(words, "not wanted: "+some(extra))
	}
	if len(missing) > 0 {
		words = append(words, "missing: "+some(missing))
	}
	worst.text = strings.Join(words, "; ")
	return worst, nil
}

// Captured is a field as a value, to be compared with later.
func Captured(f Field) plan.Value {
	switch f.Kind {
	case NumberField:
		return plan.Value{Kind: plan.KindNumber, Num: f.Int}
	case BytesField:
		return plan.Value{Kind: plan.KindBytes, Bytes: bytes.Clone(f.Bytes)}
	case MessageField:
		v := plan.Value{Kind: plan.KindMessage}
		for _, name := range sorted(partNames(f)) {
			if part := f.Parts[name]; part.Set {
				v.Fields = append(v.Fields, plan.FieldValue{Name: name, Value: Captured(part)})
			}
		}
		return v
	}
	v := plan.Value{Kind: plan.KindList}
	for _, item := range f.Items {
		v.List = append(v.List, plan.Value{Kind: plan.KindBytes, Bytes: []byte(item.Key)})
	}
	return v
}
