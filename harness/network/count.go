package network

import (
	"bytes"
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
	hops             uint32 // 0: none
	bytes            uint64 // of the requests and their answers
}

// tally counts the requests about one key.
type tally struct {
	watchers int
	spent
	chains *chains // nil: several searched for the key at once, and whose answer is whose cannot be told
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

// watch counts what is asked about a key by a node with such a table until stop is called with what was found, which tells
// it. Two that watch the same key at once share what is counted, and hops are neither's.
func (h *countingHost) watch(key string, k int, table []peer.ID) (stop func(result []peer.ID) spent) {
	c := chainsTo(key, k, table)
	h.mu.Lock()
	t := h.watched[key]
	if t == nil {
		t = &tally{chains: c}
		h.watched[key] = t
		h.watching.Add(1)
	} else {
		t.chains = nil
	}
	t.watchers++
	before := t.spent
	h.mu.Unlock()
	return func(result []peer.ID) spent {
		h.mu.Lock()
		defer h.mu.Unlock()
		if t.watchers--; t.watchers == 0 {
			delete(h.watched, key)
			h.watching.Add(-1)
		}
		s := spent{requests: t.requests - before.requests, failed: t.failed - before.failed, bytes: t.bytes - before.bytes}
		if t.chains != nil {
			s.hops = uint32(t.chains.longest(result))
			t.chains = nil
		}
		return s
	}
}

// sent counts a request with the tally of its key, and returns that; nil if nobody watches it.
func (h *countingHost) sent(kind wire.Type, key []byte, to peer.ID, size uint64) *tally {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.watched[string(key)]
	if t != nil {
		t.requests++
		t.bytes += size
		if t.chains != nil {
			t.chains.ask(kind, to)
		}
	}
	return t
}

func (h *countingHost) failedOne(t *tally) {
	h.failed.Add(1)
	if t != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.failed++
	}
}

func (h *countingHost) answered(t *tally, from peer.ID, a answer) {
	if t == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t.bytes += a.size
	if t.chains != nil {
		t.chains.answer(from, a.body)
	}
}

func (h *countingHost) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, p, protocols...)
	return h.count(s, p, err)
}

func (h *countingHost) Network() network.Network { return countingNetwork{h.Host.Network(), h} }

func (h *countingHost) count(s network.Stream, p peer.ID, err error) (network.Stream, error) {
	if err != nil {
		return nil, err
	}
	return &countedStream{Stream: s, host: h, peer: p}, nil
}

// countingNetwork counts what goes past the host.
type countingNetwork struct {
	network.Network
	host *countingHost
}

func (n countingNetwork) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	s, err := n.Network.NewStream(ctx, p)
	return n.host.count(s, p, err)
}

// countedStream takes apart what is written to it and what is read.
type countedStream struct {
	network.Stream
	host *countingHost
	peer peer.ID

	mu      sync.Mutex
	sent    []byte    // the beginning of a frame of which the rest is not yet written
	asked   []*tally  // of the requests that have no answer yet, oldest first; nil: nobody watches
	in      answering // what is being read
	writing int       // so many writes are under way
	early   []answer  // that came before the write of their request had returned
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
		t = s.host.sent(kind, key, s.peer, uint64(prefix+len(body)))
	}
	switch {
	case kind == wire.AddProvider: // which nobody answers
	case len(s.early) > 0:
		s.host.answered(t, s.peer, s.early[0])
		s.early = s.early[1:]
	default:
		s.asked = append(s.asked, t)
	}
}

func (s *countedStream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	for part := b[:n]; len(part) > 0; {
		var a answer
		switch part, a = s.in.take(part, s.matters()); {
		case a.size == 0:
		case len(s.asked) > 0:
			s.host.answered(s.asked[0], s.peer, a)
			s.asked = s.asked[1:]
		case s.writing > 0 && len(s.early) < maxEarly:
			s.early = append(s.early, answer{a.size, bytes.Clone(a.body)})
		}
		if a.size > 0 {
			s.in.drop()
		}
	}
	if err != nil { // a deadline that has passed, too: the next answer would be taken for this one
		s.unanswered()
	}
	return n, err
}

// maxEarly is how many requests a write may hold whose answers come before it returns; both implementations write one.
const maxEarly = 16

// matters says whether the next answer may be one that somebody watches.
func (s *countedStream) matters() bool {
	if len(s.asked) > 0 {
		return s.asked[0] != nil
	}
	return s.writing > 0 && s.host.watching.Load() > 0
}

// unanswered counts the requests that get no answer any more.
func (s *countedStream) unanswered() {
	for _, t := range s.asked {
		s.host.failedOne(t)
	}
	s.asked = nil
	s.in.drop()
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
