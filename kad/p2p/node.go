package p2p

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/kad"
)

// Node is a kad.Kademlia on a go-libp2p host. Its methods may be called from any goroutine.
type Node struct {
	cfg       Config
	limits    Limits
	id        peer.ID
	key       crypto.PrivKey // nil when the host was given
	protocols []protocol.ID
	records   namespaces
	clock     clock
	ownsHost  bool
	life      sync.Mutex // held by Start and by Close, so that each finds the other done or not begun

	// mu guards the core and what must keep the core's order. It is held for one Step and the hand-over of what that
	// Step caused, about a microsecond; nothing under it waits, encodes or validates.
	mu       sync.Mutex
	core     *kad.Kademlia
	started  bool // host, ctx and timer are set, and stay
	closed   bool
	host     host.Host // nil before Start, unless it was given
	requests kad.RequestID
	armed    kad.Time // what the timer is set for; 0: it is off
	rings    kad.Time // when it should ring: not at once, even if what it is set for has passed
	timer    *time.Timer
	conns    map[network.Conn]*connection
	peers    map[peer.ID]int // how many connections there are
	own      ownAddrs
	queries  map[kad.QueryID]*query
	later    []kad.Input                       // inputs that came up while the lock was held for another
	held     map[kad.RequestID]chan heldAnswer // streams whose request is held, see held.go
	journal  *journal                          // nil: memory only

	events   chan kad.Event // nil until somebody calls Events: a full one takes half a megabyte
	dropped  atomic.Uint64
	modeSet  sync.Mutex  // held while the handlers are being set or removed
	server   atomic.Bool // what the core wants
	serving  bool        // what the host does; guarded by modeSet
	inbound  inbound
	outbound outbound
	redial   redial
	metrics  *metrics         // nil: nobody wants any
	watch    func(*kad.Input) // of tests: sees each input after its Step

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	stir   chan struct{} // wakes the loop: there is something in later, or the mode changed
	work   sync.WaitGroup
}

// New makes a node and starts nothing: no socket is opened and no goroutine runs before Start.
func New(cfg Config) (*Node, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg:      cfg,
		limits:   cfg.Limits,
		key:      cfg.PrivKey,
		records:  cfg.Validators,
		clock:    newClock(),
		host:     cfg.Host,
		ownsHost: cfg.Host == nil,
		conns:    make(map[network.Conn]*connection),
		peers:    make(map[peer.ID]int),
		own:      ownAddrs{listen: make(map[string]bool), external: make(map[string]bool)},
		redial:   redial{stir: make(chan struct{}, 1)},
		queries:  make(map[kad.QueryID]*query),
		held:     make(map[kad.RequestID]chan heldAnswer),
		stir:     make(chan struct{}, 1),
	}
	for _, p := range cfg.Protocols {
		n.protocols = append(n.protocols, protocol.ID(p))
	}
	var err error
	if n.ownsHost {
		if n.key == nil {
			if n.key, err = randomIdentity(); err != nil {
				return nil, fmt.Errorf("identity: %w", err)
			}
		}
		if n.id, err = peer.IDFromPrivateKey(n.key); err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
	} else {
		n.id = n.host.ID()
	}
	if n.core, err = kad.New([]byte(n.id), kad.NewDirectory(), cfg.Kad); err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	n.records = n.withMemory(cfg.Validators)
	if cfg.Datastore != nil {
		n.journal = newJournal(n, cfg.Datastore)
	}
	if cfg.Metrics != nil {
		n.metrics = new(metrics)
	}
	n.redial.empty.Store(true)
	n.server.Store(n.core.Mode() == kad.ModeServer)
	n.inbound.init(n)
	n.outbound.init(n)
	return n, nil
}

