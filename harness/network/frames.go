package network

import (
	"encoding/binary"
	"sync"

	"github.com/kadbench/kadbench/kad/wire"
)

// What is read here are bytes of peers, some thousand messages a second: no more is taken from them than is counted.

// answer is a frame that was read whole: its size with its prefix, and its body if that was to be kept, until the drop that
// must follow.
type answer struct {
	size uint64
	body []byte
}

// answering finds the ends of frames in what comes piece by piece.
type answering struct {
	prefix  [binary.MaxVarintLen64]byte
	have    int     // bytes of prefix
	size    uint64  // of the frame, with its prefix; 0: its prefix is not whole yet
	left    uint64  // of its body
	ignored bool    // it is of the negotiation
	pieces  *[]byte // of a body that is kept and came in several; nil: none so far
	keep    bool
}

// piecesPool has the memory of bodies that are on their way: a stream that rests holds none.
var piecesPool = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// take reads up to the end of a frame and returns what is left, and the frame if it is whole and an answer. Of a frame that
// begins when keep is set the body is kept, unless it is larger than anybody takes.
func (a *answering) take(b []byte, keep bool) (rest []byte, whole answer) {
	for a.size == 0 && len(b) > 0 {
		if a.have == len(a.prefix) {
			return nil, answer{} // no frame begins so; whoever reads it gives the stream up
		}
		a.prefix[a.have] = b[0]
		a.have++
		b = b[1:]
		if v, n := binary.Uvarint(a.prefix[:a.have]); n > 0 {
			a.size, a.left = v+uint64(n), v
			a.ignored, a.keep = v == 0, keep && v <= wire.MaxReceive
		}
	}
	if a.size == 0 {
		return b, answer{}
	}
	if a.left > 0 && a.left == a.size-uint64(a.have) && len(b) > 0 {
		a.ignored = b[0] == negotiation
	}
	n := min(a.left, uint64(len(b)))
	body, rest := b[:n], b[n:]
	if a.keep && !a.ignored && (a.pieces != nil || n < a.left) {
		if a.pieces == nil {
			a.pieces = piecesPool.Get().(*[]byte)
		}
		*a.pieces = append(*a.pieces, body...)
		body = *a.pieces
	}
	if a.left -= n; a.left > 0 {
		return nil, answer{}
	}
	switch {
	case a.ignored:
	case a.keep:
		whole = answer{a.size, body}
	default:
		whole = answer{a.size, nil}
	}
	*a = answering{pieces: a.pieces}
	return rest, whole
}

// maxPooled is how much memory for pieces is used again: an answer with records is seldom larger.
const maxPooled = 64 << 10

// drop lets go of what was kept.
func (a *answering) drop() {
	if a.keep = false; a.pieces != nil && cap(*a.pieces) <= maxPooled {
		*a.pieces = (*a.pieces)[:0]
		piecesPool.Put(a.pieces)
	}
	a.pieces = nil
}

// Fields of messages, with their wire types.
const (
	typeField   = 1 << 3
	keyField    = 2<<3 | 2
	closerField = 8<<3 | 2
	idField     = 1<<3 | 2
)

// about finds a request's type and key, which is all that is needed of it; where it cannot be read it has neither.
func about(body []byte) (kind wire.Type, key []byte) {
	for len(body) > 0 {
		f, rest, ok := nextField(body)
		if !ok {
			break
		}
		switch f.tag {
		case typeField:
			kind = wire.Type(f.number)
		case keyField:
			return kind, f.content
		}
		body = rest
	}
	return kind, nil
}

// closerPeers calls each with the id of each peer that an answer names as closer, up to where it cannot be read: ok is false then.
// Of a peer it reads no more than its id, which goes first as everybody writes it: addresses are most of an answer.
func closerPeers(body []byte, each func(id []byte)) (ok bool) {
	for len(body) > 0 {
		var f field
		if f, body, ok = nextField(body); !ok {
			return false
		}
		if f.tag != closerField {
			continue
		}
		for in := f.content; len(in) > 0; {
			if f, in, ok = nextField(in); !ok {
				return false
			}
			if f.tag == idField {
				each(f.content)
				break
			}
		}
	}
	return true
}

// field is one of a message: a number, or content.
type field struct {
	tag, number uint64
	content     []byte
}

// nextField takes off the first field of a message; ok is false where it cannot be read, or is a group, which nobody sends.
func nextField(b []byte) (f field, rest []byte, ok bool) {
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return f, nil, false
	}
	f.tag, b = tag, b[n:]
	size := uint64(0)
	switch tag & 7 {
	case 0:
		if f.number, n = binary.Uvarint(b); n <= 0 {
			return f, nil, false
		}
		return f, b[n:], true
	case 1:
		size = 8
	case 2:
		if size, n = binary.Uvarint(b); n <= 0 {
			return f, nil, false
		}
		b = b[n:]
	case 5:
		size = 4
	default:
		return f, nil, false
	}
	if size > uint64(len(b)) {
		return f, nil, false
	}
	f.content = b[:size]
	return f, b[size:], true
}
