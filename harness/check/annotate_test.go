package check

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/kad/wire"
)

var updateAnnotated = flag.Bool("update-annotated", false, "write testdata/annotate/*.txt anew")

// TestWriteAnnotated holds the printed form to testdata/annotate, for golden frames that show all of it.
func TestWriteAnnotated(t *testing.T) {
	shown := []string{
		"messages/find-node-reply-two",
		"messages/get-providers-reply",
		"messages/put-value-request-publisher",
		"peers/bad-ids",
		"addresses/webtransport",
		"addresses/bad-cut",
		"protobuf/unknown-in-peer",
		"protobuf/group-nested",
		"protobuf/wrong-type-in-peer",
		"protobuf/record-merged-last-wins",
		"protobuf/time-not-utf8-byte",
		"protobuf/cut-in-addr",
		"protobuf/random-text",
		"framing/overlong",
		"framing/cut-in-body",
		"framing/length-ten-bytes",
		"framing/sixteen-kib",
		"js/msg-2",
	}
	for _, f := range frames(t) {
		for _, name := range shown {
			if f.Name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				var out strings.Builder
				require.NoError(t, WriteAnnotated(&out, f.Bytes, f.Kind == "frame"))
				file := filepath.Join("testdata", "annotate", strings.ReplaceAll(name, "/", "_")+".txt")
				if *updateAnnotated {
					require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
					require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
				}
				want, err := os.ReadFile(file)
				require.NoError(t, err, "run go test -update-annotated")
				assert.Equal(t, string(want), out.String())
			})
			shown = without(shown, name)
			break
		}
	}
	assert.Empty(t, shown, "no such golden frames")
}

func without(list []string, gone string) (rest []string) {
	for _, s := range list {
		if s != gone {
			rest = append(rest, s)
		}
	}
	return rest
}

// TestAnnotateGolden: a row has a fault exactly where a golden frame is to be refused, at the field that its header
// names; and the rows cover every byte once.
func TestAnnotateGolden(t *testing.T) {
	for _, f := range frames(t) {
		t.Run(f.Name, func(t *testing.T) {
			framed := f.Kind == "frame"
			rows := Annotate(f.Bytes, framed)
			covered(t, f.Bytes, rows)
			var fault *Row
			for i := range rows {
				if rows[i].Err != nil && fault == nil {
					fault = &rows[i]
				}
			}
			if f.Verdict == "accept" || f.Limit != wire.MaxReceive {
				require.Nil(t, fault)
				return
			}
			require.NotNil(t, fault)
			switch {
			case strings.HasPrefix(f.Field, "frame "):
				assert.Equal(t, "length", fault.Path)
			default:
				if f.Field == "message" {
					f.Field = ""
				}
				assert.Equal(t, f.Field, fault.Path)
				assert.Equal(t, f.At, fault.Offset-rows[0].Len)
			}
		})
	}
}

// covered holds rows to lie end to end, embedded ones within the row above them.
func covered(t *testing.T, b []byte, rows []Row) {
	t.Helper()
	at := 0
	for _, r := range rows {
		require.Equal(t, at, r.Offset, r.Path)
		require.True(t, r.Head <= r.Len && r.Offset+r.Len <= len(b), r.Path)
		at += r.Len
		if r.Nested {
			at = r.Offset + r.Head
		}
	}
	require.Equal(t, len(b), at)
}

func TestAnnotateIsBounded(t *testing.T) {
	b := make([]byte, 0, 200_000)
	for range 100_000 {
		b = append(b, 0x42, 0x00)
	}
	rows := Annotate(b, false)
	assert.Len(t, rows, maxRows+1)
	assert.Equal(t, "160000 more bytes, not shown: 20000 rows are enough", rows[maxRows].Text)
}

// TestAnnotateFrames: frames one after another are annotated each.
func TestAnnotateFrames(t *testing.T) {
	b, err := hex.DecodeString("020805" + "020804")
	require.NoError(t, err)
	var texts []string
	for _, r := range Annotate(b, true) {
		texts = append(texts, r.Text)
	}
	assert.Equal(t, []string{"2", "PING (5)", "2", "FIND_NODE (4)"}, texts)
}

// FuzzAnnotate: no bytes panic, and of bytes that wire refuses a row has a fault, of others none.
func FuzzAnnotate(f *testing.F) {
	for _, frame := range frames(f) {
		if len(frame.Bytes) <= 4096 {
			f.Add(frame.Bytes, frame.Kind == "frame")
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, framed bool) {
		rows := Annotate(b, framed)
		if len(rows) > maxRows {
			return
		}
		covered(t, b, rows)
		if framed {
			return
		}
		var m wire.Message
		err := wire.Decode(b, &m)
		for _, r := range rows {
			if r.Err != nil {
				require.Error(t, err, "%+v", r)
				return
			}
		}
		require.NoError(t, err, "no row has a fault")
	})
}

func frames(t testing.TB) []fixtures.Frame {
	frames, err := fixtures.Frames()
	require.NoError(t, err)
	return frames
}
