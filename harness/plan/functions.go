package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

func init() {
	functions = []function{
		{Name: "sha256", Usage: "sha256(x)", Meaning: "the 32 bytes of SHA-256", Min: 1, Max: 1, says: "the SHA-256 of %s",
			eval: onBytes(func(b []byte) []byte { h := sha256.Sum256(b); return h[:] })},
		{Name: "mh", Usage: "mh(x)", Meaning: "the sha2-256 multihash of x: 1220 and its SHA-256, 34 bytes", Min: 1, Max: 1,
			says: "the multihash of %s", eval: onBytes(multihash)},
		{Name: "cid", Usage: "cid(x)", Meaning: "the CIDv1 of x as a raw block: 0155 and mh(x), 36 bytes", Min: 1, Max: 1,
			says: "the CID of %s", eval: onBytes(func(b []byte) []byte { return append([]byte{0x01, 0x55}, multihash(b)...) })},
		{Name: "concat", Usage: "concat(x,y)", Meaning: "one after the other; a list gives its entries", Min: 1, Max: -1,
			says: "%s put together", eval: evalConcat},
		{Name: "repeat", Usage: "repeat(n,x)", Meaning: "a list of n times x, at most 65,536", Min: 2, Max: 2, says: "%s of them", eval: evalRepeat},
		{Name: "varint", Usage: "varint(n)", Meaning: "an unsigned varint in its shortest form; a negative number takes 10 bytes", Min: 1, Max: 1,
			says: "the varint of %s", eval: evalVarint},
		{Name: "len", Usage: "len(x)", Meaning: "the entries of a list, or the bytes", Min: 1, Max: 1, says: "the length of %s", eval: evalLen},
		{Name: "rand", Usage: "rand(32)", Meaning: "bytes from the seed: the same at the same place of the same plan, others in each round of an `each`",
			Min: 1, Max: 1, says: "%s bytes from the seed", eval: evalRand},
		{Name: "nearest", Usage: "nearest(n,key,R)", Meaning: "the n of the peers R whose places (SHA-256 of the id) are nearest to the key's by XOR, nearest first",
			Min: 3, Max: -1, says: "nearest", eval: evalNearest},
		{Name: "beside", Usage: "beside(v,n)", Meaning: "a multihash whose place shares exactly n leading bits with v's; n at most 20", Min: 2, Max: 2,
			says: "beside", eval: evalBeside},
		{Name: "pk", Usage: "pk(A)", Meaning: "the value of A's /pk record: its public key", Min: 1, Max: 1, says: "the /pk record of %s", eval: evalPK},
		{Name: "ipns", Usage: "ipns(A, sequence=2, …)", Meaning: "a signed IPNS record of A, see below", Min: 1, Max: 1, Named: ipnsArguments(),
			says: "an IPNS record of %s", eval: evalIPNS},
	}
}

// onBytes makes a function of one value of bytes.
func onBytes(fn func([]byte) []byte) func(*evaluation, *Expr) (Value, error) {
	return func(v *evaluation, e *Expr) (Value, error) {
		b, err := v.bytes(e.Args[0])
		if err != nil {
			return Value{}, fmt.Errorf("%s: %w", e.Text, err)
		}
		return Value{Bytes: fn(b)}, nil
	}
}

func (v *evaluation) bytes(e *Expr) ([]byte, error) {
	x, err := v.eval(e)
	if err != nil {
		return nil, err
	}
	return x.AsBytes()
}

func (v *evaluation) number(e *Expr) (int64, error) {
	x, err := v.eval(e)
	if err != nil {
		return 0, err
	}
	return x.AsNumber()
}

// multihash is sha2-256 (0x12), 32 bytes (0x20), and the digest.
func multihash(b []byte) []byte {
	h := sha256.Sum256(b)
	return append([]byte{0x12, 0x20}, h[:]...)
}

// maxEntriesJoined bounds how many entries of lists concat puts together: sixteen of the longest lists.
const maxEntriesJoined = 16 * maxList

func evalConcat(v *evaluation, e *Expr) (Value, error) {
	var out []byte
	entries := 0 // of lists inside lists, which multiply: @b=[@a,@a] @c=[@b,@b] …
	var add func(Value) error
	add = func(x Value) error {
		if entries++; entries > maxEntriesJoined {
			return fmt.Errorf("more than %d entries", maxEntriesJoined)
		}
		if x.Kind == KindList {
			for _, y := range x.List {
				if err := add(y); err != nil {
					return err
				}
			}
			return nil
		}
		b, err := x.AsBytes()
		if err != nil {
			return err
		}
		if len(out)+len(b) > maxFrame {
			return fmt.Errorf("more than %d bytes", maxFrame)
		}
		out = append(out, b...)
		return nil
	}
	for _, a := range e.Args {
		x, err := v.eval(a)
		if err == nil {
			err = add(x)
		}
		if err != nil {
			return Value{}, fmt.Errorf("concat: %w", err)
		}
	}
	return Value{Bytes: out}, nil
}

