package network

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// refNode is kad/p2p with the settings of the IPFS network, which are go-libp2p-kad-dht's own too.
type refNode struct {
	*p2p.Node
	host *countingHost
}

func newRef(ctx context.Context, s Spec, h *countingHost) (Node, error) {
	cfg := kad.Amino()
	cfg.Seed = binary.LittleEndian.Uint64(s.Seed[:])
	cfg.Mode = kad.ModeClient
	if s.Server {
		cfg.Mode = kad.ModeServer
	}
	for _, f := range []struct {
		to   *int
		said int
	}{{&cfg.K, s.K}, {&cfg.Alpha, s.Alpha}, {&cfg.Beta, s.Beta}} {
		if f.said != 0 {
			*f.to = f.said
		}
	}
	cfg.Beta = min(cfg.Beta, cfg.K)
	if cfg.BootstrapInterval = kad.Duration(s.Refresh); s.Refresh == 0 { // by itself, it leaves the table as it is
		cfg.BootstrapInterval, cfg.BootstrapThrottle, cfg.ProbeInterval = -1, -1, -1
	}
	if s.Timeout != 0 {
		cfg.PeerTimeout = kad.Duration(s.Timeout)
	}
	n, err := p2p.New(p2p.Config{Host: h, Kad: cfg, Protocols: []string{s.protocol()}, Validators: p2p.Namespaces("pk", "ipns", "v"),
		Limits: p2p.Limits{RequestTimeout: s.Timeout}})
	if err != nil {
		return nil, err
	}
	if err := n.Start(ctx); err != nil {
		return nil, err
	}
	return &refNode{n, h}, nil
}

func (n *refNode) Info() peer.AddrInfo    { return *host.InfoFromHost(n.host) }
func (n *refNode) Host() host.Host        { return n.host.Host }
func (n *refNode) Stats() Stats           { return n.host.stats() }
func (n *refNode) counted() *countingHost { return n.host }

func (n *refNode) Closest(ctx context.Context, key []byte) ([]peer.ID, error) {
	got, err := n.GetClosestPeers(ctx, key, 0)
	ids := make([]peer.ID, len(got.Peers))
	for i, p := range got.Peers {
		ids[i] = p.ID
	}
	return ids, err
}

func (n *refNode) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	found, err := n.Node.FindPeer(ctx, id)
	return found, refError(err)
}

func (n *refNode) Provide(ctx context.Context, key []byte) error {
	_, err := n.StartProviding(ctx, key)
	return err
}

func (n *refNode) FindProviders(ctx context.Context, key []byte, limit int, each func(peer.ID)) error {
	found := 0
	for p, err := range n.StreamProviders(ctx, key) {
		if err != nil {
			return err
		}
		each(p.ID)
		if found++; found == limit {
			break
		}
	}
	if found == 0 {
		return ErrNotFound
	}
	return nil
}

func (n *refNode) Put(ctx context.Context, key string, value []byte) error {
	_, err := n.PutRecord(ctx, p2p.Record{Key: []byte(key), Value: value}, 1)
	return err
}

func (n *refNode) Get(ctx context.Context, key string) ([]byte, error) {
	got, err := n.GetRecord(ctx, []byte(key), 0)
	return got.Value, refError(err)
}

func (n *refNode) Close() error { return errors.Join(n.Node.Close(), n.host.release()) }

// refError has its own word for what was not found.
func refError(err error) error {
	if errors.Is(err, p2p.ErrNotFound) {
		return errors.Join(ErrNotFound, err)
	}
	return err
}
