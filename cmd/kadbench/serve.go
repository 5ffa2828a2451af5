package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	leveldb "github.com/ipfs/go-ds-leveldb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// serveCmd runs the reference node as a server until it is told to stop.
type serveCmd struct {
	Listen    []string `sep:"none" placeholder:"MULTIADDR" help:"Listen there (repeatable). Default: loopback, a free port each for TCP and QUIC."`
	Protocol  []string `sep:"none" placeholder:"ID" help:"Serve this protocol (repeatable). Default: /ipfs/kad/1.0.0."`
	Bootstrap []string `sep:"none" placeholder:"MULTIADDR" help:"Dial this peer from the start, and whenever the table is empty (repeatable)."`
	Store     string   `placeholder:"DIR" help:"Keep records and providers there (leveldb), so that they outlive the process. Default: in memory."`
	Metrics   string   `placeholder:"HOST:PORT" help:"Serve metrics for Prometheus there, at /metrics. Default: none are kept."`
	Seed      *uint64  `help:"Derive the identity from this number. Default: a new identity each time."`
	Unlimited bool     `help:"Lift the limits of go-libp2p's resource manager, for load."`
	JSON      bool     `help:"When ready, print one line: {\"peer\",\"addrs\",\"protocol\"}, and \"metrics\" with --metrics."`
}

func (serveCmd) Help() string {
	return `The node listens on loopback unless told otherwise, answers the six requests of the protocol, keeps its table by the protocol itself, and ends with exit code 0 on SIGINT and SIGTERM.

Examples:

    kadbench serve
    kadbench serve --json --seed 1 --listen /ip4/127.0.0.1/tcp/4001
    kadbench serve --bootstrap /ip4/127.0.0.1/tcp/4001/p2p/12D3…
    kadbench serve --seed 1 --store ./dht --metrics 127.0.0.1:9090
    kadbench serve --unlimited --listen /ip4/127.0.0.1/udp/0/quic-v1`
}

// ready is the line that tells scripts where the node is.
type ready struct {
	Peer     string   `json:"peer"`
	Addrs    []string `json:"addrs"`
	Protocol string   `json:"protocol"`
	Metrics  string   `json:"metrics,omitempty"` // URL
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
	cannot := func(err error) error { // as of any target that cannot be started
		return &exitError{3, fmt.Errorf("serve: %w", err)}
	}
	if s.Store != "" {
		store, err := leveldb.NewDatastore(s.Store, nil)
		if err != nil {
			return cannot(fmt.Errorf("store: %w", err))
		}
		defer store.Close() // the node is closed by then
		cfg.Datastore = store
	}
	var metrics string
	if s.Metrics != "" {
		listener, err := net.Listen("tcp", s.Metrics)
		if err != nil {
			return cannot(fmt.Errorf("metrics: %w", err))
		}
		registry := prometheus.NewRegistry()
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
		server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
		go server.Serve(listener)
		defer server.Close()
		cfg.Metrics, metrics = registry, fmt.Sprintf("http://%s/metrics", listener.Addr())
	}
	node, err := p2p.New(cfg)
	if err != nil {
		return err
	}
	defer node.Close()
	if err := node.Start(a.ctx); err != nil {
		return cannot(err)
	}
	r := ready{Peer: node.ID().String(), Addrs: []string{}, Metrics: metrics}
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
	if r.Metrics != "" {
		fmt.Fprintf(a.stdout, "metrics   %s\n", r.Metrics)
	}
	if len(r.Addrs) > 0 {
		fmt.Fprintf(a.stdout, "\nHold it to the specification from another shell:\n  %s check addr:%s\n", self(), r.Addrs[0])
	}
	return nil
}
