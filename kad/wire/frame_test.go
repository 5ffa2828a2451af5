package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// silent declares a length, sends what it has, and then fails as a stream does whose deadline has passed. It keeps the
// largest buffer that it was handed.
type silent struct {
	data    io.Reader
	largest int
}

func (s *silent) Read(p []byte) (int, error) {
	s.largest = max(s.largest, len(p))
	n, err := s.data.Read(p)
	if err == io.EOF {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// TestLiarCostsLittle: a length is no reason to allocate. What a body may take before it has come is one step, then as
// much again as has come.
func TestLiarCostsLittle(t *testing.T) {
	prefix := appendLen(nil, MaxReceive)
	for _, sent := range []int{0, 1, firstStep, 100_000, 1 << 20} {
		s := &silent{data: bytes.NewReader(append(prefix, make([]byte, sent)...))}
		_, err := ReadFrame(s, nil, MaxReceive)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.LessOrEqual(t, s.largest, max(firstStep, sent), "sent %d", sent)
	}

	tooLarge := &silent{data: bytes.NewReader(appendLen(nil, MaxReceive+1))}
	_, err := ReadFrame(tooLarge, nil, MaxReceive)
	require.ErrorIs(t, err, ErrFrameTooLarge)
	assert.Equal(t, 1, tooLarge.largest, "nothing but the prefix was read")
}

// TestReadFrameSplit: a stream of two frames cut at every place is the same two frames.
func TestReadFrameSplit(t *testing.T) {
	first, second := Append(nil, reply()), Append(nil, &Message{Type: Ping})
	both := AppendFrame(AppendFrame(nil, reply()), &Message{Type: Ping})
	for cut := range len(both) {
		r := io.MultiReader(bytes.NewReader(both[:cut]), bytes.NewReader(both[cut:]))
		for _, want := range [][]byte{first, second} {
			body, err := ReadFrame(r, make([]byte, 0, 100), MaxReceive)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, body))
		}
		_, err := ReadFrame(r, nil, MaxReceive)
		require.Equal(t, io.EOF, err)
	}
}

func TestReadFrameBuffers(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 20_000) // 320,000 bytes: several steps
	frame := append(appendLen(nil, len(body)), body...)
	for _, room := range []int{0, 1, 9, 16, len(body) - 1, len(body), len(body) + 1} {
		lent := make([]byte, 0, room)
		got, err := ReadFrame(bytes.NewReader(frame), lent, MaxReceive)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(body, got))
		assert.Equal(t, room >= len(body), contains(lent[:room], got), "a view of the buffer where it fits")
	}
}

func TestReadFrameErrors(t *testing.T) {
	broken := errors.New("broken")
	_, err := ReadFrame(iotest.ErrReader(broken), nil, MaxReceive)
	assert.ErrorIs(t, err, broken)
	assert.EqualError(t, err, "wire: frame length at byte 0: broken")

	_, err = ReadFrame(bytes.NewReader([]byte{3, 1}), nil, MaxReceive)
	assert.EqualError(t, err, "wire: frame body at byte 2: unexpected EOF")

	_, err = ReadFrame(bytes.NewReader([]byte{1, 1}), nil, 0)
	assert.ErrorIs(t, err, ErrFrameTooLarge)
	got, err := ReadFrame(bytes.NewReader([]byte{0}), nil, 0)
	assert.NoError(t, err)
	assert.Empty(t, got)
}
