package network

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kadbench/kadbench/kad/wire"
)

// countingHost counts what leaves a host, below the implementation, which is not asked: a request is a frame that is
// written to a stream which this host opened, an answer one that is read from it. Its name and its peers are the host's.
type countingHost struct {
	host.Host
	own      bool // it was opened for the node, and closes with it
	notified *network.NotifyBundle
	mood     mood

	requests, failed, dials atomic.Uint64

	watching atomic.Int32 // keys in watched
	mu       sync.Mutex
	watched  map[string]*tally
}

// counter is a node below which is counted: one in this process.
type counter interface{ counted() *countingHost }

// spent is what was sent about one key.
type spent struct {
	requests, failed uint32
	bytes            uint64 // of the requests and their answers
}

// tally counts the requests about one key.
type tally struct {
	watchers int
	spent
}

func counting(h host.Host, own bool) *countingHost {
	c := &countingHost{Host: h, own: own, watched: make(map[string]*tally)}
	c.notified = &network.NotifyBundle{ConnectedF: func(_ network.Network, conn network.Conn) {
		if conn.Stat().Direction == network.DirOutbound {
			c.dials.Add(1)
		}
	}}
	h.Network().Notify(c.notified)
	return c
}

// release leaves the host alone again, and closes it if it was opened for the node.
func (h *countingHost) release() error {
	h.Host.Network().StopNotify(h.notified)
	if h.own {
		return h.Host.Close()
	}
	return nil
}

func (h *countingHost) stats() Stats {
	return Stats{Requests: h.requests.Load(), Failed: h.failed.Load(), Dials: h.dials.Load()}
}

// watch counts what is asked about a key until stop is called, which tells it. Two that watch the same key at once share
// what is counted.
func (h *countingHost) watch(key string) (stop func() spent) {
	h.mu.Lock()
	t := h.watched[key]
	if t == nil {
		t = &tally{}
		h.watched[key] = t
		h.watching.Add(1)
	}
	t.watchers++
	before := *t
	h.mu.Unlock()
	return func() spent {
		h.mu.Lock()
		defer h.mu.Unlock()
		if t.watchers--; t.watchers == 0 {
			delete(h.watched, key)
			h.watching.Add(-1)
		}
		return spent{requests: t.requests - before.requests, failed: t.failed - before.failed, bytes: t.bytes - before.bytes}
	}
}

// sent counts a request with the tally of its key, and returns that; nil if nobody watches it.
func (h *countingHost) sent(key []byte, size uint64) *tally {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.watched[string(key)]
	if t != nil {
		t.requests++
		t.bytes += size
	}
	return t
}

func (h *countingHost) add(t *tally, failed uint32, bytes uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.failed += failed
	t.bytes += bytes
}

func (h *countingHost) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, p, protocols...)
	return h.count(s, err)
}

func (h *countingHost) Network() network.Network { return countingNetwork{h.Host.Network(), h} }

func (h *countingHost) count(s network.Stream, err error) (network.Stream, error) {
	if err != nil {
		return nil, err
	}
	return &countedStream{Stream: s, host: h}, nil
}

// countingNetwork counts what goes past the host.
type countingNetwork struct {
	network.Network
	host *countingHost
}

func (n countingNetwork) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	s, err := n.Network.NewStream(ctx, p)
	return n.host.count(s, err)
}

// countedStream takes apart what is written to it and what is read.
type countedStream struct {
	network.Stream
	host *countingHost

	mu      sync.Mutex
	sent    []byte    // the beginning of a frame of which the rest is not yet written
	asked   []*tally  // of the requests that have no answer yet, oldest first; nil: nobody watches
	in      answering // what is being read
	writing int       // so many writes are under way
	early   []uint64  // the sizes of answers that came before the write of their request had returned
}

func (s *countedStream) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.writing++
	s.mu.Unlock()
	n, err := s.Stream.Write(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil { // a stream that the peer has reset meanwhile takes nothing
		s.count(b)
	}
	if s.writing--; s.writing == 0 {
		s.early = nil
	}
	return n, err
}

