package plan

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ValueKind says which of a Value's fields hold it.
type ValueKind uint8

const (
	KindBytes    ValueKind = iota // Bytes
	KindText                      // Bytes, written as "text"
	KindNumber                    // Num
	KindDuration                  // Num, nanoseconds
	KindPercent                   // Num, in millionths: 1% is 10,000
	KindList                      // List
	KindPeer                      // Peer
	KindMessage                   // Fields
)

var kindNames = [...]string{"bytes", "a text", "a number", "a time", "a share", "a list", "a peer", "a message"}

func (k ValueKind) String() string { return kindNames[k] }

// Value is what an expression comes to. Treat it as read-only: fixtures share theirs.
type Value struct {
	Kind   ValueKind
	Bytes  []byte
	Num    int64
	List   []Value
	Peer   *Entry
	Fields []FieldValue // of an embedded message, in the order written
}

// Entry is a peer as a message lists it. Changed holds what A{…} alters: a field named there replaces the peer's own, and
// any other is added behind.
type Entry struct {
	Name    string
	ID      []byte
	Addrs   [][]byte // binary, without a trailing /p2p
	Changed []FieldValue
}

// FieldValue is name=value, evaluated. Name is a protobuf name, or number:wiretype.
type FieldValue struct {
	Name  string
	Value Value
}

// AsBytes is the value as a field of bytes takes it: bytes, a text, or a peer's id.
func (v Value) AsBytes() ([]byte, error) {
	switch v.Kind {
	case KindBytes, KindText:
		return v.Bytes, nil
	case KindPeer:
		return v.Peer.ID, nil
	}
	return nil, fmt.Errorf("bytes were expected, not %s", v.Kind)
}

// AsNumber is the value as a field of numbers takes it.
func (v Value) AsNumber() (int64, error) {
	if v.Kind != KindNumber {
		return 0, fmt.Errorf("a number was expected, not %s", v.Kind)
	}
	return v.Num, nil
}

// Len is how many entries a list has, or bytes a value.
func (v Value) Len() (int, error) {
	if v.Kind == KindList {
		return len(v.List), nil
	}
	b, err := v.AsBytes()
	if err != nil {
		return 0, fmt.Errorf("a list or bytes were expected, not %s", v.Kind)
	}
	return len(b), nil
}

// Equal compares what values stand for: a text equals the same bytes, a peer its id; lists compare in order.
func (v Value) Equal(o Value) bool {
	switch {
	case v.Kind == KindList && o.Kind == KindList:
		if len(v.List) != len(o.List) {
			return false
		}
		for i := range v.List {
			if !v.List[i].Equal(o.List[i]) {
				return false
			}
		}
		return true
	case v.Kind == KindMessage || o.Kind == KindMessage || v.Kind == KindList || o.Kind == KindList:
		return false
	case v.Kind == KindNumber || v.Kind == KindDuration || v.Kind == KindPercent:
		return v.Kind == o.Kind && v.Num == o.Num
	}
	a, err1 := v.AsBytes()
	b, err2 := o.AsBytes()
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// String prints a value for a person: long bytes are cut at 32, with their true length.
func (v Value) String() string {
	switch v.Kind {
	case KindText:
		return strconv.Quote(string(v.Bytes))
	case KindNumber:
		return strconv.FormatInt(v.Num, 10)
	case KindDuration:
		return ShortTime(time.Duration(v.Num))
	case KindPercent:
		return strconv.FormatFloat(float64(v.Num)/1e4, 'f', -1, 64) + "%"
	case KindPeer:
		if v.Peer.Name != "" {
			return v.Peer.Name
		}
		return printBytes(v.Peer.ID)
	case KindList:
		parts := make([]string, len(v.List))
		for i, x := range v.List {
			parts[i] = x.String()
		}
		return "[" + strings.Join(parts, " ") + "]"
	case KindMessage:
		parts := make([]string, len(v.Fields))
		for i, f := range v.Fields {
			parts[i] = f.Name + "=" + f.Value.String()
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return printBytes(v.Bytes)
}

func printBytes(b []byte) string {
	const most = 32
	if len(b) > 0 && len(b) <= most && utf8.Valid(b) && printable(b) {
		return strconv.Quote(string(b))
	}
	if len(b) > most {
		return fmt.Sprintf("hex:%s… (%d bytes)", hex.EncodeToString(b[:most]), len(b))
	}
	return "hex:" + hex.EncodeToString(b)
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// units a number may end with. Times go through time.ParseDuration.
var units = []struct {
	Name    string
	Factor  int64
	Meaning string
}{
	{"KiB", 1 << 10, "1,024 bytes"}, {"MiB", 1 << 20, "1,048,576 bytes"}, {"GiB", 1 << 30, "1,073,741,824 bytes"},
}

// parseNumber reads 20, -1, 4MiB, 5s, 1%.
func parseNumber(w string) (Value, bool) {
	if n, err := strconv.ParseInt(w, 10, 64); err == nil {
		return Value{Kind: KindNumber, Num: n}, true
	}
	if n, err := strconv.ParseUint(w, 10, 64); err == nil { // above 2^63: kept as its bits, for varints
		return Value{Kind: KindNumber, Num: int64(n)}, true
	}
	for _, u := range units {
		if digits, ok := strings.CutSuffix(w, u.Name); ok {
			n, err := strconv.ParseInt(digits, 10, 32)
			return Value{Kind: KindNumber, Num: n * u.Factor}, err == nil
		}
	}
	if digits, ok := strings.CutSuffix(w, "%"); ok {
		f, err := strconv.ParseFloat(digits, 64)
		return Value{Kind: KindPercent, Num: int64(f*1e4 + 0.5)}, err == nil && f >= 0 && f <= 1e6
	}
	if d, err := time.ParseDuration(w); err == nil {
		return Value{Kind: KindDuration, Num: int64(d)}, true
	}
	return Value{}, false
}
