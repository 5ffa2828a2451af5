package sim

import (
	"encoding/binary"
	"slices"

	"github.com/kadbench/kadbench/kad"
)

// node is what the world knows of a node beside its Kademlia: its place in time, its connections, what its application
// waits for. Together with an idle Kademlia and its store these are some 900 bytes; the table comes to them.
//
// It is one cache line.
type node struct {
	wake     kad.Time // the one live wake among the events; 0: none. Others of this node are stale
	digest   uint64
	seq      uint32 // of the messages that it has sent
	deeds    uint32 // of what the world has done to it
	session  uint32 // how often it has come
	answered uint32 // requests
	role     role
	up       bool
	gone     bool // for ever
	client   bool
	conns    *connections // nil: none
	running  *[]running   // the operations that its application waits for; nil for most
	_        [8]byte
}

// operations are those that a node's application waits for.
func (n *node) operations() []running {
	if n.running == nil {
		return nil
	}
	return *n.running
}

// drop forgets one of them.
func (n *node) drop(i int) {
	if *n.running = slices.Delete(*n.running, i, i+1); len(*n.running) == 0 {
		n.running = nil
	}
}

// role is how a node behaves: 0 is as the specification says, others are adversaries.
type role uint8

const honest role = 0

// peerID is the id of a simulated node: that of an Ed25519 key, an identity multihash of 36 bytes (libp2p peer-ids), with
// bytes drawn from the seed in the place of the key.
func peerID(seed uint64, p kad.Peer) []byte {
	id := append(make([]byte, 0, idBytes), 0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
	for i := range uint64(4) {
		id = binary.BigEndian.AppendUint64(id, mix(seed, uint64(forID), uint64(p), i))
	}
	return id
}

// idBytes is how long an id is.
const idBytes = 38

// address is where a simulated node is: /ip4/10.x.y.z/udp/4001/quic-v1, one address for 16 million nodes.
func address(p kad.Peer) []byte {
	return []byte{
		0x04, 10, byte(p >> 16), byte(p >> 8), byte(p), // ip4
		0x91, 0x02, 0x0f, 0xa1, // udp 4001
		0xcc, 0x03, // quic-v1
	}
}

// recordKey is the key number n of a kind of operation: 32 bytes drawn from the seed. Provide and Find speak of the same, and
// so do Put and Get.
func recordKey(seed uint64, kind OpKind, n uint64) []byte {
	switch kind {
	case Find:
		kind = Provide
	case Get:
		kind = Put
	}
	key := make([]byte, 0, 32)
	for i := range uint64(4) {
		key = binary.BigEndian.AppendUint64(key, mix(seed, uint64(forKey), uint64(kind), n, i))
	}
	return key
}
