package ground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	tgruntime "github.com/testground/sdk-go/runtime"
	tgsync "github.com/testground/sync-service"
)

// Times of a client.
const (
	dialing   = 10 * time.Second // 1,000 processes on two cores begin within 13 s, and most of that is not the service's
	reporting = time.Second      // why a run ends, or an event: whoever has pressed Ctrl-C waits for both
	goodbye   = 3 * time.Second  // so that a service under load does not take who leaves for somebody lost
)

// client is the Sync of an instance that has a process of its own: a client of Testground's sync service. Testground's own
// ends the process when the connection is lost, and panics when a subscription is left at the wrong moment.
type client struct {
	scope scope
	addr  string
	conn  *websocket.Conn

	ctx  context.Context // ends with the connection; its cause says why
	end  context.CancelCauseFunc
	busy sync.WaitGroup // reading, and asking for signs of life
	cut  func()         // ends the connection at once, also one that is being closed (CloseNow does not)

	mu   sync.Mutex
	next int
	open map[string]*call // by the ids of their requests
}

// call is a request that waits for its responses.
type call struct {
	more chan struct{} // has something when got has
	got  []*tgsync.Response
}

// dialSync connects to the service at host:port.
func dialSync(ctx context.Context, addr string, s scope) (*client, error) {
	dial, cancel := context.WithTimeout(ctx, dialing)
	defer cancel()
	conn, _, err := websocket.Dial(dial, "ws://"+addr, nil)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if dial.Err() != nil {
			return nil, fmt.Errorf("%w at %s cannot be reached: no answer within %v", ErrSync, addr, dialing)
		}
		return nil, fmt.Errorf("%w at %s cannot be reached: %s", ErrSync, addr, lastReason(err))
	}
	return newClient(ctx, conn, addr, s), nil
}

func newClient(ctx context.Context, conn *websocket.Conn, addr string, s scope) *client {
	conn.SetReadLimit(maxMessage)
	c := &client{scope: s, addr: addr, conn: conn, open: map[string]*call{}}
	c.ctx, c.end = context.WithCancelCause(context.WithoutCancel(ctx))
	var reading context.Context
	reading, c.cut = context.WithCancel(context.Background())
	c.busy.Go(func() { c.responses(reading) })
	c.busy.Go(func() {
		if err := c.pulse(); err != nil {
			c.end(fmt.Errorf("%w at %s was lost: %w", ErrSync, addr, err))
			c.cut()
		}
	})
	return c
}

// pulse gives and asks for signs of life, until there was none or the connection has ended.
func (c *client) pulse() error {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return nil
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(context.Background(), silent) // a ping that is cut short ends the connection
		err := c.conn.Ping(within)
		if within.Err() != nil {
			err = fmt.Errorf("it gave no sign of life for %v", silent)
		}
		cancel()
		if err != nil {
			return err
		}
	}
}

// lastReason is the innermost of an error's reasons, as the outer ones repeat the request.
func lastReason(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// Lost ends when the connection has, with the cause.
func (c *client) Lost() context.Context { return c.ctx }

// Close leaves the service.
func (c *client) Close() error {
	c.end(fmt.Errorf("%w: this client has left it", ErrSync))
	enough := time.AfterFunc(goodbye, c.cut)
	defer enough.Stop()
	c.conn.Close(websocket.StatusNormalClosure, "")
	c.busy.Wait()
	return nil
}

// responses hands out what comes until the connection ends.
func (c *client) responses(ctx context.Context) {
	defer c.cut()
	defer c.conn.CloseNow()
	for {
		_, text, err := c.conn.Read(ctx)
		if err != nil {
			c.end(fmt.Errorf("%w at %s was lost: %w", ErrSync, c.addr, err))
			return
		}
		if err := c.response(text); err != nil {
			c.end(fmt.Errorf("%w at %s: a response was expected as JSON: %w", ErrSync, c.addr, err))
			return
		}
	}
}

// response takes what the service sent to whoever waits for it.
func (c *client) response(text []byte) error {
	var r tgsync.Response
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.open[r.ID]; w != nil { // else somebody has read enough
		w.got = append(w.got, &r)
		select {
		case w.more <- struct{}{}:
		default:
		}
	}
	return nil
}

// ask sends a request. Its responses come by take, until leave.
func (c *client) ask(r *request) (*call, error) {
	c.mu.Lock()
	c.next++
	r.ID = strconv.Itoa(c.next)
	w := &call{more: make(chan struct{}, 1)}
	c.open[r.ID] = w
	c.mu.Unlock()
	err := c.send(r)
	if err != nil {
		c.leave(r, false)
	}
	return w, err
}

func (c *client) send(r *request) error {
	text, err := r.encode()
	if err != nil {
		return err
	}
	// Its own context: a write that is cut short ends the connection.
	ctx, cancel := context.WithTimeout(context.Background(), writing)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, text); err != nil {
		c.end(fmt.Errorf("%w at %s was lost: %w", ErrSync, c.addr, err))
		return context.Cause(c.ctx)
	}
	return nil
}

