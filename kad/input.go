package kad

// InputKind says what happened. The names are libp2p-kad's: the handler's events, the hooks of a connection, the
// operations of the behaviour.
type InputKind uint8

const (
	InNone InputKind = iota

	// Events of a handler. Requests carry a Request to be passed back with the response; replies carry the Query that
	// they belong to.
	ProtocolConfirmed // Peer serves the protocol: an outbound stream was answered. Conn, Dialer, Addr (that of the connection, if dialled)
	FindNodeReq       // Peer, Request, Key; Target: what the host's peerstore holds of the peer whose id is Key, if any
	FindNodeRes       // Peer, Query, Key (that of the request), Closer
	GetProvidersReq   // Peer, Request, Key
	GetProvidersRes   // Peer, Query, Closer, Providers
	QueryError        // Peer, Query, Key (that of the request), Err
	AddProvider       // Peer, Request, Key, Providers (all that the message named)
	AddProviderRes    // Peer, Query: the ADD_PROVIDER is on the wire (nothing comes back); if not: QueryError
	GetRecord         // Peer, Request, Key
	GetRecordRes      // Peer, Query, Valid (or none), Closer
	PutRecord         // Peer, Request, Valid
	PutRecordRes      // Peer, Query, Key, Value
	PingReq           // Peer, Request

	// Hooks of connections and listeners.
	ConnectionEstablished // Peer, Conn, Addr, Dialer
	ConnectionClosed      // Peer, Conn
	InConnected           // Peer: its first connection
	InDisconnected        // Peer: its last connection is gone
	AddressChanged        // Peer, Conn, OldAddr, Addr
	AddressFailed         // Peer, Addr: a dial to this address failed
	DialFailed            // Peer: no address could be reached; with Err ErrRefused it was not tried, and nothing follows
	ListenAddr            // Addr
	ListenAddrExpired     // Addr
	ExternalAddr          // Addr
	ExternalAddrExpired   // Addr
	ListenerError         // Err
	ListenerClosed        //
	ProtocolsChanged      // Peer, Supported (identify says it serves the protocol), Peer.Addrs its listen addresses

	Tick // nothing but time: what is due

	// Operations of the application. What they return at once stands in Output (Query, Update, Removed, Err); the
	// rest arrives as events.
	OpAddAddress      // Peer, Addr
	OpRemoveAddress   // Peer, Addr
	OpRemovePeer      // Peer
	OpGetClosestPeers // Key, N (0: K)
	OpGetRecord       // Key; Quorum, if the configuration ends a get at its quorum
	OpPutRecord       // Valid, Quorum
	OpPutRecordTo     // Valid, Closer (the peers), Quorum
	OpRemoveRecord    // Key; only this node's own record
	OpBootstrap       //
	OpStartProviding  // Key
	OpStopProviding   // Key
	OpGetProviders    // Key, N (0: all): it ends as soon as so many are known, the first of all those of this node itself
	OpSetMode         // Mode
	OpFinish          // Query: end it early, with what it has
	OpCancel          // Query: end it at once: nothing is sent any more, and what it has found is not given to anybody
	OpAccept          // Request, one that is held: store what it brought and answer
	OpRefuse          // Request, one that is held: store nothing and end it without a reply
)

// Input is one thing that happened, as a value: it can be printed, recorded and replayed. Which fields a kind reads stands
// beside the kind; the others are ignored. Slices are lent until Step returns.
type Input struct {
	Kind      InputKind
	Peer      PeerInfo
	Conn      ConnID
	Request   RequestID
	Query     QueryID
	Key       []byte
	Value     []byte
	Valid     Valid
	Closer    []PeerInfo
	Providers []PeerInfo
	Target    PeerInfo
	Addr      []byte // one multiaddr
	OldAddr   []byte
	Dialer    bool
	Supported bool
	Mode      Mode
	N         int
	Quorum    Quorum
	Err       ErrorKind
	Late      Duration // of any kind: how much later than Wake said this Step comes, as the driver was held up; 0: it was not
}

// Quorum is how many peers must have stored a record, and in the classic behaviour how many must have had one to end a
// get: 0 is One. Use Majority, All or a positive number.
type Quorum int

const (
	One      Quorum = 0
	Majority Quorum = -1
	All      Quorum = -2
)

// ErrorKind is why a request failed, as far as a handler can tell.
type ErrorKind uint8

const (
	ErrNone        ErrorKind = iota
	ErrTimeout               // no answer in time
	ErrUnsupported           // the peer does not speak the protocol
	ErrInvalid               // the reply cannot be read, or is not one to the request
	ErrReset                 // the stream ended before the reply
	ErrDial                  // the peer could not be reached
	ErrRefused               // too much is under way already
)
