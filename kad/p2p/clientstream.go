package p2p

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

const (
	// rest is how long a stream stays unused after a reply before it is used again. FIND_NODE replies name no key, so
	// a second answer to the last request could pass for the answer to the next; one that comes within a rest is
	// noticed, and the stream is dropped. A lookup asks each peer once, so the rest costs it nothing.
	rest = 100 * time.Millisecond

	// maxRest is when an idle stream is closed: js-libp2p and go-libp2p-kad-dht drop theirs after 10 s and 60 s.
	maxRest = 9 * time.Second

	// maxIdle is how many idle streams are kept for a peer: one stream serves one lookup at a time, and more than a few
	// lookups at once seldom ask the same peer.
	maxIdle = 4

	// confirm is how long we wait for a peer to end its side of a stream. That of an ADD_PROVIDER tells that it was read:
	// it has no reply, and a peer that keeps the stream open has it too, as far as we can tell.
	confirm = time.Second
)

// clientStream is an outbound stream with one request in flight. A goroutine reads it from the first request on, so
// that what comes unasked, or the peer's end of the stream, is noticed while it rests.
type clientStream struct {
	o       *outbound
	s       network.Stream
	peer    peer.ID
	once    bool        // it serves one request, and its place is free when the peer has ended it too
	replies chan []byte // the body of the reply to the one request in flight; closed when the reader has ended
	err     error       // why it has; read after replies was closed

	reading bool // the reader runs

	mu     sync.Mutex
	asking bool // a request is in flight

	// Guarded by outbound.mu.
	rested time.Time // since when it rests
	timer  *time.Timer
	ended  bool // the reader has ended: it must not rest
}

