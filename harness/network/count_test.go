package network

import (
	"bytes"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad/wire"
)

// answers is a stream whose answers are there before a write returns.
type answers struct {
	network.Stream
	unread bytes.Buffer
	write  func(s *answers)
}

func (s *answers) Read(b []byte) (int, error)  { return s.unread.Read(b) }
func (s *answers) Write(b []byte) (int, error) { s.write(s); return len(b), nil }
func (s *answers) Close() error                { return nil }

// TestAnswerBeforeWriteReturns: an answer that is read before the writer of its request runs again is that request's, with
// whom it names, and one that nobody asked for is nobody's, also later.
func TestAnswerBeforeWriteReturns(t *testing.T) {
	frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte("k"), CloserPeers: []wire.Peer{{ID: []byte("named")}}})
	h := &countingHost{watched: make(map[string]*tally)}
	var s *countedStream
	read := func(below *answers) {
		below.unread.Write(frame)
		_, err := s.Read(make([]byte, 2*len(frame)))
		require.NoError(t, err)
	}
	below := &answers{write: read}
	s = &countedStream{Stream: below, host: h, peer: "asked"}
	stop := h.watch("k", 20, nil)
	_, err := s.Write(frame)
	require.NoError(t, err)

	read(below) // unasked
	below.write = func(*answers) {}
	_, err = s.Write(frame)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.Equal(t, Stats{Requests: 2, Failed: 1}, h.stats(), "the second has no answer")
	assert.Equal(t, spent{requests: 2, failed: 1, hops: 2, bytes: uint64(3 * len(frame))}, stop([]peer.ID{"asked", "named"}))
}

// TestTwoOfOneKey: who watches a key beside another shares what is counted, and hops are neither's.
func TestTwoOfOneKey(t *testing.T) {
	h := &countingHost{watched: make(map[string]*tally)}
	first := h.watch("k", 20, []peer.ID{"a"})
	h.sent(wire.FindNode, []byte("k"), "a", 10)
	second := h.watch("k", 20, []peer.ID{"a"})
	h.answered(h.sent(wire.FindNode, []byte("k"), "a", 10), "a", answer{size: 5})
	assert.Equal(t, spent{requests: 1, bytes: 15}, second(nil))
	third := h.watch("k", 20, []peer.ID{"a"})
	assert.Equal(t, spent{requests: 2, bytes: 25}, first([]peer.ID{"a"}))
	assert.Equal(t, spent{}, third([]peer.ID{"a"}))
	assert.Empty(t, h.watched)
	assert.Equal(t, spent{hops: 1}, h.watch("k", 20, nil)([]peer.ID{"a"}))
}
