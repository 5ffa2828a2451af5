package bench

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/load"
)

// resettable is a stream of which only the end is known.
type resettable struct {
	network.Stream
	reset func()
}

func (r *resettable) Reset() error { r.reset(); return nil }

// TestBrokenOffAsItBegins: a request that begins just when the turn is broken off is ended too, although its server says
// nothing.
func TestBrokenOffAsItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		done := make(chan struct{})
		w := new(worker)
		of := &turn{Config: Config{}.withDefaults(), start: time.Now(), workers: []*worker{w}}
		go func() {
			<-time.After(watching * 3 / 2)
			var s network.Stream = &resettable{reset: func() { w.began.Store(0); close(done) }}
			w.open.Store(&s)
			w.began.Store(int64(of.since()))
		}()
		of.watch(ctx, done, &meter{turn: of})
		<-done
	})
}

// TestPrompt: a request waits for a stream, and is not late, if no worker was free for it: one that has been handed another is
// not, whether it knows that already or not. But what the pacer hands out late is late, however many wait for a stream then.
func TestPrompt(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the worker does not run in between
	p := newPacer(&turn{start: time.Now()}, nil)
	got := make(chan shot, 4)
	go func() {
		for range cap(got) {
			s, _ := p.next()
			got <- s
		}
	}()
	for p.idle.Load() < 1 {
		runtime.Gosched()
	}
	for range 3 {
		p.hand(load.Shot{Due: time.Hour})
	}
	assert.True(t, (<-got).prompt)
	assert.False(t, (<-got).prompt, "the one worker has a shot coming")
	assert.False(t, (<-got).prompt)
	p.idle.Store(-5)
	p.hand(load.Shot{Due: -time.Second})
	assert.True(t, (<-got).prompt, "it should have begun a second ago")
}

// TestOpening: a server that takes connections and says nothing does not hold a request, and with it the turn, for longer
// than the timeout.
func TestOpening(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	h, err := libp2p.New(libp2p.NoListenAddrs)
	require.NoError(t, err)
	defer h.Close()
	at, err := manet.FromNetAddr(silent.Addr())
	require.NoError(t, err)
	c := Config{Server: peer.AddrInfo{ID: h.ID(), Addrs: nil}, Reuse: Nothing, Connections: 1, Streams: 1, Span: 100 * time.Millisecond,
		Timeout: 200 * time.Millisecond, Load: line("FIND_NODE", 50, time.Second)}
	c.Server.Addrs = append(c.Server.Addrs, at)
	began := time.Now()
	r, err := (&Driver{c}).Turn(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, r.Requests, r.Timeouts+r.Dropped, "%v", r.Why)
	assert.Less(t, time.Since(began), 4*time.Second, "go-libp2p gives up a handshake after 5 s")
}

// TestMeter: what is neither the server's nor ours is others'; what cannot be told is told as such.
func TestMeter(t *testing.T) {
	at := time.Unix(0, 0)
	first := reading{at: at, server: 5 * time.Second, own: time.Second, busy: 100 * time.Second, processors: 4, serverOK: true, machineOK: true}
	last := reading{at: at.Add(10 * time.Second), server: 13 * time.Second, own: 3 * time.Second, busy: 118 * time.Second, processors: 4, serverOK: true, machineOK: true}
	told := func(last reading) (r Result) {
		(&meter{first: first, last: last, ended: true}).into(&r)
		return r
	}
	r := told(last)
	assert.Equal(t, 8*time.Second, r.ServerCPU)
	assert.Equal(t, 2*time.Second, r.ClientCPU)
	assert.InDelta(t, 0.2, r.Foreign, 1e-9, "eight of forty seconds")
	for _, spoil := range []func(*reading){
		func(r *reading) { r.serverOK = false },
		func(r *reading) { r.server = 4 * time.Second },
	} {
		odd := last
		spoil(&odd)
		r := told(odd)
		assert.Negative(t, r.ServerCPU)
		assert.Negative(t, r.Foreign)
		assert.Equal(t, 2*time.Second, r.ClientCPU)
	}
	last.machineOK = false
	r = told(last)
	assert.Equal(t, 8*time.Second, r.ServerCPU)
	assert.Negative(t, r.Foreign)
}

// TestCauses: the same error of many connections is one, and of many errors no more than maxCauses are told apart.
func TestCauses(t *testing.T) {
	var of tally
	for port := range 100 {
		of.cause(fmt.Errorf("write: read tcp4 127.0.0.1:%d->127.0.0.1:4001: read: connection reset by peer", 40000+port))
		of.cause(fmt.Errorf("read udp [::1]:%d->[::1]:4001: i/o timeout", 40000+port))
		of.cause(fmt.Errorf("open: %w\nand more", context.DeadlineExceeded))
	}
	assert.Equal(t, map[string]uint64{"write: read tcp: read: connection reset by peer": 100, "read udp: i/o timeout": 100, "deadline exceeded": 100}, of.why)
	for n := range 100 {
		of.cause(fmt.Errorf("error %d", n))
	}
	assert.Len(t, of.why, maxCauses)
	assert.Equal(t, uint64(94), of.why["other errors"])
}

// TestSeconds: a server that stops answers nothing until the turn ends, and that is told.
func TestSeconds(t *testing.T) {
	of := &turn{Config: Config{Load: line("PING", 1, time.Second), Warmup: time.Second, Span: 2500 * time.Millisecond}.withDefaults()}
	var one tally
	one.answered(of, shot{}, 0, time.Second, 2)
	one.dropped(of, 2*time.Second+1)
	one.answered(of, shot{}, 0, of.Warmup+of.Span, 2)
	r := sum([]*tally{&one, {}}, of.Span)
	require.Len(t, r.Seconds, 3)
	assert.Equal(t, []uint64{1, 0, 0}, []uint64{r.Seconds[0].Answered, r.Seconds[1].Answered, r.Seconds[2].Answered})
	assert.Equal(t, []uint64{0, 1, 0}, []uint64{r.Seconds[0].Errors, r.Seconds[1].Errors, r.Seconds[2].Errors})
	assert.Equal(t, uint64(1), r.Ended)
}
