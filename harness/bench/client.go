package bench

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// client is a peer of the harness: a host that listens nowhere and dials the server.
type client struct {
	host host.Host
	cfg  *Config
}

// newClient makes the nth client of a turn. The same seed gives the same peer, so a server sees no strangers each round.
func newClient(cfg *Config, seed uint64, n int) (*client, error) {
	random := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "load client %d %d", seed, n)))
	key, _, err := crypto.GenerateEd25519Key(reader{random})
	if err != nil {
		return nil, err
	}
	options := []libp2p.Option{libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.DefaultMuxers, libp2p.DisableMetrics(), libp2p.DisableRelay(),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.ConnectionManager(connmgr.NullConnMgr{})}
	switch {
	case cfg.Transport == "quic":
		options = append(options, libp2p.Transport(libp2pquic.NewTransport))
	case cfg.Security == "tls":
		options = append(options, libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New))
	default:
		options = append(options, libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(noise.ID, noise.New))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, err
	}
	return &client{host: h, cfg: cfg}, nil
}

// reader is random bytes for who wants an io.Reader.
type reader struct{ *rand.ChaCha8 }

var _ io.Reader = reader{}

func (c *client) connect(ctx context.Context) error { return c.host.Connect(ctx, c.cfg.Server) }

// disconnect closes the connections to the server.
func (c *client) disconnect() { _ = c.host.Network().ClosePeer(c.cfg.Server.ID) }

// open opens a stream on a connection that is there.
func (c *client) open(ctx context.Context) (network.Stream, error) {
	return c.host.NewStream(network.WithNoDial(ctx, "load"), c.cfg.Server.ID, protocol.ID(c.cfg.Protocol))
}

func (c *client) close() { _ = c.host.Close() }
