package wire

import "strconv"

// Type is MessageType of the specification. The enum is open: any int32 may come.
type Type int32

const (
	PutValue Type = iota
	GetValue
	AddProvider
	GetProviders
	FindNode
	Ping
)

var typeNames = [...]string{"PUT_VALUE", "GET_VALUE", "ADD_PROVIDER", "GET_PROVIDERS", "FIND_NODE", "PING"}

// String is the specification's name, or "TYPE(n)" for a number which has none.
func (t Type) String() string {
	if t >= 0 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "TYPE(" + strconv.Itoa(int(t)) + ")"
}

// ParseType reads the specification's name of a type.
func ParseType(name string) (Type, bool) {
	for i, n := range typeNames {
		if n == name {
			return Type(i), true
		}
	}
	return 0, false
}

const (
	// MaxPeers is how many entries closerPeers and providerPeers may have together. An entry of two bytes (42 00) takes
	// 56 in memory, so 4 MiB of them would take 117 MiB; this many take 3.5 MiB, about as much as their frame. An honest
	// entry has an id of 34 bytes or more and an address, 64 bytes in all, so that a frame of 4 MiB holds no more anyway.
	MaxPeers = 1 << 16

	// keepPeers is the capacity up to which a Message keeps a list for the next Decode: 14 KiB, twelve times k = 20.
	// Longer ones are given back, or an asker who sends one huge frame a stream would own 3.5 MiB for each.
	keepPeers = 256

	// keepScratch is the same for the bytes of gathered addresses: what a frame of the size we send could need.
	keepScratch = MaxSend
)

// Message is one RPC message. All byte slices are views of the buffer that was decoded, save the addresses of a Peer
// whose fields were interleaved: those are gathered in memory of the Message. Either way they live until that buffer is
// reused or the next Decode into this Message. An empty slice and an absent field are the same.
type Message struct {
	Type            Type
	ClusterLevelRaw int32 // not used (libp2p-kad L468)
	Key             []byte
	HasRecord       bool // the record is there, if only as an empty one
	Record          Record
	CloserPeers     []Peer
	ProviderPeers   []Peer

	scratch []byte // gathered addresses
}

// Record of a value.
type Record struct {
	Key, Value   []byte
	TimeReceived []byte // RFC 3339 in principle; valid UTF-8 is all that is certain
	Publisher    []byte // field 666, rust-libp2p's: binary peer id
	TTL          uint32 // field 777, seconds, rust-libp2p's
}

// Peer of a message.
type Peer struct {
	ID         []byte // binary peer id, unchecked
	Addrs      Addrs
	Connection int32 // ConnectionType; open
}

// Reset empties m for the next use: it lets go of the buffer that was decoded and of lists that grew beyond reason, and
// keeps the memory of the others. Call it before m rests in a pool; Decode resets by itself.
func (m *Message) Reset() {
	clear(m.CloserPeers)
	clear(m.ProviderPeers)
	m.restart()
}

// restart is Reset without clearing the lists, which Decode is about to overwrite.
func (m *Message) restart() {
	m.Type, m.ClusterLevelRaw, m.Key = 0, 0, nil
	m.HasRecord, m.Record = false, Record{}
	m.CloserPeers = reuse(m.CloserPeers, keepPeers)
	m.ProviderPeers = reuse(m.ProviderPeers, keepPeers)
	m.scratch = reuse(m.scratch, keepScratch)
}

// reuse is s, empty; or nil if its memory is more than limit elements.
func reuse[T any](s []T, limit int) []T {
	if cap(s) > limit {
		return nil
	}
	return s[:0]
}
