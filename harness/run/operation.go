package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// DefaultResult is how long a result waits for its operation, unless within= says otherwise: four timeouts of 10 s, which
// most implementations give a request, and some room.
const DefaultResult = 60 * time.Second

// operation is an operation of the target, running beside the script.
type operation struct {
	name, method string
	done         chan struct{} // closed when it has ended
	cancel       context.CancelFunc

	// After done:
	result json.RawMessage
	err    error
}

// running says whether it has not ended.
func (o *operation) running() bool {
	select {
	case <-o.done:
		return false
	default:
		return true
	}
}

// busy says whether an operation of the case is running.
func (w *world) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.operations {
		if o.running() {
			return true
		}
	}
	return false
}

// begin asks the target for an operation. What comes of it is for the results to judge.
func (s *script) begin(l *plan.Line, stmt plan.Operation) error {
	if to := s.cast[stmt.Target]; to == nil || !to.decl.Target {
		return fmt.Errorf("%s is not the target", stmt.Target)
	}
	params := map[string]any{}
	for _, f := range stmt.Params {
		v, err := s.parameter(f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		params[f.Name] = v
	}
	text, err := json.Marshal(params)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	o := &operation{name: stmt.Name, method: stmt.Method, done: make(chan struct{}), cancel: cancel}
	s.mu.Lock()
	old := s.operations[o.name]
	s.operations[o.name] = o
	s.mu.Unlock()
	if old != nil {
		old.cancel()
	}
	note := record.Entry{Type: record.TypeOperation, Stream: o.name, Line: l.Pos.String()}
	note.Event, note.Text = "begin", o.method+" "+string(text)
	s.record(note)
	s.asking.Go(func() {
		defer cancel()
		defer s.hearing.wake()
		defer close(o.done)
		o.err = s.node.target.Call(ctx, o.method, params, &o.result)
		note.Event, note.Text = "end", o.method+" "+string(o.result)
		if o.err != nil {
			note.Text = o.method + ": " + o.err.Error()
		}
		s.record(note)
		if why, ok := unsupported(o.err); ok && o.err != nil {
			s.stop(fmt.Errorf("%w: %s: %s", errUnsupported, o.method, why))
		}
	})
	return nil
}

// parameter is a parameter as the control protocol has it.
func (s *script) parameter(f plan.Field) (any, error) {
	if f.Name == "mode" {
		return f.Value.Text, nil
	}
	v, err := s.value(f.Value)
	if err != nil {
		return nil, err
	}
	switch f.Name {
	case "peer":
		return idText(v)
	case "to":
		var ids []string
		for _, item := range items(v) {
			id, err := idText(item)
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
		return ids, nil
	case "addr":
		return addrText(v)
	}
	switch v.Kind {
	case plan.KindNumber:
		return v.Num, nil
	case plan.KindDuration:
		return s.node.period(time.Duration(v.Num)).Milliseconds(), nil
	}
	b, err := v.AsBytes()
	return target.Bytes(b), err
}

// items are the elements of a list, or the one value that stands for a list of one.
func items(v plan.Value) []plan.Value {
	if v.Kind == plan.KindList {
		return v.List
	}
	return []plan.Value{v}
}

func idText(v plan.Value) (string, error) {
	b, err := v.AsBytes()
	if err != nil {
		return "", err
	}
	id, err := peer.IDFromBytes(b)
	return id.String(), err
}

// addrText is an address; a peer stands for its first, with its id behind it.
func addrText(v plan.Value) (string, error) {
	var suffix string
	if v.Kind == plan.KindPeer {
		if len(v.Peer.Addrs) == 0 {
			return "", fmt.Errorf("%s has no address", v.Peer.Name)
		}
		id, err := idText(v)
		if err != nil {
			return "", err
		}
		v, suffix = plan.Value{Bytes: v.Peer.Addrs[0]}, "/p2p/"+id
	}
	v = items(v)[0]
	b, err := v.AsBytes()
	if err != nil {
		return "", err
	}
	a, err := ma.NewMultiaddrBytes(check.AddrBytes(b))
	if err != nil {
		return "", err
	}
	return a.String() + suffix, nil
}

// result waits for the end of an operation, and judges what it came to.
func (s *script) result(ctx context.Context, all []*alternative, _ plan.ProfileSet) (int, outcome, error) {
	first := all[0].stmt.(plan.Result)
	s.mu.Lock()
	o := s.operations[first.Op]
	s.mu.Unlock()
	if o == nil {
		return -1, outcome{}, fault(all[0].line, fmt.Sprintf("no operation %q was begun", first.Op), nil)
	}
	var longest time.Duration
	for _, a := range all {
		longest = max(longest, a.stmt.(plan.Result).Within)
	}
	if longest == 0 {
		longest = DefaultResult
	}
	began := time.Now()
	wait, cancel := s.deadline(ctx, began, longest)
	defer cancel()
	select {
	case <-o.done:
	case <-wait.Done():
	}
	switch {
	case ctx.Err() != nil:
		return -1, outcome{}, context.Cause(ctx)
	case o.running():
		for _, a := range all {
			a.miss = s.failure(a.line, "", fmt.Sprintf("%s: nothing within %s", o.method, longest))
			a.miss.silent = true
		}
	case errors.Is(o.err, target.ErrDied):
		return -1, outcome{}, o.err
	case o.err != nil && !isAnswer(o.err):
		return -1, outcome{}, fault(all[0].line, "", o.err)
	default:
		for _, a := range all {
			if err := s.came(o, a); err != nil {
				return -1, outcome{}, fault(a.line, "", err)
			}
		}
	}
	taken := slices.IndexFunc(all, func(a *alternative) bool { return a.miss == nil && !a.untold })
	if taken < 0 {
		taken = slices.IndexFunc(all, func(a *alternative) bool { return a.miss == nil })
	}
	if taken >= 0 {
		s.capture(all[taken].captures)
	}
	s.judges(all)
	return taken, verdicts(all), nil
}

func isAnswer(err error) bool {
	var answer *target.Error
	return errors.As(err, &answer)
}

// came holds an operation's outcome against one alternative.
func (s *script) came(o *operation, a *alternative) error {
	want := a.stmt.(plan.Result)
	if o.err != nil {
		var answer *target.Error
		errors.As(o.err, &answer)
		if want.Error == "" || want.Error != answer.Kind() {
			a.miss = s.failure(a.line, "", fmt.Sprintf("%s: error=%s (%s)", o.method, answer.Kind(), answer.Message))
		}
		return nil
	}
	r, err := check.NewResult(o.method, []byte(s.node.id), o.result)
	if err != nil {
		// A result that cannot be read is the target's, or its adapter's, own.
		a.miss = s.failure(a.line, "", err.Error())
		return nil
	}
	if want.Error != "" {
		a.miss = s.failure(a.line, "", check.Summary(r, s.names))
		return nil
	}
	matchers := slices.DeleteFunc(slices.Clone(want.Match), func(m plan.Matcher) bool { return !r.Tells(m.Path) })
	if len(matchers) < len(want.Match) {
		s.mu.Lock()
		s.untold = fmt.Sprintf("%s: the target cannot tell what line %d asks for", o.method, a.line.Pos.Line)
		s.mu.Unlock()
		a.untold = len(matchers) == 0
	}
	captures, miss, err := check.Judge(r, matchers, s, s.names)
	if err != nil {
		return err
	}
	a.captures = captures
	if miss != nil {
		a.miss = s.failure(a.line, "", miss.Got)
		a.miss.Diff = miss.Diff
	}
	return nil
}
