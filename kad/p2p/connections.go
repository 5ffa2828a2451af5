package p2p

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/kad"
)

// connection is one connection of the host, as the core knows it. Guarded by Node.mu.
type connection struct {
	id         kad.ConnID
	addr       []byte // by which it was dialled; nil if the peer dialled us (that is an ephemeral port), or if the table may not have it
	confirmed  bool   // an outbound stream on it was answered
	identified chan struct{}
	told       bool // identified is closed
}

// hostEvents is how many events of the host may wait for us: identify runs once a connection, and a burst of 256 new
// connections is what go-libp2p's connection manager prunes back to.
const hostEvents = 256

// What the host tells, and what the core is told:
//
//	Connected, Disconnected                 ConnectionEstablished, ConnectionClosed; with the first and the last of a peer
//	                                        InConnected, InDisconnected
//	identify, also pushed (EvtPeerIdentificationCompleted; EvtPeerProtocolsUpdated comes beside a push and says less)
//	                                        ProtocolsChanged
//	an outbound stream was answered         ProtocolConfirmed, once for each connection (message.go)
//	a dial failed                           AddressFailed for each address that is dead, then DialFailed (dial.go)
//	EvtLocalAddressesUpdated                ListenAddr, ListenAddrExpired (reachability.go, as the next three)
//	ListenClose                             ListenerClosed; go-libp2p does not say whether an error was the cause
//	a listen address cannot be opened       ListenerError
//	AutoNAT v1 and v2                       ExternalAddr, ExternalAddrExpired
//
// AddressChanged is never told: a connection of go-libp2p keeps the remote address that it began with, even when QUIC moves
// it, and a peer that comes from elsewhere has a new connection. Where it listens from then on identify tells.

// watchHost tells the core of connections, identifications and addresses, now and until Close.
func (n *Node) watchHost() error {
	sub, err := n.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), // of a push too
		new(event.EvtPeerIdentificationFailed),
		new(event.EvtLocalAddressesUpdated),     // of a relay's too
		new(event.EvtLocalReachabilityChanged),  // AutoNAT v1
		new(event.EvtHostReachableAddrsChanged), // AutoNAT v2
	}, eventbus.Name("kad"), eventbus.BufSize(hostEvents))
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	notify := &network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { n.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { n.disconnected(c) },
		ListenCloseF:  func(network.Network, ma.Multiaddr) { n.listenerClosed() },
	}
	n.host.Network().Notify(notify)
	n.listenersFailed()
	n.localAddrs()
	for _, c := range n.host.Network().Conns() { // a host that was given may have been at work
		n.connected(c)
		if c.IsClosed() {
			n.disconnected(c)
			continue
		}
		if known, err := n.host.Peerstore().GetProtocols(c.RemotePeer()); err == nil && len(known) > 0 {
			n.identified(c, known, n.host.Peerstore().Addrs(c.RemotePeer()))
		}
	}
	n.work.Go(func() {
		defer sub.Close()
		defer n.host.Network().StopNotify(notify)
		for {
			select {
			case <-n.ctx.Done():
				return
			case ev, ok := <-sub.Out():
				if !ok {
					return
				}
				n.hostEvent(ev)
			}
		}
	})
	return nil
}

func (n *Node) hostEvent(ev any) {
	switch ev := ev.(type) {
	case event.EvtPeerIdentificationCompleted:
		n.identified(ev.Conn, ev.Protocols, ev.ListenAddrs)
	case event.EvtPeerIdentificationFailed:
		n.mu.Lock()
		for c, known := range n.conns {
			if c.RemotePeer() == ev.Peer {
				known.tell()
			}
		}
		n.mu.Unlock()
	case event.EvtLocalAddressesUpdated:
		n.localAddrs()
	case event.EvtLocalReachabilityChanged:
		n.reachability(ev.Reachability)
	case event.EvtHostReachableAddrsChanged:
		n.reachableAddrs(ev)
	}
}

