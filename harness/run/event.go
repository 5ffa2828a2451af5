package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

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
	refused := errors.Is(e.Err, target.ErrRefused)
	failed := errors.Is(e.Err, target.ErrDial) || errors.Is(e.Err, context.DeadlineExceeded) // it never was open
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
	case errors.Is(e.Err, context.DeadlineExceeded):
		return fmt.Sprintf("nothing: the protocol was not agreed within %s", target.OpenTimeout)
	case len(e.Raw) > 0:
		return fmt.Sprintf("reset, %d bytes into a frame", len(e.Raw))
	}
	return "reset"
}
