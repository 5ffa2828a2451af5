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

// confirm is how long we wait for a peer to end its side of a stream. That of an ADD_PROVIDER tells that it was read:
// it has no reply, and a peer that keeps the stream open has it too, as far as we can tell.
const confirm = time.Second

// readReply is what a stream reads ahead: the length of a frame, and all of a small one. The rest of a larger one is
// read into the place where it stays.
const readReply = 512

// clientStream is an outbound stream with one request in flight. A goroutine reads it from the first request on, so
// that what comes unasked, or the peer's end of the stream, is noticed while it rests. Where a look at a stream need not
// wait for anything, that goroutine ends when the stream has rested for a while, and the next request looks first.
type clientStream struct {
	o       *outbound
	s       network.Stream
	peer    peer.ID
	dozes   bool        // its reader may end while it rests
	once    bool        // it serves one request, and its place is free when the peer has ended it too
	replies chan []byte // the body of the reply to the one request in flight; closed when the reader has ended
	err     error       // why it has; read after replies was closed

	mu      sync.Mutex
	used    bool // a request was sent
	reading bool // the reader runs
	asking  bool // a request is in flight
	dozing  bool // the reader was told to end

	// Guarded by outbound.mu.
	rested time.Time // since when it rests
	timer  *time.Timer
	ended  bool // it ends, or its reader has: it must not rest
}

// finish ends a stream on which nothing is asked, and waits until the peer has ended it too, or its time is up.
func (st *clientStream) finish() {
	stop := context.AfterFunc(st.o.n.ctx, st.discard)
	defer stop()
	_ = st.s.CloseWrite()
	_ = st.s.SetReadDeadline(time.Now().Add(confirm))
	st.mu.Lock()
	reading := st.reading
	st.dozing = false // from now on the reader waits for the end
	st.mu.Unlock()
	if !reading {
		_, _ = st.s.Read(make([]byte, 1))
		st.discard()
		return
	}
	for range st.replies { // until the reader has seen the end, and discards the stream
	}
}

func (st *clientStream) discard() { _ = st.s.Reset() }

// client makes the client's side of a stream. With room for the one reply, the reader never waits for an asker who has
// given up.
func (o *outbound) client(s network.Stream, r *request) *clientStream {
	return &clientStream{o: o, s: s, peer: r.peer, dozes: canDoze(s), replies: make(chan []byte, 1), once: o.busy(r.peer)}
}

// ask sends a request and makes the input of its reply. again: the stream had rested and was dead before the reply
// began, so another may do. Whether the peer has read the request cannot be told; to be asked the same once more does
// no harm (unsettled says why).
func (st *clientStream) ask(ctx context.Context, r *request) (in kad.Input, why kad.ErrorKind, again bool) {
	frame := r.frame(st.o.n)
	st.mu.Lock()
	used, reading := st.used, st.reading
	st.used, st.asking = true, true
	st.mu.Unlock()
	if used && !reading {
		if err := st.look(); err != nil {
			st.discard()
			return in, st.why(ctx, err), !late(ctx, err)
		}
	}
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
	if !reading {
		st.mu.Lock()
		st.reading = true
		st.mu.Unlock()
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
	end := st.discard
	defer func() { end() }()
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
	default: // it may not have read the request yet, and to reset the stream would take that from it
		end = func() { _ = st.s.Close() }
	}
	return in, kad.ErrNone
}

var (
	errBeforeReply = errors.New("the stream ended before the reply")
	errUnasked     = errors.New("a message that nobody asked for")
)

// look says what is wrong with a stream that rests without a reader: something came, or the peer has ended it. Its read
// deadline is over, so the look does not wait.
func (st *clientStream) look() error {
	switch n, err := st.s.Read(make([]byte, 1)); {
	case n > 0:
		return errUnasked
	case !isTimeout(err):
		return errors.Join(errBeforeReply, err)
	}
	return nil
}

// read hands on one frame for each request and ends the stream at anything else.
func (st *clientStream) read() {
	r := bufio.NewReaderSize(st.s, readReply)
	for {
		_, err := r.Peek(1)
		if isTimeout(err) {
			switch st.doze() {
			case asleep:
				return
			case roused:
				continue
			}
		}
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
	close(st.replies)
}

// why is the kind of a failure for the core. A connection over QUIC that ends tells its streams so before it is closed: so it is
// closed here, and the request is tried again on another one.
func (st *clientStream) why(ctx context.Context, err error) kad.ErrorKind {
	if errors.As(err, new(*network.ConnError)) {
		_ = st.s.Conn().Close()
	}
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
