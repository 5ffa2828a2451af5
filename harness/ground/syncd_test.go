package ground

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tgrun "github.com/testground/sdk-go/run"
	tgruntime "github.com/testground/sdk-go/runtime"
	tgsdksync "github.com/testground/sdk-go/sync"
	tgsync "github.com/testground/sync-service"
	"go.uber.org/zap"
)

func TestServiceRefusesWhatItCannotDo(t *testing.T) {
	addr, _ := serveSync(t)
	_, res, err := websocket.Dial(t.Context(), "ws://"+addr, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://" + addr}}})
	require.Error(t, err, "a page in a browser")
	assert.Equal(t, http.StatusForbidden, res.StatusCode)

	conn, _, err := websocket.Dial(t.Context(), "ws://"+addr, nil)
	require.NoError(t, err)
	defer conn.CloseNow()
	said := func(request string) string {
		require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(request)))
		_, text, err := conn.Read(t.Context())
		require.NoError(t, err)
		var r tgsync.Response
		require.NoError(t, json.Unmarshal(text, &r))
		return r.ID + " " + r.Error
	}
	assert.Equal(t, "1 publish, subscribe, barrier or signal_entry was expected", said(`{"id":"1"}`))
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(`{"id":"2","barrier":{"state":"s","target":1}}`)))
	assert.Contains(t, said(`{"id":"2","barrier":{"state":"s","target":1}}`), "2 expected an id of its own")
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(`no JSON`)))
	_, _, err = conn.Read(t.Context())
	assert.Equal(t, websocket.StatusInvalidFramePayloadData, websocket.CloseStatus(err))
}

// pipes is a listener without sockets, for the clock of a test.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects to whoever listens.
func (p pipes) dial(t *testing.T) *websocket.Conn {
	ours, theirs := net.Pipe()
	p <- theirs
	conn, _, err := websocket.Dial(t.Context(), "ws://pipe", &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}}})
	require.NoError(t, err)
	return conn
}

// TestNobodyWaitsForTheDeaf: neither the service for a client that it has refused, nor a client for a service that hangs, waits
// for as long as the other may take to say goodbye.
func TestNobodyWaitsForTheDeaf(t *testing.T) {
	t.Run("service", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := make(pipes)
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error)
			go func() { served <- ServeSync(ctx, p) }()
			conn := p.dial(t)
			require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte("no JSON")))
			synctest.Wait()
			began := time.Now()
			cancel()
			require.NoError(t, <-served)
			assert.Zero(t, time.Since(began))
			conn.CloseNow()
		})
	})
	t.Run("client", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := hungService(t, 0)
			began := time.Now()
			require.NoError(t, c.Close())
			assert.Equal(t, goodbye, time.Since(began))
		})
	})
	t.Run("instance", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := hungService(t, 0)
			in := &Instance{Sync: c, Seq: 1, Count: 2, Group: "single"}
			began := time.Now()
			in.depart(c, signalling{c: c}, errors.New("boom"))
			assert.Equal(t, reporting, time.Since(began), "neither its event nor its goodbye waits once more")
		})
	})
	t.Run("waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := hungService(t, 1)
			began := time.Now()
			assert.ErrorIs(t, c.Wait(t.Context(), "ready", 2), ErrSync)
			assert.LessOrEqual(t, time.Since(began), beat+silent)
			c.Close()
		})
	})
}

// hungService is a client of a service that takes so many requests and is never heard of.
func hungService(t *testing.T, requests int) *client {
	p := make(pipes)
	hung := make(chan struct{})
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if assert.NoError(t, err) {
			for range requests {
				conn.Read(r.Context())
			}
			<-hung
			conn.CloseNow()
		}
	})}
	go server.Serve(p)
	t.Cleanup(func() {
		close(hung)
		server.Close()
	})
	return newClient(t.Context(), p.dial(t), "pipe", scopeOf(aRun))
}

// signalling is an env whose end is an event.
type signalling struct {
	env
	c *client
}

func (s signalling) end(error) { s.c.SignalEvent(context.Background(), &tgruntime.Event{}) }

// TestALostClientsWillIsDone: whoever is killed, or stopped, or whose machine is gone, ends the run for the others; whoever says
// goodbye does not.
func TestALostClientsWillIsDone(t *testing.T) {
	for _, how := range []string{"killed", "stopped", "left"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := make(pipes)
				ctx, cancel := context.WithCancel(t.Context())
				served := make(chan error)
				go func() { served <- ServeSync(ctx, p) }()
				other := newClient(t.Context(), p.dial(t), "pipe", scopeOf(aRun))
				c := &client{scope: scopeOf(aRun), conn: p.dial(t)}
				if how != "stopped" {
					c = newClient(t.Context(), c.conn, "pipe", c.scope)
				}
				require.NoError(t, c.bequeath("no number yet"))
				require.NoError(t, c.bequeath("instance 1 of 2: gone"))
				within, end := context.WithCancelCause(t.Context())
				go heed(within, other, end)
				synctest.Wait()
				switch how {
				case "killed":
					c.cut()
				case "left":
					c.Close()
				}
				began := time.Now()
				select {
				case <-within.Done():
					assert.EqualError(t, context.Cause(within), "aborted: instance 1 of 2: gone")
					assert.Equal(t, map[string]time.Duration{"killed": 0, "stopped": silent}[how], time.Since(began))
				case <-time.After(3 * silent):
					assert.Equal(t, "left", how, "the other, who gives signs of life, is not lost")
				}
				end(nil)
				other.Close()
				c.conn.CloseNow()
				cancel()
				assert.NoError(t, <-served)
			})
		})
	}
}