// leave forgets a request, and where responses could still come says so.
func (c *client) leave(r *request, tell bool) {
	c.mu.Lock()
	delete(c.open, r.ID)
	c.mu.Unlock()
	if tell && c.ctx.Err() == nil {
		c.send(&request{ID: r.ID, Cancel: true})
	}
}

// take waits for the next response.
func (c *client) take(ctx context.Context, w *call) (*tgsync.Response, error) {
	for {
		if ctx.Err() != nil { // though more may have come: whoever is stopped stops
			return nil, context.Cause(ctx)
		}
		c.mu.Lock()
		if len(w.got) > 0 {
			r := w.got[0]
			w.got = w.got[1:]
			c.mu.Unlock()
			if r.Error != "" {
				return nil, fmt.Errorf("%w at %s says: %s", ErrSync, c.addr, r.Error)
			}
			return r, nil
		}
		c.mu.Unlock()
		select {
		case <-w.more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-c.ctx.Done():
			return nil, context.Cause(c.ctx)
		}
	}
}

// once is a request with one response.
func (c *client) once(ctx context.Context, r *request) (*tgsync.Response, error) {
	w, err := c.ask(r)
	if err != nil {
		return nil, err
	}
	res, err := c.take(ctx, w)
	c.leave(r, r.Barrier != nil && err != nil)
	return res, err
}

func (c *client) Signal(ctx context.Context, state string) (int, error) {
	err := begin(ctx, state)
	var res *tgsync.Response
	if err == nil {
		res, err = c.once(ctx, &request{SignalEntry: &tgsync.SignalEntryRequest{State: c.scope.state(state)}})
	}
	if err == nil && res.SignalEntryResponse == nil {
		err = fmt.Errorf("%w at %s: its response has no signal_entry", ErrSync, c.addr)
	}
	if err != nil {
		return 0, fmt.Errorf("enter state %q: %w", state, err)
	}
	return res.SignalEntryResponse.Seq, nil
}

func (c *client) Wait(ctx context.Context, state string, n int) error {
	err := begin(ctx, state)
	if err == nil {
		_, err = c.once(ctx, &request{Barrier: &tgsync.BarrierRequest{State: c.scope.state(state), Target: n}})
	}
	if err != nil {
		return fmt.Errorf("wait for %d in state %q: %w", n, state, err)
	}
	return nil
}

func (c *client) Publish(ctx context.Context, topic string, value any) error {
	if err := begin(ctx, topic); err != nil {
		return fmt.Errorf("publish on topic %q: %w", topic, err)
	}
	return c.publish(ctx, c.scope.topic(topic), topic, value)
}

func (c *client) publish(ctx context.Context, key, topic string, value any) error {
	item, err := encode(topic, value)
	if err != nil {
		return err
	}
	if _, err := c.once(ctx, &request{Publish: &publishing{Topic: key, Payload: item}}); err != nil {
		return fmt.Errorf("publish on topic %q: %w", topic, err)
	}
	return nil
}

func (c *client) Collect(ctx context.Context, topic string, n int, each func(item []byte) error) error {
	err := begin(ctx, topic)
	if err == nil && n > 0 {
		err = c.follow(ctx, topic, counted(n, each))
	}
	if err != nil && err != errEnough {
		return fmt.Errorf("collect %d of topic %q: %w", n, topic, err)
	}
	return nil
}

func (c *client) follow(ctx context.Context, topic string, each func(item []byte) error) error {
	r := &request{Subscribe: &tgsync.SubscribeRequest{Topic: c.scope.topic(topic)}}
	w, err := c.ask(r)
	if err != nil {
		return err
	}
	defer c.leave(r, true)
	for {
		res, err := c.take(ctx, w)
		if err != nil {
			return err
		}
		if err := each([]byte(res.SubscribeResponse)); err != nil {
			return err
		}
	}
}

// bequeath leaves with the service why the others shall end when this connection is lost. Without that, they would wait for
// somebody who was killed as long as their case may take. Testground's own service does not do it.
func (c *client) bequeath(why string) error {
	item, err := encode(stateAbort, clip(why))
	if err != nil {
		return err
	}
	return c.send(&request{Will: []request{
		{Publish: &publishing{Topic: c.scope.topic(stateAbort), Payload: item}},
		{SignalEntry: &tgsync.SignalEntryRequest{State: c.scope.state(stateAbort)}},
	}})
}

// SignalEvent tells Testground's daemon what became of the instance, for the runners that do not read its output.
func (c *client) SignalEvent(ctx context.Context, e *tgruntime.Event) error {
	ctx, cancel := context.WithTimeout(ctx, reporting)
	defer cancel()
	return c.publish(ctx, c.scope.events(), "run_events", e)
}
