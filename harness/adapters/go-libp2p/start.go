package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

type startParams struct {
	Seed           key
	Mode, Protocol string
	K, Alpha, Beta int
	Listen, Filter string
	Transports     []string
	Namespaces     []string
	Background     bool
	Expiry         map[string]int64 // milliseconds
}

func (n *node) start(_ context.Context, raw json.RawMessage) (any, error) {
	p, err := read[startParams](raw)
	if err != nil {
		return nil, err
	}
	if p.Protocol == "" {
		p.Protocol = literal
	}
	if len(p.Seed) != ed25519.SeedSize {
		return nil, badParam("seed", "%d bytes: expected 32", len(p.Seed))
	}
	opts, err := p.options()
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dht != nil {
		return nil, failed("other", true, errors.New("already started"))
	}
	h, err := p.newHost(n.unlimited)
	if err != nil {
		return nil, err
	}
	if p.Filter == "public" { // as dual.New sets up its public side
		opts = append(opts, dht.QueryFilter(dht.PublicQueryFilter), dht.RoutingTableFilter(dht.PublicRoutingTableFilter),
			dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(h, 2, 3)),
			dht.AddressFilter(func(addrs []ma.Multiaddr) []ma.Multiaddr { return ma.FilterAddrs(addrs, manet.IsPublicAddr) }))
	}
	d, err := dht.New(h, opts...)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	n.host, n.dht, n.proto = h, d, protocol.ID(p.Protocol)
	n.ctx, n.end = context.WithCancel(context.Background())
	addrs, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h))
	return map[string]any{"peer": h.ID(), "addrs": addrs}, err
}

func (p *startParams) newHost(unlimited bool) (host.Host, error) {
	priv, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(p.Seed))
	if err != nil {
		return nil, err
	}
	at := p.Listen
	if at == "" {
		at = "/ip4/127.0.0.1"
	}
	opts := []libp2p.Option{
		libp2p.Identity(priv), libp2p.UserAgent(name + "/" + version(library)),
		libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.DisableIdentifyAddressDiscovery(),
	}
	if unlimited {
		opts = append(opts, libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.ConnectionManager(connmgr.NullConnMgr{}))
	}
	if len(p.Transports) == 0 {
		p.Transports = []string{"tcp"}
	}
	for _, t := range p.Transports {
		switch t {
		case "tcp":
			opts = append(opts, libp2p.Transport(tcp.NewTCPTransport), libp2p.ListenAddrStrings(at+"/tcp/0"))
		case "quic":
			opts = append(opts, libp2p.Transport(libp2pquic.NewTransport), libp2p.ListenAddrStrings(at+"/udp/0/quic-v1"))
		default:
			return nil, badParam("transports", "%q: expected tcp or quic", t)
		}
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, badParam("listen", "%v", err)
	}
	return h, nil
}

// options of the DHT. The prefix /ipfs is policed (k 20, pk and ipns): with own namespaces or k the literal protocol
// needs another prefix and the override. The auto modes are those which set_mode can change.
func (p *startParams) options() ([]dht.Option, error) {
	mode, ok := map[string]dht.ModeOpt{"server": dht.ModeAutoServer, "client": dht.ModeAuto}[p.Mode]
	if !ok {
		return nil, badParam("mode", "%q: expected server or client", p.Mode)
	}
	for param, v := range map[string]int{"k": p.K, "alpha": p.Alpha, "beta": p.Beta} {
		if v < 0 { // 0 is as good as absent
			return nil, badParam(param, "%d: expected a positive number", v)
		}
	}
	opts := []dht.Option{dht.Mode(mode)}
	own := p.Protocol != literal
	for _, ns := range p.Namespaces {
		switch ns {
		case "pk", "ipns":
		case "v":
			own = true
			opts = append(opts, dht.NamespacedValidator("v", valueNamespace{}))
		default:
			return nil, badParam("namespaces", "%q: expected v, pk or ipns", ns)
		}
	}
	if p.K > 0 {
		own = own || p.K != 20
		opts = append(opts, dht.BucketSize(p.K))
	}
	if p.Alpha > 0 {
		opts = append(opts, dht.Concurrency(p.Alpha))
	}
	if p.Beta > 0 {
		opts = append(opts, dht.Resiliency(p.Beta))
	}
	if own {
		opts = append(opts, dht.ProtocolPrefix("/kadbench"), dht.V1ProtocolOverride(protocol.ID(p.Protocol)))
	}
	if p.Filter != "" && p.Filter != "none" && p.Filter != "public" {
		return nil, badParam("filter", "%q: expected none or public", p.Filter)
	}
	if _, asked := p.Expiry["refresh"]; !p.Background && !asked { // whoever sets the period wants the refresh
		opts = append(opts, dht.DisableAutoRefresh())
	}
	var providers []records.Option // one option of the DHT takes them all
	for name, ms := range p.Expiry {
		// What has expired goes at the next sweep: eight of them in the time keep it near.
		age := time.Duration(ms) * time.Millisecond
		if age <= 0 {
			return nil, badParam("expiry."+name, "%d ms: expected a positive time", ms)
		}
		switch sweep := max(age/8, time.Millisecond); name {
		case "record":
			opts = append(opts, dht.MaxRecordAge(age), dht.ValueGCInterval(sweep))
		case "provider":
			providers = append(providers, records.ProvideValidity(age), records.CleanupInterval(sweep))
		case "address":
			providers = append(providers, records.ProviderAddrTTL(age))
		case "refresh":
			opts = append(opts, dht.RoutingTableRefreshPeriod(age))
		default:
			return nil, badParam("expiry."+name, "not honoured")
		}
	}
	return append(opts, dht.ProviderManagerOpts(providers...)), nil
}

// valueNamespace is the namespace v of every adapter: valid begins with "ok ", best is the greatest by bytes.
type valueNamespace struct{}

func (valueNamespace) Validate(_ string, value []byte) error {
	if !bytes.HasPrefix(value, []byte("ok ")) {
		return errors.New(`a value of namespace v begins with "ok "`)
	}
	return nil
}

func (valueNamespace) Select(_ string, values [][]byte) (int, error) {
	best := 0
	for i, v := range values {
		if bytes.Compare(v, values[best]) > 0 {
			best = i
		}
	}
	return best, nil
}
