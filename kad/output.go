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
	RespondAddProvider  // accepted: nothing goes on the wire, unless Config.EchoAddProvider: Key, Providers
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
// them for as long as anybody holds them. Bytes of the Input (a request's Key, its asker) may be aliased by the response
// to it, and by nothing else.
type Output struct {
	Commands []Command
	Events   []Event

	// What the operation of this Step returns at once.
	Query   QueryID       // the query that it started
	Update  RoutingUpdate // OpAddAddress
	Removed *EntryView    // OpRemoveAddress, OpRemovePeer: the entry that is gone, or nil
	Err     error         // ErrNoKnownPeers, ErrMaxRecords, ErrValueTooLarge, ...

	// Memory that is used again by each Step, so that a node keeps none of it.
	peers     []PeerInfo // the arena of the slices above
	bytes     []byte     // copies of lent bytes for events
	near      []Near
	handles   []Peer
	providers []ProviderRecord
	spare     []*query
}

// What an Output keeps for the next Step: more bytes than a usual frame holds are given back, and so are more queries
// than end in one step.
const (
	maxKeptBytes   = 64 << 10
	maxKeptQueries = 16
)

// reset makes ready for a Step. byHandle: a frozen Directory names peers by handle, and their list holds on to nothing.
func (o *Output) reset(byHandle bool) {
	clear(o.Commands)
	clear(o.Events)
	if !byHandle {
		clear(o.peers) // or they would hold on to the bytes that are given back below
	}
	o.Commands, o.Events = o.Commands[:0], o.Events[:0]
	o.Query, o.Update, o.Removed, o.Err = 0, UpdateNone, nil, nil
	o.peers, o.bytes = o.peers[:0], o.bytes[:0]
	if cap(o.bytes) > maxKeptBytes {
		o.bytes = nil
	}
}

// command adds a command and returns it to be filled in, before the next is added: then the pointer is stale.
func (o *Output) command(kind CommandKind) *Command {
	o.Commands = append(o.Commands, Command{Kind: kind})
	return &o.Commands[len(o.Commands)-1]
}

// event adds an event and returns it to be filled in, before the next is added.
func (o *Output) event(kind EventKind) *Event {
	o.Events = append(o.Events, Event{Kind: kind})
	return &o.Events[len(o.Events)-1]
}

// keep copies lent bytes into the Output. When the arena grows, what was kept before stays where it was, unchanged, so
// slices of it stay good.
func (o *Output) keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	n := len(o.bytes)
	o.bytes = append(o.bytes, b...)
	return o.bytes[n:len(o.bytes):len(o.bytes)]
}

// merge is Addrs.Merge without an allocation: a list that is neither of the two lies in the Output. Only responses and
// events may hold it, since they end with the Output; a request waits for its dial, and its addresses must stay.
func (o *Output) merge(a, more Addrs) Addrs {
	first, n := len(o.bytes), 0
	for addr := range more.All() {
		if n++; n > maxAddrCount {
			break
		}
		list := a
		if len(o.bytes) > first {
			list = o.bytes[first:]
		}
		if !list.takes(addr) {
			continue
		}
		if len(o.bytes) == first {
			o.bytes = append(o.bytes, a...)
		}
		o.bytes = appendAddr(o.bytes, addr)
	}
	if len(o.bytes) == first {
		return a
	}
	return o.bytes[first:len(o.bytes):len(o.bytes)]
}

// since is the part of the arena that was added after it had n peers. It is cut to its length: to append to the arena
// afterwards cannot change it.
func (o *Output) since(n int) []PeerInfo {
	if n == len(o.peers) {
		return nil
	}
	return o.peers[n:len(o.peers):len(o.peers)]
}

// RoutingUpdate is the outcome of OpAddAddress.
type RoutingUpdate uint8

const (
	UpdateNone    RoutingUpdate = iota
	UpdateSuccess               // the table holds it
	UpdatePending               // it waits for the least recently seen peer to be proved dead
	UpdateFailed                // it is this node itself, or the bucket is full
)
