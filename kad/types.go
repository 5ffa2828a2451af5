package kad

// Version of this module, the reference implementation and the harness alike; CHANGELOG.md has an entry for each.
const Version = "0.1.0"

// Time is a moment in Unix nanoseconds, monotonic within a run. 0 stands for never.
type Time int64

// Duration is a span in nanoseconds (the unit of time.Duration). In a Config 0 is the default and a negative one turns
// the job off.
type Duration = int64

// Peer is a handle in a Directory; 0 is nobody. Tables and lookups hold handles, so that they hold no pointer.
type Peer uint32

// ConnID names one connection of a peer, and need be unique among that peer's only. The host chooses it; the core only compares it.
type ConnID uint64

// RequestID names an inbound request that waits for its response. The handler chooses it and gets it back.
type RequestID uint64

// QueryID names a running query; it counts from 1 within one Kademlia.
type QueryID uint64

// Mode says whether a node answers (server) or only asks (client).
type Mode uint8

const (
	ModeAuto   Mode = iota // client until an external address is confirmed
	ModeClient             // never answers, never advertises the protocol
	ModeServer             // always answers
)

// Connection is what the sender of a message knows of its link to a peer: ConnectionType of the specification.
type Connection int32

const (
	NotConnected Connection = iota
	Connected
	CanConnect
	CannotConnect
)

// PeerInfo is a peer as a message, an input or an output names it.
//
// In an Input either Peer is set (simulation: the shared Directory) or ID is (host: Step interns it where it has to); with
// both, Peer saves a search if it still is the handle of ID, and else ID counts. In an Output both are set, but for peers
// that the Directory does not hold (providers that others named, an asker that is not connected): their Peer is 0. ID and
// Addrs of those that it holds are views of the Directory, which replaces but never overwrites them.
type PeerInfo struct {
	Peer       Peer
	ID         []byte // binary peer id
	Addrs      Addrs  // as known to whoever says it
	Connection Connection
}

// Record is a value under a key (Record of the specification, with libp2p-kad's publisher and expiry).
type Record struct {
	Key, Value []byte
	Publisher  []byte // binary peer id, or none
	Received   Time   // when the holder took it; 0 on the way
	Expires    Time   // 0: never
}
