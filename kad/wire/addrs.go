package wire

import (
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// addrsTag is the tag of addrs, field 2 of a Peer: bytes.
const addrsTag = 2<<3 + bytesType

// Addrs is a list of multiaddrs in the form in which Peer.addrs stands on the wire: for each a byte 0x12, its length as
// a varint, its bytes. Hence a Peer costs no slice of slices, and a list is compared, kept and sent as one blob.
//
// Decode yields it in one form only: where a peer wrote a tag or a length in more bytes than it needs, or put another
// field between two addresses, the list is gathered anew. Nothing is known of an address but its length.
type Addrs []byte

// MakeAddrs is the list of these addresses.
func MakeAddrs(addrs ...[]byte) Addrs {
	var a Addrs
	for _, addr := range addrs {
		a = a.Append(addr)
	}
	return a
}

// Append appends one address and returns the longer list, as the built-in append does.
func (a Addrs) Append(addr []byte) Addrs {
	a = append(a, addrsTag)
	a = protowire.AppendVarint(a, uint64(len(addr)))
	return append(a, addr...)
}

// All yields each address as a view of a. A list which was not made by this package and is malformed ends early.
func (a Addrs) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for left := a; len(left) > 0; {
			addr, rest, ok := left.cut()
			if !ok || !yield(addr) {
				return
			}
			left = rest
		}
	}
}

// Len is the number of addresses that All yields.
func (a Addrs) Len() int {
	n := 0
	for len(a) > 0 {
		_, rest, ok := a.cut()
		if !ok {
			break
		}
		a = rest
		n++
	}
	return n
}

// cut splits the first address off.
func (a Addrs) cut() (addr []byte, rest Addrs, ok bool) {
	if a[0] != addrsTag {
		return nil, nil, false
	}
	n, w := uint64(0), 1
	if len(a) > 1 && a[1] < 0x80 {
		n = uint64(a[1])
	} else if n, w = protowire.ConsumeVarint(a[1:]); w < 0 {
		return nil, nil, false
	}
	body := a[1+w:]
	if n > uint64(len(body)) {
		return nil, nil, false
	}
	return body[:n:n], body[n:], true
}
