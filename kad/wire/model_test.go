package wire

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// The tests of this file prove what libp2p-kad's tests of its codec prove, and what its history says of frames; kad's
// LIBP2P-KAD.md names them side by side.

// A frame may be as long as the limit, and not a byte longer: then nothing of its body is read.
func TestFrameAtItsLimit(t *testing.T) {
	for _, limit := range []int{1, 127, 128, MaxSend} {
		frame := AppendFrame(nil, &Message{Type: GetValue, Key: make([]byte, limit)})
		body := Append(nil, &Message{Type: GetValue, Key: make([]byte, limit)})
		got, err := ReadFrame(bytes.NewReader(frame), nil, len(body))
		require.NoError(t, err)
		require.Equal(t, body, got)
		stream := bytes.NewReader(frame)
		_, err = ReadFrame(stream, nil, len(body)-1)
		require.ErrorIs(t, err, ErrFrameTooLarge)
		require.Equal(t, len(body), stream.Len(), "the body is left where it is")
	}
}

// A stream that ends without a byte has simply ended.
func TestNoFrame(t *testing.T) {
	for _, buf := range [][]byte{nil, {}, make([]byte, 0, 100)} {
		_, err := ReadFrame(bytes.NewReader(nil), buf, MaxReceive)
		require.Equal(t, io.EOF, err)
	}
}

// A frame of which only a part has come is waited for, wherever it is cut; and if the rest never comes, that is an error and
// no message.
func TestPartOfAFrame(t *testing.T) {
	frame := AppendFrame(nil, full())
	require.Greater(t, len(frame), 130, "a length of two bytes")
	for i := 1; i < len(frame); i++ {
		_, err := ReadFrame(bytes.NewReader(frame[:i]), nil, MaxReceive)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "after %d bytes", i)
		body, err := ReadFrame(io.MultiReader(bytes.NewReader(frame[:i]), bytes.NewReader(frame[i:])), nil, MaxReceive)
		require.NoError(t, err)
		require.Equal(t, Append(nil, full()), body)
	}
}

// Whatever buffer a frame is read into, small, fitting or large, its body is the same; so are many frames in a row through
// one buffer, whose bytes come as they like.
func TestAnyBuffer(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 30))
	var stream, buf []byte
	var bodies [][]byte
	for range 200 {
		m := &Message{Type: PutValue, Key: bytes.Repeat([]byte("k"), rng.IntN(3000))}
		stream = AppendFrame(stream, m)
		bodies = append(bodies, Append(nil, m))
	}
	for _, r := range []io.Reader{bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream)), iotest.HalfReader(bytes.NewReader(stream))} {
		for _, want := range bodies {
			if rng.IntN(3) == 0 {
				buf = make([]byte, 0, rng.IntN(4000))
			}
			got, err := ReadFrame(r, buf, MaxReceive)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
			buf = got[:0]
		}
		_, err := ReadFrame(r, buf, MaxReceive)
		require.Equal(t, io.EOF, err)
	}
}

// Messages between 4 and 16 KiB, and up to the limit of 4 MiB, are read like any other.
func TestLongMessages(t *testing.T) {
	for _, size := range []int{4 << 10, 4<<10 + 1, 10 << 10, 16<<10 - 1, 16 << 10, 16<<10 + 1, 43_490, 1 << 20, MaxReceive - 64} {
		m := &Message{Type: GetValue, HasRecord: true, Record: Record{Key: []byte("k"), Value: bytes.Repeat([]byte("v"), size)}}
		body, err := ReadFrame(bytes.NewReader(AppendFrame(nil, m)), nil, MaxReceive)
		require.NoError(t, err, "%d bytes", size)
		var got Message
		require.NoError(t, Decode(body, &got))
		require.Len(t, got.Record.Value, size)
	}
}

// A frame of no bytes is a PUT_VALUE without a key and without a record, and says so: it is not taken for one with an empty
// record.
func TestEmptyFrame(t *testing.T) {
	body, err := ReadFrame(bytes.NewReader([]byte{0}), nil, MaxReceive)
	require.NoError(t, err)
	m := *full()
	require.NoError(t, Decode(body, &m))
	require.Equal(t, PutValue, m.Type)
	require.Empty(t, m.Key)
	require.False(t, m.HasRecord)
	require.NoError(t, Decode([]byte{0x1a, 0}, &m))
	require.True(t, m.HasRecord, "an empty record is one")
}

// Every message, of any type, with any of its fields, comes back from its bytes as it was.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 31))
	some := func(most int) []byte {
		b := make([]byte, rng.IntN(most))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	peers := func() (list []Peer) {
		for range rng.IntN(25) {
			p := Peer{ID: some(50), Connection: int32(rng.IntN(5) - 1)}
			for range rng.IntN(5) {
				p.Addrs = p.Addrs.Append(some(200))
			}
			list = append(list, p)
		}
		return list
	}
	var got Message
	for range 500 {
		m := Message{Type: Type(rng.IntN(8)), Key: some(90), CloserPeers: peers(), ProviderPeers: peers(), ClusterLevelRaw: int32(rng.Uint32())}
		if m.HasRecord = rng.IntN(2) == 0; m.HasRecord {
			m.Record = Record{Key: some(90), Value: some(3000), TimeReceived: []byte("2026-01-02T03:04:05Z"), Publisher: some(50), TTL: rng.Uint32()}
		}
		body := Append(nil, &m)
		require.NoError(t, Decode(body, &got))
		require.Equal(t, generatedText(&m), generatedText(&got))
		require.Equal(t, body, Append(nil, &got))
	}
}
