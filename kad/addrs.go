package kad

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
)

// Addrs is a list of multiaddrs in the form in which Peer.addrs stands on the wire: for each a byte 0x12, its length
// as an unsigned varint, its bytes. Nobody in the core parses an address; they are compared as bytes. A list is
// replaced, never overwritten: Add and Remove return a new one, so whoever holds the old one may keep it.
type Addrs []byte

// addrTag is field 2 of Peer, wire type 2.
const addrTag = 0x12

// maxAddrBytes is how long a list that we keep of one peer may grow: go-libp2p-kad-dht sends at most 8 KiB a peer, and
// nobody sends more in a reply that others can read.
const maxAddrBytes = 8 << 10

// maxAddrCount is how many addresses such a list may have, and how many of another's list are read: they are compared each
// with each, so that 8 KiB of tiny ones would cost milliseconds. Peers with many transports announce about fifty.
const maxAddrCount = 128

var errAddrs = errors.New("addrs: not a list of tagged, length-prefixed multiaddrs")

// cut splits the first address off a list. ok is false at the end and where the list is malformed: bytes of a peer may be
// anything, and whoever reads them takes what can be read. The address is cut to its capacity too, so that to append to it
// cannot overwrite the next.
func (a Addrs) cut() (addr []byte, rest Addrs, ok bool) {
	if len(a) < 2 || a[0] != addrTag {
		return nil, nil, false
	}
	n, w := binary.Uvarint(a[1:])
	if w <= 0 || n > uint64(len(a)-1-w) {
		return nil, nil, false
	}
	end := 1 + w + int(n)
	return a[1+w : end : end], a[end:], true
}

// All yields each multiaddr; it stops where the list is malformed.
func (a Addrs) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			addr, rest, ok := a.cut()
			if !ok || !yield(addr) {
				return
			}
			a = rest
		}
	}
}

// Len is the number of addresses that All yields.
func (a Addrs) Len() int {
	n := 0
	for range a.All() {
		n++
	}
	return n
}

// Check says whether the list is well-formed to its last byte.
func (a Addrs) Check() error {
	for len(a) > 0 {
		_, rest, ok := a.cut()
		if !ok {
			return errAddrs
		}
		a = rest
	}
	return nil
}

// Contains says whether the list has the address, compared as bytes.
func (a Addrs) Contains(addr []byte) bool {
	for have := range a.All() {
		if bytes.Equal(have, addr) {
			return true
		}
	}
	return false
}

// Add returns a list with the address at its end, or the same list if it is there already, empty, or would make the list
// longer than 8 KiB or 128 addresses.
func (a Addrs) Add(addr []byte) Addrs {
	if !a.takes(addr) {
		return a
	}
	out := make(Addrs, 0, len(a)+len(addr)+3)
	return appendAddr(append(out, a...), addr)
}

// takes says whether an address is new to the list and has room in it.
func (a Addrs) takes(addr []byte) bool {
	if len(addr) == 0 || len(a)+len(addr)+3 > maxAddrBytes {
		return false
	}
	n := 0
	for have := range a.All() {
		if n++; n == maxAddrCount || bytes.Equal(have, addr) {
			return false
		}
	}
	return true
}

// appendAddr appends one entry of a list to bytes.
func appendAddr(dst, addr []byte) []byte {
	dst = append(dst, addrTag)
	dst = binary.AppendUvarint(dst, uint64(len(addr)))
	return append(dst, addr...)
}

// Merge returns a list with the addresses of both, a's first, as far as they fit; of the other list the first 128 are read.
// Lists are merged where two sources speak of one peer: what was announced and what is confirmed, or two answers of a lookup.
func (a Addrs) Merge(more Addrs) Addrs {
	n := 0
	for addr := range more.All() {
		if n++; n > maxAddrCount {
			break
		}
		a = a.Add(addr)
	}
	return a
}

// Remove returns a list without the address, or the same list if it is not there.
func (a Addrs) Remove(addr []byte) Addrs {
	if !a.Contains(addr) {
		return a
	}
	var out Addrs
	for have := range a.All() {
		if !bytes.Equal(have, addr) {
			out = out.Add(have)
		}
	}
	return out
}

// Replace returns a list with one address in the place of another, or the same list if old is not there.
func (a Addrs) Replace(old, addr []byte) Addrs {
	if !a.Contains(old) {
		return a
	}
	var out Addrs
	for have := range a.All() {
		if bytes.Equal(have, old) {
			have = addr
		}
		out = out.Add(have)
	}
	return out
}

// clone copies a list out of lent memory, cut at the first malformed address, at limit bytes and at 128 addresses.
func (a Addrs) clone(limit int) Addrs {
	n, rest := 0, a
	for range maxAddrCount {
		_, next, ok := rest.cut()
		if !ok || len(a)-len(next) > limit {
			break
		}
		rest = next
		n = len(a) - len(next)
	}
	if n == 0 {
		return nil
	}
	return append(Addrs(nil), a[:n]...)
}
