package target

import (
	"errors"
	"fmt"

	"github.com/multiformats/go-varint"
)

// FrameLimit is the largest message that a puppet takes: what go, js, py and nim take (rust 16 KiB).
const FrameLimit = 4 << 20

// ErrUnreadable says that what a peer sent is not a frame; the rest of the stream cannot be read as frames either.
var ErrUnreadable = errors.New("unreadable framing")

// frames cuts a stream of bytes into frames, however the bytes come. It keeps the bytes as they were, since a report
// shows them. kad/wire reads frames for those who want messages only.
type frames struct {
	buf  []byte // the frame that has begun
	need int    // its whole length, prefix included; 0 while the prefix is not complete
	head int    // the length of its prefix
	bad  error
	lost int // bytes dropped after bad
}

// feed takes bytes and calls frame for each one complete: body is a view of raw, and raw is the receiver's.
func (f *frames) feed(b []byte, frame func(raw, body []byte)) {
	for len(b) > 0 {
		if f.bad != nil {
			f.lost += len(b)
			return
		}
		if f.need == 0 {
			f.buf = append(f.buf, b[0])
			b = b[1:]
			f.prefix()
		} else {
			n := min(f.need-len(f.buf), len(b))
			f.buf = append(f.buf, b[:n]...) // grows with what came, not with what was declared
			b = b[n:]
		}
		if f.need > 0 && len(f.buf) == f.need {
			raw := f.buf
			f.buf, f.need = nil, 0
			frame(raw, raw[f.head:])
		}
		if f.bad != nil {
			f.buf = append(f.buf, b...)
			return
		}
	}
}

// prefix looks at the length as far as it has come.
func (f *frames) prefix() {
	last := f.buf[len(f.buf)-1]
	if last&0x80 != 0 && len(f.buf) < varint.MaxLenUvarint63 {
		return
	}
	n, _, err := varint.FromUvarint(f.buf)
	switch {
	case err != nil:
		f.bad = fmt.Errorf("%w: length prefix %x: %w", ErrUnreadable, f.buf, err)
	case n > FrameLimit:
		f.bad = fmt.Errorf("%w: a frame of %d bytes: expected at most %d", ErrUnreadable, n, FrameLimit)
	default:
		f.head = len(f.buf)
		f.need = f.head + int(n)
	}
}

// rest is what came and is no complete frame.
func (f *frames) rest() []byte { return f.buf }
