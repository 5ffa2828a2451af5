package check

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kadbench/kadbench/kad/wire"
)

// FieldKind says how a field of what came is compared.
type FieldKind uint8

const (
	NumberField  FieldKind = iota // clusterLevelRaw, ttl, connection
	BytesField                    // key, record.value, an id; texts too
	MessageField                  // record, one entry of closerPeers: Parts
	ListField                     // closerPeers, addrs, protocols: Items
)

// Field is a field of what came, in the form in which matchers see it.
type Field struct {
	Kind  FieldKind
	Set   bool // there, and neither empty nor the default
	Int   int64
	Bytes []byte
	Parts map[string]Field
	Items []Item
	Addrs bool // the items are multiaddrs
	Peers bool // the items are peers' entries
	Span  Span
}

// Item is an element of a list. Key is what sets are made of: the id of a peer, the bytes of an address without its own
// /p2p, a text.
type Item struct {
	Key   string
	Field Field // of an entry, with its parts
	Span  Span
}

// Span is where a field stands in the message: offsets of its first byte (the tag) and of the byte after it.
type Span struct{ From, To int }

// Subject is what a line judges: a message, or what identify told.
type Subject interface {
	// Field finds a field by its path: `record.key`, `closerPeers`, `closerPeers[A].addrs` with the id of A between the
	// brackets, as Peer knows it. ErrField: there is no field of that name.
	Field(name string) (Field, bool)
	// Head is the first word of the got line: FIND_NODE, identify.
	Head() string
}

// Message is a message that came, decoded, with the place of its parts.
type Message struct {
	wire.Message
	Body   []byte
	fields map[string]Field
}

// NewMessage decodes a message. The error is the decoder's.
func NewMessage(body []byte) (*Message, error) {
	m := &Message{Body: body}
	if err := wire.Decode(body, &m.Message); err != nil {
		return nil, err
	}
	places := locate(body)
	m.fields = map[string]Field{
		"key":             bytesField(m.Key, places.last(2)),
		"clusterLevelRaw": numberField(int64(m.ClusterLevelRaw), places.last(10)),
		"size":            numberField(int64(len(body)), Span{}),
		"type":            numberField(int64(m.Type), places.last(1)),
		"closerPeers":     peersField(m.CloserPeers, places.of(8)),
		"providerPeers":   peersField(m.ProviderPeers, places.of(9)),
	}
	m.fields["record"] = recordField(m.HasRecord, m.Record, body, places.of(3))
	return m, nil
}

// recordField is the record with its parts. They are placed in the last record of the message: a second one is merged
// into the first.
func recordField(there bool, r wire.Record, body []byte, places []Span) Field {
	f := Field{Kind: MessageField, Set: there}
	within := func(protowire.Number) Span { return f.Span }
	if len(places) > 0 {
		f.Span = places[len(places)-1]
		_, _, tag := protowire.ConsumeTag(body[f.Span.From:f.Span.To])
		content, n := protowire.ConsumeBytes(body[f.Span.From+tag : f.Span.To])
		start := f.Span.From + tag + n - len(content)
		inner := locate(content)
		within = func(number protowire.Number) Span {
			s := inner.last(number)
			if s == (Span{}) {
				return f.Span
			}
			return Span{start + s.From, start + s.To}
		}
	}
	f.Parts = map[string]Field{
		"key":          bytesField(r.Key, within(1)),
		"value":        bytesField(r.Value, within(2)),
		"timeReceived": bytesField(r.TimeReceived, within(5)),
		"publisher":    bytesField(r.Publisher, within(666)),
		"ttl":          numberField(int64(r.TTL), within(777)),
	}
	return f
}

// Field implements Subject.
func (m *Message) Field(name string) (Field, bool) {
	f, ok := m.fields[name]
	return f, ok
}

// Head implements Subject.
func (m *Message) Head() string { return TypeName(m.Type) }

// Identity is what identify told, as a Subject.
type Identity struct {
	Protocols []string
	Addrs     [][]byte
	Agent     string
	ID        []byte // whose it is
}

