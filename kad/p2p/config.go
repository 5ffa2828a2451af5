package p2p

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kadbench/kadbench/kad"
)

// Transports and security protocols that a Config may name.
const (
	TCP   = "tcp"
	QUIC  = "quic"
	Noise = "noise"
	TLS   = "tls"
)

// DefaultProtocol is what the IPFS network speaks (libp2p-kad L101, ipfs-kad L161).
const DefaultProtocol = "/ipfs/kad/1.0.0"

// ErrConfig is wrapped by every complaint of Config.Check.
var ErrConfig = errors.New("p2p: configuration")

// Config of a Node. The zero value is a node with a random identity which listens on loopback by TCP and QUIC, speaks
// DefaultProtocol, accepts records of the namespaces pk and ipns, and behaves as the zero kad.Config says.
type Config struct {
	Kad kad.Config

	PrivKey    crypto.PrivKey // nil: a new Ed25519 key
	Listen     []string       // multiaddrs; nil: loopback on a free port, once for each of Transports
	Transports []string       // TCP, QUIC; nil: both
	Security   []string       // Noise, TLS, in order of preference; nil: both (of TCP: QUIC brings its own)
	Protocols  []string       // protocol ids, in order of preference; nil: DefaultProtocol
	Bootstrap  []string       // multiaddrs with /p2p/ID, which are dialled from Start on while the table is empty

	// Validators by namespace; nil: pk and ipns. Namespaces makes one of names.
	Validators map[string]kad.Validator

	// Datastore takes a journal of what is stored, so that it outlives the process: what was acknowledged is on disk. nil:
	// memory only. It needs room for what Kad.Limits let the memory hold, a third more for the text that it is written in.
	// All keys begin with /kadbench, so that others may use it too; nodes that share it have a prefix each (go-datastore's
	// namespace.Wrap). Close leaves it open. Close waits for what is being written, as long as the datastore does, which is
	// given a minute by its context: Close that returned earlier would leave a writer in a datastore that its owner may close.
	Datastore datastore.Batching

	// Metrics is where the metrics of the node are registered from Start to Close (metrics.go names them); nil: none are
	// kept. Nodes that share a registry have prometheus.WrapRegistererWith a label each, of one name and different values.
	Metrics prometheus.Registerer

	// Diversity keeps the table from filling with peers of one network: it sets Kad.Group to Group, if that is nil.
	Diversity bool

	// PublicOnly is for a public swarm: private and loopback addresses are neither stored nor served (ipfs-kad L363).
	PublicOnly bool

	// Unlimited turns off go-libp2p's resource and connection managers, for load tests.
	Unlimited bool

	// Host is used instead of a new one, and then PrivKey, Listen, Transports, Security and Unlimited are ignored.
	// Close leaves it open.
	Host host.Host

	Limits Limits
}

// Amino is a node of the public IPFS network: kad.Amino, with what that alone does not bring. It listens on all interfaces;
// its table holds public addresses only, and not many of one network. Bootstrap is left to be said: without anybody's
// address no network can be entered. kad.ModeAuto serves once go-libp2p finds that the node can be reached.
func Amino() Config {
	return Config{
		Kad: kad.Amino(),
		Listen: []string{"/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0",
			"/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::/udp/0/quic-v1"},
		PublicOnly: true,
		Diversity:  true,
	}
}

