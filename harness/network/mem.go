package network

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	mocknet "github.com/libp2p/go-libp2p/p2p/net/mock"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/target"
)

// Mem is a network in memory: go-libp2p's mocknet, without sockets, handshakes and encryption, whose hosts all reach each
// other. A dial takes no time, what streams carry is late by Delay. Two hosts are linked when one first dials the other: all
// links of a thousand hosts would be half a million.
type Mem struct {
	net mocknet.Mocknet

	mu    sync.Mutex
	count int
	hosts map[peer.ID]*memHost
}

// NewMem is a network in which everything is late by so much.
func NewMem(delay time.Duration) *Mem {
	m := &Mem{net: mocknet.New(), hosts: make(map[peer.ID]*memHost)}
	m.net.SetLinkDefaults(mocknet.LinkOptions{Latency: delay})
	return m
}

// Host opens a host with the identity of a seed. Once it is closed, another of that seed may take its place.
func (m *Mem) Host(seed [32]byte) (host.Host, error) {
	key, err := target.KeyFromSeed(seed[:])
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	addr, err := ma.NewMultiaddr(fmt.Sprintf("/ip4/10.%d.%d.%d/tcp/4001", m.count>>16&255, m.count>>8&255, m.count&255))
	if err != nil {
		return nil, err
	}
	h, err := m.net.AddPeer(key, addr)
	if err != nil {
		return nil, err
	}
	out := &memHost{Host: h, mem: m, linked: make(map[peer.ID]bool)}
	m.hosts[h.ID()] = out
	return out, nil
}

// link makes a dial from one host to another possible.
func (m *Mem) link(from *memHost, to peer.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	other := m.hosts[to]
	switch {
	case m.hosts[from.ID()] != from:
		return fmt.Errorf("dial %s: this host is closed", to)
	case other == nil:
		return fmt.Errorf("dial %s: nobody is there", to)
	case other == from || from.linked[to]:
		return nil
	}
	if _, err := m.net.LinkPeers(from.ID(), to); err != nil {
		return err
	}
	from.linked[to], other.linked[from.ID()] = true, true
	return nil
}

// leave takes a host out.
func (m *Mem) leave(h *memHost) error {
	m.mu.Lock()
	if m.hosts[h.ID()] == h {
		delete(m.hosts, h.ID())
		for id := range h.linked {
			delete(m.hosts[id].linked, h.ID())
			_ = m.net.UnlinkPeers(h.ID(), id)
		}
	}
	m.mu.Unlock()
	return h.Host.Close()
}

// memHost is linked to whomever it dials.
type memHost struct {
	host.Host
	mem    *Mem
	linked map[peer.ID]bool // of Mem's lock
}

func (h *memHost) Connect(ctx context.Context, to peer.AddrInfo) error {
	if err := h.mem.link(h, to.ID); err != nil {
		return err
	}
	return h.Host.Connect(ctx, to)
}

func (h *memHost) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	if err := h.mem.link(h, p); err != nil {
		return nil, err
	}
	return h.Host.NewStream(ctx, p, protocols...)
}

func (h *memHost) Network() network.Network { return memNetwork{h.Host.Network(), h} }
func (h *memHost) Close() error             { return h.mem.leave(h) }

type memNetwork struct {
	network.Network
	host *memHost
}

func (n memNetwork) DialPeer(ctx context.Context, p peer.ID) (network.Conn, error) {
	if err := n.host.mem.link(n.host, p); err != nil {
		return nil, err
	}
	return n.Network.DialPeer(ctx, p)
}

func (n memNetwork) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	if err := n.host.mem.link(n.host, p); err != nil {
		return nil, err
	}
	return n.Network.NewStream(ctx, p)
}
