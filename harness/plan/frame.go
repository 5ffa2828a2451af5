package plan

import (
	"fmt"

	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"
)

// The encoder's rule: it writes what the plan says, in the order in which it says it, twice if it says so twice, and
// corrects nothing. That is why it does not go through kad/wire, which normalises.

// Encode returns the message of a frame, without a length before it.
func (ev *Evaluator) Encode(f Frame) ([]byte, error) {
	b, err := (&evaluation{Evaluator: ev}).encode(f)
	if err != nil {
		pos := Pos{File: ev.plan.File}
		if len(f.Fields) > 0 {
			pos = f.Fields[0].Pos
		}
		return nil, ev.fail(pos, f.Type, err)
	}
	return b, nil
}

// EncodeFrame is Encode with the message's length before it, as an unsigned varint.
func (ev *Evaluator) EncodeFrame(f Frame) ([]byte, error) {
	b, err := ev.Encode(f)
	if err != nil {
		return nil, err
	}
	return append(protowire.AppendVarint(make([]byte, 0, len(b)+5), uint64(len(b))), b...), nil
}

func (v *evaluation) encode(f Frame) ([]byte, error) {
	var out []byte
	if f.Type != "-" {
		n, ok := typeNumber(f.Type)
		if !ok {
			return nil, fmt.Errorf("%q is no TYPE here: the value of a loop is put in by Iterate or Bound", f.Type)
		}
		out = appendNumber(out, 1, n)
	}
	fields, err := v.fields(f.Fields)
	if err != nil {
		return nil, err
	}
	return appendMessage(out, messageFields, fields)
}

func appendNumber(dst []byte, number protowire.Number, n int64) []byte {
	dst = protowire.AppendTag(dst, number, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(n))
}

func appendBytes(dst []byte, number protowire.Number, b []byte) []byte {
	dst = protowire.AppendTag(dst, number, protowire.BytesType)
	return protowire.AppendBytes(dst, b)
}

