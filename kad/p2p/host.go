package p2p

import (
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"go.uber.org/fx"

	"github.com/kadbench/kadbench/kad"
)

// userAgent is what identify tells of us.
const userAgent = "kadbench/" + kad.Version

// NewHost opens the host that a node of this configuration would open itself, for who wants to put something between the
// two and give it as Config.Host.
func NewHost(cfg Config) (host.Host, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.PrivKey == nil {
		key, err := randomIdentity()
		if err != nil {
			return nil, err
		}
		cfg.PrivKey = key
	}
	return newHost(cfg, cfg.PrivKey)
}

// newHost opens a go-libp2p host as the configuration says: yamux over TCP, QUIC with its own streams.
func newHost(cfg Config, key crypto.PrivKey) (host.Host, error) {
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(cfg.Listen...),
		libp2p.UserAgent(userAgent),
		libp2p.DefaultMuxers,
		// go-libp2p's own metrics would count every read and write of a stream.
		libp2p.DisableMetrics(),
		// Addresses by which others happened to see us are not advertised: they are a NAT's ephemeral ports as often
		// as not.
		libp2p.DisableIdentifyAddressDiscovery(),
	}
	for _, t := range cfg.Transports {
		switch t {
		case TCP:
			opts = append(opts, libp2p.Transport(tcp.NewTCPTransport))
		case QUIC:
			opts = append(opts, libp2p.Transport(quic.NewTransport))
		}
	}
	for _, s := range cfg.Security {
		switch s {
		case Noise:
			opts = append(opts, libp2p.Security(noise.ID, noise.New))
		case TLS:
			opts = append(opts, libp2p.Security(libp2ptls.ID, libp2ptls.New))
		}
	}
	if cfg.Unlimited {
		opts = append(opts,
			libp2p.ResourceManager(&network.NullResourceManager{}),
			libp2p.ConnectionManager(connmgr.NullConnMgr{}))
	}
	// When it cannot listen, New leaves running what it has begun; so we keep hold of the host to close it.
	var begun host.Host
	h, err := libp2p.New(append(opts, libp2p.WithFxOption(fx.Invoke(func(h host.Host) { begun = h })))...)
	if err != nil && begun != nil {
		_ = begun.Close()
	}
	return h, err
}
