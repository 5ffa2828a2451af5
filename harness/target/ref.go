package target

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	libp2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// Only the files ref*.go know kad: the puppets share no code with the accused but the wire format.

// Ref is the reference implementation behind the control protocol: kad/p2p, as an adapter would wrap it. It is the
// Handler of `kadbench node` and of the form ref:.
type Ref struct {
	Unlimited bool // no resource and connection managers, for load

	mutant *mutant         // its one mistake; nil: none
	host   libp2phost.Host // the mutant's

	mu   sync.Mutex
	node *p2p.Node
	end  context.CancelFunc // of the operations of node
	ctx  context.Context
}

// NewRef is a reference that was not started.
func NewRef() *Ref { return new(Ref) }

var refHello = Hello{
	Name: "kadbench", Version: kad.Version, Language: "go", Protocols: []string{p2p.DefaultProtocol},
	Methods: methodNames(),
	Options: []string{"profile", "protocol", "k", "alpha", "beta", "listen", "transports.tcp", "transports.quic",
		"namespaces.pk", "namespaces.ipns", "namespaces.v", "filter.none", "filter.public", "background",
		"expiry.record", "expiry.provider", "expiry.address", "expiry.republish", "expiry.reprovide", "expiry.refresh",
		"get_closest_peers.n", "put_record.quorum", "put_record.to", "put_record.expires_in", "get_record.quorum",
		"get_providers.limit"},
}

func methodNames() (names []string) {
	for _, m := range Methods {
		names = append(names, m.Name)
	}
	return names
}

// helloTo says hello to whoever speaks our version of the protocol.
func helloTo(params json.RawMessage, h Hello) (any, error) {
	var p HelloParams
	if err := Params(params, &p); err != nil {
		return nil, err
	}
	if p.Version != Version {
		return nil, BadParam("version", fmt.Sprintf("%d: expected %d", p.Version, Version))
	}
	return h, nil
}

// Do implements Handler.
func (r *Ref) Do(ctx context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case "hello":
		return helloTo(params, refHello)
	case "start":
		var p StartParams
		if err := Params(params, &p); err != nil {
			return nil, err
		}
		return r.start(ctx, p)
	case "stop":
		return struct{}{}, r.Close()
	}
	do := refMethods[method]
	if do == nil {
		return nil, UnknownMethod(method)
	}
	r.mu.Lock()
	node, running := r.node, r.ctx
	r.mu.Unlock()
	if node == nil {
		return nil, Failed(Other, true, errors.New("not started"))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(running, cancel)()
	result, err := do(ctx, node, params)
	if err != nil {
		return nil, refError(ctx, err)
	}
	return result, nil
}

// refError gives an error of the node its kind.
func refError(ctx context.Context, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	kind, certain := Other, false
	switch {
	case ctx.Err() != nil || errors.Is(err, p2p.ErrClosed):
		kind = Cancelled
	case errors.Is(err, p2p.ErrNotFound):
		kind, certain = NotFound, true
	case errors.Is(err, p2p.ErrTimeout):
		kind = Timeout
	case errors.Is(err, p2p.ErrNoPeers):
		kind, certain = NoPeers, true
	case errors.Is(err, p2p.ErrQuorum):
		kind = Quorum
	case errors.Is(err, p2p.ErrInvalid), errors.Is(err, p2p.ErrTooLarge), errors.Is(err, p2p.ErrNamespace), errors.Is(err, p2p.ErrPrivate):
		kind, certain = Invalid, true
	}
	return Failed(kind, certain, err)
}

func (r *Ref) start(ctx context.Context, p StartParams) (*Started, error) {
	cfg, err := refConfig(p)
	if err != nil {
		return nil, err
	}
	cfg.Unlimited = r.Unlimited
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.node != nil {
		return nil, Failed(Other, true, errors.New("already started"))
	}
	if r.mutant != nil {
		if r.host, err = r.mutant.wrap(&cfg); err != nil {
			return nil, Failed(Other, true, err)
		}
	}
	n, err := p2p.New(cfg)
	if err == nil {
		err = n.Start(ctx)
	}
	if err != nil {
		r.closeHost()
		return nil, Failed(Other, true, err)
	}
	r.node = n
	r.ctx, r.end = context.WithCancel(context.Background())
	return &Started{Peer: n.ID().String(), Addrs: texts(n.Addrs())}, nil
}

// Close ends the node, if it was started; it may be started again.
func (r *Ref) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.node == nil {
		return nil
	}
	r.end()
	err := r.node.Close()
	r.node = nil
	r.closeHost()
	return err
}

// closeHost closes the host of a mutant, which its node does not own.
func (r *Ref) closeHost() {
	if r.host != nil {
		_ = r.host.Close()
		r.host = nil
	}
}

