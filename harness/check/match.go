package check

import (
	"errors"
	"fmt"
	"slices"
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
		if line := m.Path + ": " + j.show(f); !slices.Contains(got, line) {
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
		case f.Kind != ListField: // of a list, what is missing stands nowhere
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
	// Of an entry that is not there nothing holds, but that it is not there.
	if m.Op == plan.OpAbsent && rest == "" {
		return f, nil, nil
	}
	return f, differs("missing: %s", entry), nil
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
