package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ipnsFields is IpnsEntry (ipns L204-L238): its fields by number. pb.NAME changes one after signing.
var ipnsFields = []field{
	{Name: "value", Number: 1, Kind: kindBytes},
	{Name: "signatureV1", Number: 2, Kind: kindBytes},
	{Name: "validityType", Number: 3, Kind: kindInt},
	{Name: "validity", Number: 4, Kind: kindBytes},
	{Name: "sequence", Number: 5, Kind: kindInt},
	{Name: "ttl", Number: 6, Kind: kindInt},
	{Name: "pubKey", Number: 7, Kind: kindBytes},
	{Name: "signatureV2", Number: 8, Kind: kindBytes},
	{Name: "data", Number: 9, Kind: kindBytes},
}

// ipnsNamed are the arguments that are signed, with what stands for them when they are left out.
var ipnsNamed = []struct{ Name, Meaning string }{
	{"sequence", "a number; 0"},
	{"value", "a path; \"/ipfs/bafkqaaa\", the empty block"},
	{"validity", "a time in RFC 3339, or a duration from now; \"2100-01-01T00:00:00Z\""},
	{"validityType", "a number; 0, end of life"},
	{"ttl", "a time; 1h"},
	{"size", "the bytes that the record is filled up to, with a key _pad in its signed data; no filling"},
}

func ipnsArguments() []string {
	var out []string
	for _, a := range ipnsNamed {
		out = append(out, a.Name)
	}
	for _, f := range ipnsFields {
		out = append(out, "pb."+f.Name, "!pb."+f.Name)
	}
	return out
}

// record is an IPNS record before it is bytes.
type record struct {
	value, validity             []byte
	validityType, sequence, ttl uint64
	pad                         int // bytes under the pad key; below 0: no such key
	padKey                      string
	signer                      Identity
}

func evalPK(v *evaluation, e *Expr) (Value, error) {
	id, err := v.identity(e.Args[0])
	return Value{Bytes: id.PublicKey}, err
}

func (v *evaluation) identity(e *Expr) (Identity, error) {
	x, err := v.eval(e)
	if err != nil {
		return Identity{}, err
	}
	if x.Kind != KindPeer || x.Peer.Name == "" {
		return Identity{}, fmt.Errorf("a peer was expected, not %s", x.Kind)
	}
	return v.env.Peer(x.Peer.Name)
}

func evalIPNS(v *evaluation, e *Expr) (Value, error) {
	id, err := v.identity(e.Args[0])
	if err != nil {
		return Value{}, fmt.Errorf("ipns: %w", err)
	}
	if id.Sign == nil {
		return Value{}, fmt.Errorf("ipns: %s is the target, whose private key only it has", e.Args[0])
	}
	r := &record{value: []byte("/ipfs/bafkqaaa"), validity: []byte("2100-01-01T00:00:00Z"), ttl: uint64(time.Hour), pad: -1, signer: id}
	size := 0
	for _, f := range e.Fields {
		if strings.Contains(f.Name, "pb.") {
			continue
		}
		if err := r.set(v, f, &size); err != nil {
			return Value{}, fmt.Errorf("ipns: %s: %w", f.Name, err)
		}
	}
	fields, err := r.fitted(size)
	if err != nil {
		return Value{}, fmt.Errorf("ipns: %w", err)
	}
	if fields, err = v.altered(fields, e.Fields); err != nil {
		return Value{}, fmt.Errorf("ipns: %w", err)
	}
	b, err := appendMessage(nil, ipnsFields, fields)
	return Value{Bytes: b}, err
}

// set takes one named argument.
func (r *record) set(v *evaluation, f Field, size *int) error {
	x, err := v.eval(f.Value)
	if err != nil {
		return err
	}
	switch f.Name {
	case "value":
		r.value, err = x.AsBytes()
	case "validity":
		if x.Kind == KindDuration {
			r.validity = []byte(v.env.Now().Add(time.Duration(x.Num)).UTC().Format(time.RFC3339Nano))
			break
		}
		r.validity, err = x.AsBytes()
	case "ttl":
		if x.Kind != KindDuration && x.Kind != KindNumber {
			return fmt.Errorf("a time was expected, not %s", x.Kind)
		}
		r.ttl = uint64(x.Num)
	default:
		var n int64
		if n, err = x.AsNumber(); err == nil && n < 0 {
			err = fmt.Errorf("%d is below 0", n)
		}
		switch f.Name {
		case "sequence":
			r.sequence = uint64(n)
		case "validityType":
			r.validityType = uint64(n)
		case "size":
			*size = int(n)
		}
	}
	return err
}