// connected tells the core of a connection. One that a relay limits in time and bytes does not count: the protocol is
// not spoken over it.
func (n *Node) connected(c network.Conn) {
	if c.Stat().Limited {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.connectedLocked(c)
}

func (n *Node) connectedLocked(c network.Conn) {
	if n.closed || n.conns[c] != nil {
		return
	}
	n.requests++ // one counter names both: it only has to be new
	known := &connection{id: kad.ConnID(n.requests), identified: make(chan struct{})}
	if c.Stat().Direction == network.DirOutbound && n.tableAddr(c.RemoteMultiaddr()) {
		known.addr = c.RemoteMultiaddr().Bytes()
	}
	n.conns[c] = known
	p := c.RemotePeer()
	n.peers[p]++
	n.tell(kad.Input{Kind: kad.ConnectionEstablished, Peer: kad.PeerInfo{ID: []byte(p)}, Conn: known.id,
		Addr: c.RemoteMultiaddr().Bytes(), Dialer: known.addr != nil})
	if n.peers[p] == 1 {
		n.tell(kad.Input{Kind: kad.InConnected, Peer: kad.PeerInfo{ID: []byte(p)}})
	}
}

func (n *Node) disconnected(c network.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.conns[c]
	if known == nil {
		return
	}
	delete(n.conns, c)
	known.tell()
	if p := c.RemotePeer(); !n.outbound.holdBack(p, known.id) {
		n.connectionClosed(p, known.id)
	}
}

// connectionClosed tells the core that a connection has ended. It wants Node.mu.
func (n *Node) connectionClosed(p peer.ID, id kad.ConnID) {
	n.peers[p]--
	last := n.peers[p] == 0
	if last {
		delete(n.peers, p)
	}
	if n.closed {
		return
	}
	n.tell(kad.Input{Kind: kad.ConnectionClosed, Peer: kad.PeerInfo{ID: []byte(p)}, Conn: id})
	if last {
		n.tell(kad.Input{Kind: kad.InDisconnected, Peer: kad.PeerInfo{ID: []byte(p)}})
	}
}

// identified tells the core what identify said of a peer: whether it serves the protocol, and where it listens. The
// address from which it happens to be connected is not among these, so it is never passed on (AD-07 of the catalogue).
func (n *Node) identified(c network.Conn, protocols []protocol.ID, listen []ma.Multiaddr) {
	in := kad.Input{Kind: kad.ProtocolsChanged, Supported: n.speaks(protocols)}
	in.Peer.ID = []byte(c.RemotePeer())
	in.Peer.Addrs = appendAddrs(nil, reachableFrom(c.RemoteMultiaddr(), listen), n.tableAddr)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	if !c.IsClosed() && !c.Stat().Limited {
		// identify may be done before we are told of the connection. That it ended we will be told later still.
		n.connectedLocked(c)
	}
	n.tell(in)
	if known := n.conns[c]; known != nil {
		known.tell()
	}
}

func (n *Node) speaks(protocols []protocol.ID) bool {
	for _, p := range protocols {
		for _, ours := range n.protocols {
			if p == ours {
				return true
			}
		}
	}
	return false
}

// tell steps an input under the lock.
func (n *Node) tell(in kad.Input) {
	out := outputs.Get().(*kad.Output)
	n.stepLocked(&in, out)
	n.handOn(out, in.Request)
	outputs.Put(out)
}

func (c *connection) tell() {
	if !c.told {
		c.told = true
		close(c.identified)
	}
}

// Connect connects to a peer and returns when identify has told the core what the peer speaks.
func (n *Node) Connect(ctx context.Context, info peer.AddrInfo) error {
	n.mu.Lock()
	running := n.started && !n.closed
	n.mu.Unlock()
	if !running {
		return ErrClosed
	}
	return n.connect(ctx, info)
}

func (n *Node) connect(ctx context.Context, info peer.AddrInfo) error {
	if err := n.host.Connect(ctx, info); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if !n.identifies() {
		return nil
	}
	conns := n.host.Network().ConnsToPeer(info.ID)
	n.mu.Lock()
	var wait chan struct{}
	for _, c := range conns {
		if !c.IsClosed() && !c.Stat().Limited {
			n.connectedLocked(c) // one that the peer opened a moment ago we may be told of only later
		}
		if known := n.conns[c]; known != nil {
			wait = known.identified
			break
		}
	}
	n.mu.Unlock()
	if wait == nil {
		return nil // it is gone again
	}
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("connect: identify: %w", ctx.Err())
	case <-n.ctx.Done():
		return ErrClosed
	}
}

// hasIdentified says whether identify has told of the peer on this connection.
func (n *Node) hasIdentified(c network.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.conns[c]
	return known != nil && known.told
}

// unidentified are the peers that are connected and of whom identify has not told yet.
func (n *Node) unidentified() []peer.AddrInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	var peers []peer.AddrInfo
	for c, known := range n.conns {
		if !known.told {
			peers = append(peers, peer.AddrInfo{ID: c.RemotePeer()})
		}
	}
	return peers
}

// identifies says whether the host runs identify: one that was given may not.
func (n *Node) identifies() bool {
	for _, p := range n.host.Mux().Protocols() {
		if p == identify.ID {
			return true
		}
	}
	return false
}
