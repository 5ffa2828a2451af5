package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	mh "github.com/multiformats/go-multihash"
)

// goNode is go-libp2p-kad-dht as it is by default, but for its protocol: under its own prefix /ipfs it takes no namespace for
// tests and no other K, so it has another prefix and is told the protocol in full.
type goNode struct {
	dht  *dht.IpfsDHT
	host *countingHost
}

func goRefuses(s Spec) error {
	if s.Timeout != 0 {
		return fmt.Errorf("%w: a timeout of %v: its requests have 10 s, which no option changes", ErrUnsupported, s.Timeout)
	}
	return nil
}

func newGo(_ context.Context, s Spec, h *countingHost) (Node, error) {
	opts := []dht.Option{
		dht.Mode(dht.ModeClient), dht.ProtocolPrefix("/kadbench"), dht.V1ProtocolOverride(protocol.ID(s.protocol())),
		dht.Validator(record.NamespacedValidator{"v": greatest{}, "pk": record.PublicKeyValidator{},
			"ipns": ipns.Validator{KeyBook: h.Peerstore()}}),
	}
	if s.Server {
		opts[0] = dht.Mode(dht.ModeServer)
	}
	for _, o := range []struct {
		said int
		as   func(int) dht.Option
	}{{s.K, dht.BucketSize}, {s.Alpha, dht.Concurrency}, {s.Beta, dht.Resiliency}} {
		if o.said != 0 {
			opts = append(opts, o.as(o.said))
		}
	}
	if s.Refresh == 0 {
		opts = append(opts, dht.DisableAutoRefresh())
	} else {
		opts = append(opts, dht.RoutingTableRefreshPeriod(s.Refresh))
	}
	d, err := dht.New(h, opts...)
	if err != nil {
		return nil, err
	}
	return &goNode{d, h}, nil
}

func (n *goNode) Info() peer.AddrInfo    { return *host.InfoFromHost(n.host) }
func (n *goNode) Host() host.Host        { return n.host.Host }
func (n *goNode) Stats() Stats           { return n.host.stats() }
func (n *goNode) Table() []peer.ID       { return n.dht.RoutingTable().ListPeers() }
func (n *goNode) counted() *countingHost { return n.host }

func (n *goNode) Connect(ctx context.Context, to peer.AddrInfo) error { return n.host.Connect(ctx, to) }

// Bootstrap forces the refresh: a plain one leaves out what was refreshed lately, and its own Bootstrap only begins it.
func (n *goNode) Bootstrap(ctx context.Context) error {
	if len(n.host.Network().Peers()) > 0 { // ours waits for them by itself
		if err := awaitTable(ctx, n); err != nil {
			return err
		}
	}
	select {
	case err := <-n.dht.ForceRefresh():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *goNode) Closest(ctx context.Context, key []byte) ([]peer.ID, error) {
	return n.dht.GetClosestPeers(ctx, string(key))
}

func (n *goNode) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	found, err := n.dht.FindPeer(ctx, id)
	return found, goError(err)
}

func (n *goNode) Provide(ctx context.Context, key []byte) error {
	c, err := contentID(key)
	if err != nil {
		return err
	}
	return n.dht.Provide(ctx, c, true)
}

func (n *goNode) FindProviders(ctx context.Context, key []byte, limit int, each func(peer.ID)) error {
	c, err := contentID(key)
	if err != nil {
		return err
	}
	found := 0
	for p := range n.dht.FindProvidersAsync(ctx, c, limit) {
		each(p.ID)
		found++
	}
	if err := ctx.Err(); err != nil && (limit == 0 || found < limit) {
		return err
	}
	if found == 0 {
		return ErrNotFound
	}
	return nil
}

func (n *goNode) Put(ctx context.Context, key string, value []byte) error {
	return n.dht.PutValue(ctx, key, value)
}

func (n *goNode) Get(ctx context.Context, key string) ([]byte, error) {
	v, err := n.dht.GetValue(ctx, key, dht.Quorum(0)) // until the lookup ends, as ours
	return v, goError(err)
}

func (n *goNode) Close() error { return errors.Join(n.dht.Close(), n.host.release()) }

// goError has its own word for what was not found.
func goError(err error) error {
	if errors.Is(err, routing.ErrNotFound) {
		return errors.Join(ErrNotFound, err)
	}
	return err
}

// contentID wraps the multihash of a provider operation, as go-libp2p-kad-dht wants it.
func contentID(key []byte) (cid.Cid, error) {
	hash, err := mh.Cast(key)
	if err != nil {
		return cid.Undef, fmt.Errorf("key %x: expected a multihash: %w", key, err)
	}
	return cid.NewCidV1(cid.Raw, hash), nil
}

// greatest is the validator of the namespace v: valid begins with "ok ", best is the greatest by bytes.
type greatest struct{}

func (greatest) Validate(_ string, value []byte) error {
	if !bytes.HasPrefix(value, []byte("ok ")) {
		return errors.New(`a value of the namespace v: expected "ok " at its beginning`)
	}
	return nil
}

func (greatest) Select(_ string, values [][]byte) (best int, err error) {
	for i := range values {
		if bytes.Compare(values[i], values[best]) > 0 {
			best = i
		}
	}
	return best, nil
}