// Field implements Subject.
func (i Identity) Field(name string) (Field, bool) {
	switch name {
	case "protocols":
		f := Field{Kind: ListField, Set: len(i.Protocols) > 0}
		for _, p := range i.Protocols {
			f.Items = append(f.Items, Item{Key: p, Field: bytesField([]byte(p), Span{})})
		}
		return f, true
	case "addrs":
		return addrsField(i.Addrs, i.ID, Span{}), true
	case "agent":
		return bytesField([]byte(i.Agent), Span{}), true
	}
	return Field{}, false
}

// Head implements Subject.
func (i Identity) Head() string { return "identify" }

// TypeName is the name of a message type, or its number.
func TypeName(t wire.Type) string {
	if name := t.String(); isType(name) {
		return name
	}
	return strconv.Itoa(int(t))
}

func isType(name string) bool {
	_, ok := wire.ParseType(name)
	return ok
}

// TypeOf reads a type as a plan writes it; `-`, no type at all, reads as PUT_VALUE does, whose number is the default.
func TypeOf(name string) (wire.Type, bool) {
	if name == "-" {
		return wire.PutValue, true
	}
	if t, ok := wire.ParseType(name); ok {
		return t, true
	}
	n, err := strconv.ParseInt(name, 10, 32)
	return wire.Type(n), err == nil
}

func bytesField(b []byte, s Span) Field {
	return Field{Kind: BytesField, Set: len(b) > 0, Bytes: b, Span: s}
}

func numberField(n int64, s Span) Field {
	return Field{Kind: NumberField, Set: n != 0, Int: n, Span: s}
}

func addrsField(addrs [][]byte, owner []byte, s Span) Field {
	f := Field{Kind: ListField, Addrs: true, Set: len(addrs) > 0, Span: s}
	for _, a := range addrs {
		f.Items = append(f.Items, Item{Key: string(Addr(a, owner)), Field: bytesField(a, s), Span: s})
	}
	return f
}

func peersField(peers []wire.Peer, places []Span) Field {
	f := Field{Kind: ListField, Peers: true, Set: len(peers) > 0}
	for i, p := range peers {
		var at Span
		if i < len(places) {
			at = places[i]
		}
		if i == 0 {
			f.Span.From = at.From
		}
		f.Span.To = at.To
		var addrs [][]byte
		for a := range p.Addrs.All() {
			addrs = append(addrs, a)
		}
		f.Items = append(f.Items, Item{Key: string(p.ID), Span: at, Field: Field{Kind: MessageField, Set: true, Span: at, Parts: map[string]Field{
			"id":         bytesField(p.ID, at),
			"addrs":      addrsField(addrs, p.ID, at),
			"connection": numberField(int64(p.Connection), at),
		}}})
	}
	return f
}

// places are the spans of a message's top-level fields by number.
type places map[protowire.Number][]Span

func (p places) of(n protowire.Number) []Span { return p[n] }

func (p places) last(n protowire.Number) Span {
	if s := p[n]; len(s) > 0 {
		return s[len(s)-1]
	}
	return Span{}
}

// locate finds the top-level fields; it stops at what it cannot read.
func locate(b []byte) places {
	p := places{}
	for at := 0; at < len(b); {
		number, _, n := protowire.ConsumeField(b[at:])
		if n < 0 {
			break
		}
		p[number] = append(p[number], Span{at, at + n})
		at += n
	}
	return p
}

// Path splits `closerPeers[A].addrs` into its field, the entry it asks of (A, * or nothing) and the rest.
func Path(path string) (field, entry, rest string, err error) {
	field = path
	if open := strings.IndexByte(path, '['); open >= 0 {
		end := strings.LastIndexByte(path, ']')
		if end < open {
			return "", "", "", fmt.Errorf("%q: expected ] after the entry", path)
		}
		field, entry, rest = path[:open], path[open+1:end], strings.TrimPrefix(path[end+1:], ".")
		return field, entry, rest, nil
	}
	if f, r, ok := strings.Cut(path, "."); ok {
		return f, "", r, nil
	}
	return field, "", "", nil
}
