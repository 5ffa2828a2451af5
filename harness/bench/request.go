package bench

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/kad/wire"
)

// types are the requests there are.
var types = map[load.Kind]wire.Type{
	"FIND_NODE": wire.FindNode, "GET_VALUE": wire.GetValue, "PUT_VALUE": wire.PutValue,
	"GET_PROVIDERS": wire.GetProviders, "ADD_PROVIDER": wire.AddProvider, "PING": wire.Ping,
}

// defaultSize of a value, in bytes: an IPNS record has some 400, most others less.
const defaultSize = 100

// valid is what the value of a record under /v/ begins with, as every target's namespace of that name has it.
const valid = "ok "

// requests makes the frames of one worker's requests, in memory of its own.
type requests struct {
	seed  uint64
	from  wire.Peer // who announces itself
	sizes map[load.Kind]int
	value []byte
	key   []byte
	frame []byte
}

func newRequests(seed uint64, self peer.ID, sizes map[load.Kind]int) *requests {
	// Nobody listens there; a server keeps the address and gives it to others.
	addr := ma.StringCast("/ip4/127.0.0.1/tcp/4001")
	return &requests{seed: seed, sizes: sizes, from: wire.Peer{ID: []byte(self), Addrs: wire.MakeAddrs(addr.Bytes()), Connection: 1}}
}

// make returns the frame of an operation and its type; both are good until the next call.
func (r *requests) make(op load.Op) ([]byte, wire.Type) {
	m := wire.Message{Type: types[op.Kind]}
	point := keyOf(r.seed, op.Key)
	switch m.Type {
	case wire.FindNode:
		m.Key = append(r.key[:0], point[:]...)
	case wire.GetProviders, wire.AddProvider:
		m.Key = append(append(r.key[:0], 0x12, 0x20), point[:]...) // a sha2-256 multihash
	case wire.GetValue, wire.PutValue:
		m.Key = hex.AppendEncode(append(r.key[:0], "/v/"...), point[:])
	}
	r.key = m.Key
	switch m.Type {
	case wire.AddProvider:
		m.ProviderPeers = []wire.Peer{r.from}
	case wire.PutValue:
		size := r.sizes[op.Kind]
		if size == 0 {
			size = defaultSize
		}
		if len(r.value) != size {
			r.value = make([]byte, size)
		}
		copy(r.value[copy(r.value, valid):], point[:])
		m.HasRecord, m.Record = true, wire.Record{Key: m.Key, Value: r.value}
	}
	r.frame = wire.AppendFrame(r.frame[:0], &m)
	return r.frame, m.Type
}

// keyOf is the point that a key's number stands for.
func keyOf(seed, number uint64) [32]byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], seed)
	binary.BigEndian.PutUint64(b[8:], number)
	return sha256.Sum256(b[:])
}

// answers says whether the first field of a body is the type of the request: what an answer has that is one at all.
// PUT_VALUE's type is 0, which an encoder may leave out.
func answers(body []byte, t wire.Type) bool {
	if t == wire.PutValue && (len(body) == 0 || body[0] != 0x08) {
		return true
	}
	if len(body) >= 2 && body[0] == 0x08 {
		return body[1] == byte(t)
	}
	var m wire.Message // its type stands further behind
	return wire.Decode(body, &m) == nil && m.Type == t
}
