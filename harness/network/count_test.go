package network

import (
	"bytes"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
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

// TestAnswerBeforeWriteReturns: an answer that is read before the writer of its request runs again is that request's, and
// one that nobody asked for is nobody's, also later.
func TestAnswerBeforeWriteReturns(t *testing.T) {
	frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte("k")})
	h := &countingHost{watched: make(map[string]*tally)}
	var s *countedStream
	read := func(below *answers) {
		below.unread.Write(frame)
		_, err := s.Read(make([]byte, 2*len(frame)))
		require.NoError(t, err)
	}
	below := &answers{write: read}
	s = &countedStream{Stream: below, host: h}
	stop := h.watch("k")
	_, err := s.Write(frame)
	require.NoError(t, err)

	read(below) // unasked
	below.write = func(*answers) {}
	_, err = s.Write(frame)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.Equal(t, Stats{Requests: 2, Failed: 1}, h.stats(), "the second has no answer")
	assert.Equal(t, spent{requests: 2, failed: 1, bytes: uint64(3 * len(frame))}, stop())
}
