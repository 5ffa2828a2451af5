package ground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tgruntime "github.com/testground/sdk-go/runtime"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/harness/run"
)

var aRun = &tgruntime.RunParams{TestPlan: Plan, TestCase: "ping", TestRun: "r1", TestGroupID: "single", TestInstanceCount: 2, TestGroupInstanceCount: 2}

func serveSync(t *testing.T) (addr string, stop func()) {
	addr, stop, _ = serveHub(t)
	return addr, stop
}

// serveHub serves on loopback until stop is called, which returns when nobody is served any more.
func serveHub(t *testing.T) (addr string, stop func(), h *hub) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	h = newHub()
	go func() { served <- h.serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-served)
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop, h
}

func dial(t *testing.T, addr string) *client {
	c, err := dialSync(t.Context(), addr, scopeOf(aRun))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// syncs are the implementations: each makes the Sync of another instance of the same run.
var syncs = map[string]func(t *testing.T) func() Sync{
	"local": func(*testing.T) func() Sync {
		h := newHub()
		return func() Sync { return local{h, scopeOf(aRun)} }
	},
	"client": func(t *testing.T) func() Sync {
		addr, _ := serveSync(t)
		return func() Sync { return dial(t, addr) }
	},
}

func TestSync(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	errGone := errors.New("somebody failed")
	for name, test := range map[string]func(t *testing.T, another func() Sync){
		"a state counts who enters": func(t *testing.T, another func() Sync) {
			a, b := another(), another()
			for want, s := range []Sync{a, b, a} {
				n, err := s.Signal(t.Context(), "ready")
				require.NoError(t, err)
				assert.Equal(t, want+1, n)
			}
			n, err := a.Signal(t.Context(), "another state")
			require.NoError(t, err)
			assert.Equal(t, 1, n)
		},
		"a barrier that was reached lets everybody through": func(t *testing.T, another func() Sync) {
			a, b := another(), another()
			for range 3 {
				_, err := a.Signal(t.Context(), "ready")
				require.NoError(t, err)
			}
			for _, n := range []int{0, 1, 2, 3} {
				assert.NoError(t, b.Wait(t.Context(), "ready", n))
			}
		},
		"a barrier opens with the last of many": func(t *testing.T, another func() Sync) {
			const count = 20
			var all sync.WaitGroup
			for range count {
				in := Instance{Count: count, Sync: another()}
				all.Go(func() {
					for round := range 5 {
						assert.NoError(t, in.Barrier(t.Context(), fmt.Sprint(round)))
					}
				})
			}
			all.Wait()
		},
		"a wait ends with its context and says why": func(t *testing.T, another func() Sync) {
			s := another()
			ctx, end := context.WithCancelCause(t.Context())
			begun := make(chan struct{})
			go func() {
				<-begun
				end(errGone)
			}()
			close(begun)
			err := s.Wait(ctx, "ready", 1)
			require.ErrorIs(t, err, errGone)
			assert.EqualError(t, err, `wait for 1 in state "ready": somebody failed`)
			_, err = s.Signal(ctx, "ready")
			assert.ErrorIs(t, err, errGone)
			assert.ErrorIs(t, s.Publish(ctx, "t", 1), errGone)
			assert.ErrorIs(t, s.Collect(ctx, "t", 1, nil), errGone)
			n, err := s.Signal(t.Context(), "ready")
			require.NoError(t, err, "the others go on")
			assert.Equal(t, 1, n)
		},
		"a topic is read from its beginning, by everybody, in the same order": func(t *testing.T, another func() Sync) {
			a, b := another(), another()
			require.NoError(t, a.Publish(t.Context(), "addresses", "one"))
			var got [2][]string
			var all sync.WaitGroup
			for i, s := range []Sync{b, another()} {
				all.Go(func() {
					assert.NoError(t, s.Collect(t.Context(), "addresses", 3, func(item []byte) error {
						var text string
						err := json.Unmarshal(item, &text)
						got[i] = append(got[i], text)
						clear(item) // an item is whoever's gets it
						return err
					}))
				})
			}
			require.NoError(t, b.Publish(t.Context(), "addresses", "two"))
			require.NoError(t, a.Publish(t.Context(), "addresses", "<three>"))
			require.NoError(t, a.Publish(t.Context(), "addresses", "four"))
			all.Wait()
			assert.Equal(t, []string{"one", "two", "<three>"}, got[0])
			assert.Equal(t, got[0], got[1])
		},
		"a value is a copy, whole to its last digit": func(t *testing.T, another func() Sync) {
			s := another()
			v := map[string]uint64{"n": 1<<63 + 1}
			require.NoError(t, s.Publish(t.Context(), "t", v))
			v["n"] = 0
			require.NoError(t, s.Collect(t.Context(), "t", 1, func(item []byte) error {
				assert.Equal(t, `{"n":9223372036854775809}`, string(item))
				return nil
			}))
		},
		"an item has its limit": func(t *testing.T, another func() Sync) {
			s := another()
			most := strings.Repeat("\"", (MaxItem-2)/2)
			require.NoError(t, s.Publish(t.Context(), strings.Repeat("t", maxName), most))
			err := s.Publish(t.Context(), "addresses", strings.Repeat("x", MaxItem))
			require.ErrorIs(t, err, ErrItem)
			assert.EqualError(t, err, `item of topic "addresses": 30002 bytes as JSON, expected 30000 at the most: publish it in parts`)
			assert.ErrorIs(t, s.Publish(t.Context(), "t", func() {}), ErrItem)
			assert.ErrorIs(t, s.Publish(t.Context(), strings.Repeat("t", maxName+1), 1), ErrItem)
			_, err = s.Signal(t.Context(), "")
			assert.EqualError(t, err, `enter state "": item: a name of 0 bytes: expected 1 to 256`)
			require.NoError(t, s.Collect(t.Context(), strings.Repeat("t", maxName), 1, func(item []byte) error {
				assert.Len(t, item, MaxItem)
				return nil
			}))
		},
		"a reader may be stopped while items come": func(t *testing.T, another func() Sync) {
			s, other := another(), another()
			var publishing sync.WaitGroup
			publishing.Go(func() {
				for i := range 300 {
					assert.NoError(t, other.Publish(t.Context(), "t", i))
				}
			})
			for most := range 50 {
				ctx, end := context.WithCancelCause(t.Context())
				n := 0
				err := s.Collect(ctx, "t", 300, func([]byte) error {
					if n++; n > most {
						end(errGone)
					}
					return nil
				})
				end(nil)
				assert.ErrorIs(t, err, errGone)
			}
			publishing.Wait()
		},
		"a reader may stop early": func(t *testing.T, another func() Sync) {
			s := another()
			for i := range 100 {
				require.NoError(t, s.Publish(t.Context(), "t", i))
			}
			assert.ErrorIs(t, s.Collect(t.Context(), "t", 100, func([]byte) error { return errGone }), errGone)
			require.NoError(t, s.Collect(t.Context(), "t", 0, nil))
			_, err := s.Signal(t.Context(), "still here")
			assert.NoError(t, err)
		},
	} {
		for kind, make := range syncs {
			t.Run(kind+"/"+name, func(t *testing.T) { test(t, make(t)) })
		}
	}
}

func TestHubForgetsWhoWaitsNoLonger(t *testing.T) {
	h := newHub()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for n := range 10 {
		require.ErrorIs(t, h.wait(ctx, "s", n+1), context.Canceled)
	}
	assert.Empty(t, h.states["s"].waiting)
}

func TestHubForgetsRunsThatAreOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		visit := func() int {
			h.enter()
			defer h.leave()
			n, err := h.signal("ready")
			require.NoError(t, err)
			return n
		}
		assert.Equal(t, 1, visit())
		<-time.After(idle - 1)
		assert.Equal(t, 2, visit(), "the run goes on")
		<-time.After(idle - 1)
		h.enter()
		<-time.After(idle)
		assert.Equal(t, 3, visit(), "somebody is there")
		h.leave()
		<-time.After(idle)
		synctest.Wait()
		assert.Equal(t, 1, visit(), "nobody was, for long")
		assert.Equal(t, len("ready")+overhead, h.held)
	})
}