// Start opens the host (unless one was given), listens, serves if the mode says so, and begins to dial the bootstrap
// peers. It may be called once: a node whose Start failed is closed. The context is asked before anything is opened; it
// does not end the node.
func (n *Node) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.life.Lock()
	defer n.life.Unlock()
	if n.started || n.closed {
		return fmt.Errorf("start: %w", ErrClosed)
	}
	if n.journal != nil { // before anybody is served, or may change what is stored
		if err := n.journal.load(ctx); err != nil {
			_ = n.close()
			return fmt.Errorf("start: %w", err)
		}
	}
	h := n.host
	if n.ownsHost {
		var err error
		if h, err = newHost(n.cfg, n.key); err != nil {
			_ = n.close()
			return fmt.Errorf("host: %w", err)
		}
	}
	n.mu.Lock()
	n.host = h
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.timer = time.NewTimer(time.Hour)
	n.timer.Stop()
	n.started = true
	n.mu.Unlock()
	if n.journal != nil {
		n.work.Go(n.journal.run)
	}

	if err := n.metrics.register(n.cfg.Metrics); err != nil {
		_ = n.close()
		return fmt.Errorf("metrics: %w", err)
	}
	n.applyMode() // first, so that identify tells of the protocol from the beginning
	if err := n.watchHost(); err != nil {
		_ = n.close()
		return fmt.Errorf("host: %w", err)
	}
	n.work.Go(n.loop)
	if peers := n.bootstrapPeers(); len(peers) > 0 {
		n.work.Go(func() { n.rejoin(peers) })
	}
	return nil
}

// Close ends everything that Start began: queries end with ErrClosed, streams are reset, and the host is closed unless
// it was given. When Close returns, be it the first or another, no goroutine of the node is left.
func (n *Node) Close() error {
	n.life.Lock()
	defer n.life.Unlock()
	return n.close()
}

// close is Close for those who hold life.
func (n *Node) close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	if n.events != nil {
		close(n.events) // nothing is published any more
	}
	if !n.started {
		n.mu.Unlock()
		return nil
	}
	for id, q := range n.queries {
		delete(n.queries, id)
		q.end(ErrClosed)
	}
	n.mu.Unlock()

	n.cancel()
	n.applyMode() // the context has ended: no more serving
	n.outbound.close()
	var err error
	if n.ownsHost {
		err = n.host.Close()
	}
	n.timer.Stop()
	n.work.Wait()
	n.metrics.unregister(n.cfg.Metrics)
	return err
}

// ID is the node's peer id.
func (n *Node) ID() peer.ID { return n.id }

// Host is the go-libp2p host; nil before Start unless it was given.
func (n *Node) Host() host.Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.host
}

// Addrs are the addresses on which the node listens, each with /p2p/ID; none before Start.
func (n *Node) Addrs() []ma.Multiaddr {
	h := n.Host()
	if h == nil {
		return nil
	}
	addrs, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h))
	if err != nil {
		return nil // cannot be: the id is our own
	}
	return addrs
}

// ProtocolNames are the protocol ids that the node serves and asks for, in order of preference.
func (n *Node) ProtocolNames() []string { return append([]string(nil), n.cfg.Protocols...) }

// Mode says whether the node answers: kad.ModeServer or kad.ModeClient.
func (n *Node) Mode() kad.Mode {
	if n.server.Load() {
		return kad.ModeServer
	}
	return kad.ModeClient
}

// SetMode makes the node a server or a client, or (kad.ModeAuto) leaves it to whether it can be reached. When it
// returns, the protocol is advertised or no longer so, and a client's inbound streams have been reset.
func (n *Node) SetMode(mode kad.Mode) error {
	if err := n.do(kad.Input{Kind: kad.OpSetMode, Mode: mode}, nil); err != nil {
		return err
	}
	n.applyMode()
	return nil
}

// Advance moves the node's clock ahead by d, as if so much time had passed: what is due by then happens. It is for
// tests of expiry. Deadlines of streams are the system's and stay where they are.
func (n *Node) Advance(d time.Duration) {
	n.mu.Lock()
	n.clock.advance(d)
	n.armed = 0 // the timer was set by the clock as it was
	n.mu.Unlock()
	_ = n.do(kad.Input{Kind: kad.Tick}, nil)
}

// Events tells what happens, in the order of the core. The first call begins the telling; before it nothing is kept.
// If nobody reads, Limits.Events wait, and then the newest is dropped and counted by Dropped: a reader that is slow
// must not stop the node. Queries run by the methods of Node show up here too. There is one channel, whoever calls:
// several readers divide the events among them, so who needs all of them twice passes them on. Close closes the
// channel; what it held may still be read.
func (n *Node) Events() <-chan kad.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.events == nil {
		n.events = make(chan kad.Event, n.limits.Events)
		if n.closed {
			close(n.events)
		}
	}
	return n.events
}

// Dropped is how many events found the queue of Events full.
func (n *Node) Dropped() uint64 { return n.dropped.Load() }
