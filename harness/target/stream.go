package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	// readSize is the buffer of one stream's reader: a reply with 20 peers of 3 addresses has 1.6 KB.
	readSize = 4 << 10
	// pendingLimit is how many bytes of frames may wait for Next; then the stream is not read until some are taken.
	// Four of the largest frames: more than any plan has in flight on one stream.
	pendingLimit = 4 * FrameLimit
)

// ErrEnded says that the stream's end was already taken by an earlier Next.
var ErrEnded = errors.New("stream has ended")

// EventKind says what came on a stream.
type EventKind int

const (
	Frame      EventKind = iota // a frame; Body and Raw
	EOF                         // the peer ended its writing, between two frames
	Reset                       // the peer reset the stream, or the connection ended; Code, and in Raw a frame cut short
	Unreadable                  // no frame: a bad length, or an end within a frame; Raw and Err. The stream's end still follows
	Closed                      // we closed or reset the stream ourselves
)

func (k EventKind) String() string {
	return [...]string{"frame", "eof", "reset", "unreadable", "closed"}[k]
}

// Event is one thing that came on a stream. Its slices are the receiver's to keep.
type Event struct {
	Kind EventKind
	At   time.Time // when its last byte was read
	Body []byte    // of a frame: the message
	Raw  []byte    // as it came, the length included
	Code uint32    // of a reset: the error code that the transport carried, 0 if none
	Err  error     // of a reset, or of what was unreadable
}

// Stream is one stream of a puppet. Writing puts bytes on the wire as they are; receiving cuts them into frames and
// keeps their order and times. Its methods may be called from several goroutines.
type Stream struct {
	raw   network.Stream
	proto string
	lazy  bool
	hear  func(Event) // called for each frame, when it comes

	reading sync.Mutex // held by the one who reads raw: the reader, or for a lazy stream whoever waits in Next
	cut     frames
	buf     []byte

	mu      sync.Mutex
	queue   []Event
	pending int           // bytes of queue
	change  chan struct{} // closed and replaced when queue, pending or over change
	over    bool          // the end is in the queue, or was taken
	ours    bool          // we closed or reset it
}

func newStream(raw network.Stream, proto string, lazy bool, hear func(Event)) *Stream {
	s := &Stream{raw: raw, proto: proto, lazy: lazy, hear: hear, buf: make([]byte, readSize), change: make(chan struct{})}
	if !lazy {
		go s.readAll()
	}
	return s
}

// Protocol is the protocol that was agreed on.
func (s *Stream) Protocol() string { return s.proto }

// ID names the stream within this process.
func (s *Stream) ID() string { return s.raw.ID() }

// Write puts bytes on the stream as they are. It ends with the context when the peer does not read; what was written of
// b until then cannot be told.
func (s *Stream) Write(ctx context.Context, b []byte) error {
	stop := context.AfterFunc(ctx, func() { s.raw.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := s.raw.Write(b)
	if !stop() && ctx.Err() != nil {
		s.raw.SetWriteDeadline(time.Time{})
		if err != nil {
			return fmt.Errorf("write of %d bytes: %w", len(b), ctx.Err())
		}
	}
	if err != nil {
		return fmt.Errorf("write of %d bytes: %w", len(b), asReset(err))
	}
	return nil
}

// CloseWrite ends our writing; the peer reads an end, and may go on writing.
func (s *Stream) CloseWrite() error { return asReset(s.raw.CloseWrite()) }

// Close ends the stream on both sides; what was written is still delivered.
func (s *Stream) Close() error {
	s.end()
	return s.raw.Close()
}

// Reset breaks the stream on both sides.
func (s *Stream) Reset() error {
	s.end()
	return s.raw.Reset()
}

func (s *Stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ours = true
	if !s.over {
		s.put(Event{Kind: Closed, At: time.Now()})
	}
}

// Next waits for the next event, in the order in which they came. After the end of the stream was taken it answers
// ErrEnded; when the context ends first, the context's error.
func (s *Stream) Next(ctx context.Context) (Event, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			e := s.queue[0]
			s.queue = s.queue[1:]
			s.pending -= len(e.Raw)
			s.changed()
			s.mu.Unlock()
			return e, nil
		}
		over, change := s.over, s.change
		s.mu.Unlock()
		if over {
			return Event{}, ErrEnded
		}
		if err := ctx.Err(); err != nil {
			return Event{}, err
		}
		if s.lazy {
			s.readOnce(ctx)
			continue
		}
		select {
		case <-change:
		case <-ctx.Done():
		}
	}
}

// Peek is the next event if one has come; it stays the next.
func (s *Stream) Peek() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return Event{}, false
	}
	return s.queue[0], true
}

// readAll is the reader of an eager stream.
func (s *Stream) readAll() {
	for s.room() {
		s.reading.Lock()
		s.read()
		s.reading.Unlock()
	}
}

// room waits until more may be read; false when the stream is over.
func (s *Stream) room() bool {
	for {
		s.mu.Lock()
		over, full, change := s.over, s.pending >= pendingLimit, s.change
		s.mu.Unlock()
		if over || !full {
			return !over
		}
		<-change
	}
}

// readOnce reads a lazy stream until something came or the context ended. The frame begun is kept for the next time.
func (s *Stream) readOnce(ctx context.Context) {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.raw.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { s.raw.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	s.read()
}

// read reads once, and puts what came into the queue. Callers hold reading.
func (s *Stream) read() {
	n, err := s.raw.Read(s.buf)
	now := time.Now()
	wasBad := s.cut.bad
	s.cut.feed(s.buf[:n], func(raw, body []byte) {
		e := Event{Kind: Frame, At: now, Raw: raw, Body: body}
		if s.hear != nil {
			s.hear(e)
		}
		s.add(e)
	})
	if s.cut.bad != nil && wasBad == nil {
		s.add(Event{Kind: Unreadable, At: now, Raw: s.cut.rest(), Err: s.cut.bad})
	}
	switch {
	case err == nil || s.lazy && isTimeout(err):
		return
	case err == io.EOF:
		if rest := s.cut.rest(); len(rest) > 0 && s.cut.bad == nil {
			s.add(Event{Kind: Unreadable, At: now, Raw: rest, Err: fmt.Errorf("%w: the stream ended %d bytes into a frame", ErrUnreadable, len(rest))})
		}
		s.add(Event{Kind: EOF, At: now})
	default:
		e := Event{Kind: Reset, At: now, Err: err}
		if s.cut.bad == nil {
			e.Raw = s.cut.rest()
		}
		var se *network.StreamError
		if errors.As(err, &se) {
			e.Code = uint32(se.ErrorCode)
		}
		s.add(e)
	}
}

func (s *Stream) add(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over { // after our own Close nothing counts
		s.put(e)
	}
}

// put and changed are called under mu.
func (s *Stream) put(e Event) {
	s.queue = append(s.queue, e)
	s.pending += len(e.Raw)
	s.over = e.Kind != Frame && e.Kind != Unreadable
	s.changed()
}

func (s *Stream) changed() {
	close(s.change)
	s.change = make(chan struct{})
}

// asReset gives the muxers' many errors of a broken stream one name.
func asReset(err error) error {
	if err == nil || isTimeout(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrReset, err)
}

// isTimeout: yamux has an error of its own for a deadline, QUIC the standard one.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
