package kad

// EventKind is what the application is told.
type EventKind uint8

const (
	EvNone EventKind = iota

	RoutingUpdated      // Peer, New, Bucket (shared prefix length), Old
	UnroutablePeer      // Peer: it connected, but no address of it is known
	RoutablePeer        // Peer: known address, not in the table (bucket full, or inserts are manual)
	PendingRoutablePeer // Peer: waits for a place
	InboundRequest      // Peer, Request kind in Inbound, Key, counts, Record; Held: it waits for OpAccept or OpRefuse
	QueryProgressed     // Query, Result, Stats, Step
	ModeChanged         // Mode
	PeerEvicted         // Peer, Bucket: it has left the table, because it fails or serves no more, and nobody waited for its place
)

// ResultKind is which operation a QueryProgressed speaks of.
type ResultKind uint8

const (
	ResNone              ResultKind = iota
	ResBootstrap                    // Peer (the target), Remaining
	ResGetClosestPeers              // Key, Peers
	ResGetProviders                 // Key, Providers of one response; at the end Peers: the closest
	ResStartProviding               // Key
	ResRepublishProvider            // Key
	ResGetRecord                    // Key, Record and Peer for each found; at the end Candidates: the closest without it
	ResPutRecord                    // Key, Peers: who stored it
	ResRepublishRecord              // Key, Peers
)

// QueryErr is why a query ended without what it sought. What was found until then stands in the same event: a timeout does
// not void the peers that have answered.
type QueryErr uint8

const (
	QueryOK QueryErr = iota
	QueryTimeout
	QueryNotFound
	QueryQuorumFailed
)

// Stats counts the requests of one query, through all its phases. Each request is a success or a failure or neither yet, so
// Requests - Successes - Failures are pending; one whose time has passed is a failure until its answer comes all the same.
type Stats struct {
	Requests, Successes, Failures uint32
	Start, End                    Time   // End is 0 while it runs
	Hops                          uint32 // the longest chain of peers that led to a peer of the result
}

// ProgressStep is the place of one result among those of its query: Count from 1, Last on exactly one of them.
type ProgressStep struct {
	Count uint32
	Last  bool
}

// Event is one thing to tell the application. It borrows: what is to outlive the next Step with the same Output is copied.
// Which fields a kind sets stands beside the kind.
type Event struct {
	Kind   EventKind
	Peer   PeerInfo
	Old    PeerInfo // RoutingUpdated: who was evicted for it
	New    bool
	Bucket int
	Mode   Mode

	Inbound      InputKind // InboundRequest: FindNodeReq, GetProvidersReq, ...
	Request      RequestID
	Held         bool
	NumCloser    int
	NumProviders int

	Query      QueryID
	Result     ResultKind
	Err        QueryErr
	Key        []byte
	Record     Record
	Found      bool
	Peers      []PeerInfo
	Providers  []PeerInfo
	Candidates []PeerInfo
	Remaining  uint32
	Stats      Stats
	Step       ProgressStep
}
