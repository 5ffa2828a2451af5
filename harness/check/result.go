package check

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/plan"
)

// Result is what an operation of the target came to, as a Subject. A field that the target left out or gave as null is
// one that it cannot tell: see Tells.
type Result struct {
	method string
	fields map[string]Field
	untold map[string]bool // also stats.hops
}

// NewResult reads the result of a method. Self is the target's id: a record of its own store is one of its own. The error
// says which field is not what the control protocol says.
func NewResult(method string, self []byte, raw json.RawMessage) (*Result, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("result of %s: expected an object: %w", method, err)
	}
	r := &Result{method: method, fields: map[string]Field{}, untold: map[string]bool{}}
	for _, name := range plan.ResultParts(method) {
		if isNull(in[name]) {
			r.untold[name] = true
			r.fields[name] = Field{Kind: map[bool]FieldKind{true: MessageField, false: BytesField}[name == "stats"]}
			continue
		}
		f, err := r.field(name, self, in[name])
		if err != nil {
			return nil, fmt.Errorf("result of %s: %s: %w", method, name, err)
		}
		r.fields[name] = f
	}
	return r, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func (r *Result) field(name string, self []byte, raw json.RawMessage) (Field, error) {
	var text string
	switch name {
	case "value":
		b, err := decoded(raw)
		return bytesField(b, Span{}), err
	case "update":
		err := json.Unmarshal(raw, &text)
		return bytesField([]byte(text), Span{}), err
	case "removed":
		var yes bool
		err := json.Unmarshal(raw, &yes)
		return numberField(map[bool]int64{true: 1}[yes], Span{}), err
	case "peer":
		err := json.Unmarshal(raw, &text)
		return bytesField(idOf(text), Span{}), err
	case "addrs":
		var texts []string
		err := json.Unmarshal(raw, &texts)
		return addrsField(addrsOf(texts), nil, Span{}), err
	case "stats":
		return r.stats(raw)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return Field{}, err
	}
	f := Field{Kind: ListField, Peers: true, Set: len(list) > 0}
	for _, one := range list {
		item, err := entryOf(one, self)
		if err != nil {
			return f, err
		}
		f.Items = append(f.Items, item)
	}
	return f, nil
}

// entryOf reads one of a list: an id, or a peer with its addresses or its value.
func entryOf(raw json.RawMessage, self []byte) (Item, error) {
	var e struct {
		Peer  *string         `json:"peer"`
		Addrs []string        `json:"addrs"`
		Value json.RawMessage `json:"value"`
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		e.Peer = &text
	} else if err := json.Unmarshal(raw, &e); err != nil {
		return Item{}, err
	}
	id := self
	if e.Peer != nil {
		id = idOf(*e.Peer)
	}
	var value []byte
	if !isNull(e.Value) {
		var err error
		if value, err = decoded(e.Value); err != nil {
			return Item{}, err
		}
	}
	return Item{Key: string(id), Field: Field{Kind: MessageField, Set: true, Parts: map[string]Field{
		"id":    bytesField(id, Span{}),
		"addrs": addrsField(addrsOf(e.Addrs), id, Span{}),
		"value": bytesField(value, Span{}),
	}}}, nil
}

func (r *Result) stats(raw json.RawMessage) (Field, error) {
	var in map[string]*int64
	if err := json.Unmarshal(raw, &in); err != nil {
		return Field{}, err
	}
	f := Field{Kind: MessageField, Set: true, Parts: map[string]Field{}}
	for _, name := range plan.StatsParts() {
		if n := in[name]; n != nil {
			f.Parts[name] = numberField(*n, Span{})
		} else {
			f.Parts[name] = numberField(0, Span{})
			r.untold["stats."+name] = true
		}
	}
	return f, nil
}

// decoded are bytes on the control channel: unpadded base64url.
func decoded(raw json.RawMessage) ([]byte, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(text)
}

// idOf is a peer id; text that is none stays as it is, and equals nobody's.
func idOf(text string) []byte {
	id, err := peer.Decode(text)
	if err != nil {
		return []byte(text)
	}
	return []byte(id)
}

func addrsOf(texts []string) (out [][]byte) {
	for _, text := range texts {
		if a, err := ma.NewMultiaddr(text); err == nil {
			out = append(out, a.Bytes())
		} else {
			out = append(out, []byte(text))
		}
	}
	return out
}

// Tells says whether the target can tell what a matcher's path asks for.
func (r *Result) Tells(path string) bool {
	name, _, _, err := Path(path)
	return err != nil || !r.untold[name] && !r.untold[strings.ReplaceAll(path, "[*]", "")]
}

// Field implements Subject.
func (r *Result) Field(name string) (Field, bool) {
	f, ok := r.fields[name]
	return f, ok
}

// Head implements Subject.
func (r *Result) Head() string { return r.method }
