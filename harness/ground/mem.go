package ground

import (
	"context"
	"errors"
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

// maxHosts of a network in memory: each has an address of 127.1.0.0/16.
const maxHosts = 1<<16 - 2

// Errors of a network in memory.
var (
	errNoPeer   = errors.New("no such peer in this network")
	errMaxHosts = fmt.Errorf("a network in memory has %d hosts at the most", maxHosts)
)

// Mem is a network in memory (go-libp2p's mocknet) which all instances of a run in one process share. Two hosts are linked
// when one dials the other: a link for each pair of 1,000 would be half a million.
type Mem struct {
	net     mocknet.Mocknet
	latency time.Duration

	mu    sync.Mutex
	hosts map[peer.ID]*memHost
	made  int
}

// NewMem makes a network whose messages take so long, one way.
func NewMem(latency time.Duration) *Mem {
	return &Mem{net: mocknet.New(), latency: latency, hosts: map[peer.ID]*memHost{}}
}

// Host adds a host with the Ed25519 identity of a seed (as target.KeyFromSeed has it). Every other can dial it by its id once
// it knows its address, until it is closed.
func (m *Mem) Host(seed [32]byte) (host.Host, error) {
	key, err := target.KeyFromSeed(seed[:])
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made++; m.made > maxHosts {
		return nil, errMaxHosts
	}
	addr, err := ma.NewMultiaddr(fmt.Sprintf("/ip4/127.1.%d.%d/tcp/4001", m.made>>8, m.made&255))
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	if m.hosts[id] != nil {
		return nil, fmt.Errorf("peer %s is there already: a seed of its own was expected", id)
	}
	h, err := m.net.AddPeer(key, addr)
	if err != nil {
		return nil, err
	}
	m.hosts[id] = &memHost{Host: h, mem: m, links: map[peer.ID]mocknet.Link{}}
	return m.hosts[id], nil
}

// Close closes all hosts.
func (m *Mem) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hosts = nil
	return m.net.Close()
}

// link makes it possible that a dials b.
func (m *Mem) link(a, b peer.ID) error {
	if a == b {
		return nil // the host says what it thinks of that
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to := m.hosts[a], m.hosts[b]
	switch {
	case from == nil || to == nil:
		return fmt.Errorf("dial %s: %w", b, errNoPeer)
	case from.links[b] != nil:
		return nil
	}
	l, err := m.net.LinkPeers(a, b)
	if err != nil {
		return fmt.Errorf("dial %s: %w", b, err)
	}
	l.SetOptions(mocknet.LinkOptions{Latency: m.latency})
	from.links[b], to.links[a] = l, l
	return nil
}

// leave takes a host out of the network: nobody can dial it any more.
func (m *Mem) leave(h *memHost) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hosts[h.ID()] != h {
		return
	}
	delete(m.hosts, h.ID())
	for id, l := range h.links {
		m.net.Unlink(l)
		if other := m.hosts[id]; other != nil {
			delete(other.links, h.ID())
		}
	}
}

// memHost is a host that links itself to whomever it dials.
type memHost struct {
	host.Host
	mem   *Mem
	links map[peer.ID]mocknet.Link // guarded by Mem.mu
}

func (h *memHost) Connect(ctx context.Context, to peer.AddrInfo) error {
	if err := h.mem.link(h.ID(), to.ID); err != nil {
		return err
	}
	return h.Host.Connect(ctx, to)
}

func (h *memHost) NewStream(ctx context.Context, to peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if err := h.mem.link(h.ID(), to); err != nil {
		return nil, err
	}
	return h.Host.NewStream(ctx, to, ids...)
}

func (h *memHost) Network() network.Network { return memNetwork{h.Host.Network(), h} }

func (h *memHost) Close() error {
	h.mem.leave(h)
	return h.Host.Close()
}

// memNetwork dials past the host.
type memNetwork struct {
	network.Network
	host *memHost
}

func (n memNetwork) DialPeer(ctx context.Context, to peer.ID) (network.Conn, error) {
	if err := n.host.mem.link(n.host.ID(), to); err != nil {
		return nil, err
	}
	return n.Network.DialPeer(ctx, to)
}

func (n memNetwork) NewStream(ctx context.Context, to peer.ID) (network.Stream, error) {
	if err := n.host.mem.link(n.host.ID(), to); err != nil {
		return nil, err
	}
	return n.Network.NewStream(ctx, to)
}
