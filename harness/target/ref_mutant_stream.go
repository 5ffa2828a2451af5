package target

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	libp2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-varint"

	"github.com/kadbench/kadbench/kad/wire"
)

// mutantHost gives the node streams with a mutant in between.
type mutantHost struct {
	libp2phost.Host
	m *mutant
}

func (h *mutantHost) SetStreamHandler(p protocol.ID, handle network.StreamHandler) {
	wrapped := func(s network.Stream) { handle(h.stream(s, true)) }
	if h.m.eager {
		h.Host.SetStreamHandlerMatch(p, func(asked protocol.ID) bool { return strings.Contains(string(asked), "/kad/") }, wrapped)
		return
	}
	h.Host.SetStreamHandler(p, wrapped)
}

func (h *mutantHost) NewStream(ctx context.Context, p peer.ID, protos ...protocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, p, protos...)
	if err != nil {
		return nil, err
	}
	return h.stream(s, false), nil
}

func (h *mutantHost) Network() network.Network { return mutantNetwork{h.Host.Network(), h} }

func (h *mutantHost) stream(s network.Stream, serving bool) network.Stream {
	return &mutantStream{Stream: s, m: h.m, serving: serving, in: bufio.NewReader(s),
		mutation: mutation{self: h.ID(), peer: s.Conn().RemotePeer()}}
}

type mutantNetwork struct {
	network.Network
	h *mutantHost
}

func (n mutantNetwork) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	s, err := n.Network.NewStream(ctx, p)
	if err != nil {
		return nil, err
	}
	return n.h.stream(s, false), nil
}

func (n mutantNetwork) DialPeer(ctx context.Context, p peer.ID) (network.Conn, error) {
	if n.h.m.shy {
		return nil, errors.New("this mutant dials nobody")
	}
	return n.Network.DialPeer(ctx, p)
}

// mutantStream takes both directions apart into frames. The words of the negotiation, which has the same form, go through as
// they are, and so does what is no frame.
type mutantStream struct {
	network.Stream
	m       *mutant
	serving bool

	in      *bufio.Reader
	ready   bytes.Buffer // altered, and not read yet
	failed  error        // after what is ready
	through bool         // what comes is no frame: it goes through
	pending []byte       // written, and not yet a whole frame

	mu       sync.Mutex // a reset comes from anywhere
	mutation mutation
	open     bool // a request came that was not answered
}

// maxMutated is the longest frame that is looked into; a longer one goes through.
const maxMutated = wire.MaxReceive

func (s *mutantStream) Read(p []byte) (int, error) {
	for s.ready.Len() == 0 {
		if s.failed != nil {
			return 0, s.failed
		}
		if s.through {
			return s.in.Read(p)
		}
		s.next()
	}
	return s.ready.Read(p)
}

// next reads one frame and makes ready what the node is to see of it.
func (s *mutantStream) next() {
	head, length, err := readHead(s.in)
	s.mu.Lock()
	s.open = s.open || s.serving && len(head) > 0
	s.mu.Unlock()
	if err != nil || length > maxMutated {
		s.ready.Write(head)
		s.failed, s.through = err, err == nil
		return
	}
	body := make([]byte, length)
	n, err := io.ReadFull(s.in, body)
	if err != nil {
		s.ready.Write(head)
		s.ready.Write(body[:n])
		s.failed = err
		if err == io.ErrUnexpectedEOF {
			s.failed = io.EOF
		}
		return
	}
	whole := append(head, body...)
	if isNegotiation(body) {
		s.ready.Write(whole)
		return
	}
	s.ready.Write(s.heard(whole, body))
}

// heard alters what came: a request of a peer, or the reply to ours.
func (s *mutantStream) heard(whole, body []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.mutation
	t.frames, t.drop, t.message, t.whole = nil, false, decoded(body), whole
	alter := s.m.take
	if s.serving {
		t.nth++
		t.request = t.message
		alter = s.m.hear
	}
	return altered(t, alter, whole)
}

// altered is what goes on of a frame.
func altered(t *mutation, alter func(*mutation), whole []byte) []byte {
	if alter == nil || t.message == nil {
		return whole
	}
	alter(t)
	switch {
	case t.drop:
		return nil
	case t.frames != nil:
		return bytes.Join(t.frames, nil)
	}
	return framed(t.message)
}

func decoded(body []byte) *wire.Message {
	m := new(wire.Message)
	if wire.Decode(bytes.Clone(body), m) != nil {
		return nil
	}
	return m
}

// readHead reads the length before a frame, as it stands.
func readHead(r *bufio.Reader) (head []byte, length uint64, err error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return head, 0, err
		}
		if head = append(head, b); b < 0x80 {
			length, _, err = varint.FromUvarint(head)
			if err != nil { // not in its shortest form, say: the node's to refuse
				return head, maxMutated + 1, nil
			}
			return head, length, nil
		}
		if len(head) >= varint.MaxLenUvarint63 {
			return head, maxMutated + 1, nil
		}
	}
}

// isNegotiation: multistream's words end with a line's end and begin with a slash, but for na and ls. No message of the
// protocol begins so: 0x2f and 0x6e would be fields of wire types 7 and 6.
func isNegotiation(body []byte) bool {
	return bytes.HasSuffix(body, []byte("\n")) && (body[0] == '/' || string(body) == "na\n" || string(body) == "ls\n")
}

// Write takes whole frames: the node writes each by one call.
func (s *mutantStream) Write(p []byte) (int, error) {
	s.pending = append(s.pending, p...)
	var out []byte
	for {
		length, n, err := varint.FromUvarint(s.pending)
		if err != nil || uint64(len(s.pending)-n) < length {
			break
		}
		whole := s.pending[:n+int(length)]
		body := whole[n:]
		if s.pending = s.pending[len(whole):]; isNegotiation(body) {
			out = append(out, whole...)
		} else {
			out = append(out, s.said(bytes.Clone(whole), body)...)
		}
	}
	if len(out) > 0 {
		if _, err := s.Stream.Write(out); err != nil {
			return 0, err
		}
	}
	if s.serving {
		switch s.m.after {
		case "reset":
			_ = s.Stream.Reset()
		case "close":
			_ = s.Stream.Close()
		}
	}
	return len(p), nil
}

// said alters what the node says: its reply, or its request.
func (s *mutantStream) said(whole, body []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.mutation
	t.frames, t.drop, t.message = nil, false, decoded(body)
	alter := s.m.reply
	if !s.serving {
		t.nth++
		t.request = t.message
		alter = s.m.ask
	}
	s.open = false
	if t.instead != nil {
		out := t.instead
		t.instead = nil
		return out
	}
	out := altered(t, alter, whole)
	if s.serving && s.m.raw != nil && len(out) > 0 {
		out = s.m.raw(out)
	}
	return out
}

// Reset tells that the node refused a request.
func (s *mutantStream) Reset() error {
	s.mu.Lock()
	var out [][]byte
	if s.serving && s.open && s.m.refused != nil {
		s.open = false
		out = s.m.refused(&s.mutation)
	}
	held := s.serving && s.open && s.m.holds
	s.mu.Unlock()
	switch {
	case held:
		return nil
	case len(out) == 0:
		return s.Stream.Reset()
	}
	_, _ = s.Stream.Write(bytes.Join(out, nil))
	return s.Stream.CloseWrite()
}