// appendMessage writes the fields of one message by its table.
func appendMessage(dst []byte, table []field, fields []FieldValue) ([]byte, error) {
	for _, f := range fields {
		var err error
		if number, typ, raw, bad := rawField(f.Name); bad != nil {
			err = bad
		} else if raw {
			dst, err = appendRaw(dst, number, typ, f.Value)
		} else if row, ok := findField(table, f.Name); ok {
			dst, err = appendField(dst, row, f.Value)
		} else {
			err = fmt.Errorf("%s", unknown("field", f.Name, fieldNames(table)))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if len(dst) > maxFrame {
			return nil, fmt.Errorf("%s: the message grows beyond %d bytes", f.Name, maxFrame)
		}
	}
	return dst, nil
}

func appendField(dst []byte, row field, v Value) ([]byte, error) {
	number := protowire.Number(row.Number)
	switch row.Kind {
	case kindInt, kindEnum:
		n, err := v.AsNumber()
		return appendNumber(dst, number, n), err
	case kindRecord, kindPeers:
		return appendEmbedded(dst, row, v)
	case kindAddrs:
		if v.Kind != KindList {
			v = Value{Kind: KindList, List: []Value{v}}
		}
		for _, a := range v.List {
			b, err := addrBytes(a)
			if err != nil {
				return nil, err
			}
			dst = appendBytes(dst, number, b)
		}
		return dst, nil
	}
	b, err := v.AsBytes()
	return appendBytes(dst, number, b), err
}

// addrBytes takes an address as it is, or a text as the multiaddr that it names.
func addrBytes(v Value) ([]byte, error) {
	if v.Kind != KindText {
		return v.AsBytes()
	}
	a, err := multiaddr.NewMultiaddr(string(v.Bytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; bytes that are no address are written hex:…", v, err)
	}
	return a.Bytes(), nil
}

// appendEmbedded writes one embedded message, or one for each of a list. Bytes are taken as a message's encoding.
func appendEmbedded(dst []byte, row field, v Value) ([]byte, error) {
	number := protowire.Number(row.Number)
	switch v.Kind {
	case KindList:
		var err error
		for _, x := range v.List {
			if dst, err = appendEmbedded(dst, row, x); err != nil {
				return nil, err
			}
			if len(dst) > maxFrame {
				break
			}
		}
		return dst, nil
	case KindPeer:
		if row.Kind != kindPeers {
			return nil, fmt.Errorf("a record was expected, not %s", v.Kind)
		}
		b, err := EncodePeer(v.Peer)
		return appendBytes(dst, number, b), err
	case KindMessage:
		table := peerFields
		if row.Kind == kindRecord {
			table = recordFields
		}
		b, err := appendMessage(nil, table, v.Fields)
		return appendBytes(dst, number, b), err
	}
	b, err := v.AsBytes()
	return appendBytes(dst, number, b), err
}

// EncodePeer returns a peer's entry as a Peer message: id, addrs, then what was added, each of them as it was altered. A
// field that was altered more than once stands so often.
func EncodePeer(e *Entry) ([]byte, error) {
	addrs := Value{Kind: KindList}
	for _, a := range e.Addrs {
		addrs.List = append(addrs.List, Value{Bytes: a})
	}
	own := []FieldValue{{"id", Value{Bytes: e.ID}}, {"addrs", addrs}}
	var fields []FieldValue
	for _, f := range own {
		altered := false
		for _, c := range e.Changed {
			if c.Name == f.Name {
				fields, altered = append(fields, c), true
			}
		}
		if !altered {
			fields = append(fields, f)
		}
	}
	for _, c := range e.Changed {
		if c.Name != "id" && c.Name != "addrs" {
			fields = append(fields, c)
		}
	}
	return appendMessage(nil, peerFields, fields)
}

// appendRaw writes number:wiretype=value. A group (3) takes its content and gets its end; 4, 6 and 7 are the tag, and
// then the value's bytes as they are.
func appendRaw(dst []byte, number, typ int, v Value) ([]byte, error) {
	wireType := protowire.Type(typ)
	dst = protowire.AppendVarint(dst, uint64(number)<<3|uint64(typ))
	switch {
	case wireType == protowire.VarintType:
		n, err := v.AsNumber()
		return protowire.AppendVarint(dst, uint64(n)), err
	case v.Kind == KindNumber && wireType == protowire.Fixed64Type:
		return protowire.AppendFixed64(dst, uint64(v.Num)), nil
	case v.Kind == KindNumber && wireType == protowire.Fixed32Type:
		return protowire.AppendFixed32(dst, uint32(v.Num)), nil
	}
	b, err := rawBytes(v)
	if err != nil {
		return nil, err
	}
	switch wireType {
	case protowire.BytesType:
		return protowire.AppendBytes(dst, b), nil
	case protowire.StartGroupType:
		return protowire.AppendVarint(append(dst, b...), uint64(number)<<3|uint64(protowire.EndGroupType)), nil
	case protowire.Fixed64Type, protowire.Fixed32Type:
		want := map[protowire.Type]int{protowire.Fixed64Type: 8, protowire.Fixed32Type: 4}[wireType]
		if len(b) != want {
			return nil, fmt.Errorf("wire type %d takes a number or %d bytes, not %d", typ, want, len(b))
		}
	}
	return append(dst, b...), nil
}

// rawBytes is a value for an unknown field: bytes, or a message of unknown fields.
func rawBytes(v Value) ([]byte, error) {
	if v.Kind == KindMessage {
		return appendMessage(nil, nil, v.Fields)
	}
	return v.AsBytes()
}

// frameFixture is the fixture's bytes: the length, then the message with its changes.
func (v *evaluation) frameFixture(fx *Fixture) ([]byte, error) {
	b, err := v.encode(*fx.Frame)
	if err != nil {
		return nil, err
	}
	var declared *uint64
	for _, ch := range fx.Changes {
		if b, err = v.change(b, ch); err != nil {
			return nil, &Error{Pos: ch.Pos, What: ch.Verb, Msg: err.Error()}
		}
		if ch.Verb == "length" {
			declared = &ch.N
		}
	}
	length := uint64(len(b))
	if declared != nil {
		length = *declared
	}
	return append(protowire.AppendVarint(nil, length), b...), nil
}

func (v *evaluation) change(b []byte, ch Change) ([]byte, error) {
	var add []byte
	if ch.Value != nil {
		var err error
		if add, err = v.bytes(ch.Value); err != nil {
			return nil, err
		}
	}
	switch ch.Verb {
	case "patch":
		if ch.Offset+len(add) > len(b) {
			return nil, fmt.Errorf("offset %d and %d bytes reach beyond the message's %d", ch.Offset, len(add), len(b))
		}
		copy(b[ch.Offset:], add)
	case "cut":
		if ch.N > uint64(len(b)) {
			return nil, fmt.Errorf("%d bytes of a message of %d", ch.N, len(b))
		}
		b = b[:uint64(len(b))-ch.N]
	case "append":
		b = append(b, add...)
	}
	if len(b) > maxFrame {
		return nil, fmt.Errorf("the message grows beyond %d bytes", maxFrame)
	}
	return b, nil
}
