package target

import (
	"errors"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	blankhost "github.com/libp2p/go-libp2p/p2p/host/blank"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// host is the lightest go-libp2p host that a target takes for a full peer: a swarm with one transport, identify and
// ping. libp2p.New brings metrics, autonat, relay and a resource manager with it; hundreds of puppets live at once.
type host struct {
	*blankhost.BlankHost
	swarm  *swarm.Swarm
	ids    identify.IDService
	told   *identities
	claims []ma.Multiaddr
}

// Addrs is what identify tells.
func (h *host) Addrs() []ma.Multiaddr {
	if h.claims != nil {
		return append([]ma.Multiaddr(nil), h.claims...)
	}
	return h.swarm.ListenAddresses()
}

func newHost(cfg PuppetConfig, id peer.ID, p *Puppet) (_ *host, err error) {
	ps, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	bus := eventbus.NewBus()
	h := &host{claims: cfg.Claims}
	defer func() {
		if err != nil && h.swarm == nil {
			ps.Close()
		} else if err != nil {
			h.Close()
		}
	}()
	if err := errors.Join(ps.AddPubKey(id, cfg.Key.GetPublic()), ps.AddPrivKey(id, cfg.Key)); err != nil {
		return nil, err
	}
	h.swarm, err = swarm.NewSwarm(id, ps, bus,
		swarm.WithDialRanker(swarm.NoDelayDialRanker), // loopback: no happy eyeballs
		swarm.WithDialTimeoutLocal(OpenTimeout),       // 5 s by default, too little for sixty at once on a busy machine
		swarm.WithUDPBlackHoleSuccessCounter(nil),     // dead peers are part of plans
		swarm.WithIPv6BlackHoleSuccessCounter(nil))
	if err != nil {
		return nil, err
	}
	t, listen, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	if err = h.swarm.AddTransport(t); err != nil {
		return nil, err
	}
	h.swarm.Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		if c.Stat().Direction == network.DirInbound {
			p.dialled(c.RemotePeer(), c.RemoteMultiaddr())
		}
	}})
	h.BlankHost = blankhost.NewBlankHost(h.swarm, blankhost.WithConnectionManager(connmgr.NullConnMgr{}), blankhost.WithEventBus(bus))
	if h.BlankHost == nil {
		return nil, errors.New("host: no signed record of ourselves")
	}
	if cfg.Kind != Client {
		for _, proto := range cfg.Protocols {
			h.SetStreamHandler(protocol.ID(proto), p.inbound)
		}
	}
	ping.NewPingService(h)
	// identify tells the addresses of Addrs, unsigned: a signed record would tell the true ones beside the claims.
	if h.ids, err = identify.NewIDService(h, identify.UserAgent(Agent), identify.ProtocolVersion("ipfs/0.1.0"),
		identify.DisableSignedPeerRecord()); err != nil {
		return nil, err
	}
	if h.told, err = followIdentify(bus); err != nil {
		return nil, err
	}
	if err = h.swarm.Listen(listen); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", listen, err)
	}
	h.ids.Start() // takes its picture of the addresses here: after Listen
	return h, nil
}

// newTransport makes the one transport of a puppet, and says where it shall listen. A puppet dials from its own IP, and
// over TCP from another port than the one it listens on: what a target observes is not an address to hand on.
func newTransport(cfg PuppetConfig) (transport.Transport, ma.Multiaddr, error) {
	ip := net.ParseIP(cfg.IP)
	family := "ip4"
	if ip.To4() == nil {
		family = "ip6"
	}
	if cfg.Over == "quic" {
		reuse, err := quicreuse.NewConnManager(quic.StatelessResetKey{}, quic.TokenGeneratorKey{},
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return fromIP(ip), nil }))
		if err != nil {
			return nil, nil, err
		}
		t, err := libp2pquic.NewTransport(cfg.Key, reuse, nil, nil, nil)
		if err != nil {
			return nil, nil, err
		}
		listen, err := ma.NewMultiaddr(fmt.Sprintf("/%s/%s/udp/0/quic-v1", family, cfg.IP))
		return &quicTransport{t, reuse}, listen, err
	}
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	var security []sec.SecureTransport
	if cfg.Security != "tls" {
		n, err := noise.New(noise.ID, cfg.Key, muxers)
		if err != nil {
			return nil, nil, err
		}
		security = append(security, n)
	}
	if cfg.Security != "noise" {
		t, err := tls.New(tls.ID, cfg.Key, muxers)
		if err != nil {
			return nil, nil, err
		}
		security = append(security, t)
	}
	u, err := upgrader.New(security, muxers, nil, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}
	t, err := tcp.NewTCPTransport(u, nil, nil, tcp.DisableReuseport(),
		tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) { return dialer, nil }))
	if err != nil {
		return nil, nil, err
	}
	listen, err := ma.NewMultiaddr(fmt.Sprintf("/%s/%s/tcp/0", family, cfg.IP))
	return t, listen, err
}

// fromIP has QUIC dial from the socket that listens on the puppet's IP.
type fromIP net.IP

func (ip fromIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(ip), nil
}

// quicTransport closes its sockets with itself; go-libp2p leaves that to its constructor.
type quicTransport struct {
	transport.Transport
	reuse *quicreuse.ConnManager
}

func (t *quicTransport) Close() error {
	err := t.reuse.Close()
	if c, ok := t.Transport.(interface{ Close() error }); ok {
		err = errors.Join(c.Close(), err)
	}
	return err
}

// Close ends the host and waits for its goroutines.
func (h *host) Close() error {
	if h.ids != nil {
		h.ids.Close()
	}
	err := h.swarm.Close()
	if h.told != nil {
		h.told.Close()
	}
	return errors.Join(err, h.swarm.Peerstore().Close())
}
