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

// runningLimit is how many requests of a control channel may run at once; one more is refused, since a request that
// waited would keep a cancel behind it from being read. 200 lookups a second of a second each stay below.
const runningLimit = 512

// Handler is a node behind the control protocol.
type Handler interface {
	// Do performs one method. An *Error is answered as it is, any other error as a failed operation of kind other.
	// Requests run side by side; ctx ends when the request is cancelled or the channel closes.
	Do(ctx context.Context, method string, params json.RawMessage) (result any, err error)
	// Close ends the node, if it was started.
	Close() error
}

// ServeControl answers the requests on in with h until in or ctx ends, then cancels what runs, waits for it, and closes h.
// The error is of reading or writing, or of closing h; the end of in or ctx is none. When ctx ends first, a goroutine
// stays in Read until in is closed.
func ServeControl(ctx context.Context, in io.Reader, out io.Writer, h Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &control{h: h, out: out, running: make(map[string]context.CancelFunc)}
	err := s.readAll(ctx, in)
	cancel()
	s.ended.Wait()
	return errors.Join(err, s.failed, h.Close())
}

type control struct {
	h     Handler
	ended sync.WaitGroup

	mu      sync.Mutex
	running map[string]context.CancelFunc // by the id as it came

	writing sync.Mutex
	out     io.Writer
	failed  error
}

func (s *control) readAll(ctx context.Context, in io.Reader) error {
	lines := make(chan []byte)
	ended := make(chan error, 1)
	go func() {
		r := bufio.NewReader(in)
		for {
			line, err := readLine(r)
			if err != nil {
				ended <- err
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case line := <-lines:
			if len(bytes.TrimSpace(line)) > 0 {
				s.take(ctx, line)
			}
		case err := <-ended:
			if err == io.EOF {
				return nil
			}
			return fmt.Errorf("control channel: %w", err)
		case <-ctx.Done():
			return nil
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
	ctx, cancel := context.WithCancel(ctx)
	if err := s.begin(string(r.ID), cancel); err != nil {
		cancel()
		s.answer(r.ID, nil, err)
		return
	}
	s.ended.Go(func() {
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

// begin notes a request as running.
func (s *control) begin(id string, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.running[id]; ok {
		return &Error{Code: CodeRequest, Message: fmt.Sprintf("id %s: a request with this id is under way", id)}
	}
	if len(s.running) >= runningLimit {
		return Failed(Other, true, fmt.Errorf("%d requests are under way: no more at once", runningLimit))
	}
	s.running[id] = cancel
	return nil
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
		if mistyped.Field == "" {
			return BadParam("params", "expected an object, got "+mistyped.Value)
		}
		return BadParam(mistyped.Field, fmt.Sprintf("expected %s, got %s", mistyped.Type, mistyped.Value))
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return BadParam(strings.Trim(name, `"`), "not honoured")
	}
	return BadParam("params", err.Error())
}
