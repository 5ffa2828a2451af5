package p2p

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/kad"
)

// ownAddrs are this node's addresses as the core knows them. Listen addresses are all that the host announces, relays
// among them. External ones are those by which others have reached us; with the first of them a node that decides by
// itself becomes a server, with the last it ceases to be one.
//
// go-libp2p tells of them in two ways. AutoNAT v2 tests each address (EvtHostReachableAddrsChanged); once it has spoken,
// it alone counts. AutoNAT v1 knows of the host as a whole (EvtLocalReachabilityChanged): if it is public, all the
// addresses that it announces are external, and remain so as they come and go.
type ownAddrs struct {
	// Guarded by Node.mu.
	listen, external map[string]bool // as bytes

	// Of the goroutine that reads the host's events alone.
	public    bool           // what AutoNAT v1 says
	tested    bool           // AutoNAT v2 has spoken
	reachable []ma.Multiaddr // what it said
}

// reachability takes the word of AutoNAT v1. That it does not know (yet, or any more) changes nothing.
func (n *Node) reachability(r network.Reachability) {
	if r == network.ReachabilityUnknown {
		return
	}
	n.own.public = r == network.ReachabilityPublic
	n.externalAddrs()
}

// reachableAddrs takes the word of AutoNAT v2. One that knows nothing of any address has not spoken yet.
func (n *Node) reachableAddrs(ev event.EvtHostReachableAddrsChanged) {
	if !n.own.tested && len(ev.Reachable)+len(ev.Unreachable) == 0 {
		return
	}
	n.own.tested, n.own.reachable = true, slices.Clone(ev.Reachable)
	n.externalAddrs()
}

// localAddrs tells the core which listen addresses came and went. Those that it may announce are those that it may serve:
// in a public swarm public ones, relays among them.
func (n *Node) localAddrs() {
	if n.replace(n.own.listen, set(n.host.Addrs(), n.servedAddr), kad.ListenAddr, kad.ListenAddrExpired) {
		n.redial.network()
	}
	n.externalAddrs()
}

func (n *Node) externalAddrs() {
	var now []ma.Multiaddr
	switch {
	case n.own.tested:
		now = n.own.reachable
	case n.own.public:
		now = n.host.Addrs()
	}
	n.replace(n.own.external, set(now, n.tableAddr), kad.ExternalAddr, kad.ExternalAddrExpired)
}

// set is the bytes of those addresses that keep says yes to.
func set(addrs []ma.Multiaddr, keep func(ma.Multiaddr) bool) map[string]bool {
	s := make(map[string]bool)
	for _, a := range addrs {
		if keep(a) {
			s[string(a.Bytes())] = true
		}
	}
	return s
}

// replace makes old the same as now and steps what changed, in the order of the addresses' bytes: first what came, so
// that an address which has changed does not leave the node without any for a moment. It says whether something came.
func (n *Node) replace(old, now map[string]bool, came, went kad.InputKind) (more bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	for _, a := range sortedKeys(now) {
		if !old[a] {
			old[a], more = true, true
			n.tell(kad.Input{Kind: came, Addr: []byte(a)})
		}
	}
	for _, a := range sortedKeys(old) {
		if !now[a] {
			delete(old, a)
			n.tell(kad.Input{Kind: went, Addr: []byte(a)})
		}
	}
	return more
}

// listenersFailed tells the core of the listen addresses that could not be opened; a host of ours starts if one could.
// go-libp2p has a listener for each that it was given and one for relays, and tells nobody why another is missing.
func (n *Node) listenersFailed() {
	if !n.ownsHost {
		return
	}
	open := 0
	for _, a := range n.host.Network().ListenAddresses() {
		if !isRelay(a) {
			open++
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for range len(n.cfg.Listen) - open {
		n.tell(kad.Input{Kind: kad.ListenerError, Err: kad.ErrRefused})
	}
}

// listenerClosed takes the end of a listener: its addresses are gone.
func (n *Node) listenerClosed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.tell(kad.Input{Kind: kad.ListenerClosed})
	}
}
