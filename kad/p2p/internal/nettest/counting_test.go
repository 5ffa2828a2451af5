package nettest

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

// countingHost counts the requests that leave a host, whoever sends them: what an implementation says of itself is not
// asked. A request is a frame written to a stream that this host opened; a peer that could not be dialled never got one,
// and is counted apart.
type countingHost struct {
	host.Host
	failedDials atomic.Int64

	mu    sync.Mutex
	asked map[asked]map[peer.ID]int
}

// asked is what requests are told apart by. What a table is kept in order with has other keys than the lookups.
type asked struct {
	kind wire.Type
	key  string
}

func counting(h host.Host) *countingHost {
	return &countingHost{Host: h, asked: make(map[asked]map[peer.ID]int)}
}

// requests of one kind for one key, and how many of them went to somebody who had been sent the same before.
func (h *countingHost) requests(kind wire.Type, key string) (sum, again int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.asked[asked{kind, key}] {
		sum += n
		again += n - 1
	}
	return sum, again
}

// total is how many frames were sent, whatever they ask.
func (h *countingHost) total() (sum int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, peers := range h.asked {
		for _, n := range peers {
			sum += n
		}
	}
	return sum
}

func (h *countingHost) dialled(err error) error {
	if err != nil {
		h.failedDials.Add(1)
	}
	return err
}

func (h *countingHost) Connect(ctx context.Context, info peer.AddrInfo) error {
	return h.dialled(h.Host.Connect(ctx, info))
}

func (h *countingHost) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, p, protocols...)
	return h.counted(s, err)
}

func (h *countingHost) Network() network.Network { return countingNetwork{h.Host.Network(), h} }

func (h *countingHost) counted(s network.Stream, err error) (network.Stream, error) {
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
	return n.host.counted(s, err)
}

func (n countingNetwork) DialPeer(ctx context.Context, p peer.ID) (network.Conn, error) {
	c, err := n.Network.DialPeer(ctx, p)
	return c, n.host.dialled(err)
}

// countedStream takes apart what is written to it.
type countedStream struct {
	network.Stream
	host    *countingHost
	mu      sync.Mutex
	pending []byte
}

func (s *countedStream) Write(b []byte) (int, error) {
	n, err := s.Stream.Write(b)
	if err == nil { // a stream that the peer has reset meanwhile takes nothing
		s.count(b)
	}
	return n, err
}

func (s *countedStream) count(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, b...)
	for {
		size, n := binary.Uvarint(s.pending)
		if n <= 0 || uint64(len(s.pending)-n) < size {
			return
		}
		body := s.pending[n : n+int(size)]
		s.pending = s.pending[n+int(size):]
		if size > 0 && body[0] == '/' { // the negotiation has the same form; no message begins so
			continue
		}
		var m wire.Message
		if err := wire.Decode(body, &m); err != nil {
			continue
		}
		s.host.mu.Lock()
		what := asked{m.Type, string(m.Key)}
		if s.host.asked[what] == nil {
			s.host.asked[what] = make(map[peer.ID]int)
		}
		s.host.asked[what][s.Conn().RemotePeer()]++
		s.host.mu.Unlock()
	}
}