// refConfig is what start's parameters mean for the reference: ref is Current in base, Amino in amino and defacto.
func refConfig(p StartParams) (cfg p2p.Config, err error) {
	var seed Bytes
	if err := seed.UnmarshalText([]byte(p.Seed)); err != nil {
		return cfg, BadParam("seed", err.Error())
	}
	if cfg.PrivKey, err = KeyFromSeed(seed); err != nil {
		return cfg, BadParam("seed", err.Error())
	}
	switch p.Profile {
	case "", "base":
		cfg.Kad = kad.Current()
	case "amino", "defacto":
		cfg.Kad = kad.Amino()
	default:
		return cfg, BadParam("profile", fmt.Sprintf("%q: expected base, amino or defacto", p.Profile))
	}
	cfg.Kad.Seed = binary.LittleEndian.Uint64(seed)
	if cfg.Kad.Mode, err = refMode(p.Mode); err != nil {
		return cfg, err
	}
	set := func(field *int, v int) {
		if v != 0 {
			*field = v
		}
	}
	for _, alone := range []struct { // k before beta, which it bounds
		param string
		cfg   kad.Config
	}{{"k", kad.Config{K: p.K}}, {"alpha", kad.Config{Alpha: p.Alpha}}, {"beta", kad.Config{Beta: p.Beta, K: p.K}}} {
		if err := alone.cfg.Check(); err != nil {
			return cfg, BadParam(alone.param, err.Error())
		}
	}
	set(&cfg.Kad.K, p.K)
	set(&cfg.Kad.Alpha, p.Alpha)
	set(&cfg.Kad.Beta, p.Beta)
	if err := refPeriods(&cfg.Kad, p); err != nil {
		return cfg, err
	}
	if p.Protocol != "" {
		cfg.Protocols = []string{p.Protocol}
	}
	cfg.Transports = p.Transports
	if len(cfg.Transports) == 0 {
		cfg.Transports = []string{p2p.TCP}
	}
	for _, t := range cfg.Transports {
		port := map[string]string{p2p.TCP: "/tcp/0", p2p.QUIC: "/udp/0/quic-v1"}[t]
		if port == "" {
			return cfg, BadParam("transports", fmt.Sprintf("%q: expected tcp or quic", t))
		}
		if p.Listen != "" {
			cfg.Listen = append(cfg.Listen, p.Listen+port)
		}
	}
	for _, ns := range p.Namespaces {
		if ns != "pk" && ns != "ipns" && ns != "v" {
			return cfg, BadParam("namespaces", fmt.Sprintf("%q: expected v, pk or ipns", ns))
		}
	}
	cfg.Validators = p2p.Namespaces(append([]string{"pk", "ipns"}, p.Namespaces...)...)
	switch p.Filter {
	case "", "none":
	case "public":
		cfg.PublicOnly, cfg.Diversity = true, true
	default:
		return cfg, BadParam("filter", fmt.Sprintf("%q: expected none or public", p.Filter))
	}
	if err := cfg.Check(); err != nil {
		return cfg, BadParam("listen", err.Error()) // all else was seen
	}
	return cfg, nil
}

func refMode(mode string) (kad.Mode, error) {
	switch mode {
	case "server":
		return kad.ModeServer, nil
	case "client":
		return kad.ModeClient, nil
	}
	return 0, BadParam("mode", fmt.Sprintf("%q: expected server or client", mode))
}

// refPeriods: without background no job runs by itself, but one whose period start names was asked for.
func refPeriods(cfg *kad.Config, p StartParams) error {
	if !p.Background {
		for _, job := range []*kad.Duration{&cfg.BootstrapInterval, &cfg.BootstrapThrottle, &cfg.ProbeInterval,
			&cfg.ReplicationInterval, &cfg.PublicationInterval, &cfg.ProvideInterval} {
			*job = -1
		}
	}
	periods := map[string]*kad.Duration{
		"record": &cfg.RecordTTL, "provider": &cfg.ProviderTTL, "address": &cfg.ProviderAddrTTL,
		"republish": &cfg.PublicationInterval, "reprovide": &cfg.ProvideInterval, "refresh": &cfg.BootstrapInterval,
	}
	for name, ms := range p.Expiry {
		field := periods[name]
		if field == nil || ms <= 0 {
			return BadParam("expiry."+name, fmt.Sprintf("%d ms: expected record, provider, address, republish, reprovide or refresh, and a positive time", ms))
		}
		*field = kad.Duration(time.Duration(ms) * time.Millisecond)
	}
	return nil
}

// servePipes puts a node behind a control channel within this process: the very lines that `kadbench node` reads.
func servePipes(h Handler) *Pipes {
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	var state error
	exited := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(exited)
		defer cancel()
		state = ServeControl(ctx, in, out, h)
		out.Close()
	}()
	return &Pipes{In: stdin, Out: stdout, Exited: exited, State: func() error { return state },
		Kill: func() { cancel(); in.Close(); stdout.Close() }}
}

// ref reads what stands behind ref:, nothing or mutant=NAME.
func (f *factory) ref(rest string) error {
	var m *mutant
	if name, ok := strings.CutPrefix(rest, "mutant="); ok {
		var err error
		if m, err = findMutant(name); err != nil {
			return err
		}
	} else if rest != "" {
		return errors.New("ref: expected nothing after it, or mutant=NAME")
	}
	if f.name == "" {
		f.name = "ref"
		if m != nil {
			f.name = m.name
		}
	}
	if m == nil {
		f.flags = &[]string{}
	}
	f.inProcess(func() Handler { return &Ref{mutant: m} })
	return nil
}

// inProcess is a target of this process, a new one each time.
func (f *factory) inProcess(node func() Handler) {
	f.pipes = func() (*Pipes, error) { return servePipes(node()), nil }
	f.make = func(ctx context.Context) (Target, error) {
		p := servePipes(node())
		return newChannel(ctx, f.name, p, func() string { return fmt.Sprintf("it ended (%v)", p.State()) },
			func() string { return "" }, standard)
	}
}

func peerAddrs(infos []peer.AddrInfo) []PeerAddrs {
	out := make([]PeerAddrs, 0, len(infos))
	for _, i := range infos {
		out = append(out, PeerAddrs{Peer: i.ID.String(), Addrs: texts(i.Addrs)})
	}
	return out
}

// texts of ids or addresses; never nil, which would be null: cannot tell.
func texts[T fmt.Stringer](list []T) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, v.String())
	}
	return out
}
