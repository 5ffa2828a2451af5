package target

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// dialTimeout bounds the first look at an addr: target; a dial across the world takes under a second.
const dialTimeout = 15 * time.Second

// listener is an addr: target: something that listens and was not started by us. It has no control channel, so that only
// cases which need none can run.
type listener struct {
	name  string
	hello Hello
	start Started
	died  chan struct{} // never closed: nobody can tell
}

// newListener dials the address once, to see that the peer is there and what it says of itself.
func newListener(ctx context.Context, name string, full ma.Multiaddr, info peer.AddrInfo) (*listener, error) {
	over := "tcp"
	if _, err := full.ValueForProtocol(ma.P_QUIC_V1); err == nil {
		over = "quic"
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	p, err := NewPuppet(PuppetConfig{Over: over, IP: anyIP(full)})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := p.Connect(ctx, info); err != nil {
		return nil, fmt.Errorf("%w: %w: expected a peer that listens there", ErrUnreachable, err)
	}
	said, err := p.Identified(ctx, info.ID, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	called, version := splitAgent(said.Agent)
	return &listener{
		name: name,
		hello: Hello{Name: called, Version: version, Language: "unknown", Protocols: said.Protocols,
			Methods: []string{"hello", "start"}},
		start: Started{Peer: info.ID.String(), Addrs: []string{full.String()}},
		died:  make(chan struct{}),
	}, nil
}

// anyIP is where a puppet must listen to dial an address: a loopback one reaches no other machine.
func anyIP(to ma.Multiaddr) string {
	if _, err := to.ValueForProtocol(ma.P_IP6); err == nil {
		return "::"
	}
	if ip, err := to.ValueForProtocol(ma.P_IP4); err == nil && len(ip) > 4 && ip[:4] == "127." {
		return "127.0.0.1"
	}
	return "0.0.0.0"
}

func (l *listener) Name() string                          { return l.name }
func (l *listener) Hello(context.Context) (*Hello, error) { h := l.hello; return &h, nil }
func (l *listener) Stop(context.Context) error            { return nil } // nothing of ours runs there
func (l *listener) Close() error                          { return nil }
func (l *listener) Died() <-chan struct{}                 { return l.died }
func (l *listener) Log() string                           { return "" }

// Start says where the peer listens. It runs already, so that a parameter which asks for something else than a server is
// unsupported. The protocol cannot be set, but the peer may speak it.
func (l *listener) Start(_ context.Context, p StartParams) (*Started, error) {
	for _, asked := range []struct {
		param string
		set   bool
	}{
		{"mode", p.Mode != "" && p.Mode != "server"}, {"k", p.K != 0}, {"alpha", p.Alpha != 0}, {"beta", p.Beta != 0},
		{"listen", p.Listen != ""}, {"transports", len(p.Transports) > 0}, {"namespaces", len(p.Namespaces) > 0},
		{"filter", p.Filter != ""}, {"background", p.Background}, {"expiry", len(p.Expiry) > 0}, {"profile", p.Profile != ""},
	} {
		if asked.set {
			return nil, fmt.Errorf("start: %w", BadParam(asked.param, "a peer at an address runs already"))
		}
	}
	s := l.start
	return &s, nil
}

// Call implements Target: there is no control channel.
func (l *listener) Call(_ context.Context, method string, _, _ any) error {
	return fmt.Errorf("%s: %w: an address has no control channel", method, ErrUnsupported)
}

// SeedText is a seed as start takes it.
func SeedText(seed [32]byte) string { return base64.RawURLEncoding.EncodeToString(seed[:]) }
