package check

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kadbench/kadbench/kad/wire"
)

// Row is one field of a message as it stands in bytes.
type Row struct {
	Offset int    // of its first byte, in what was annotated
	Len    int    // of the whole field: tag, length, content
	Head   int    // of its tag and length; of a length prefix and of bytes that cannot be read: Len
	Path   string // "closerPeers[2].addrs[0]"; "length" is the prefix of a frame; "" bytes which are no field
	Text   string // what it means
	Depth  int    // 0: a field of the message
	Nested bool   // an embedded message: its fields are the rows which follow, one deeper
	Err    error  // what is wrong with it, if something is
}

// maxRows bounds what one message makes of itself: 4 MiB of empty entries would be two million rows. A reply of twenty
// peers with three addresses has a hundred.
const maxRows = 20_000

// Annotate explains bytes for people, field by field: a message, or with framed frames one after another. It goes as far
// as the bytes can be read: behind a fault in an embedded message it goes on with the next field, and behind one which
// leaves the length unknown it says how many bytes are left. What has no Err anywhere is what wire reads.
func Annotate(b []byte, framed bool) []Row {
	a := annotator{b: b}
	if !framed {
		a.message(0, len(b), "", 0, messageFields)
		return a.rows
	}
	for at := 0; at < len(b) && !a.full; {
		at = a.frame(at)
	}
	return a.rows
}

type annotator struct {
	b    []byte
	rows []Row
	full bool
}

func (a *annotator) add(r Row) {
	switch {
	case a.full:
	case len(a.rows) == maxRows:
		a.full = true
		left := len(a.b) - r.Offset
		a.rows = append(a.rows, Row{Offset: r.Offset, Len: left, Head: left, Text: fmt.Sprintf("%d more bytes, not shown: %d rows are enough", left, maxRows)})
	default:
		a.rows = append(a.rows, r)
	}
}

// frame annotates the frame at an offset and returns where the next one begins.
func (a *annotator) frame(at int) int {
	rest := a.b[at:]
	length, n := binary.Uvarint(rest)
	row := Row{Offset: at, Len: n, Head: n, Path: "length", Text: strconv.FormatUint(length, 10)}
	// One which goes on for nine bytes is refused there, whether a tenth comes or not.
	if n <= 0 || n > 9 {
		row.Len = min(len(rest), 9)
		row.Head = row.Len
		row.Text, row.Err = "", wire.ErrLengthTooLong
		if row.Len < 9 {
			row.Err = io.ErrUnexpectedEOF
		}
		a.add(row)
		a.unread(at+row.Len, len(a.b), 0)
		return len(a.b)
	}
	rest = rest[n:]
	switch {
	case n > 1 && a.b[at+n-1] == 0:
		row.Err = wire.ErrLengthNotShortest
	case length > wire.MaxReceive:
		row.Err = wire.ErrFrameTooLarge
	case length > uint64(len(rest)):
		row.Err = io.ErrUnexpectedEOF
		row.Text += fmt.Sprintf(", of which %d are here", len(rest))
	}
	a.add(row)
	end := at + n + int(min(length, uint64(len(rest))))
	a.message(at+n, end, "", 0, messageFields)
	return end
}

// shape is what is known of a field by its number.
type shape struct {
	name   string
	typ    protowire.Type
	list   bool
	fields map[protowire.Number]shape // of an embedded message
	text   func([]byte) (string, error)
	number func(uint64) string
}

var (
	peerFields = map[protowire.Number]shape{
		1: {name: "id", typ: protowire.BytesType, text: peerText},
		2: {name: "addrs", typ: protowire.BytesType, list: true, text: multiaddrText},
		3: {name: "connection", typ: protowire.VarintType, number: connectionText},
	}
	recordFields = map[protowire.Number]shape{
		1:   {name: "key", typ: protowire.BytesType, text: bytesText},
		2:   {name: "value", typ: protowire.BytesType, text: bytesText},
		5:   {name: "timeReceived", typ: protowire.BytesType, text: timeText},
		666: {name: "publisher", typ: protowire.BytesType, text: peerText},
		777: {name: "ttl", typ: protowire.VarintType, number: func(v uint64) string { return fmt.Sprintf("%d s", uint32(v)) }},
	}
	messageFields = map[protowire.Number]shape{
		1:  {name: "type", typ: protowire.VarintType, number: func(v uint64) string { return fmt.Sprintf("%s (%d)", wire.Type(int32(v)), int32(v)) }},
		2:  {name: "key", typ: protowire.BytesType, text: keyText},
		3:  {name: "record", typ: protowire.BytesType, fields: recordFields},
		8:  {name: "closerPeers", typ: protowire.BytesType, list: true, fields: peerFields},
		9:  {name: "providerPeers", typ: protowire.BytesType, list: true, fields: peerFields},
		10: {name: "clusterLevelRaw", typ: protowire.VarintType, number: func(v uint64) string { return fmt.Sprintf("%d, not used", int32(v)) }},
	}
)

