package ground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	tgsync "github.com/testground/sync-service"
)

// Limits of a sync service on sockets.
const (
	// maxMessage is the longest that it reads: an instance of ours sends 32 KiB at the most, others may want to say more.
	maxMessage = 64 << 20
	// maxOpen are the barriers and subscriptions of one connection at a time; each is a goroutine.
	maxOpen = 4096
	// writing is how long a client may leave unread what was sent to it. 1,000 processes on two cores that all read a million
	// items take 16 s.
	writing = time.Minute
	// silent is how long a client that has left a will may give no sign of life: a process that was stopped does not, nor a machine
	// that is gone. Ours gives one each beat.
	silent = writing
	beat   = 10 * time.Second
)

// ServeSync is a sync service as Testground's instances expect it, at localhost:5050 if nothing else was said to them. It
// returns when ctx has ended or the listener has failed, and has closed all connections then. Unlike Testground's own it listens
// where it is told to, delivers at once, and keeps what was published until nobody has been connected for ten minutes.
func ServeSync(ctx context.Context, l net.Listener) error { return newHub().serve(ctx, l) }

func (h *hub) serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var open sync.WaitGroup // connections: of the server until we take them over, and ours
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			open.Add(1)
			defer open.Done()
			if r.Header.Get("Origin") != "" { // a page in somebody's browser
				http.Error(w, "instances of a test only", http.StatusForbidden)
				return
			}
			h.connection(ctx, w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Done()
			}
		},
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	err := server.Serve(l)
	server.Close()
	cancel()
	open.Wait()
	if h.quiet != nil {
		h.quiet.Stop()
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrSync, err)
}

// connection serves one client until it leaves.
func (h *hub) connection(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	var c *connection
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool {
		c.alive()
		return true
	}})
	if err != nil {
		return // it has been told
	}
	h.enter()
	defer h.leave()
	ctx, cancel := context.WithCancel(ctx)
	c = newConnection(ctx, h, func(ctx context.Context, text []byte) error {
		return conn.Write(ctx, websocket.MessageText, text)
	})
	c.silence = time.AfterFunc(silent, func() { conn.CloseNow() })
	c.silence.Stop() // until it leaves a will
	defer c.handlers.Wait()
	defer cancel()
	defer c.silence.Stop()
	conn.SetReadLimit(maxMessage)
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			if ctx.Err() == nil && websocket.CloseStatus(err) < 0 {
				c.lost()
			}
			conn.CloseNow()
			return
		}
		if c.message(text) != nil {
			c.handlers.Go(func() { // Close gives the client 5 s to answer; a read that ctx ends gives it no longer than we live
				for err := error(nil); err == nil; {
					_, _, err = conn.Read(ctx)
				}
			})
			conn.Close(websocket.StatusInvalidFramePayloadData, "a request as JSON was expected")
			return
		}
	}
}

// connection is a client of the service.
type connection struct {
	hub      *hub
	ctx      context.Context
	write    func(ctx context.Context, text []byte) error // one that fails has closed the connection
	handlers sync.WaitGroup

	// Of whoever reads the connection alone.
	will    []request
	silence *time.Timer // ends the connection

	mu   sync.Mutex
	open map[string]context.CancelFunc // barriers and subscriptions, by the ids of their requests
}

func newConnection(ctx context.Context, h *hub, write func(context.Context, []byte) error) *connection {
	return &connection{hub: h, ctx: ctx, write: write, open: map[string]context.CancelFunc{}}
}

// message takes what the client sent. The error is of what is no request.
func (c *connection) message(text []byte) error {
	var r request
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	c.request(&r)
	return nil
}

func (c *connection) request(r *request) {
	switch {
	case r.Will != nil:
		c.will = r.Will
		c.alive()
	case r.Cancel:
		c.mu.Lock()
		cancel := c.open[r.ID]
		c.mu.Unlock()
		if cancel != nil {
			cancel()
		}
	case r.Publish != nil:
		item := append([]byte(nil), r.Publish.Payload...)
		if len(item) == 0 {
			item = []byte("null") // as Testground's has it
		}
		seq, err := c.hub.publish(r.Publish.Topic, item)
		c.respond(&tgsync.Response{ID: r.ID, PublishResponse: &tgsync.PublishResponse{Seq: seq}}, err)
	case r.SignalEntry != nil:
		seq, err := c.hub.signal(r.SignalEntry.State)
		c.respond(&tgsync.Response{ID: r.ID, SignalEntryResponse: &tgsync.SignalEntryResponse{Seq: seq}}, err)
	case r.Barrier != nil:
		c.later(r.ID, func(ctx context.Context) error {
			err := c.hub.wait(ctx, r.Barrier.State, r.Barrier.Target)
			if ctx.Err() == nil {
				c.respond(&tgsync.Response{ID: r.ID}, err)
			}
			return nil
		})
	case r.Subscribe != nil:
		c.later(r.ID, func(ctx context.Context) error {
			return c.hub.follow(ctx, r.Subscribe.Topic, func(item []byte) error {
				return c.respond(&tgsync.Response{ID: r.ID, SubscribeResponse: string(item)}, nil)
			})
		})
	default:
		c.respond(&tgsync.Response{ID: r.ID}, errors.New("publish, subscribe, barrier or signal_entry was expected"))
	}
}

// alive takes a sign of life. Testground's clients give none, and have no will.
func (c *connection) alive() {
	if c.will != nil && c.silence != nil {
		c.silence.Reset(silent)
	}
}

// lost does what the client has left to do. What the hub has no room for stays undone: nobody is there to be told.
func (c *connection) lost() {
	for _, r := range c.will {
		switch {
		case r.Publish != nil:
			c.hub.publish(r.Publish.Topic, r.Publish.Payload)
		case r.SignalEntry != nil:
			c.hub.signal(r.SignalEntry.State)
		}
	}
}

// later does what takes its time, beside the next request.
func (c *connection) later(id string, do func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock()
	_, twice := c.open[id]
	full := len(c.open) == maxOpen
	if !twice && !full {
		c.open[id] = cancel
	}
	c.mu.Unlock()
	if twice || full {
		cancel()
		c.respond(&tgsync.Response{ID: id}, fmt.Errorf("expected an id of its own, and %d barriers and subscriptions at the most", maxOpen))
		return
	}
	c.handlers.Go(func() {
		defer func() {
			cancel()
			c.mu.Lock()
			delete(c.open, id)
			c.mu.Unlock()
		}()
		if err := do(ctx); err != nil && ctx.Err() == nil {
			c.respond(&tgsync.Response{ID: id}, err)
		}
	})
}

// respond sends a response, or what went wrong in its place.
func (c *connection) respond(r *tgsync.Response, wrong error) error {
	if wrong != nil {
		r = &tgsync.Response{ID: r.ID, Error: wrong.Error()}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, writing)
	defer cancel()
	return c.write(ctx, text)
}
