package wire

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Wire types.
const (
	varintType     = 0
	fixed64Type    = 1
	bytesType      = 2
	startGroupType = 3
	endGroupType   = 4
	fixed32Type    = 5
)

const (
	maxFieldNumber = 1<<29 - 1

	// maxGroupDepth bounds groups in groups. Our messages have none; 100 is the default of the C++ and Java libraries.
	maxGroupDepth = 100
)

// field is one field as it stands in a message. Of a field that could not be read, num is what is known (0: nothing).
type field struct {
	num    int
	typ    uint8
	number uint64 // of a varint
	bytes  []byte // of bytes: a view, without room to append
	end    int    // offset behind the field
}

func (f field) is(num int, typ uint8) bool { return f.num == num && f.typ == typ }

// unknown names a field that the specification does not, for an error.
func (f field) unknown() string {
	if f.num == 0 {
		return "message"
	}
	return "field " + strconv.Itoa(f.num)
}

// next reads the field at b[at], which exists. Fields that carry neither a varint nor bytes are measured only. kind is
// one of the named errors.
func next(b []byte, at int) (f field, kind error) {
	tag, i, kind := varint(b, at)
	if kind != nil {
		return f, kind
	}
	if num := tag >> 3; num == 0 || num > maxFieldNumber {
		return f, ErrFieldNumber
	}
	f.num, f.typ = int(tag>>3), uint8(tag&7)
	switch f.typ {
	case varintType:
		f.number, f.end, kind = varint(b, i)
	case fixed64Type:
		f.end, kind = skipBytes(b, i, 8)
	case bytesType:
		var n uint64
		if n, i, kind = varint(b, i); kind != nil {
			return f, kind
		}
		if f.end, kind = skipBytes(b, i, n); kind == nil {
			f.bytes = b[i:f.end:f.end]
		}
	case startGroupType:
		f.end, kind = skipGroup(b, i, f.num)
	case fixed32Type:
		f.end, kind = skipBytes(b, i, 4)
	case endGroupType:
		kind = ErrGroup
	default:
		kind = ErrWireType
	}
	return f, kind
}

// skipGroup finds the end of group num, whose content begins at b[i]. It keeps the groups open in a list of its own
// rather than calling itself, so that depth costs a peer's bytes and not our stack.
func skipGroup(b []byte, i, num int) (end int, kind error) {
	var open [maxGroupDepth]int
	open[0] = num
	for depth := 1; depth > 0; {
		if i >= len(b) {
			return 0, ErrGroup
		}
		tag, after, kind := varint(b, i)
		if kind != nil {
			return 0, kind
		}
		num := tag >> 3
		switch {
		case num == 0 || num > maxFieldNumber:
			return 0, ErrFieldNumber
		case tag&7 == startGroupType:
			if depth == maxGroupDepth {
				return 0, ErrGroupDepth
			}
			open[depth] = int(num)
			depth++
			i = after
		case tag&7 == endGroupType:
			depth--
			if open[depth] != int(num) {
				return 0, ErrGroup
			}
			i = after
		default:
			f, kind := next(b, i)
			if kind != nil {
				return 0, kind
			}
			i = f.end
		}
	}
	return i, nil
}

// varint reads a varint at b[i], and where it ends.
func varint(b []byte, i int) (v uint64, end int, kind error) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1, nil
	}
	if i+1 < len(b) && b[i+1] < 0x80 {
		return uint64(b[i]&0x7f) | uint64(b[i+1])<<7, i + 2, nil
	}
	v, n := protowire.ConsumeVarint(b[i:])
	if n < 0 {
		// Cut short unless ten bytes are there.
		if len(b)-i >= 10 {
			return 0, 0, ErrVarint
		}
		return 0, 0, ErrTruncated
	}
	return v, i + n, nil
}

// skipBytes is where n bytes from b[i] end.
func skipBytes(b []byte, i int, n uint64) (end int, kind error) {
	if n > uint64(len(b)-i) {
		return 0, ErrTruncated
	}
	return i + int(n), nil
}