func TestHubIsBounded(t *testing.T) {
	h := newHub()
	h.held = maxHeld - 2*overhead
	_, err := h.publish("t", nil)
	require.ErrorIs(t, err, ErrSync, "the topic, and the item")
	_, err = h.signal("s")
	require.ErrorIs(t, err, run.ErrHarness)
	assert.ErrorContains(t, err, "536870912 bytes of items are the most it keeps")
}

// TestAClientTakesWhatTheServiceSays: items longer than it may publish itself, and that something cannot be done.
func TestAClientTakesWhatTheServiceSays(t *testing.T) {
	addr, _, h := serveHub(t)
	c := dial(t, addr)
	long := strconv.Quote(strings.Repeat("x", 1<<20))
	_, err := h.publish(c.scope.topic("t"), []byte(long))
	require.NoError(t, err)
	require.NoError(t, c.Collect(t.Context(), "t", 1, func(item []byte) error {
		assert.Equal(t, long, string(item))
		return nil
	}))
	h.mu.Lock()
	h.held = maxHeld
	h.mu.Unlock()
	in := &Instance{Count: 2, Sync: c}
	for _, err := range []error{c.Publish(t.Context(), "t", 1), c.Wait(t.Context(), "ready", 1), in.Barrier(t.Context(), "ready")} {
		require.ErrorIs(t, err, ErrSync)
		assert.ErrorContains(t, err, "says: harness: the sync service: 536870912 bytes of items are the most it keeps")
	}
	// A run ends also where there is no room for the reason.
	h.mu.Lock()
	h.held = 0
	h.mu.Unlock()
	within, end := context.WithCancelCause(t.Context())
	defer end(nil)
	h.mu.Lock()
	_, err = h.state(c.scope.state(stateAbort))
	h.held = maxHeld
	h.mu.Unlock()
	require.NoError(t, err)
	go heed(within, dial(t, addr), end)
	c.abort("boom")
	<-within.Done()
	assert.EqualError(t, context.Cause(within), "aborted: another instance has failed")
}

func TestALostServiceEndsAllThatWaits(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	addr, stop := serveSync(t)
	c := dial(t, addr)
	waiting := make(chan error, 2)
	go func() { waiting <- c.Wait(t.Context(), "never", 1) }()
	go func() { waiting <- c.Collect(t.Context(), "never", 1, nil) }()
	_, err := c.Signal(t.Context(), "here")
	require.NoError(t, err)
	stop()
	for range 2 {
		err := <-waiting
		require.ErrorIs(t, err, ErrSync)
		assert.Equal(t, 4, run.ExitCode(err))
		assert.ErrorContains(t, err, "harness: the sync service at "+addr+" was lost: ")
	}
	assert.ErrorIs(t, c.Publish(t.Context(), "t", 1), ErrSync)
	_, err = dialSync(t.Context(), addr, scopeOf(aRun))
	require.ErrorIs(t, err, ErrSync)
	assert.ErrorContains(t, err, "cannot be reached: ")
	c.Close()
}