func evalRepeat(v *evaluation, e *Expr) (Value, error) {
	n, err := v.number(e.Args[0])
	if err != nil || n < 0 || n > maxList {
		return Value{}, fmt.Errorf("repeat: how often? A number from 0 to %d was expected, not %s", maxList, e.Args[0])
	}
	x, err := v.eval(e.Args[1])
	return Value{Kind: KindList, List: slices.Repeat([]Value{x}, int(n))}, err
}

func evalVarint(v *evaluation, e *Expr) (Value, error) {
	n, err := v.number(e.Args[0])
	return Value{Bytes: protowire.AppendVarint(nil, uint64(n))}, err
}

func evalLen(v *evaluation, e *Expr) (Value, error) {
	x, err := v.eval(e.Args[0])
	if err != nil {
		return x, err
	}
	n, err := x.Len()
	return Value{Kind: KindNumber, Num: int64(n)}, err
}

func evalRand(v *evaluation, e *Expr) (Value, error) {
	n, err := v.number(e.Args[0])
	if err != nil || n < 0 || n > maxFrame {
		return Value{}, fmt.Errorf("rand: a number of bytes from 0 to %d was expected, not %s", maxFrame, e.Args[0])
	}
	return Value{Bytes: Random(v.env.Seed(), v.plan.Header.ID+"/"+e.Label, int(n))}, nil
}

// Random returns n bytes that are a pure function of seed and label: SHA-256 over them and a counter.
func Random(seed uint64, label string, n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	block := binary.BigEndian.AppendUint64(nil, seed)
	block = append(block, label...)
	for i := uint64(0); len(out) < n; i++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(block, i))
		out = append(out, h[:]...)
	}
	return out[:n]
}

// Place is where bytes stand in the keyspace (libp2p-kad L51, ipfs-kad L221).
func Place(b []byte) [32]byte { return sha256.Sum256(b) }

// Distance is the XOR of two places.
func Distance(a, b [32]byte) (d [32]byte) {
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
	return d
}

// CommonPrefix is how many leading bits two places share: 0 to 256.
func CommonPrefix(a, b [32]byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 256
}

// Nearest returns the n entries nearest to key, nearest first; all of them if there are fewer.
func Nearest(n int, key []byte, among []Value) ([]Value, error) {
	type far struct {
		d [32]byte
		v Value
	}
	at := Place(key)
	list := make([]far, len(among))
	for i, x := range among {
		id, err := x.AsBytes()
		if err != nil {
			return nil, err
		}
		list[i] = far{Distance(at, Place(id)), x}
	}
	slices.SortStableFunc(list, func(a, b far) int { return bytes.Compare(a.d[:], b.d[:]) })
	out := make([]Value, 0, min(n, len(list)))
	for _, f := range list[:min(n, len(list))] {
		out = append(out, f.v)
	}
	return out, nil
}

func evalNearest(v *evaluation, e *Expr) (Value, error) {
	n, err := v.number(e.Args[0])
	if err != nil || n < 0 {
		return Value{}, fmt.Errorf("nearest: how many? A number was expected, not %s", e.Args[0])
	}
	key, err := v.bytes(e.Args[1])
	if err != nil {
		return Value{}, fmt.Errorf("nearest: the key: %w", err)
	}
	list, err := v.all(e.Args[2:])
	if err != nil {
		return Value{}, fmt.Errorf("nearest: %w", err)
	}
	var flat []Value
	for _, x := range list {
		if x.Kind == KindList {
			flat = append(flat, x.List...)
			continue
		}
		flat = append(flat, x)
	}
	near, err := Nearest(int(min(n, maxList)), key, flat)
	return Value{Kind: KindList, List: near}, err
}

// maxBeside bounds the search of beside: 2^21 hashes on average, 0.2 s.
const maxBeside = 20

// evalBeside tries keys made from v, n and a counter until one fits: 2^(n+1) on average, so that 256 times as many fail
// once in e^256.
func evalBeside(v *evaluation, e *Expr) (Value, error) {
	at, err := v.bytes(e.Args[0])
	if err != nil {
		return Value{}, fmt.Errorf("beside: %w", err)
	}
	n, err := v.number(e.Args[1])
	if err != nil || n < 0 || n > maxBeside {
		return Value{}, fmt.Errorf("beside: a number of bits from 0 to %d was expected, not %s", maxBeside, e.Args[1])
	}
	place := Place(at)
	for i := range uint64(1) << (n + 9) {
		key := multihash(fmt.Appendf(nil, "beside/%x/%d/%d", place, n, i))
		if CommonPrefix(place, Place(key)) == int(n) {
			return Value{Bytes: key}, nil
		}
	}
	return Value{}, fmt.Errorf("beside: no key found")
}
