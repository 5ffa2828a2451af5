package check

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
)

// compare judges f op v.
func (j *judge) compare(f Field, op plan.Op, v plan.Value, owner []byte) (*diff, error) {
	if op == plan.OpAtMost || op == plan.OpAtLeast {
		return j.bound(f, op, v)
	}
	if op == plan.OpNotEqual {
		d, err := j.compare(f, plan.OpEqual, v, owner)
		if err == nil && d == nil {
			return differs("not wanted: %s", j.show(f)), nil
		}
		return nil, err
	}
	switch f.Kind {
	case NumberField:
		return j.number(f, op, v)
	case BytesField:
		return j.bytes(f, op, v)
	case MessageField:
		if op != plan.OpEqual || v.Kind != plan.KindPeer && v.Kind != plan.KindMessage {
			return nil, errors.New("an embedded message is compared by = with {field=value …}")
		}
		return j.parts(f, v)
	}
	return j.list(f, op, v, owner)
}

func (j *judge) bound(f Field, op plan.Op, v plan.Value) (*diff, error) {
	most, err := v.AsNumber()
	if err != nil {
		return nil, err
	}
	var n int64
	switch f.Kind {
	case NumberField:
		n = f.Int
	case BytesField:
		n = int64(len(f.Bytes))
	case ListField:
		n = int64(len(f.Items))
	default:
		return nil, errors.New("a message has no length")
	}
	if op == plan.OpAtMost && n > most {
		return differs("%d, wanted at most %d", n, most), nil
	}
	if op == plan.OpAtLeast && n < most {
		return differs("%d, wanted at least %d", n, most), nil
	}
	return nil, nil
}

func (j *judge) number(f Field, op plan.Op, v plan.Value) (*diff, error) {
	if op != plan.OpEqual {
		return nil, errors.New("a number is compared by = != <= >=")
	}
	want, err := v.AsNumber()
	if err != nil {
		return nil, err
	}
	if f.Int != want {
		return differs("%d, wanted %d", f.Int, want), nil
	}
	return nil, nil
}

func (j *judge) bytes(f Field, op plan.Op, v plan.Value) (*diff, error) {
	if op != plan.OpEqual {
		return nil, errors.New("bytes are compared by = != <= >=")
	}
	want, err := v.AsBytes()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(f.Bytes, want) {
		return differs("%s, wanted %s", j.names.text(f.Bytes), j.names.text(want)), nil
	}
	return nil, nil
}

// parts holds an entry or a record against those fields that are written.
func (j *judge) parts(f Field, v plan.Value) (*diff, error) {
	id, fields := identity(v)
	owner := f.Parts["id"].Bytes
	if v.Kind == plan.KindPeer && !bytes.Equal(owner, id) {
		return differs("%s, wanted %s", j.names.Peer(owner), j.names.Peer(id)), nil
	}
	for _, w := range fields {
		part, ok := f.Parts[w.Name]
		if !ok {
			return nil, fmt.Errorf("no field %q to compare", w.Name)
		}
		d, err := j.compare(part, plan.OpEqual, w.Value, owner)
		if err != nil {
			return nil, err
		}
		if d != nil {
			d.text = w.Name + ": " + d.text
			return d, nil
		}
	}
	return nil, nil
}

// identity is the id of a value that stands in a list of peers, and what else of its entry is to be compared.
func identity(v plan.Value) (id []byte, fields []plan.FieldValue) {
	switch v.Kind {
	case plan.KindPeer:
		return v.Peer.ID, v.Peer.Changed
	case plan.KindMessage:
		for _, f := range v.Fields {
			if f.Name == "id" {
				id, _ = f.Value.AsBytes()
			}
		}
		return id, v.Fields
	}
	id, _ = v.AsBytes()
	return id, nil
}

// list judges lists as sets: by the keys of their elements, and where an element says more, by that too.
func (j *judge) list(f Field, op plan.Op, v plan.Value, owner []byte) (*diff, error) {
	want := []plan.Value{v}
	if v.Kind == plan.KindList {
		want = v.List
	}
	wanted := map[string]plan.Value{}
	var order []string
	for _, w := range want {
		id, _ := identity(w)
		key := string(id)
		switch {
		case w.Kind == plan.KindNumber || w.Kind == plan.KindList:
			return nil, fmt.Errorf("an element of a list is a peer, an address or a text, not %s", w.Kind)
		case f.Addrs:
			key = string(Addr(AddrBytes(id), owner))
		}
		if _, twice := wanted[key]; !twice {
			order = append(order, key)
		}
		wanted[key] = w
	}
	var missing, extra []string
	var worst *diff
	got := map[string]bool{}
	for i, item := range f.Items {
		w, in := wanted[item.Key]
		first := !got[item.Key]
		got[item.Key] = true
		if in == (op == plan.OpNone) {
			if worst == nil {
				worst = &diff{span: item.Span, what: nth(i)}
			}
			if first {
				extra = append(extra, j.showItem(f, item.Key))
			}
		}
		if _, fields := identity(w); in && op != plan.OpNone && len(fields) > 0 {
			d, err := j.parts(item.Field, w)
			if err != nil {
				return nil, err
			}
			if d != nil {
				return &diff{j.names.Peer([]byte(item.Key)) + ": " + d.text, item.Span, nth(i)}, nil
			}
		}
	}
	for _, key := range order {
		if !got[key] {
			missing = append(missing, j.showItem(f, key))
		}
	}
	if op == plan.OpAll {
		extra, worst = nil, nil
	}
	if op == plan.OpNone || op == plan.OpOnly {
		missing = nil
	}
	if len(extra)+len(missing) == 0 {
		return nil, nil
	}
	if worst == nil {
		worst = &diff{}
	}
	var words []string
	if len(extra) > 0 {
		words = append(words, "not wanted: "+some(extra))
	}
	if len(missing) > 0 {
		words = append(words, "missing: "+some(missing))
	}
	worst.text = strings.Join(words, "; ")
	return worst, nil
}

// Captured is a field as a value, to be compared with later.
func Captured(f Field) plan.Value {
	switch f.Kind {
	case NumberField:
		return plan.Value{Kind: plan.KindNumber, Num: f.Int}
	case BytesField:
		return plan.Value{Kind: plan.KindBytes, Bytes: bytes.Clone(f.Bytes)}
	case MessageField:
		v := plan.Value{Kind: plan.KindMessage}
		for _, name := range sorted(partNames(f)) {
			if part := f.Parts[name]; part.Set {
				v.Fields = append(v.Fields, plan.FieldValue{Name: name, Value: Captured(part)})
			}
		}
		return v
	}
	v := plan.Value{Kind: plan.KindList}
	for _, item := range f.Items {
		v.List = append(v.List, plan.Value{Kind: plan.KindBytes, Bytes: []byte(item.Key)})
	}
	return v
}
