package p2p

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/kad"
)

// AddAddress tells the routing table of a peer that is known to serve the protocol, and of one address of it.
func (n *Node) AddAddress(id peer.ID, addr ma.Multiaddr) (kad.RoutingUpdate, error) {
	addr, err := n.plain(id, addr)
	if err != nil {
		return kad.UpdateFailed, fmt.Errorf("add address: %w", err)
	}
	var update kad.RoutingUpdate
	in := kad.Input{Kind: kad.OpAddAddress, Peer: kad.PeerInfo{ID: []byte(id)}, Addr: addr.Bytes()}
	if err := n.do(in, func(out *kad.Output) { update = out.Update }); err != nil {
		return kad.UpdateFailed, fmt.Errorf("add address: %w", operationError(err))
	}
	return update, nil
}

// RemoveAddress takes an address out of the routing table; a peer without any goes with its last. It says whether the
// table had it.
func (n *Node) RemoveAddress(id peer.ID, addr ma.Multiaddr) (removed bool, err error) {
	if transport, last := ma.SplitLast(addr); last != nil && last.Protocol().Code == ma.P_P2P {
		addr = transport
	}
	in := kad.Input{Kind: kad.OpRemoveAddress, Peer: kad.PeerInfo{ID: []byte(id)}, Addr: addr.Bytes()}
	if err := n.do(in, func(out *kad.Output) { removed = out.Removed != nil }); err != nil {
		return false, fmt.Errorf("remove address: %w", operationError(err))
	}
	return removed, nil
}

// RemovePeer takes a peer out of the routing table and says whether it was there. Its connections stay.
func (n *Node) RemovePeer(id peer.ID) (removed bool, err error) {
	in := kad.Input{Kind: kad.OpRemovePeer, Peer: kad.PeerInfo{ID: []byte(id)}}
	if err := n.do(in, func(out *kad.Output) { removed = out.Removed != nil }); err != nil {
		return false, fmt.Errorf("remove peer: %w", operationError(err))
	}
	return removed, nil
}

// plain is the address without the peer's own id at its end, the one form that the table holds.
func (n *Node) plain(id peer.ID, addr ma.Multiaddr) (ma.Multiaddr, error) {
	transport, last := ma.SplitLast(addr)
	if last != nil && last.Protocol().Code == ma.P_P2P {
		if string(last.RawValue()) != string(id) || len(transport) == 0 {
			return nil, fmt.Errorf("%w: %s is not an address of %s", ErrInvalid, addr, id)
		}
		addr = transport
	}
	if len(addr) == 0 {
		return nil, fmt.Errorf("%w: an empty address", ErrInvalid)
	}
	if !n.tableAddr(addr) {
		return nil, fmt.Errorf("%w: %s", ErrPrivate, addr)
	}
	return addr, nil
}

// Table lists the peers of the routing table, bucket by bucket, the farthest from this node first.
func (n *Node) Table() []peer.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []peer.ID
	table := n.core.Table()
	for b := range table.Depth() {
		table.Entries(b, func(e kad.EntryView) bool {
			if !e.Pending {
				ids = append(ids, peer.ID(e.ID))
			}
			return true
		})
	}
	return ids
}
