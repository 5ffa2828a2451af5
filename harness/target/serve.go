package target

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// runningLimit is how many requests of a control channel may run at once; more wait in the pipe. A lookup load of 200 per
// second with lookups of a second stays below.
const runningLimit = 512

// Handler is a node behind the control protocol.
type Handler interface {
	// Do performs one method. An *Error is answered as it is, any other error as a failed operation of kind other.
	// Requests run side by side; ctx ends when the request is cancelled or the channel closes.
	Do(ctx context.Context, method string, params json.RawMessage) (result any, err error)
	// Close ends the node, if it was started.
	Close() error
}

// ServeControl answers the requests on in with h until in ends, then cancels what runs, waits for it, and closes h. The
// error is of reading or writing, or of closing h; the end of in is none.
func ServeControl(ctx context.Context, in io.Reader, out io.Writer, h Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &control{h: h, out: out, running: make(map[string]context.CancelFunc), slots: make(chan struct{}, runningLimit)}
	err := s.readAll(ctx, in)
	cancel()
	s.ended.Wait()
	return errors.Join(err, s.failed, h.Close())
}

type control struct {
	h     Handler
	slots chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	running map[string]context.CancelFunc // by the id as it came

	writing sync.Mutex
	out     io.Writer
	failed  error
}

func (s *control) readAll(ctx context.Context, in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := readLine(lines)
		if err == io.EOF || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("control channel: %w", err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			s.take(ctx, line)
		}
	}
}

// take starts one request. It is noted as running before the next line is read, so that a cancel finds it.
func (s *control) take(ctx context.Context, line []byte) {
	r, err := parseRequest(line)
	if err != nil {
		id := r.ID
		if !validID(id) {
			id = json.RawMessage("null")
		}
		s.answer(id, nil, err)
		return
	}
	if r.Method == "cancel" {
		var p CancelParams
		err := Params(r.Params, &p)
		if err == nil {
			s.mu.Lock()
			if stop := s.running[string(p.ID)]; stop != nil {
				stop() // else it has ended by itself
			}
			s.mu.Unlock()
		}
		s.answer(r.ID, struct{}{}, err)
		return
	}
	s.slots <- struct{}{}
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.running[string(r.ID)] = cancel
	s.mu.Unlock()
	s.ended.Go(func() {
		defer func() { <-s.slots }()
		defer cancel()
		result, err := s.h.Do(ctx, r.Method, r.Params)
		s.mu.Lock()
		delete(s.running, string(r.ID))
		s.mu.Unlock()
		var known *Error
		if err != nil && ctx.Err() != nil && !errors.As(err, &known) {
			err = Failed(Cancelled, false, ctx.Err())
		}
		s.answer(r.ID, result, err)
	})
}

func (s *control) answer(id json.RawMessage, result any, err error) {
	r := response{Version: "2.0", ID: id}
	if err == nil {
		r.Result, err = json.Marshal(result)
	}
	if err != nil {
		r.Result = nil
		if !errors.As(err, &r.Error) {
			r.Error = Failed(Other, false, err)
		}
	}
	line := append(marshal(r), '\n')
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.out.Write(line); err != nil && s.failed == nil {
		s.failed = fmt.Errorf("control channel: %w", err)
	}
}

// Params reads a method's parameters into p, a pointer to a struct. One that the struct does not have is refused by its
// name: nothing is ignored in silence. The error is an *Error.
func Params(raw json.RawMessage, p any) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(p)
	if err == nil {
		return nil
	}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return BadParam(mistyped.Field, fmt.Sprintf("expected %s, got %s", mistyped.Type, mistyped.Value))
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return BadParam(strings.Trim(name, `"`), "not honoured")
	}
	return BadParam("params", err.Error())
}
