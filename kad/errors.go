package kad

import "errors"

// What an operation refuses at once (Output.Err), and what Check, Validate and a Store say. Each is a value for errors.Is;
// none carries text of a peer. What an operation refuses leaves no trace: nothing is stored and no query runs.
var (
	// A bootstrap starts from the table, and that is empty: the application has to bring a first peer.
	ErrNoKnownPeers = errors.New("bootstrap: no known peers")

	// A Store is at one of its Limits. To replace what it holds is always possible; room comes back with expiry.
	ErrMaxRecords      = errors.New("store: as many records as it may hold")
	ErrMaxProviderKeys = errors.New("store: as many provider keys as it may hold")
	ErrValueTooLarge   = errors.New("store: value too large")
	ErrKeyLength       = errors.New("store: key is empty or too long")

	// The record itself: no Valid was given, one of a higher rank is here, or it is another's to remove.
	ErrInvalidRecord = errors.New("record: not validated")
	ErrWorseRecord   = errors.New("record: a better one is stored")
	ErrNotPublisher  = errors.New("record: published by another peer")

	// The query: Limits.Queries run already, the one to be ended has ended by itself, or there is nobody to give to.
	ErrTooManyQueries = errors.New("query: as many as may run at once")
	ErrUnknownQuery   = errors.New("query: no such query is running")
	ErrNoPeers        = errors.New("query: no peers given")

	// The held request: it was answered, its time is over, or its connection is gone.
	ErrUnknownRequest = errors.New("request: no such request is held")

	// A Directory makes no handle for it; a frozen one for nobody that it does not know.
	ErrPeerID = errors.New("peer id: empty or longer than 128 bytes")
	// Wrapped with the field, what it is and what it may be.
	ErrConfig = errors.New("config")
)
