package p2p

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/routing"
)

// Errors of the operations. An operation that its context ended returns the context's own error. Those which go-libp2p has
// a name for are that one too: errors.Is finds either.
var (
	ErrNotFound  = fmt.Errorf("p2p: %w", routing.ErrNotFound)
	ErrNamespace = fmt.Errorf("p2p: no validator for the key's namespace: %w", routing.ErrNotSupported)
	ErrTimeout   = errors.New("p2p: the query timed out")
	ErrNoPeers   = errors.New("p2p: no known peers")
	ErrQuorum    = errors.New("p2p: too few peers stored the record, or had it")
	ErrInvalid   = errors.New("p2p: invalid")
	ErrTooLarge  = errors.New("p2p: the record does not fit in a message")
	ErrClosed    = errors.New("p2p: the node is not running")
	ErrJournal   = errors.New("p2p: journal") // the datastore failed: nothing of it is stored
	ErrPrivate   = errors.New("p2p: the address is not public")
)
