package network

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/target"
)

// maxDelay is the longest delay one way: the multiplexer gives up a write after 10 s, and a handshake has four flights.
const maxDelay = 2 * time.Second

// openHost opens the host of a node, the same for every implementation: one transport on loopback, no relay, no finding out
// what others see of us, nobody who closes connections, and no metrics, which would count every read and write.
func openHost(s Spec) (host.Host, error) {
	key, err := target.KeyFromSeed(s.Seed[:])
	if err != nil {
		return nil, err
	}
	ip := s.Listen
	if ip == "" {
		ip = "127.0.0.1"
	}
	parsed := net.ParseIP(ip)
	if parsed == nil {
		return nil, fmt.Errorf("listen %q: expected an IP address", ip)
	}
	family := "ip4"
	if parsed.To4() == nil {
		family = "ip6"
	}
	port := strconv.Itoa(s.Port)
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent("kadbench/network"),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPublic(), // nothing to find out by AutoNAT
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.DefaultMuxers,
	}
	if s.Unlimited {
		opts = append(opts, libp2p.ResourceManager(&network.NullResourceManager{}))
	}
	switch {
	case s.Delay < 0 || s.Delay > maxDelay:
		return nil, fmt.Errorf("delay %v: expected 0 to %v", s.Delay, maxDelay)
	case s.Transport == "quic" && s.Delay > 0:
		return nil, fmt.Errorf("%w: a delay over quic: its packets cannot be held back from outside", ErrUnsupported)
	case s.Transport == "quic" && s.Security != "":
		return nil, fmt.Errorf("%w: security %q over quic, which brings its own", ErrUnsupported, s.Security)
	case s.Transport == "quic":
		return libp2p.New(append(opts, libp2p.Transport(quic.NewTransport),
			libp2p.ListenAddrStrings("/"+family+"/"+ip+"/udp/"+port+"/quic-v1"))...)
	case s.Transport != "" && s.Transport != "tcp":
		return nil, fmt.Errorf("%w: transport %q of a host of its own: expected tcp or quic", ErrUnsupported, s.Transport)
	}
	switch s.Security {
	case "", "noise":
		opts = append(opts, libp2p.Security(noise.ID, noise.New))
	case "tls":
		opts = append(opts, libp2p.Security(tls.ID, tls.New))
	default:
		return nil, fmt.Errorf("security %q: expected noise or tls", s.Security)
	}
	var delayed []any
	if s.Delay > 0 {
		delayed = append(delayed, tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) { return lateDialer(s.Delay), nil }))
	}
	return libp2p.New(append(opts, libp2p.Transport(tcp.NewTCPTransport, delayed...),
		libp2p.ListenAddrStrings("/"+family+"/"+ip+"/tcp/"+port))...)
}
