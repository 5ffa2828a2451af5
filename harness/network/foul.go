package network

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// mood is how a host answers: at once, late, or never. It can change while streams are open, as peers keep them.
type mood struct {
	silent atomic.Bool
	late   atomic.Int64 // nanoseconds
}

// SetStreamHandler puts the mood between the implementation's answers and who asked for them.
func (h *countingHost) SetStreamHandler(p protocol.ID, handler network.StreamHandler) {
	h.Host.SetStreamHandler(p, h.moody(handler))
}

func (h *countingHost) SetStreamHandlerMatch(p protocol.ID, match func(protocol.ID) bool, handler network.StreamHandler) {
	h.Host.SetStreamHandlerMatch(p, match, h.moody(handler))
}

func (h *countingHost) moody(handler network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) { handler(&moodyStream{s, &h.mood}) }
}

// moodyStream is one on which a node answers.
type moodyStream struct {
	network.Stream
	mood *mood
}

func (s *moodyStream) Write(b []byte) (int, error) {
	if s.mood.silent.Load() {
		return len(b), nil
	}
	if late := s.mood.late.Load(); late > 0 {
		time.Sleep(time.Duration(late))
	}
	return s.Stream.Write(b)
}
