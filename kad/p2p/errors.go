package p2p

import "errors"

// Errors of the operations. An operation that its context ended returns the context's own error.
var (
	ErrNotFound  = errors.New("p2p: not found")
	ErrTimeout   = errors.New("p2p: the query timed out")
	ErrNoPeers   = errors.New("p2p: no known peers")
	ErrQuorum    = errors.New("p2p: too few peers stored the record")
	ErrInvalid   = errors.New("p2p: invalid")
	ErrTooLarge  = errors.New("p2p: the record does not fit in a message")
	ErrNamespace = errors.New("p2p: no validator for the key's namespace")
	ErrClosed    = errors.New("p2p: the node is not running")
	ErrPrivate   = errors.New("p2p: the address is not public")
)
