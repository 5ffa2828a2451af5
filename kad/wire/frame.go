package wire

import "io"

const (
	// MaxReceive is the largest message that a peer should take: 4 MiB, the limit of go, js, py and nim. rust's is
	// 16 KiB.
	MaxReceive = 4 << 20

	// MaxSend is the largest message that a peer should send: 16 KiB, which every deployment can read (rust-libp2p takes
	// no more). A FIND_NODE reply of 20 peers with 3 addresses each has 1.6 KiB.
	MaxSend = 16 << 10

	// maxPrefix is the length of the longest prefix: the unsigned-varint specification ends at 9 bytes, 63 bits.
	maxPrefix = 9

	// firstStep is what is allocated for a body that does not fit the caller's buffer, before any of it has come. It is
	// MaxSend, so that all but freak messages are read in one step; then the buffer doubles as bytes arrive. So a
	// declared length costs its sender at least half of what it costs us.
	firstStep = MaxSend
)

// ReadFrame reads one frame of at most limit bytes and returns its body: a view of buf's memory, as far as its capacity
// goes, else a new buffer (which the caller may keep as the next buf). It reads no byte beyond the frame. The length is
// read byte by byte: give it a bufio.Reader unless a Read is cheap.
//
// The end of the stream before the first byte is a bare io.EOF. Any other failure is an *Error: io.ErrUnexpectedEOF
// within a frame, ErrLengthNotShortest, ErrLengthTooLong, ErrFrameTooLarge (before anything is allocated, and before the
// body is read), or what r returned.
func ReadFrame(r io.Reader, buf []byte, limit int) ([]byte, error) {
	if cap(buf) < maxPrefix {
		buf = make([]byte, 0, 64) // the prefix is read into it too
	}
	buf = buf[:cap(buf)]
	length, at, err := readLength(r, buf[:1])
	switch {
	case err == io.EOF && at == 0:
		return nil, io.EOF
	case err != nil:
		return nil, &Error{Kind: cut(err), Field: "frame length", Offset: at}
	case limit < 0 || length > uint64(limit):
		return nil, &Error{Kind: ErrFrameTooLarge, Field: "frame length", Offset: at}
	}

	n, have := int(length), 0
	for {
		if len(buf) > n {
			buf = buf[:n]
		}
		got, err := io.ReadFull(r, buf[have:])
		have += got
		if err != nil {
			return nil, &Error{Kind: cut(err), Field: "frame body", Offset: at + have}
		}
		if have == n {
			return buf, nil
		}
		more := make([]byte, min(n, max(2*have, firstStep)))
		copy(more, buf)
		buf = more
	}
}

// readLength reads the prefix through one, a slice of one byte; at is the number of bytes read.
func readLength(r io.Reader, one []byte) (length uint64, at int, err error) {
	for {
		if _, err := io.ReadFull(r, one); err != nil {
			return 0, at, err
		}
		c := one[0]
		length |= uint64(c&0x7f) << (7 * at)
		at++
		switch {
		case c == 0 && at > 1:
			return 0, at, ErrLengthNotShortest
		case c < 0x80:
			return length, at, nil
		case at == maxPrefix:
			return 0, at, ErrLengthTooLong
		}
	}
}

// cut names the end of a stream within a frame.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