// take takes a stream that has rested long enough; nil: there is none. ADD_PROVIDER gets a fresh one always, since it
// is not used again.
func (o *outbound) take(r *request) *clientStream {
	if r.kind == kad.SendAddProvider {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.peers[r.peer]
	if q == nil || o.crowded(q) || len(q.idle) == 0 || time.Since(q.idle[0].rested) < rest {
		return nil
	}
	st := q.idle[0]
	q.idle = q.idle[1:]
	st.timer.Stop()
	return st
}

// park lets a stream rest for the next request, or ends it. To end one may wait for a peer that does not read, so that
// is never done under a lock.
func (o *outbound) park(st *clientStream) {
	switch kept, crowded := o.keep(st); {
	case kept:
	case crowded:
		st.finish()
	default:
		st.discard()
	}
}

// keep puts a stream among those at rest, if there is a place.
func (o *outbound) keep(st *clientStream) (kept, crowded bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue(st.peer)
	crowded = o.crowded(q)
	if o.closed || st.ended || len(q.idle) >= maxIdle || crowded {
		o.forget(st.peer, q)
		return false, crowded
	}
	st.rested = time.Now()
	st.timer = time.AfterFunc(maxRest, st.drop)
	q.idle = append(q.idle, st)
	return true, false
}

// crowded says whether more than half of the streams that a peer may allow are open. o.mu is held.
//
// Then none rests any more, and each is used once and ended on both sides before its place goes to the next request, which
// mostly costs no time: the peer's end comes with its answer. For a stream that we reset may count a little longer with the
// peer, and at its limit the peer resets the next one. Below the half, as many may be ending as are open.
func (o *outbound) crowded(q *peerQueue) bool {
	return len(q.waiting) > 0 || q.running+len(q.idle) > o.n.limits.OutboundRequests/2
}

// makeRoom ends the streams at rest if one more request makes a crowd. Each holds a place until it has ended, and then a
// request that waits gets it. o.mu is held.
func (o *outbound) makeRoom(q *peerQueue) {
	if q.running+len(q.idle)+1 <= o.n.limits.OutboundRequests/2 {
		return
	}
	for _, st := range q.idle {
		st.timer.Stop()
		q.running++
		o.n.work.Go(func() {
			st.finish()
			if r := o.next(q, st.peer); r != nil {
				o.run(q, r)
			}
		})
	}
	q.idle = nil
}

// busy is crowded for those who do not hold the lock.
func (o *outbound) busy(p peer.ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.crowded(o.queue(p))
}

// drop takes a stream out of those at rest and ends it.
func (st *clientStream) drop() {
	o := st.o
	o.mu.Lock()
	st.ended = true
	if q := o.peers[st.peer]; q != nil {
		for i, other := range q.idle {
			if other == st {
				st.timer.Stop()
				q.idle = append(q.idle[:i:i], q.idle[i+1:]...)
				break
			}
		}
		o.forget(st.peer, q)
	}
	o.mu.Unlock()
	st.discard()
}

// finish ends a stream on which nothing is asked, and waits until the peer has ended it too, or its time is up.
func (st *clientStream) finish() {
	stop := context.AfterFunc(st.o.n.ctx, st.discard)
	defer stop()
	_ = st.s.CloseWrite()
	_ = st.s.SetReadDeadline(time.Now().Add(confirm))
	for range st.replies { // until the reader has seen the end, and discards the stream
	}
}

func (st *clientStream) discard() { _ = st.s.Reset() }

// client makes the client's side of a stream. With room for the one reply, the reader never waits for an asker who has
// given up.
func (o *outbound) client(s network.Stream, r *request) *clientStream {
	return &clientStream{o: o, s: s, peer: r.peer, replies: make(chan []byte, 1), once: o.busy(r.peer)}
}

// ask sends a request and makes the input of its reply. again: the stream had rested and was dead before the reply
// began, so another may do. Whether the peer has read the request cannot be told; to be asked the same once more does
// no harm (unsettled says why).
func (st *clientStream) ask(ctx context.Context, r *request) (in kad.Input, why kad.ErrorKind, again bool) {
	frame := r.frame(st.o.n)
	used := st.reading
	st.mu.Lock()
	st.asking = true
	st.mu.Unlock()
	_ = st.s.SetDeadline(r.deadline)
	stop := context.AfterFunc(ctx, st.discard)
	defer stop()
	if _, err := st.s.Write(frame); err != nil {
		st.discard()
		return in, st.why(ctx, err), used && !late(ctx, err)
	}
	if r.kind == kad.SendAddProvider {
		in, why = st.announced(ctx, r)
		return in, why, false
	}
	if st.once {
		_ = st.s.CloseWrite()
	}
	if !used {
		st.reading = true
		st.o.n.work.Go(st.read)
	}
	body, replied := <-st.replies
	if !replied {
		again = errors.Is(st.err, errBeforeReply) || errors.Is(st.err, errUnasked)
		return in, st.why(ctx, st.err), used && again && !late(ctx, st.err)
	}
	in, why = st.o.n.understand(r, body)
	if why != kad.ErrNone {
		st.discard()
		return in, why, false
	}
	st.o.n.confirm(st.s.Conn())
	if st.once {
		st.finish()
		return in, why, false
	}
	_ = st.s.SetDeadline(time.Time{})
	if stop() { // else the context ended meanwhile, and the stream with it
		st.o.park(st)
	}
	return in, why, false
}

// late says whether a request failed because its time was up, which no other stream can help.
func late(ctx context.Context, err error) bool { return ctx.Err() != nil || isTimeout(err) }

// announced ends an ADD_PROVIDER. The peer has no reply to make, but most end their side when they have read it, and a
// few echo it; a reset means that it was refused. That it speaks the protocol at all it must have said: one that is silent
// to the proposal, too, has been told nothing.
func (st *clientStream) announced(ctx context.Context, r *request) (kad.Input, kad.ErrorKind) {
	defer st.discard()
	in := kad.Input{Kind: kad.AddProviderRes, Peer: kad.PeerInfo{ID: []byte(r.peer)}, Query: r.query, Key: r.key}
	if err := st.s.CloseWrite(); err != nil {
		return kad.Input{}, st.why(ctx, err)
	}
	if lazy, ok := st.s.(*lazyStream); ok {
		if err := lazy.agree(); err != nil {
			return kad.Input{}, st.why(ctx, err)
		}
	}
	_ = st.s.SetReadDeadline(time.Now().Add(confirm))
	switch _, err := st.s.Read(make([]byte, 1)); {
	case err == nil, errors.Is(err, io.EOF):
		st.o.n.confirm(st.s.Conn())
	case ctx.Err() != nil || !isTimeout(err):
		return kad.Input{}, st.why(ctx, err)
	}
	return in, kad.ErrNone
}

var (
	errBeforeReply = errors.New("the stream ended before the reply")
	errUnasked     = errors.New("a message that nobody asked for")
)

// read hands on one frame for each request and ends the stream at anything else.
func (st *clientStream) read() {
	defer close(st.replies)
	r := bufio.NewReaderSize(st.s, 4<<10)
	for {
		_, err := r.Peek(1)
		if err != nil {
			st.err = errors.Join(errBeforeReply, err)
			break
		}
		st.mu.Lock()
		asked := st.asking
		st.mu.Unlock()
		if !asked {
			st.err = errUnasked
			break
		}
		body, err := wire.ReadFrame(r, nil, st.o.n.limits.ReceiveBytes)
		if err != nil {
			st.err = err
			break
		}
		st.mu.Lock()
		st.asking = false
		st.mu.Unlock()
		st.replies <- body
	}
	st.drop()
}

// why is the kind of a failure for the core.
func (st *clientStream) why(ctx context.Context, err error) kad.ErrorKind {
	if ctx.Err() != nil {
		return kad.ErrTimeout
	}
	return kindOf(err)
}

func kindOf(err error) kad.ErrorKind {
	var malformed *wire.Error
	switch {
	case errors.Is(err, multistream.ErrNotSupported[protocol.ID]{}):
		return kad.ErrUnsupported
	case isTimeout(err):
		return kad.ErrTimeout
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return kad.ErrRefused
	case errors.Is(err, network.ErrReset), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return kad.ErrReset
	case errors.As(err, &malformed), errors.Is(err, errUnasked):
		return kad.ErrInvalid
	}
	return kad.ErrReset
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &t) && t.Timeout()
}
