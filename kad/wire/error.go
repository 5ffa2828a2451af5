package wire

import (
	"errors"
	"strconv"
)

// Why bytes are refused. A frame may also end in io.ErrUnexpectedEOF, or in the error of its reader.
var (
	ErrTruncated   = errors.New("cut short: less is left than the field needs")
	ErrVarint      = errors.New("varint of more than 64 bits")
	ErrFieldNumber = errors.New("field number outside 1 to 536870911")
	ErrWireType    = errors.New("wire type 6 or 7, which do not exist")
	ErrGroup       = errors.New("group that does not end, or ends unopened")
	ErrGroupDepth  = errors.New("groups nested more than 100 deep")
	ErrUTF8        = errors.New("not valid UTF-8")
	ErrPeers       = errors.New("more than 65536 peers")

	ErrLengthNotShortest = errors.New("length not in its shortest form")
	ErrLengthTooLong     = errors.New("length of more than 9 bytes")
	ErrFrameTooLarge     = errors.New("frame larger than the limit")
)

// Error says what was refused, and where.
type Error struct {
	Kind   error  // one of the named errors
	Field  string // path by protobuf names, "closerPeers[2].addrs[0]"; "message" where no field can be named; "frame length", "frame body"
	Offset int    // of the first byte of that field (its tag) in the message; of a frame: bytes read when it failed
}

func (e *Error) Error() string {
	return "wire: " + e.Field + " at byte " + strconv.Itoa(e.Offset) + ": " + e.Kind.Error()
}

func (e *Error) Unwrap() error { return e.Kind }

// within places an error of an embedded message in the message around it: its path, and the offset of its content.
func (e *Error) within(path string, content int) *Error {
	if e.Field == "message" {
		e.Field = path
	} else {
		e.Field = path + "." + e.Field
	}
	e.Offset += content
	return e
}
