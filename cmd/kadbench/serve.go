package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// serveCmd runs the reference node as a server until it is told to stop.
type serveCmd struct {
	Listen    []string `sep:"none" placeholder:"MULTIADDR" help:"Listen there (repeatable). Default: loopback, a free port each for TCP and QUIC."`
	Protocol  []string `sep:"none" placeholder:"ID" help:"Serve this protocol (repeatable). Default: /ipfs/kad/1.0.0."`
	Bootstrap []string `sep:"none" placeholder:"MULTIADDR" help:"Know this peer from the start (repeatable)."`
	Seed      *uint64  `help:"Derive the identity from this number. Default: a new identity each time."`
	Unlimited bool     `help:"Lift the limits of go-libp2p's resource manager, for load."`
	JSON      bool     `help:"When ready, print one line: {\"peer\",\"addrs\",\"protocol\"}."`
}

func (serveCmd) Help() string {
	return `The node listens on loopback unless told otherwise, answers the six requests of the protocol, keeps its table by the protocol itself, and ends with exit code 0 on SIGINT and SIGTERM.

Examples:

    kadbench serve
    kadbench serve --json --seed 1 --listen /ip4/127.0.0.1/tcp/4001
    kadbench serve --bootstrap /ip4/127.0.0.1/tcp/4001/p2p/12D3…
    kadbench serve --unlimited --listen /ip4/127.0.0.1/udp/0/quic-v1`
}

// ready is the line that tells scripts where the node is.
type ready struct {
	Peer     string   `json:"peer"`
	Addrs    []string `json:"addrs"`
	Protocol string   `json:"protocol"`
}

func (s *serveCmd) Run(a *app) error {
	cfg := p2p.Config{
		Kad:       kad.Config{Mode: kad.ModeServer},
		Listen:    s.Listen,
		Protocols: s.Protocol,
		Bootstrap: s.Bootstrap,
		Unlimited: s.Unlimited,
	}
	if s.Seed != nil {
		seed := sha256.Sum256(fmt.Appendf(nil, "kadbench serve %d", *s.Seed))
		key, err := p2p.IdentityFromSeed(seed[:])
		if err != nil {
			return err
		}
		cfg.PrivKey, cfg.Kad.Seed = key, *s.Seed
	}
	if err := cfg.Check(); err != nil {
		return usage("serve: %v", err)
	}
	node, err := p2p.New(cfg)
	if err != nil {
		return err
	}
	defer node.Close()
	if err := node.Start(a.ctx); err != nil {
		return &exitError{3, fmt.Errorf("serve: %w", err)} // as of any target that cannot be started
	}
	r := ready{Peer: node.ID().String(), Addrs: []string{}}
	for _, addr := range node.Addrs() {
		r.Addrs = append(r.Addrs, addr.String())
	}
	if names := node.ProtocolNames(); len(names) > 0 {
		r.Protocol = names[0]
	}
	if err := s.tell(a, r); err != nil {
		return err
	}
	<-a.ctx.Done() // an interrupt is how a server ends: no error
	return node.Close()
}

func (s *serveCmd) tell(a *app, r ready) error {
	if s.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	fmt.Fprintf(a.stdout, "peer      %s\nprotocol  %s\n", r.Peer, r.Protocol)
	for _, addr := range r.Addrs {
		fmt.Fprintf(a.stdout, "address   %s\n", addr)
	}
	if len(r.Addrs) > 0 {
		fmt.Fprintf(a.stdout, "\nHold it to the specification from another shell:\n  %s check addr:%s\n", self(), r.Addrs[0])
	}
	return nil
}
