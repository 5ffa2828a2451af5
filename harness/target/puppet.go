package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
)

// Kind says what a puppet does by itself.
type Kind int

const (
	// Raw speaks no kad by itself: the plan opens its streams and writes their bytes. It tells the protocols of
	// Config.Protocols in identify, by default none, and hands inbound streams of those to Accept.
	Raw Kind = iota
	// Serving identifies as a server of Config.Protocols and answers honestly (see serving.go).
	Serving
	// Client has no kad protocol, whatever Config.Protocols says.
	Client
	// Nobody is an invented peer: no host, only a port that counts who dials it.
	Nobody
)

func (k Kind) String() string {
	switch k {
	case Raw:
		return "raw"
	case Serving:
		return "serving"
	case Client:
		return "client"
	case Nobody:
		return "nobody"
	}
	return fmt.Sprintf("kind(%d)", int(k))
}

const (
	// Agent is what puppets call themselves in identify.
	Agent = "kadbench/puppet"
	// OpenTimeout bounds one Open: a local negotiation takes a millisecond, a busy machine with eight cases side by
	// side has shown 2 s.
	OpenTimeout = 15 * time.Second
	// acceptBacklog is how many inbound streams of a raw puppet may wait for Accept; more are reset. A target opens
	// at most a few dozen to one peer (α is 10, rust's limit 32).
	acceptBacklog = 256
	// heardLimit and heardBytes are how much a puppet notes of what it hears: far more than any plan provokes (a lookup
	// asks a peer once), and 60 puppets that a mad target floods still fit in memory. A stream that brings more is reset;
	// a dial more is not noted.
	heardLimit = 50_000
	heardBytes = 32 << 20
)

// What can go wrong with a puppet's connections, besides the context's errors.
var (
	ErrDial    = errors.New("dial failed")           // no connection: nobody listens, or the handshake failed
	ErrRefused = errors.New("protocol refused")      // multistream said na: the peer does not speak it
	ErrReset   = errors.New("stream reset")          // the stream ended while it was being agreed
	ErrNoHost  = errors.New("puppet without a host") // asked of Nobody
)

// PuppetConfig is how a puppet is made. The zero value is a raw puppet on 127.0.0.1 over TCP, with a new identity.
type PuppetConfig struct {
	Key       crypto.PrivKey // nil: a new Ed25519 key
	Kind      Kind
	Protocols []string       // kad protocol ids; for Serving, none means /ipfs/kad/1.0.0
	Over      string         // tcp (default) or quic
	Security  string         // noise or tls, over tcp only; default: both offered, noise first
	IP        string         // where it listens and from where it dials; default 127.0.0.1
	Claims    []ma.Multiaddr // addresses told in identify instead of the true ones
	K         int            // how many peers a Serving puppet lists; default 20 (libp2p-kad L47)
}

// Check says what is wrong with the configuration.
func (c PuppetConfig) Check() error {
	switch {
	case c.Kind < Raw || c.Kind > Nobody:
		return fmt.Errorf("puppet: %v: expected raw, serving, client or nobody", c.Kind)
	case c.Over != "" && c.Over != "tcp" && c.Over != "quic":
		return fmt.Errorf("puppet: over=%s: expected tcp or quic", c.Over)
	case c.Security != "" && c.Security != "noise" && c.Security != "tls":
		return fmt.Errorf("puppet: security=%s: expected noise or tls", c.Security)
	case c.Security == "noise" && c.Over == "quic":
		return errors.New("puppet: security=noise over=quic: QUIC has TLS built in")
	case c.IP != "" && net.ParseIP(c.IP) == nil:
		return fmt.Errorf("puppet: ip=%s: expected an IP address", c.IP)
	case c.K < 0:
		return fmt.Errorf("puppet: k=%d: expected a positive number", c.K)
	}
	return nil
}

// Puppet is a libp2p host of the harness. It does nothing that its kind does not say: no autonat, relay, metrics,
// connection manager or limits, so that what a target meets is what the plan wrote.
type Puppet struct {
	cfg   PuppetConfig
	id    peer.ID
	host  *host // nil for Nobody
	port  *port // of Nobody
	heard Journal[Heard]
	bytes atomic.Int64 // in heard
	known directory
	in    chan *Stream

	watcher atomic.Pointer[Watcher]
	ctx     context.Context // ends with the puppet
	end     context.CancelFunc

	mu      sync.Mutex
	closed  bool
	opened  int            // inbound streams so far
	streams sync.WaitGroup // handlers of inbound streams; none is added once closed
}

