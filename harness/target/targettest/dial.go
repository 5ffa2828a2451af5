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
func dialOne(ctx context.Context, id peer.ID, addr ma.Multiaddr, asks bool) (said target.Identity, err error) {
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
	if said, err = p.Identified(ctx, id, 0); err != nil || !asks {
		return said, err
	}
	key := sha256.Sum256([]byte("targettest"))
	_, err = ask(ctx, p, id, &wire.Message{Type: wire.FindNode, Key: key[:]}, true)
	return said, err
}

// askOne sends a request to a started target from a puppet, and reads the answer if one is wanted.
func askOne(ctx context.Context, p *target.Puppet, s *target.Started, m *wire.Message, answered bool) (wire.Message, error) {
	info, err := s.Info()
	if err != nil {
		return wire.Message{}, err
	}
	return ask(ctx, p, info.ID, m, answered)
}

func ask(ctx context.Context, p *target.Puppet, id peer.ID, m *wire.Message, answered bool) (reply wire.Message, err error) {
	s, err := p.Open(ctx, id, protocol)
	if err != nil {
		return reply, err
	}
	defer s.Close()
	if err := s.Write(ctx, wire.AppendFrame(nil, m)); err != nil || !answered {
		return reply, err
	}
	e, err := s.Next(ctx)
	if err != nil {
		return reply, fmt.Errorf("%v: %w", m.Type, err)
	}
	if e.Kind != target.Frame || wire.Decode(e.Body, &reply) != nil || reply.Type != m.Type {
		return reply, fmt.Errorf("%v: %v %x: expected one in answer", m.Type, e.Kind, e.Raw)
	}
	return reply, nil
}