// TestRequestIsTestgrounds: what we write is what Testground's own service reads.
func TestRequestIsTestgrounds(t *testing.T) {
	ours := []*request{
		{ID: "1", Publish: &publishing{Topic: "t", Payload: json.RawMessage(`{"a":1}`)}},
		{ID: "2", Subscribe: &tgsync.SubscribeRequest{Topic: "t"}},
		{ID: "3", Barrier: &tgsync.BarrierRequest{State: "s", Target: 3}},
		{ID: "4", SignalEntry: &tgsync.SignalEntryRequest{State: "s"}},
		{ID: "5", Cancel: true},
	}
	for _, r := range ours {
		text, err := r.encode()
		require.NoError(t, err)
		var theirs tgsync.Request
		require.NoError(t, json.Unmarshal(text, &theirs))
		again, err := json.Marshal(theirs)
		require.NoError(t, err)
		assert.JSONEq(t, string(again), string(text))
	}
	s := scopeOf(aRun)
	assert.Equal(t, tgsdksync.State("ready").Key(aRun), s.state("ready"))
	assert.Equal(t, tgsdksync.NewTopic("addrs", "").Key(aRun), s.topic("addrs"))
	assert.EqualValues(t, tgrun.StateInitializedGlobal, stateGlobal)
	assert.Equal(t, fmt.Sprintf(tgrun.StateInitializedGroupFmt, "g"), stateGroup+"g")
}

// TestTestgroundsClient: Testground's own client, unchanged, and ours meet at our service.
func TestTestgroundsClient(t *testing.T) {
	addr, _ := serveSync(t)
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	t.Setenv(tgsdksync.EnvServiceHost, host)
	t.Setenv(tgsdksync.EnvServicePort, port)
	ctx, cancel := context.WithTimeout(tgsdksync.WithRunParams(t.Context(), aRun), time.Minute)
	defer cancel()
	theirs, err := tgsdksync.NewGenericClient(ctx, zap.NewNop().Sugar())
	require.NoError(t, err)
	ours := dial(t, addr)

	seq, err := theirs.SignalEntry(ctx, "ready")
	require.NoError(t, err)
	assert.EqualValues(t, 1, seq)
	n, err := ours.Signal(ctx, "ready")
	require.NoError(t, err)
	assert.Equal(t, 2, n, "the same state")
	require.NoError(t, <-theirs.MustBarrier(ctx, "ready", 2).C)
	pending := theirs.MustBarrier(ctx, "ready", 3).C
	_, err = ours.Signal(ctx, "ready")
	require.NoError(t, err)
	require.NoError(t, <-pending)

	type item struct{ Addr string }
	topic := tgsdksync.NewTopic("addrs", item{})
	require.NoError(t, ours.Publish(ctx, "addrs", item{"ours"}))
	seq, err = theirs.Publish(ctx, topic, item{"theirs"})
	require.NoError(t, err)
	assert.EqualValues(t, 2, seq)
	ch := make(chan item, 2)
	_, err = theirs.Subscribe(ctx, topic, ch)
	require.NoError(t, err)
	assert.Equal(t, []item{{"ours"}, {"theirs"}}, []item{<-ch, <-ch})
	var got []string
	require.NoError(t, ours.Collect(ctx, "addrs", 2, func(text []byte) error { got = append(got, string(text)); return nil }))
	assert.Equal(t, []string{`{"Addr":"ours"}`, `{"Addr":"theirs"}`}, got)

	events, err := theirs.SubscribeEvents(ctx, aRun)
	require.NoError(t, err)
	require.NoError(t, ours.SignalEvent(ctx, &tgruntime.Event{SuccessEvent: &tgruntime.SuccessEvent{TestGroupID: "single"}}))
	assert.Equal(t, "single", (<-events).SuccessEvent.TestGroupID)
	_ = theirs.Close() // its reader may take the goodbye for which this waits, and it says EOF then: once in some ten runs under load
}

// FuzzRequests: whatever a client sends, the service answers with JSON or not at all, and lets go of it when it has left.
func FuzzRequests(f *testing.F) {
	f.Add([]byte(`{"id":"1","signal_entry":{"state":"s"}}
{"id":"2","barrier":{"state":"s","target":1}}
{"id":"3","barrier":{"state":"s","target":7}}
{"id":"4","publish":{"topic":"t","payload":{"a":[1,"<"]}}}
{"id":"5","subscribe":{"topic":"t"}}
{"id":"5","is_cancel":true}
{"id":"6"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		h := newHub()
		c := newConnection(ctx, h, func(_ context.Context, text []byte) error {
			var r tgsync.Response
			return json.Unmarshal(text, &r)
		})
		for line := range bytes.Lines(data) {
			if c.message(line) != nil {
				break
			}
		}
		cancel()
		c.handlers.Wait()
		if len(c.open) > 0 {
			t.Fatalf("%d requests are held", len(c.open))
		}
		for key, s := range h.states {
			if len(s.waiting) > 0 {
				t.Fatalf("state %q: %d barriers wait", key, len(s.waiting))
			}
		}
	})
}

// FuzzResponses: whatever a service sends, a request ends with a value or an error.
func FuzzResponses(f *testing.F) {
	f.Add([]byte(`{"id":"1","error":"","signal_entry":{"seq":3}}`))
	f.Add([]byte(`{"id":"1","error":"no"}`))
	f.Add([]byte(`{"id":"1"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := &client{open: map[string]*call{"1": {more: make(chan struct{}, 1)}}}
		c.ctx, c.end = context.WithCancelCause(t.Context())
		if err := c.response(text); err != nil {
			c.end(err)
		}
		if len(c.open["1"].got) == 0 {
			c.end(ErrSync)
		}
		if res, err := c.take(t.Context(), c.open["1"]); (res == nil) == (err == nil) {
			t.Fatalf("%v and %v", res, err)
		}
	})
}
