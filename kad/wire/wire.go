package wire

import "io"

// Type is MessageType of the specification.
type Type int32

const (
	PutValue Type = iota
	GetValue
	AddProvider
	GetProviders
	FindNode
	Ping
)

// Message is one RPC message. All byte slices are views of the buffer that was decoded.
type Message struct {
	Type            Type
	ClusterLevelRaw int32
	Key             []byte
	HasRecord       bool
	Record          Record
	CloserPeers     []Peer
	ProviderPeers   []Peer
}

// Record of a value.
type Record struct {
	Key, Value   []byte
	TimeReceived []byte // valid UTF-8
	Publisher    []byte // field 666, rust-libp2p's
	TTL          uint32 // field 777, seconds, rust-libp2p's
}

// Peer of a message. Addrs is the run of its addrs fields as they stand on the wire: for each a byte 0x12, its length,
// its bytes.
type Peer struct {
	ID         []byte
	Addrs      Addrs
	Connection int32
}

// Addrs is a list of multiaddrs in wire form.
type Addrs []byte

// Append appends the message (without a length prefix) to dst.
func Append(dst []byte, m *Message) []byte { return dst }

// AppendFrame appends the message with its length before it.
func AppendFrame(dst []byte, m *Message) []byte { return dst }

// Size is the length of the encoded message, without its prefix.
func Size(m *Message) int { return 0 }

// Decode reads one message (without its prefix) into m, which it resets. m's slices are reused.
func Decode(b []byte, m *Message) error { return nil }

// ReadFrame reads one frame of at most limit bytes and returns its body: a view of buf where it fits, else of a new
// buffer. io.EOF: the stream ended cleanly before a frame.
func ReadFrame(r io.Reader, buf []byte, limit int) ([]byte, error) { return nil, nil }