// NewPuppet makes a puppet which listens, and can be dialled when NewPuppet returns.
func NewPuppet(cfg PuppetConfig) (*Puppet, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.IP == "" {
		cfg.IP = "127.0.0.1"
	}
	if cfg.K == 0 {
		cfg.K = 20
	}
	if cfg.Kind == Serving && len(cfg.Protocols) == 0 {
		cfg.Protocols = []string{"/ipfs/kad/1.0.0"}
	}
	if cfg.Key == nil {
		key, _, err := crypto.GenerateEd25519Key(nil)
		if err != nil {
			return nil, fmt.Errorf("puppet: %w", err)
		}
		cfg.Key = key
	}
	id, err := peer.IDFromPrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("puppet: %w", err)
	}
	p := &Puppet{cfg: cfg, id: id, in: make(chan *Stream, acceptBacklog)}
	p.ctx, p.end = context.WithCancel(context.Background())
	if cfg.Kind == Nobody {
		p.port, err = listenPort(cfg, p.dialled)
	} else {
		p.host, err = newHost(cfg, id, p)
	}
	if err != nil {
		p.end()
		return nil, fmt.Errorf("puppet: %w", err)
	}
	return p, nil
}

// ID is the puppet's peer id.
func (p *Puppet) ID() peer.ID { return p.id }

// Kind is what the puppet was made as.
func (p *Puppet) Kind() Kind { return p.cfg.Kind }

// Addrs is where the puppet listens, without /p2p; not its claims.
func (p *Puppet) Addrs() []ma.Multiaddr {
	if p.port != nil {
		return []ma.Multiaddr{p.port.addr}
	}
	return p.host.swarm.ListenAddresses()
}

// Info is the puppet's id and where it listens.
func (p *Puppet) Info() peer.AddrInfo { return peer.AddrInfo{ID: p.id, Addrs: p.Addrs()} }

// Heard is everything the puppet heard since it was made: frames on inbound streams, and dials.
func (p *Puppet) Heard() *Journal[Heard] { return &p.heard }

// Dials counts the connections that others opened to the puppet.
func (p *Puppet) Dials() int {
	n := 0
	for _, h := range p.heard.From(0) {
		if h.Dial {
			n++
		}
	}
	return n
}

// Connect makes sure of a connection to a peer at one of these addresses. It does not wait for identify.
func (p *Puppet) Connect(ctx context.Context, to peer.AddrInfo) error {
	if p.host == nil {
		return ErrNoHost
	}
	s := p.host.swarm
	s.Peerstore().AddAddrs(to.ID, to.Addrs, peerstore.PermanentAddrTTL)
	s.Backoff().Clear(to.ID) // a failure before says nothing about now
	if _, err := s.DialPeer(ctx, to.ID); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("connect to %s: %w", to.ID, ctx.Err())
		}
		return fmt.Errorf("connect to %s: %w: %w", to.ID, ErrDial, oneLine{err})
	}
	return nil
}

// Connected says whether there is a connection to the peer.
func (p *Puppet) Connected(id peer.ID) bool {
	return p.host != nil && p.host.swarm.Connectedness(id) == network.Connected
}

// Disconnect closes all connections to a peer.
func (p *Puppet) Disconnect(id peer.ID) error {
	if p.host == nil {
		return ErrNoHost
	}
	return p.host.swarm.ClosePeer(id)
}

// Open opens a stream and agrees on the protocol; it returns after the peer's answer was read, so that ErrRefused is
// certain. It dials when there is no connection and an address is known. The stream is read all the time.
func (p *Puppet) Open(ctx context.Context, to peer.ID, proto string) (*Stream, error) {
	return p.open(ctx, to, proto, false)
}

// OpenLazy is Open for a stream which is read only while somebody waits in Next: a slow reader.
func (p *Puppet) OpenLazy(ctx context.Context, to peer.ID, proto string) (*Stream, error) {
	return p.open(ctx, to, proto, true)
}

func (p *Puppet) open(ctx context.Context, to peer.ID, proto string, lazy bool) (*Stream, error) {
	if p.host == nil {
		return nil, ErrNoHost
	}
	ctx, cancel := context.WithTimeout(ctx, OpenTimeout)
	defer cancel()
	raw, err := p.host.negotiate(ctx, to, proto)
	if err != nil {
		return nil, fmt.Errorf("open %s to %s: %w", proto, to, err)
	}
	return newStream(raw, proto, lazy, nil), nil
}

