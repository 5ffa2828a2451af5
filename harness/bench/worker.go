package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/kad/wire"
)

// errAnswer: what came is no answer to what was asked.
var errAnswer = errors.New("an answer of another type")

// readAhead of a stream: an answer with 20 peers has some 1.6 KB.
const readAhead = 4 << 10

// pause after a stream or connection could not be opened: without it a closed load on a server that takes none would do
// nothing but fail, as fast as it can.
const pause = 10 * time.Millisecond

// worker is one stream's place: it asks one request after another.
type worker struct {
	turn     *turn
	client   *client
	requests *requests
	tally    *tally

	stream network.Stream
	r      *bufio.Reader
	buf    []byte
	asked  uint64 // answers that could be judged so far, and where in a round of them the worker begins

	// The watch resets open when began is too long ago, so that no request needs a timer of its own.
	began atomic.Int64 // nanoseconds since the turn began; 0: it rests
	open  atomic.Pointer[network.Stream]
}

// prepare opens what the worker's first request finds open.
func (w *worker) prepare(ctx context.Context) error {
	if w.turn.Reuse == Streams {
		return w.use(ctx)
	}
	return nil
}

func (w *worker) use(ctx context.Context) error {
	s, err := w.client.open(ctx)
	if err != nil {
		return err
	}
	w.stream = s
	w.open.Store(&s)
	if w.r == nil {
		w.r = bufio.NewReaderSize(s, readAhead)
	} else {
		w.r.Reset(s)
	}
	return nil
}

// run does the shots that next hands out, until there are no more.
func (w *worker) run(ctx context.Context, next func() (shot, bool)) {
	defer w.drop()
	for ctx.Err() == nil {
		s, ok := next()
		if !ok {
			return
		}
		w.shoot(ctx, s)
	}
}

// shot is one request with the moment at which it is due.
type shot struct {
	load.Shot
	// prompt: nothing but the generator keeps it from beginning when it is due. Else it waits for a stream.
	prompt bool
}

// shoot carries out one request and counts it.
func (w *worker) shoot(ctx context.Context, s shot) {
	t := w.turn
	began := t.since()
	if t.Closed {
		s.Due = began
	}
	if began-s.Due > t.Timeout {
		w.tally.dropped(t, s.Due)
		return
	}
	w.began.Store(int64(max(began, 1)))
	body, err := w.ask(ctx, s.Op)
	w.began.Store(0)
	ended := t.since()
	if err == nil {
		w.tally.answered(t, s, began, ended, len(body))
		w.judge(s, body)
		return
	}
	w.drop()
	if ctx.Err() != nil && !t.over(ended) {
		return // the turn was broken off
	}
	if ended-began >= t.Timeout {
		w.tally.timedOut(t, s, began, ended)
		return
	}
	w.tally.failed(t, s, began, ended, err)
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// ask sends a request and returns the body of the answer, none for ADD_PROVIDER, which has no answer: it is done when it
// has been written, or on a stream of its own when the server has ended that.
func (w *worker) ask(ctx context.Context, op load.Op) ([]byte, error) {
	if w.stream == nil { // there is nothing yet that the watch could reset
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.turn.Timeout)
		defer cancel()
	}
	if w.turn.Reuse == Nothing {
		if err := w.client.connect(ctx); err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		defer w.client.disconnect()
	}
	if w.stream == nil {
		if err := w.use(ctx); err != nil {
			return nil, fmt.Errorf("open: %w", err)
		}
	}
	frame, kind := w.requests.make(op)
	if _, err := w.stream.Write(frame); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	var body []byte
	if kind != wire.AddProvider {
		var err error
		if body, err = wire.ReadFrame(w.r, w.buf, wire.MaxReceive); err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		w.buf = body[:0]
		if !answers(body, kind) {
			return nil, errAnswer
		}
	}
	if w.turn.Reuse != Streams {
		w.finish(kind)
	}
	return body, nil
}

// finish ends a stream that carried one request.
func (w *worker) finish(kind wire.Type) {
	if kind == wire.AddProvider && w.stream.CloseWrite() == nil {
		_, _ = w.r.Peek(1) // its end: the server has read all of it
	}
	_ = w.stream.Close()
	w.stream = nil
	w.open.Store(nil)
}

// drop resets the stream, if there is one: the next request opens another.
func (w *worker) drop() {
	if w.stream != nil {
		_ = w.stream.Reset()
		w.stream = nil
		w.open.Store(nil)
	}
}

// judge compares one answer in so many with the truth.
func (w *worker) judge(s shot, body []byte) {
	t := w.turn
	if t.Truth == nil || types[s.Op.Kind] != wire.FindNode || !t.measured(s.Due) {
		return
	}
	w.asked++
	if w.asked*uint64(t.Judge)%1_000_000 < uint64(t.Judge) {
		w.tally.judged(t.Truth.holds(w.requests.key, body))
	}
}
