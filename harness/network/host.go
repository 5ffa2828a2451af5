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

	"github.com/kadbench/kadbench/harness/target"
)

// maxDelay is the longest delay one way: the multiplexer gives up a write after 10 s, and a handshake has four flights.
const maxDelay = 2 * time.Second

// check says what no host can be.
func (s Spec) check() error {
	switch {
	case s.Listen != "" && net.ParseIP(s.Listen) == nil:
		return fmt.Errorf("listen %q: expected an IP address", s.Listen)
	case s.Transport != "" && s.Transport != "tcp" && s.Transport != "quic":
		return fmt.Errorf("%w: transport %q of a host of its own: expected tcp or quic", ErrUnsupported, s.Transport)
	case s.Security != "" && s.Security != "noise" && s.Security != "tls":
		return fmt.Errorf("security %q: expected noise or tls", s.Security)
	case s.Delay < 0 || s.Delay > maxDelay:
		return fmt.Errorf("delay %v: expected 0 to %v", s.Delay, maxDelay)
	case s.Transport == "quic" && s.Delay > 0:
		return fmt.Errorf("%w: a delay over quic: its packets cannot be held back from outside", ErrUnsupported)
	case s.Transport == "quic" && s.Security != "":
		return fmt.Errorf("%w: security %q over quic, which brings its own", ErrUnsupported, s.Security)
	}
	return nil
}

// openHost opens the host of a node, the same for every implementation: one transport on loopback, no relay, no finding out
// what others see of us, nobody who closes connections, and no metrics, which would count every read and write.
func openHost(s Spec) (host.Host, error) {
	key, err := target.KeyFromSeed(s.Seed[:])
	if err != nil {
		return nil, err
	}
	at := "/ip4/127.0.0.1"
	if ip := net.ParseIP(s.Listen); ip != nil && ip.To4() != nil {
		at = "/ip4/" + ip.String()
	} else if ip != nil {
		at = "/ip6/" + ip.String()
	}
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
	port := strconv.Itoa(s.Port)
	if s.Transport == "quic" {
		return libp2p.New(append(opts, libp2p.Transport(quic.NewTransport), libp2p.ListenAddrStrings(at+"/udp/"+port+"/quic-v1"))...)
	}
	secured := libp2p.Security(noise.ID, noise.New)
	if s.Security == "tls" {
		secured = libp2p.Security(tls.ID, tls.New)
	}
	over := any(tcp.NewTCPTransport)
	if s.Delay > 0 {
		over = lateTCP(s.Delay)
	}
	return libp2p.New(append(opts, secured, libp2p.Transport(over), libp2p.ListenAddrStrings(at+"/tcp/"+port))...)
}
