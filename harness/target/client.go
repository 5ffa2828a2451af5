package target

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
)

const (
	// outstanding is how many requests may wait to be written: a target that does not read its stdin blocks the
	// callers after that many, until their contexts end.
	outstanding = 64
	// abandonedLimit is how many calls may have been given up without an answer before the target counts as hung: each
	// may still be answered late, and until then its id is remembered.
	abandonedLimit = 10_000
)

// client is the harness's side of a control channel: it numbers requests and hands answers to those who wait. Anything
// that is not an answer to a request of ours breaks it for good.
type client struct {
	out chan []byte

	mu        sync.Mutex
	last      uint64
	waiting   map[string]chan response // by id
	abandoned map[string]struct{}      // ids whose answer nobody waits for
	err       error                    // why broken
	broken    chan struct{}
}

// newClient talks on a channel until it breaks: w is written to and r read on goroutines which end when both are
// closed. onBreak is called once, with the reason: io.EOF when the target closed its end.
func newClient(w io.Writer, r io.Reader, onBreak func(error)) *client {
	c := &client{
		out: make(chan []byte, outstanding), waiting: make(map[string]chan response),
		abandoned: make(map[string]struct{}), broken: make(chan struct{}),
	}
	go func() {
		for {
			select {
			case line := <-c.out:
				if _, err := w.Write(line); err != nil {
					return // the reader sees the end too, and knows more about it
				}
			case <-c.broken:
				return
			}
		}
	}()
	go func() {
		err := c.readAll(r)
		c.breakUp(err)
		onBreak(err)
	}()
	return c
}

func (c *client) readAll(r io.Reader) error {
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := readLine(lines)
		if err == errLine {
			return fmt.Errorf("%w: stdout line %d: %w", ErrProtocol, n, err)
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			continue
		}
		if err := c.take(line); err != nil {
			return fmt.Errorf("stdout line %d: %w", n, err)
		}
	}
}

// take hands one answer to its caller.
func (c *client) take(line []byte) error {
	r, err := parseResponse(line)
	if err != nil {
		return err
	}
	id := string(r.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if caller, ok := c.waiting[id]; ok {
		delete(c.waiting, id)
		caller <- r // has room for it
		return nil
	}
	if _, ok := c.abandoned[id]; ok {
		delete(c.abandoned, id)
		return nil
	}
	if r.Error != nil && (id == "" || id == "null") {
		return fmt.Errorf("%w: it could not read a request of ours: %w", ErrProtocol, r.Error)
	}
	return fmt.Errorf("%w: an answer to id %s: expected the id of a request that waits", ErrProtocol, quote(r.ID))
}

// breakUp fails all calls, now and later.
func (c *client) breakUp(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.broken)
	}
}

// why it broke.
func (c *client) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// call sends a request and waits for its answer. When the context ends first, the context's error comes back; an
// operation is cancelled then.
func (c *client) call(ctx context.Context, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	p, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	answer := make(chan response, 1)
	c.mu.Lock()
	c.last++
	id := strconv.FormatUint(c.last, 10)
	c.waiting[id] = answer
	c.mu.Unlock()
	line := append(marshal(request{Version: "2.0", ID: json.RawMessage(id), Method: method, Params: p}), '\n')
	select {
	case c.out <- line:
	case <-c.broken:
		return c.why()
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id) // never sent, never answered
		c.mu.Unlock()
		return ctx.Err()
	}
	select {
	case r := <-answer:
		return r.into(result)
	case <-c.broken:
		select {
		case r := <-answer: // it came just before the end
			return r.into(result)
		default:
			return c.why()
		}
	case <-ctx.Done():
		c.abandon(id, method)
		return ctx.Err()
	}
}

// abandon gives up a call, and tells the target if it is an operation.
func (c *client) abandon(id, method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.waiting[id]; !ok {
		return // answered meanwhile
	}
	delete(c.waiting, id)
	c.abandoned[id] = struct{}{}
	if len(c.abandoned) > abandonedLimit && c.err == nil {
		c.err = fmt.Errorf("%w: more than %d calls were given up", ErrHung, abandonedLimit)
		close(c.broken)
	}
	if !isOperation(method) {
		return
	}
	c.last++
	own := strconv.FormatUint(c.last, 10)
	line := append(marshal(request{Version: "2.0", ID: json.RawMessage(own), Method: "cancel",
		Params: marshal(CancelParams{ID: json.RawMessage(id)})}), '\n')
	select {
	case c.out <- line:
		c.abandoned[own] = struct{}{} // whatever it answers to that
	default: // it does not read anyway
	}
}

func isOperation(method string) bool {
	for _, m := range Methods {
		if m.Name == method {
			return m.Operation
		}
	}
	return false
}

// into gives an answer to its caller.
func (r response) into(result any) error {
	if r.Error != nil {
		return r.Error
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) {
			return fmt.Errorf("%w: result.%s: expected %s, got %s", ErrProtocol, mistyped.Field, mistyped.Type, mistyped.Value)
		}
		return fmt.Errorf("%w: result %s: %w", ErrProtocol, quote(r.Result), err)
	}
	return nil
}