func (s *countedStream) count(b []byte) {
	if len(s.sent) > 0 {
		s.sent = append(s.sent, b...)
		b = s.sent
	}
	for {
		size, n := binary.Uvarint(b)
		if n <= 0 || uint64(len(b)-n) < size {
			s.sent = append(s.sent[:0], b...)
			return
		}
		body := b[n : n+int(size)]
		b = b[n+int(size):]
		if size == 0 || body[0] != negotiation {
			s.request(body, n)
		}
	}
}

// negotiation is the first byte of a protocol's name. What negotiates it has the form of frames; no message begins so.
const negotiation = '/'

func (s *countedStream) request(body []byte, prefix int) {
	s.host.requests.Add(1)
	kind, key := about(body)
	var t *tally
	if s.host.watching.Load() > 0 {
		t = s.host.sent(key, uint64(prefix+len(body)))
	}
	switch {
	case kind == wire.AddProvider: // which nobody answers
	case len(s.early) > 0:
		s.answered(t, s.early[0])
		s.early = s.early[1:]
	default:
		s.asked = append(s.asked, t)
	}
}

func (s *countedStream) answered(t *tally, size uint64) {
	if t != nil {
		s.host.add(t, 0, size)
	}
}

// about finds a request's type and key, which is all that is needed of it; where it cannot be read it has neither.
func about(body []byte) (kind wire.Type, key []byte) {
	for len(body) > 0 {
		tag, n := binary.Uvarint(body)
		if n <= 0 {
			return kind, nil
		}
		body = body[n:]
		v, n := binary.Uvarint(body)
		if n <= 0 {
			return kind, nil
		}
		body = body[n:]
		switch {
		case tag == 1<<3: // the type, a number
			kind = wire.Type(v)
		case tag&7 != 2 || v > uint64(len(body)):
			return kind, nil
		case tag == 2<<3|2: // the key, bytes
			return kind, body[:v]
		default:
			body = body[v:]
		}
	}
	return kind, nil
}

func (s *countedStream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	for part := b[:n]; len(part) > 0; {
		var size uint64
		switch part, size = s.in.take(part); {
		case size == 0:
		case len(s.asked) > 0:
			s.answered(s.asked[0], size)
			s.asked = s.asked[1:]
		case s.writing > 0:
			s.early = append(s.early, size)
		}
	}
	if err != nil { // a deadline that has passed, too: the next answer would be taken for this one
		s.unanswered()
	}
	return n, err
}

// unanswered counts the requests that get no answer any more.
func (s *countedStream) unanswered() {
	for _, t := range s.asked {
		s.host.failed.Add(1)
		if t != nil {
			s.host.add(t, 1, 0)
		}
	}
	s.asked = nil
}

func (s *countedStream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unanswered()
}

func (s *countedStream) Close() error {
	s.end()
	return s.Stream.Close()
}

func (s *countedStream) Reset() error {
	s.end()
	return s.Stream.Reset()
}

func (s *countedStream) ResetWithError(code network.StreamErrorCode) error {
	s.end()
	return s.Stream.ResetWithError(code)
}

// answering finds the ends of frames in what comes piece by piece.
type answering struct {
	prefix  [binary.MaxVarintLen64]byte
	have    int    // bytes of prefix
	size    uint64 // of the frame, with its prefix; 0: its prefix is not whole yet
	left    uint64 // of its body
	ignored bool   // it is of the negotiation
}

// take reads up to the end of a frame and returns what is left, and the size of the frame if it is whole and an answer.
func (a *answering) take(b []byte) (rest []byte, size uint64) {
	for a.size == 0 && len(b) > 0 {
		if a.have == len(a.prefix) {
			return nil, 0 // no frame begins so; whoever reads it gives the stream up
		}
		a.prefix[a.have] = b[0]
		a.have++
		b = b[1:]
		if v, n := binary.Uvarint(a.prefix[:a.have]); n > 0 {
			a.size, a.left = v+uint64(n), v
			a.ignored = v == 0
		}
	}
	if a.size == 0 {
		return b, 0
	}
	if a.left > 0 && a.left == a.size-uint64(a.have) && len(b) > 0 {
		a.ignored = b[0] == negotiation
	}
	n := min(a.left, uint64(len(b)))
	a.left -= n
	if a.left > 0 {
		return nil, 0
	}
	if !a.ignored {
		size = a.size
	}
	*a = answering{}
	return b[n:], size
}
