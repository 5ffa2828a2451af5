package sim

import (
	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// sizes knows how many bytes a message takes on the wire, its length before it included. All ids are of one length and all
// nodes have one address, so nothing needs to be encoded to know it; a test holds it against the codec.
type sizes struct {
	peer uint64 // one entry of closerPeers or providerPeers
}

func newSizes() sizes {
	entry := wire.Peer{ID: make([]byte, idBytes), Addrs: wire.Addrs(kad.Addrs(nil).Add(address(1)))}
	return sizes{peer: uint64(wire.PeerSize(&entry))}
}

// request is the size of a request; a dial has none.
func (z *sizes) request(m *message) uint64 {
	if !isRequest(m.kind) || m.kind == dialled {
		return 0
	}
	n := sizeOfType(m.kind) + sizeOfBytes(len(m.key))
	switch m.kind {
	case kad.AddProvider:
		n += z.peer
	case kad.PutRecord:
		n += sizeOfRecord(m.extra)
	}
	return framed(n)
}

// answer is the size of an answer; an ADD_PROVIDER has none.
func (z *sizes) answer(m *message) uint64 {
	switch m.kind {
	case kad.FindNodeRes, kad.GetProvidersRes, kad.GetRecordRes, kad.PutRecordRes:
	default:
		return 0
	}
	n := sizeOfType(m.kind) + sizeOfBytes(len(m.key)) + uint64(m.n)*z.peer
	if x := m.extra; x != nil {
		n += uint64(len(x.closer)+len(x.providers)) * z.peer
		if x.found {
			n += sizeOfRecord(x)
		}
	}
	return framed(n)
}

// sizeOfType is that of the field type, which is left out where it is 0: PUT_VALUE.
func sizeOfType(kind kad.InputKind) uint64 {
	if kind == kad.PutRecord || kind == kad.PutRecordRes {
		return 0
	}
	return 2
}

func sizeOfBytes(n int) uint64 {
	if n == 0 {
		return 0
	}
	return 1 + sizeOfLength(uint64(n)) + uint64(n)
}

// sizeOfRecord is that of the field record with key, value, publisher and ttl (numbers 666 and 777: tags of two bytes).
func sizeOfRecord(x *extra) uint64 {
	r := wire.Record{Key: x.record.Key, Value: x.record.Value, Publisher: x.record.Publisher, TTL: x.ttl}
	m := wire.Message{HasRecord: true, Record: r}
	return uint64(wire.Size(&m) - wire.Size(&wire.Message{}))
}

func framed(n uint64) uint64 { return sizeOfLength(n) + n }

// sizeOfLength is that of an unsigned varint.
func sizeOfLength(n uint64) uint64 {
	size := uint64(1)
	for ; n >= 1<<7; n >>= 7 {
		size++
	}
	return size
}
