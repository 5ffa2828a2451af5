package targettest

import (
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/target"
)

type operation struct {
	method string
	params any
}

// operations are calls as a case makes them, one for each method that needs a node.
func operations() []operation {
	key := sha256.Sum256([]byte("targettest"))
	hash := hashKey("targettest")
	stranger := strangerID()
	return []operation{
		{"table", nil}, {"bootstrap", nil},
		{"get_closest_peers", target.ClosestParams{Key: key[:]}},
		{"find_peer", target.PeerParams{Peer: stranger}},
		{"put_record", target.PutParams{Key: target.Bytes("/v/targettest"), Value: target.Bytes("ok value")}},
		{"get_record", target.GetParams{Key: target.Bytes("/v/another")}},
		{"remove_record", target.KeyParams{Key: target.Bytes("/v/targettest")}},
		{"start_providing", target.KeyParams{Key: hash}},
		{"get_providers", target.ProvidersParams{Key: hash}},
		{"stop_providing", target.KeyParams{Key: hash}},
		{"add_address", target.AddressParams{Peer: stranger, Addr: "/ip4/127.0.0.1/tcp/9"}},
		{"remove_address", target.AddressParams{Peer: stranger, Addr: "/ip4/127.0.0.1/tcp/9"}},
		{"remove_peer", target.PeerParams{Peer: stranger}},
		{"set_mode", target.ModeParams{Mode: "server"}},
		{"advance_clock", target.ClockParams{By: 1000}},
	}
}

// hashKey is the key of a provider operation, a multihash.
func hashKey(label string) target.Bytes {
	h := sha256.Sum256([]byte(label))
	return append(target.Bytes{0x12, 0x20}, h[:]...)
}

// strangerID is the id of a peer that exists nowhere.
func strangerID() string {
	seed := sha256.Sum256([]byte("targettest/stranger"))
	key, err := target.KeyFromSeed(seed[:])
	if err != nil {
		panic(err) // 32 bytes are a seed
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return id.String()
}
