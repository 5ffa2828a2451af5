package targettest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

// dial connects to each address of a started node and takes what identify tells; with ask, it also asks one FIND_NODE.
func dial(ctx context.Context, s *target.Started, ask bool) (said target.Identity, err error) {
	info, err := s.Info()
	if err != nil {
		return said, err
	}
	for _, addr := range info.Addrs {
		if said, err = dialOne(ctx, info.ID, addr, ask); err != nil {
			return said, fmt.Errorf("at %s: %w", addr, err)
		}
	}
	return said, nil
}

// settleTime bounds told: go-libp2p renews what identify tells on a goroutine of its own once a protocol came or went,
// which takes under a millisecond on an idle machine and was seen to take longer than a dial on a busy one.
const settleTime = 5 * time.Second

// told dials anew until identify tells the right protocols.
func told(ctx context.Context, s *target.Started, ask bool, right func(protocols []string) bool) error {
	enough := time.After(settleTime)
	again := time.NewTicker(retryEvery)
	defer again.Stop()
	for {
		said, err := dial(ctx, s, ask)
		if err != nil || right(said.Protocols) {
			return err
		}
		select {
		case <-again.C:
		case <-enough:
			return fmt.Errorf("identify tells %q", said.Protocols)
		}
	}
}

// dialOne connects to one address, by the transport that it names.
func dialOne(ctx context.Context, id peer.ID, addr ma.Multiaddr, ask bool) (said target.Identity, err error) {
	cfg := target.PuppetConfig{}
	if _, err := addr.ValueForProtocol(ma.P_QUIC_V1); err == nil {
		cfg.Over = "quic"
	}
	p, err := target.NewPuppet(cfg)
	if err != nil {
		return said, err
	}
	defer p.Close()
	if err := p.Connect(ctx, peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{addr}}); err != nil {
		return said, err
	}
	if said, err = p.Identified(ctx, id, 0); err != nil || !ask {
		return said, err
	}
	s, err := p.Open(ctx, id, protocol)
	if err != nil {
		return said, err
	}
	key := sha256.Sum256([]byte("targettest"))
	if err := s.Write(ctx, wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: key[:]})); err != nil {
		return said, err
	}
	e, err := s.Next(ctx)
	if err != nil {
		return said, fmt.Errorf("FIND_NODE: %w", err)
	}
	var m wire.Message
	if e.Kind != target.Frame || wire.Decode(e.Body, &m) != nil || m.Type != wire.FindNode {
		return said, fmt.Errorf("FIND_NODE: %v %x: expected a FIND_NODE in answer", e.Kind, e.Raw)
	}
	return said, nil
}