// fitted returns the signed fields of a record that has exactly size bytes; 0 leaves it as it is. A length that needs a
// byte more than the one before makes one size in some hundreds unreachable: a longer key for the filling reaches it.
func (r *record) fitted(size int) ([]FieldValue, error) {
	if size == 0 {
		return r.sign()
	}
	if size > maxFrame {
		return nil, fmt.Errorf("size=%d, %d at most", size, maxFrame)
	}
	for _, r.padKey = range []string{"_pad", "_pads", "_padss"} {
		r.pad = 0
		for range 4 { // each round corrects what the lengths of the last one added
			fields, err := r.sign()
			if err != nil {
				return nil, err
			}
			b, err := appendMessage(nil, ipnsFields, fields)
			if err != nil || len(b) == size {
				return fields, err
			}
			if r.pad += size - len(b); r.pad < 0 {
				return nil, fmt.Errorf("size=%d is less than the record has without filling, %d", size, len(b))
			}
		}
	}
	return nil, fmt.Errorf("no record has exactly %d bytes", size)
}

// sign returns the record's fields in the order of their numbers, as a publisher for old and new readers writes them
// (ipns L351-L389).
func (r *record) sign() ([]FieldValue, error) {
	data := r.cbor()
	v2, err := r.signer.Sign(append([]byte("ipns-signature:"), data...))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	v1, err := r.signer.Sign(slices.Concat(r.value, r.validity, []byte("EOL")))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	bytesOf := func(b []byte) Value { return Value{Bytes: b} }
	number := func(n uint64) Value { return Value{Kind: KindNumber, Num: int64(n)} }
	fields := []FieldValue{
		{"value", bytesOf(r.value)}, {"signatureV1", bytesOf(v1)}, {"validityType", number(r.validityType)},
		{"validity", bytesOf(r.validity)}, {"sequence", number(r.sequence)}, {"ttl", number(r.ttl)},
	}
	if len(r.signer.ID) > 0 && r.signer.ID[0] != 0 { // 0: the identity multihash, which holds the key itself
		fields = append(fields, FieldValue{"pubKey", bytesOf(r.signer.PublicKey)})
	}
	return append(fields, FieldValue{"signatureV2", bytesOf(v2)}, FieldValue{"data", bytesOf(data)}), nil
}

// cbor is the record's data in DAG-CBOR: a map whose keys stand shortest first, then by bytes (ipns L330-L333).
func (r *record) cbor() []byte {
	entries := map[string][]byte{
		"TTL":          cborHead(0, r.ttl),
		"Value":        append(cborHead(2, uint64(len(r.value))), r.value...),
		"Sequence":     cborHead(0, r.sequence),
		"Validity":     append(cborHead(2, uint64(len(r.validity))), r.validity...),
		"ValidityType": cborHead(0, r.validityType),
	}
	if r.pad >= 0 {
		entries[r.padKey] = append(cborHead(2, uint64(r.pad)), make([]byte, r.pad)...)
	}
	keys := make([]string, 0, len(entries))
	for k := range entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	out := cborHead(5, uint64(len(keys)))
	for _, k := range keys {
		out = append(append(out, cborHead(3, uint64(len(k)))...), k...)
		out = append(out, entries[k]...)
	}
	return out
}

// cborHead is a major type (0 number, 2 bytes, 3 text, 5 map) with its argument in the shortest form (RFC 8949, 3).
func cborHead(major byte, n uint64) []byte {
	m := major << 5
	switch {
	case n < 24:
		return []byte{m | byte(n)}
	case n < 1<<8:
		return []byte{m | 24, byte(n)}
	case n < 1<<16:
		return []byte{m | 25, byte(n >> 8), byte(n)}
	case n < 1<<32:
		return []byte{m | 26, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	}
	out := []byte{m | 27}
	for shift := 56; shift >= 0; shift -= 8 {
		out = append(out, byte(n>>shift))
	}
	return out
}

// altered applies pb.f=v and !pb.f to a signed record.
func (v *evaluation) altered(fields []FieldValue, changes []Field) ([]FieldValue, error) {
	for _, c := range changes {
		if name, ok := strings.CutPrefix(c.Name, "!pb."); ok {
			fields = slices.DeleteFunc(fields, func(f FieldValue) bool { return f.Name == name })
			continue
		}
		name, ok := strings.CutPrefix(c.Name, "pb.")
		if !ok {
			continue
		}
		x, err := v.eval(c.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if i := slices.IndexFunc(fields, func(f FieldValue) bool { return f.Name == name }); i >= 0 {
			fields[i].Value = x
			continue
		}
		fields = append(fields, FieldValue{name, x})
	}
	return fields, nil
}
