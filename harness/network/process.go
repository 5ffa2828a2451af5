package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/target"
)

// Process is a kind whose nodes are processes, one for each, that speak the control protocol. What they count of
// themselves is not asked, so their Stats are zero, and what a network of them sent, dialed and held is not known. Their
// processor time is where they run on this machine.
func Process(f target.Factory) Kind { return processes{f} }

type processes struct{ factory target.Factory }

// apart says that some nodes are in processes of their own, here that some are in this one.
func (c Config) apart() bool { return slices.ContainsFunc(c.Kinds, isProcess) }
func (c Config) here() bool {
	return slices.ContainsFunc(c.Kinds, func(k Kind) bool { return !isProcess(k) })
}

func isProcess(k Kind) bool {
	_, is := k.(processes)
	return is
}

func (k processes) Name() string    { return k.factory.Name() }
func (k processes) Version() string { return k.factory.String() }

// check says what a process cannot be told. What its implementation cannot honour shows when it starts.
func (k processes) check(s Spec) error {
	fail := func(what string) error { return fmt.Errorf("%s: %w: %s", k.Name(), ErrUnsupported, what) }
	switch {
	case s.Host != nil:
		return fail("a process has its own host")
	case s.Delay != 0:
		return fail("a delay of connections that a process opens")
	case s.Timeout != 0:
		return fail("a timeout of requests of a process")
	case s.Security != "":
		return fail("a process chooses its security itself")
	}
	return s.check()
}

// New starts a process. A setting that its implementation cannot honour is ErrUnsupported.
func (k processes) New(ctx context.Context, s Spec) (Node, error) {
	if err := k.check(s); err != nil {
		return nil, err
	}
	p := target.StartParams{Seed: target.SeedText(s.Seed), Mode: "client", Protocol: s.protocol(), K: s.K, Alpha: s.Alpha, Beta: s.Beta,
		Profile: "amino", Namespaces: []string{"v"}, Filter: "none"}
	if s.Server {
		p.Mode = "server"
	}
	if s.Transport != "" {
		p.Transports = []string{s.Transport}
	}
	if s.Listen != "" {
		family := "/ip4/"
		if slices.Contains([]byte(s.Listen), ':') {
			family = "/ip6/"
		}
		p.Listen = family + s.Listen
	}
	if s.Refresh > 0 {
		p.Expiry = map[string]int64{"refresh": max(1, s.Refresh.Milliseconds())}
	}
	t, err := k.factory.New(ctx)
	if err != nil {
		return nil, err
	}
	started, err := k.start(ctx, t, p)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", k.Name(), processError(err)), t.Close())
	}
	info, err := started.Info()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", k.Name(), err), t.Close())
	}
	return &process{t, info}, nil
}

// start leaves out what hello does not offer and what is nobody's wish but ours.
func (k processes) start(ctx context.Context, t target.Target, p target.StartParams) (*target.Started, error) {
	hello, err := t.Hello(ctx)
	if err != nil {
		return nil, err
	}
	offered := func(option string) bool { return slices.Contains(hello.Options, option) }
	if !offered("profile") {
		p.Profile = ""
	}
	if !offered("filter.none") {
		p.Filter = ""
	}
	if p.Expiry != nil && !offered("expiry.refresh") {
		p.Expiry = nil
	}
	return t.Start(ctx, p)
}

// process is a node in a process of its own.
type process struct {
	target target.Target
	info   peer.AddrInfo
}

func (n *process) Info() peer.AddrInfo { return n.info }
func (n *process) Host() host.Host     { return nil }
func (n *process) Stats() Stats        { return Stats{} }

func (n *process) call(ctx context.Context, method string, params, result any) error {
	return processError(n.target.Call(ctx, method, params, result))
}

// Connect dials the first address: the others are of the same host.
func (n *process) Connect(ctx context.Context, to peer.AddrInfo) error {
	addrs, err := peer.AddrInfoToP2pAddrs(&to)
	if err != nil {
		return err
	}
	if len(addrs) == 0 {
		return fmt.Errorf("connect to %s: it has no address", to.ID)
	}
	return n.call(ctx, "connect", target.ConnectParams{Addr: addrs[0].String()}, nil)
}

func (n *process) Bootstrap(ctx context.Context) error {
	return n.call(ctx, "bootstrap", struct{}{}, nil)
}

func (n *process) Closest(ctx context.Context, key []byte) ([]peer.ID, error) {
	var got target.ClosestResult
	if err := n.call(ctx, "get_closest_peers", target.ClosestParams{Key: key}, &got); err != nil {
		return nil, err
	}
	return idsOf(got.Peers)
}

func (n *process) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	var got target.FoundResult
	if err := n.call(ctx, "find_peer", target.PeerParams{Peer: id.String()}, &got); err != nil {
		return peer.AddrInfo{}, err
	}
	return (&target.Started{Peer: got.Peer, Addrs: got.Addrs}).Info()
}

func (n *process) Provide(ctx context.Context, key []byte) error {
	return n.call(ctx, "start_providing", target.KeyParams{Key: key}, nil)
}

// FindProviders tells of all at the end: the control protocol has one answer.
func (n *process) FindProviders(ctx context.Context, key []byte, limit int, each func(peer.ID)) error {
	var got target.ProvidersResult
	if err := n.call(ctx, "get_providers", target.ProvidersParams{Key: key, Limit: limit}, &got); err != nil {
		return err
	}
	ids, err := idsOf(got.Providers)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return ErrNotFound
	}
	for _, id := range ids {
		each(id)
	}
	return nil
}

func (n *process) Put(ctx context.Context, key string, value []byte) error {
	return n.call(ctx, "put_record", target.PutParams{Key: []byte(key), Value: value}, nil)
}

func (n *process) Get(ctx context.Context, key string) ([]byte, error) {
	var got target.GetResult
	err := n.call(ctx, "get_record", target.GetParams{Key: []byte(key)}, &got)
	return got.Value, err
}

// Table is empty where the implementation does not tell it.
func (n *process) Table() []peer.ID {
	ctx, cancel := context.WithTimeout(context.Background(), target.CallTimeout)
	defer cancel()
	var got target.TableResult
	if n.call(ctx, "table", struct{}{}, &got) != nil {
		return nil
	}
	var ids []peer.ID
	for _, text := range got.Peers {
		if id, err := peer.Decode(text); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// stopTimeout is how long a node may take to end before its process is killed: js-libp2p's takes a second or two.
const stopTimeout = 5 * time.Second

func (n *process) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_ = n.target.Stop(ctx) // Close ends it anyway
	return n.target.Close()
}

func idsOf(peers []target.PeerAddrs) (ids []peer.ID, err error) {
	for _, p := range peers {
		id, err := peer.Decode(p.Peer)
		if err != nil {
			return nil, fmt.Errorf("a peer of the result: %q: %w", p.Peer, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// processError gives an error of the control protocol this package's words.
func processError(err error) error {
	var known *target.Error
	switch {
	case errors.As(err, &known) && known.Kind() == target.NotFound:
		return errors.Join(ErrNotFound, err)
	case errors.Is(err, target.ErrUnsupported):
		return errors.Join(ErrUnsupported, err)
	}
	return err
}
