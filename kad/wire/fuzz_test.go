package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"unsafe"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/kadbench/kadbench/kad/wire/internal/dhtpb"
)

// seeds gives a fuzz target the golden frames' bodies and a few more.
func seeds(f *testing.F) {
	for _, frame := range goldenFrames(f) {
		if b := frame.Bytes; len(b) <= 4096 {
			f.Add(b)
			if frame.Kind == "frame" && len(b) > 0 && b[0] < 0x80 {
				f.Add(b[1:])
			}
		}
	}
	f.Add(Append(nil, reply()))
}

// FuzzDecode: no input panics, every view lies within the input or the message's own memory, nothing of an earlier
// message shows, and what was decoded survives being written and read again.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Message
		require.NoError(t, Decode(Append(nil, reply()), &m)) // something to be forgotten
		err := Decode(b, &m)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.True(t, e.Offset >= 0 && e.Offset <= len(b), "offset %d of %d: %v", e.Offset, len(b), err)
			require.NotEmpty(t, e.Field)
			require.Equal(t, generatedText(&Message{}), generatedText(&m), "an error leaves the message empty")
			return
		}
		inBounds(t, b, &m)

		var fresh Message
		require.NoError(t, Decode(b, &fresh))
		require.Equal(t, generatedText(&fresh), generatedText(&m), "what m held before shows")

		out := Append(nil, &m)
		require.Len(t, out, Size(&m))
		require.LessOrEqual(t, len(out), len(b)+shortForms(&m), "writing may not add")
		var again Message
		require.NoError(t, Decode(out, &again))
		require.Equal(t, generatedText(&m), generatedText(&again))
		require.Equal(t, out, Append(nil, &again), "the canonical form is a fixed point")

		body, err := ReadFrame(bytes.NewReader(AppendFrame(nil, &m)), nil, MaxReceive)
		require.NoError(t, err)
		require.True(t, bytes.Equal(out, body))
	})
}

// shortForms is by how much the canonical form of a message may exceed what was read: nothing. It is a function so that
// the reason has a place: merging and dropping only shorten, and every length and number is written in its shortest
// form. A negative number of 32 bits, which some write in five bytes, takes ten.
func shortForms(m *Message) int {
	n := 0
	count := func(v int32) {
		if v < 0 {
			n += 5
		}
	}
	count(int32(m.Type))
	count(m.ClusterLevelRaw)
	for _, list := range [][]Peer{m.CloserPeers, m.ProviderPeers} {
		for _, p := range list {
			count(p.Connection)
			n++ // and so its entry's length may take a second byte
		}
	}
	return n
}

// inBounds holds every view to lie in b, or for addresses in m.scratch (which may have moved: then they only must not
// be longer than b).
func inBounds(t *testing.T, b []byte, m *Message) {
	view := func(name string, v []byte) {
		if len(v) == 0 {
			return
		}
		require.True(t, contains(b, v), "%s is no view of the input", name)
		require.Equal(t, len(v), cap(v), "%s has room to append, over the bytes behind it", name)
	}
	view("key", m.Key)
	view("record.key", m.Record.Key)
	view("record.value", m.Record.Value)
	view("record.timeReceived", m.Record.TimeReceived)
	view("record.publisher", m.Record.Publisher)
	for _, list := range [][]Peer{m.CloserPeers, m.ProviderPeers} {
		for _, p := range list {
			view("id", p.ID)
			require.Equal(t, len(p.Addrs), cap(p.Addrs))
			require.LessOrEqual(t, len(p.Addrs), len(b))
			sum := 0
			for a := range p.Addrs.All() {
				sum += 1 + lenSize(len(a)) + len(a)
			}
			require.Equal(t, len(p.Addrs), sum, "addrs are whole and canonical")
		}
	}
}

func contains(b, v []byte) bool {
	lo, hi := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(v)))
	return at >= lo && at+uintptr(len(v)) <= lo+hi
}

// generatedText is a message's content for comparison: empty and absent are the same in it.
func generatedText(m *Message) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(generated(m))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// FuzzDifferential holds Decode to the generated message: both accept and read the same, or both refuse. Deliberate
// differences, where we refuse what the generated code takes, each because it can only be an attack:
//   - ErrGroupDepth: it follows groups 10,000 deep, on its stack; we 100, as the C++ and Java libraries.
//   - ErrPeers: it takes any number; see MaxPeers for the memory that this costs.
//   - ErrFieldNumber inside of an unknown group: there it takes numbers up to 2^31-1, elsewhere to 2^29-1 as the
//     encoding says; we are the same everywhere.
func FuzzDifferential(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Message
		err := Decode(b, &m)
		g, gerr := unmarshal(b)
		switch {
		case errors.Is(err, ErrGroupDepth), errors.Is(err, ErrPeers):
			return
		case errors.Is(err, ErrFieldNumber) && gerr == nil && bytes.ContainsAny(b, "\x0b\x13\x1b\x23\x2b\x33\x3b\x43\x4b\x53\x5b\x63\x6b\x73\x7b"):
			return
		case err != nil || gerr != nil:
			require.True(t, err != nil && gerr != nil, "ours: %v; generated: %v", err, gerr)
			return
		}
		require.Empty(t, difference(generated(&m), g), "ours, generated")

		var back dhtpb.Message
		require.NoError(t, proto.Unmarshal(Append(nil, &m), &back))
		require.Empty(t, difference(generated(&m), &back), "ours, generated of what we wrote")
	})
}

// FuzzReadFrame: a stream of any bytes yields frames and then one named error; how it is cut into reads and which
// buffer is lent changes nothing; a frame written shortest is the frame read.
func FuzzReadFrame(f *testing.F) {
	for _, frame := range goldenFrames(f) {
		if frame.Kind == "frame" && len(frame.Bytes) <= 4096 {
			f.Add(frame.Bytes, uint16(64))
		}
	}
	f.Add([]byte{0x01, 0x00, 0x00, 0x02, 0x01, 0x02, 0x80}, uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, room uint16) {
		const limit = 1 << 17
		whole := bytes.NewReader(b)
		bytewise := iotest.OneByteReader(bytes.NewReader(b))
		lent := make([]byte, 0, room)
		for read := 0; ; {
			body, err := ReadFrame(whole, lent, limit)
			body2, err2 := ReadFrame(bytewise, nil, limit)
			require.Equal(t, err, err2)
			if err != nil {
				var e *Error
				require.True(t, err == io.EOF && read == len(b) || errors.As(err, &e), "%v", err)
				return
			}
			require.True(t, bytes.Equal(body, body2))
			read += lenSize(len(body)) + len(body)
			require.Equal(t, len(b)-read, whole.Len(), "reads its frame and no more")
			require.True(t, bytes.Equal(b[read-len(body):read], body))
		}
	})
}