// Accept waits for a stream which a peer opened to a raw puppet. The stream is read all the time, and its frames are in
// Heard too.
func (p *Puppet) Accept(ctx context.Context) (*Stream, error) {
	select {
	case s := <-p.in:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends the host, its connections and all its goroutines.
func (p *Puppet) Close() error {
	p.end()
	if p.port != nil {
		return p.port.Close()
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.host.Close()
	p.streams.Wait()
	return err
}

// inbound takes a stream that a peer opened to us for one of our protocols.
func (p *Puppet) inbound(raw network.Stream) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		raw.Reset()
		return
	}
	p.streams.Add(1)
	p.opened++
	name := fmt.Sprintf("#%d", p.opened)
	p.mu.Unlock()
	defer p.streams.Done()
	from, proto := raw.Conn().RemotePeer(), string(raw.Protocol())
	if p.cfg.Kind == Serving {
		p.serve(raw, name, from)
		return
	}
	hear := func(e Event) {
		if !p.note(Heard{At: e.At, From: from, Protocol: proto, Stream: raw.ID(), Body: e.Body, Raw: e.Raw}) {
			raw.Reset()
		}
	}
	s := newStream(raw, proto, false, hear)
	select {
	case p.in <- s:
	default:
		s.Reset()
	}
}

func (p *Puppet) dialled(from peer.ID, addr ma.Multiaddr) {
	now := time.Now()
	p.note(Heard{At: now, Dial: true, From: from, Addr: addr})
	if w := p.watcher.Load(); w != nil && w.Note != nil {
		w.Note(Note{At: now, Kind: Dialled, From: from, Addr: addr})
	}
}

// note takes down what was heard, until it is too much.
func (p *Puppet) note(h Heard) bool {
	if p.heard.Len() >= heardLimit || p.bytes.Add(int64(len(h.Raw))) > heardBytes {
		return false
	}
	p.heard.Add(h)
	return true
}

// Heard is one thing that a puppet heard: a frame that a peer sent on a stream which the peer opened, or a dial.
type Heard struct {
	At       time.Time
	From     peer.ID // "" for a dial to Nobody, which makes no handshake
	Dial     bool
	Addr     ma.Multiaddr // of a dial: where it came from
	Protocol string       // of a frame
	Stream   string       // of a frame: names the stream
	Body     []byte       // of a frame: without its length
	Raw      []byte       // of a frame: as it came
}

// oneLine tells why no address could be dialled: the swarm has a line for each address, and the peer's id in each.
type oneLine struct{ error }

func (e oneLine) Unwrap() error { return e.error }

func (e oneLine) Error() string {
	var dialled *swarm.DialError
	if !errors.As(e.error, &dialled) || len(dialled.DialErrors) == 0 {
		return strings.Join(strings.Fields(e.error.Error()), " ")
	}
	var causes []string
	for _, d := range dialled.DialErrors {
		at, _ := peer.SplitAddr(d.Address)
		cause := d.Cause
		var op *net.OpError // "dial tcp4 127.0.0.1:0->127.0.0.1:1" says the address again
		if errors.As(cause, &op) {
			cause = op.Err
		}
		causes = append(causes, fmt.Sprintf("%s: %s", at, strings.Join(strings.Fields(cause.Error()), " ")))
	}
	return strings.Join(causes, "; ")
}

// negotiate opens a stream and agrees on one protocol, reading the answer before it returns: libp2p's own NewStream
// believes what identify said, and would find out at the first read only.
func (h *host) negotiate(ctx context.Context, to peer.ID, proto string) (network.Stream, error) {
	s, err := h.swarm.NewStream(ctx, to)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", ErrDial, oneLine{err})
	}
	stop := context.AfterFunc(ctx, func() { s.SetDeadline(time.Unix(1, 0)) })
	err = msmux.SelectProtoOrFail(protocol.ID(proto), s)
	if !stop() {
		s.Reset()
		return nil, ctx.Err()
	}
	if err != nil {
		s.Reset()
		if errors.Is(err, msmux.ErrNotSupported[protocol.ID]{}) {
			return nil, ErrRefused
		}
		return nil, fmt.Errorf("%w: %w", ErrReset, err)
	}
	s.SetDeadline(time.Time{})
	s.SetProtocol(protocol.ID(proto))
	return s, nil
}
