package target

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// portMemory is how many senders a UDP port tells apart: a dial sends several datagrams from one port, and a target
// dials an invented peer a few times in a case.
const portMemory = 4096

// acceptFailures ends the port's loop: one fails now and then because its dialler gave up, hundreds only when the
// process is out of file descriptors, and then the loop would spin.
const acceptFailures = 1000

// port is what Nobody has instead of a host: it takes note of who knocks and says nothing.
type port struct {
	addr  ma.Multiaddr
	tcp   net.Listener
	udp   net.PacketConn
	ended sync.WaitGroup
}

func listenPort(cfg PuppetConfig, dialled func(peer.ID, ma.Multiaddr)) (*port, error) {
	p := new(port)
	at := net.JoinHostPort(cfg.IP, "0")
	var err error
	if cfg.Over == "quic" {
		if p.udp, err = net.ListenPacket("udp", at); err != nil {
			return nil, err
		}
		if p.addr, err = manet.FromNetAddr(p.udp.LocalAddr()); err != nil {
			return nil, errors.Join(err, p.udp.Close())
		}
		p.addr = p.addr.Encapsulate(ma.StringCast("/quic-v1"))
		p.ended.Go(func() { p.knocks(dialled) })
		return p, nil
	}
	if p.tcp, err = net.Listen("tcp", at); err != nil {
		return nil, err
	}
	if p.addr, err = manet.FromNetAddr(p.tcp.Addr()); err != nil {
		return nil, errors.Join(err, p.tcp.Close())
	}
	p.ended.Go(func() { p.accept(dialled) })
	return p, nil
}

// accept closes each connection at once, so that the dialler fails now and not at its timeout.
func (p *port) accept(dialled func(peer.ID, ma.Multiaddr)) {
	for failed := 0; ; {
		c, err := p.tcp.Accept()
		if errors.Is(err, net.ErrClosed) || failed > acceptFailures {
			return
		}
		if err != nil {
			failed++
			continue // the dialler gave up before we took it
		}
		from, _ := manet.FromNetAddr(c.RemoteAddr())
		dialled("", from)
		if t, ok := c.(*net.TCPConn); ok {
			t.SetLinger(0)
		}
		c.Close()
	}
}

// knocks counts each sender once: QUIC repeats its first datagram until it is answered.
func (p *port) knocks(dialled func(peer.ID, ma.Multiaddr)) {
	seen := make(map[string]bool)
	buf := make([]byte, 2048)
	for {
		_, from, err := p.udp.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || seen[from.String()] || len(seen) == portMemory {
			continue
		}
		seen[from.String()] = true
		a, _ := manet.FromNetAddr(from)
		dialled("", a)
	}
}

func (p *port) Close() error {
	var err error
	if p.tcp != nil {
		err = p.tcp.Close()
	} else {
		err = p.udp.Close()
	}
	p.ended.Wait()
	if err != nil {
		return fmt.Errorf("port: %w", err)
	}
	return nil
}