// message annotates the fields in a.b[at:end].
func (a *annotator) message(at, end int, prefix string, depth int, fields map[protowire.Number]shape) {
	seen := map[protowire.Number]int{}
	for at < end && !a.full {
		left := a.b[at:end]
		num, typ, tag := protowire.ConsumeTag(left)
		if tag < 0 || num > protowire.MaxValidNumber {
			a.unreadable(at, end, strings.TrimSuffix(prefix, "."), depth)
			return
		}
		s, known := fields[num]
		row := Row{Offset: at, Depth: depth, Path: fmt.Sprintf("%sfield %d", prefix, num)}
		if known {
			row.Path = prefix + s.name
		}
		if s.list {
			row.Path += "[" + strconv.Itoa(seen[num]) + "]"
		}
		size := protowire.ConsumeFieldValue(num, typ, left[tag:])
		if size < 0 {
			a.unreadable(at, end, row.Path, depth)
			return
		}
		row.Len = tag + size
		value := left[tag:row.Len]
		row.Head = tag
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
			row.Head = row.Len - len(value)
		}

		switch {
		case typ == protowire.StartGroupType:
			row.Text, row.Err = "a group, skipped", refusal(left[:row.Len])
		case !known:
			row.Text = "unknown, skipped: " + rawText(typ, value)
		case typ != s.typ:
			row.Text = fmt.Sprintf("of wire type %d, expected %d; skipped: %s", typ, s.typ, rawText(typ, value))
		case s.fields != nil:
			row.Nested = true
			row.Text = fmt.Sprintf("%d bytes", len(value))
		case s.number != nil:
			v, _ := protowire.ConsumeVarint(value)
			row.Text = s.number(v)
		default:
			row.Text, row.Err = s.text(value)
		}
		if known && typ == s.typ {
			if seen[num]++; seen[num] > 1 && !s.list {
				row.Text += map[bool]string{true: ", merged with the one before", false: ", in place of the one before"}[row.Nested]
			}
		}
		a.add(row)
		if row.Nested {
			a.message(at+row.Head, at+row.Len, row.Path+".", depth+1, s.fields)
		}
		at += row.Len
	}
}

// unreadable adds the field at an offset, of which not even the length is known, with all that follows it. The wire
// package says why: a field that cannot be measured fails alike in any message.
func (a *annotator) unreadable(at, end int, path string, depth int) {
	row := Row{Offset: at, Len: end - at, Head: end - at, Path: path, Depth: depth, Text: fmt.Sprintf("%d bytes from here on", end-at)}
	if row.Err = refusal(a.b[at:end]); row.Err == nil {
		row.Err = wire.ErrTruncated // unreachable while the two agree; a fault must not look sound
	}
	a.add(row)
}

// refusal is why wire refuses a message that begins with these fields, without the place.
func refusal(b []byte) error {
	var m wire.Message
	var e *wire.Error
	if errors.As(wire.Decode(b, &m), &e) {
		return e.Kind
	}
	return nil
}

// unread adds bytes which nothing tells how to read.
func (a *annotator) unread(at, end, depth int) {
	if at < end {
		a.add(Row{Offset: at, Len: end - at, Head: end - at, Depth: depth, Text: fmt.Sprintf("%d bytes, not read", end-at)})
	}
}

func rawText(typ protowire.Type, v []byte) string {
	switch typ {
	case protowire.VarintType:
		n, _ := protowire.ConsumeVarint(v)
		return "varint " + strconv.FormatUint(n, 10)
	case protowire.BytesType:
		s, _ := bytesText(v)
		return s
	}
	return fmt.Sprintf("%d bytes %x", len(v), v)
}

// maxText is how many bytes of a value are spelt out.
const maxText = 64

// bytesText is quoted text where that is readable, else hex.
func bytesText(v []byte) (string, error) {
	switch {
	case len(v) == 0:
		return "empty", nil
	case legible(v) && len(v) <= maxText:
		return strconv.Quote(string(v)), nil
	case legible(v):
		return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(string(v[:maxText])), len(v)), nil
	case len(v) <= maxText:
		return fmt.Sprintf("%x", v), nil
	}
	return fmt.Sprintf("%x… (%d bytes)", v[:maxText], len(v)), nil
}

func legible(v []byte) bool {
	for _, r := range string(v) {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// keyText is a key: a peer id, a multihash or anything.
func keyText(v []byte) (string, error) {
	if !legible(v) {
		if id, err := peer.IDFromBytes(v); err == nil {
			if v[0] == 0x12 { // sha2-256: an RSA peer's id looks like any other multihash
				return fmt.Sprintf("multihash or peer id %s", id), nil
			}
			return "peer id " + id.String(), nil
		}
	}
	return bytesText(v)
}

func peerText(v []byte) (string, error) {
	id, err := peer.IDFromBytes(v)
	if err != nil {
		s, _ := bytesText(v)
		return "no peer id: " + s, nil
	}
	return id.String(), nil
}

func multiaddrText(v []byte) (string, error) {
	addr, err := ma.NewMultiaddrBytes(v)
	if err != nil || len(v) == 0 {
		s, _ := bytesText(v)
		return "no multiaddr: " + s, nil
	}
	return addr.String(), nil
}

func timeText(v []byte) (string, error) {
	s, err := bytesText(v)
	if !utf8.Valid(v) {
		err = wire.ErrUTF8
	}
	return s, err
}

func connectionText(v uint64) string {
	names := []string{"NOT_CONNECTED", "CONNECTED", "CAN_CONNECT", "CANNOT_CONNECT"}
	n := int32(v)
	if n >= 0 && int(n) < len(names) {
		return fmt.Sprintf("%s (%d)", names[n], n)
	}
	return fmt.Sprintf("CONNECTION(%d)", n)
}
