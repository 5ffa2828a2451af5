package kad

import "errors"

// What an operation refuses at once (Output.Err), and what Check, Validate and a Store say.
var (
	ErrNoKnownPeers    = errors.New("bootstrap: no known peers")
	ErrMaxRecords      = errors.New("store: as many records as it may hold")
	ErrMaxProviderKeys = errors.New("store: as many provider keys as it may hold")
	ErrValueTooLarge   = errors.New("store: value too large")
	ErrKeyLength       = errors.New("store: key is empty or too long")
	ErrInvalidRecord   = errors.New("record: not validated")
	ErrWorseRecord     = errors.New("record: a better one is stored")
	ErrNotPublisher    = errors.New("record: published by another peer")
	ErrTooManyQueries  = errors.New("query: as many as may run at once")
	ErrUnknownQuery    = errors.New("query: no such query is running")
	ErrNoPeers         = errors.New("query: no peers given")
	ErrPeerID          = errors.New("peer id: empty or longer than 128 bytes")
	ErrConfig          = errors.New("config")
)
