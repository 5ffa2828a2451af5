package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/kad/wire/internal/dhtpb"
)

// refusals gives each class of fixtures/frames/README.md our name for it.
var refusals = map[string]error{
	"cut-short":       ErrTruncated,
	"varint-too-long": ErrVarint,
	"field-number":    ErrFieldNumber,
	"wire-type":       ErrWireType,
	"group":           ErrGroup,
	"group-depth":     ErrGroupDepth,
	"not-utf8":        ErrUTF8,

	"length-not-shortest": ErrLengthNotShortest,
	"length-too-long":     ErrLengthTooLong,
	"frame-too-large":     ErrFrameTooLarge,
	"stream-ended":        io.ErrUnexpectedEOF,
}

func goldenFrames(t testing.TB) []fixtures.Frame {
	frames, err := fixtures.Frames()
	require.NoError(t, err)
	require.Greater(t, len(frames), 60)
	return frames
}

// TestGolden holds ReadFrame and Decode to the golden frames.
func TestGolden(t *testing.T) {
	var m Message // one for all: nothing of one frame may show in the next
	buf := make([]byte, 0, 4096)
	for _, f := range goldenFrames(t) {
		t.Run(f.Name, func(t *testing.T) {
			body, err := f.Bytes, error(nil)
			if f.Kind == "frame" {
				stream := bytes.NewReader(f.Bytes)
				if body, err = ReadFrame(stream, buf, f.Limit); err == nil {
					require.Zero(t, stream.Len(), "a file holds one frame")
				}
			}
			if err == nil {
				err = Decode(body, &m)
			}
			if f.Verdict == "accept" {
				require.NoError(t, err)
				assert.Equal(t, golden(t, f), words(generated(&m)))
				return
			}
			want, known := refusals[f.Refusal]
			require.True(t, known, "refusal = %s is not in README.md", f.Refusal)
			require.ErrorIs(t, err, want)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, f.Field, e.Field)
			assert.Equal(t, f.At, e.Offset)
			for class, other := range refusals {
				assert.False(t, class != f.Refusal && errors.Is(err, other), "also %s", class)
			}
		})
	}
}

// TestGoldenGenerated holds the generated message to the same frames, so that a golden file which is wrong shows.
func TestGoldenGenerated(t *testing.T) {
	for _, f := range goldenFrames(t) {
		t.Run(f.Name, func(t *testing.T) {
			body := f.Bytes
			if f.Kind == "frame" {
				length, n := binary.Uvarint(body)
				switch f.Refusal {
				case "length-not-shortest":
					canonical := binary.AppendUvarint(nil, length)
					require.Greater(t, n, len(canonical))
					return
				case "length-too-long":
					require.True(t, n > 9 || n == 0 && len(body) >= 9)
					return
				case "frame-too-large":
					require.Greater(t, length, uint64(f.Limit))
					return
				case "stream-ended":
					require.True(t, n == 0 || length > uint64(len(body)-n))
					return
				}
				require.Positive(t, n)
				body = body[n:]
				require.Equal(t, length, uint64(len(body)))
			}
			g, err := unmarshal(body)
			if f.Verdict == "refuse" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, golden(t, f), words(g))
		})
	}
}

// golden is the message that a file tells, and words that of a generated message, in the same form.
func golden(t *testing.T, f fixtures.Frame) map[string]string {
	m := map[string]string{}
	for _, v := range f.Message {
		require.NotContains(t, m, v.Path)
		m[v.Path] = v.Text
		switch name := v.Path[strings.LastIndexByte(v.Path, '.')+1:]; {
		case name == "type", name == "clusterLevelRaw", name == "connection", name == "ttl", v.Text == "present":
		default:
			b, err := fixtures.ParseBytes(v.Text)
			require.NoError(t, err, v.Path)
			m[v.Path] = hex.EncodeToString(b)
		}
	}
	return m
}

func words(g *dhtpb.Message) map[string]string {
	m := map[string]string{"type": strconv.Itoa(int(g.Type))}
	if name, ok := dhtpb.Message_MessageType_name[int32(g.Type)]; ok {
		m["type"] = name
	}
	bytes := func(path string, b []byte) {
		if len(b) > 0 {
			m[path] = hex.EncodeToString(b)
		}
	}
	number := func(path string, v int64) {
		if v != 0 {
			m[path] = strconv.FormatInt(v, 10)
		}
	}
	bytes("key", g.Key)
	if r := g.Record; r != nil {
		m["record"] = "present"
		bytes("record.key", r.Key)
		bytes("record.value", r.Value)
		bytes("record.timeReceived", []byte(r.TimeReceived))
		bytes("record.publisher", r.Publisher)
		number("record.ttl", int64(r.Ttl))
	}
	peers := func(list string, peers []*dhtpb.Message_Peer) {
		for i, p := range peers {
			path := entry(list, i)
			m[path] = "present"
			bytes(path+".id", p.Id)
			for j, a := range p.Addrs {
				m[path+"."+entry("addrs", j)] = hex.EncodeToString(a)
			}
			number(path+".connection", int64(p.Connection))
		}
	}
	peers("closerPeers", g.CloserPeers)
	peers("providerPeers", g.ProviderPeers)
	number("clusterLevelRaw", int64(g.ClusterLevelRaw))
	return m
}
