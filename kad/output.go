package kad

// CommandKind is what a handler, or the host, is told to do.
type CommandKind uint8

const (
	CmdNone CommandKind = iota

	// Requests to send to Peer, on behalf of Query. Peer.Addrs are the addresses to dial it by, if it is not connected.
	SendFindNode     // Key
	SendGetProviders // Key
	SendAddProvider  // Key, Providers (this node, with its addresses)
	SendGetRecord    // Key
	SendPutRecord    // Record

	// Responses to the inbound Request of Peer.
	RespondFindNode     // Key, Closer
	RespondGetProviders // Key, Closer, Providers
	RespondAddProvider  // nothing goes on the wire (ruling 1), unless the configuration echoes: Key, Providers
	RespondGetRecord    // Key, Record (Found), Closer
	RespondPutRecord    // Key, Record: the echo
	RespondPing         //
	Reset               // the Request is refused: end its stream without a reply

	Dial         // Peer, Addrs: connect, then say ConnectionEstablished or DialFailed
	SetProtocols // Mode: advertise the protocol, or not
)

// Command is one thing to do. Memory: see PeerInfo and Output.
type Command struct {
	Kind      CommandKind
	Peer      PeerInfo
	Request   RequestID
	Query     QueryID
	Key       []byte
	Record    Record
	Found     bool
	Closer    []PeerInfo
	Providers []PeerInfo
	Mode      Mode
}

// Output is what one Step did. The caller owns it and reuses it; Step resets it first. Slices inside the commands and
// events live until the next Step with the same Output, and stored values and a Directory's ids and addresses behind
// them for as long as anybody holds them. Bytes of the Input (a request's Key) may be aliased by the response to it.
type Output struct {
	Commands []Command
	Events   []Event

	// What the operation of this Step returns at once.
	Query   QueryID       // the query that it started
	Update  RoutingUpdate // OpAddAddress
	Removed *PeerInfo     // OpRemoveAddress, OpRemovePeer: the entry that is gone, or nil
	Err     error         // ErrNoKnownPeers, ErrMaxRecords, ErrValueTooLarge, ...

	peers []PeerInfo // the arena of the slices above
}

// RoutingUpdate is the outcome of OpAddAddress.
type RoutingUpdate uint8

const (
	UpdateNone    RoutingUpdate = iota
	UpdateSuccess               // the table holds it
	UpdatePending               // it waits for the least recently seen peer to be proved dead
	UpdateFailed                // it is this node itself, or the bucket is full
)
