package kad

// Key is a point in the keyspace: SHA-256 of a peer id or of a record key.
type Key [32]byte

// Addrs is a list of multiaddrs in the form in which Peer.addrs stands on the wire: for each a byte 0x12, its length
// as an unsigned varint, its bytes. Nobody in the core parses an address; they are compared as bytes.
type Addrs []byte

// Directory maps handles to ids, keys and addresses.
type Directory struct{}

func NewDirectory() *Directory { return &Directory{} }