// Limits of a Node. 0 is the default, named beside each with its reason.
type Limits struct {
	// InboundRequests are served at once on one connection: 32, as libp2p-kad allows. Each holds at most one frame in
	// memory, so that a peer can make us hold no more than 32 × ReceiveBytes, and all peers together no more than
	// go-libp2p's resource manager allows, for long frames are counted there. Further streams wait for their turn.
	InboundRequests int

	// InboundStreams are open at once on one connection, most of them idle or about to end: 256, which is four times
	// what js-libp2p opens; one that the peer closed is counted until we read its end, and each costs about 8 KiB. The
	// next one is reset.
	InboundStreams int

	// IdleTimeout is how long a stream may be silent between requests, and how long a frame may take: 60 s, as
	// go-libp2p-kad-dht.
	IdleTimeout time.Duration

	// RequestTimeout of an outbound request, dialling included: 10 s, as libp2p-kad's and go-libp2p-kad-dht's.
	RequestTimeout time.Duration

	// OutboundRequests are under way at once to one peer: 32, what libp2p-kad and js-libp2p accept on a connection.
	OutboundRequests int

	// OutboundQueue is how many more may wait for one peer: 256. The next one fails with kad.ErrRefused.
	OutboundQueue int

	// Dials under way at once: 100; go-libp2p itself stops at 160 sockets.
	Dials int

	// ReceiveBytes is the longest frame read: 4 MiB, as every implementation but libp2p-kad; at most 128 MiB.
	ReceiveBytes int

	// SendBytes is the longest reply sent: 16 KiB, since libp2p-kad reads no longer one. Addresses and then closer
	// peers are left out to fit; a record never is.
	SendBytes int

	// Events is how many events wait for the reader of Node.Events: 1024. Then the newest is dropped and counted.
	Events int
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.InboundRequests, 32)
	set(&l.InboundStreams, 256)
	set(&l.OutboundRequests, 32)
	set(&l.OutboundQueue, 256)
	set(&l.Dials, 100)
	set(&l.ReceiveBytes, 4<<20)
	set(&l.SendBytes, 16<<10)
	set(&l.Events, 1024)
	if l.IdleTimeout == 0 {
		l.IdleTimeout = 60 * time.Second
	}
	if l.RequestTimeout == 0 {
		l.RequestTimeout = 10 * time.Second
	}
	return l
}

func (c Config) withDefaults() Config {
	if len(c.Transports) == 0 {
		c.Transports = []string{TCP, QUIC}
	}
	if len(c.Security) == 0 {
		c.Security = []string{Noise, TLS}
	}
	if len(c.Protocols) == 0 {
		c.Protocols = []string{DefaultProtocol}
	}
	if c.Validators == nil {
		c.Validators = Namespaces("pk", "ipns")
	}
	if len(c.Listen) == 0 {
		for _, t := range c.Transports {
			switch t {
			case TCP:
				c.Listen = append(c.Listen, "/ip4/127.0.0.1/tcp/0")
			case QUIC:
				c.Listen = append(c.Listen, "/ip4/127.0.0.1/udp/0/quic-v1")
			}
		}
	}
	if c.Diversity && c.Kad.Group == nil {
		c.Kad.Group = Group
	}
	c.Limits = c.Limits.withDefaults()
	return c
}

// Check says what is wrong with a configuration; every complaint wraps ErrConfig.
func (c Config) Check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrConfig, fmt.Errorf(format, args...))
	}
	if err := c.Kad.Check(); err != nil {
		return fail("Kad: %w", err)
	}
	for _, t := range c.Transports {
		if t != TCP && t != QUIC {
			return fail("Transports: %q: want %s or %s", t, TCP, QUIC)
		}
	}
	for _, s := range c.Security {
		if s != Noise && s != TLS {
			return fail("Security: %q: want %s or %s", s, Noise, TLS)
		}
	}
	for _, p := range c.Protocols {
		if p == "" || p[0] != '/' {
			return fail("Protocols: %q: want a protocol id such as %s", p, DefaultProtocol)
		}
	}
	for _, a := range c.Listen {
		if _, err := ma.NewMultiaddr(a); err != nil {
			return fail("Listen: %q: %w", a, err)
		}
	}
	for _, a := range c.Bootstrap {
		if _, err := peer.AddrInfoFromString(a); err != nil {
			return fail("Bootstrap: %q: want a multiaddr that ends in /p2p/ID: %w", a, err)
		}
	}
	for ns, v := range c.Validators {
		if v == nil {
			return fail("Validators: %q: no validator is known for this namespace", ns)
		}
		if ns == "" || slices.Contains([]byte(ns), '/') {
			return fail("Validators: %q: a namespace is one path segment", ns)
		}
	}
	l := c.Limits
	for _, n := range []int{l.InboundRequests, l.InboundStreams, l.OutboundRequests, l.OutboundQueue, l.Dials,
		l.ReceiveBytes, l.SendBytes, l.Events} {
		if n < 0 {
			return fail("Limits: %d: a limit cannot be negative", n)
		}
	}
	if l.ReceiveBytes > 128<<20 {
		return fail("Limits: ReceiveBytes: %d: at most 128 MiB", l.ReceiveBytes)
	}
	if l.IdleTimeout < 0 || l.RequestTimeout < 0 {
		return fail("Limits: a timeout cannot be negative")
	}
	return nil
}
