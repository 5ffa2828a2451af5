package network

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Errors of an operation; what else goes wrong is wrapped as it came.
var (
	// ErrNotFound: the operation came to its end, and nobody had it.
	ErrNotFound = errors.New("not found")
	// ErrUnsupported: this kind of node cannot do it, or not with this setting.
	ErrUnsupported = errors.New("unsupported")
)

// Node is a node of a network, whatever its implementation. Its methods may be called side by side; each ends with its
// context.
type Node interface {
	Info() peer.AddrInfo
	// Host is nil for a node in a process of its own.
	Host() host.Host

	// Connect dials a peer; whoever serves the protocol comes into the table by it, a moment later.
	Connect(ctx context.Context, to peer.AddrInfo) error
	// Bootstrap looks for the node itself and refreshes its table, and returns when that is done.
	Bootstrap(ctx context.Context) error

	// Closest looks up the K closest peers to a key, nearest first.
	Closest(ctx context.Context, key []byte) ([]peer.ID, error)
	// FindPeer looks for a peer's addresses.
	FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error)
	// Provide announces the node as a provider of a multihash, and returns when that was sent.
	Provide(ctx context.Context, key []byte) error
	// FindProviders calls each for every provider as it comes, until there are limit (0: all that are found).
	FindProviders(ctx context.Context, key []byte, limit int, each func(peer.ID)) error
	// Put stores a value under a key of the namespace /v/ and returns when that was sent.
	Put(ctx context.Context, key string, value []byte) error
	// Get finds the value; ErrNotFound if nobody has it.
	Get(ctx context.Context, key string) ([]byte, error)

	// Table lists the peers of the routing table, in no order.
	Table() []peer.ID
	// Stats counts what the node did so far.
	Stats() Stats

	Close() error
}

// Stats of a node since it began.
type Stats struct {
	Requests uint64 // that it sent
	Failed   uint64 // of them, without an answer, whether asked again or not needed any more
	Dials    uint64 // connections that it opened
}

// Spec says what node is wanted. The zero value lacks only Seed.
type Spec struct {
	Seed   [32]byte // of its identity, an Ed25519 key
	Server bool     // else a client
	// Host is the one to run on, which stays the caller's; nil: the node opens one on sockets, and closes it.
	Host host.Host

	Transport string        // of a host that it opens: "tcp" (the default) or "quic"
	Security  string        // of tcp: "noise" (the default) or "tls"
	Listen    string        // IP; 127.0.0.1 if it is empty
	Port      int           // 0: one that is free; a process chooses its own
	Delay     time.Duration // one way, added to what the node sends and receives on connections that it opens
	Unlimited bool          // no resource manager

	K, Alpha, Beta int           // 0: the implementation's own
	Refresh        time.Duration // of the table; 0: never
	Timeout        time.Duration // of a request; 0: the implementation's own
	Protocol       string        // "/ipfs/kad/1.0.0" if it is empty

	owned bool // Host closes with the node
}

// Kind is an implementation.
type Kind interface {
	Name() string    // ref, go
	Version() string // name and version of the implementation
	New(ctx context.Context, s Spec) (Node, error)
}
