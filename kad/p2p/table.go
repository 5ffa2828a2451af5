package p2p

import (
	"fmt"
	"slices"
	"time"

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

// RemoveAddress takes an address out of the routing table; a peer without any goes with its last, be it in place or
// waiting for one. It returns the entry of a peer that is gone for it, nil if none is.
func (n *Node) RemoveAddress(id peer.ID, addr ma.Multiaddr) (*Entry, error) {
	if transport, last := ma.SplitLast(addr); last != nil && last.Protocol().Code == ma.P_P2P {
		addr = transport
	}
	gone, err := n.remove(kad.Input{Kind: kad.OpRemoveAddress, Peer: kad.PeerInfo{ID: []byte(id)}, Addr: addr.Bytes()})
	if err != nil {
		return nil, fmt.Errorf("remove address: %w", err)
	}
	return gone, nil
}

// RemovePeer takes a peer out of the routing table, be it in place or waiting for one, and returns its entry: nil if
// there is none. Its connections stay.
func (n *Node) RemovePeer(id peer.ID) (*Entry, error) {
	gone, err := n.remove(kad.Input{Kind: kad.OpRemovePeer, Peer: kad.PeerInfo{ID: []byte(id)}})
	if err != nil {
		return nil, fmt.Errorf("remove peer: %w", err)
	}
	return gone, nil
}

func (n *Node) remove(in kad.Input) (gone *Entry, err error) {
	err = n.do(in, func(out *kad.Output) {
		if out.Removed != nil {
			e := entryOf(*out.Removed)
			gone = &e
		}
	})
	return gone, operationError(err)
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

// Entry is a peer of the routing table, or one that waits for a place in it.
type Entry struct {
	ID        peer.ID
	Addrs     []ma.Multiaddr
	Bucket    int // how many leading bits its key shares with this node's
	Connected bool
	Pending   bool      // it waits for the place of the peer that has been disconnected for longest
	Seen      time.Time // when it was last heard of, to the second; zero for one that waits
}

func entryOf(e kad.EntryView) Entry {
	return Entry{ID: peer.ID(e.ID), Addrs: multiaddrs(e.Addrs), Bucket: e.Bucket, Connected: e.Connected,
		Pending: e.Pending, Seen: wallTime(e.Seen)}
}

// Bucket is a part of the routing table: the peers whose keys share exactly Index leading bits with this node's, so that
// their distance lies between Min and Max, both included.
type Bucket struct {
	Index    int
	Min, Max kad.Key
	Entries  []Entry // those in place, the least recently seen first
	Pending  []Entry // those that wait for a place: one at the most
}

// Buckets are those that hold a peer, the farthest from this node first.
func (n *Node) Buckets() []Bucket {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []Bucket
	for i := range n.core.Table().Depth() {
		if b := n.bucketLocked(i); len(b.Entries)+len(b.Pending) > 0 {
			list = append(list, b)
		}
	}
	return list
}

// Bucket is the one to which a key belongs (of a peer: its id's bytes), empty or not. This node's own key belongs to none:
// ok is false.
func (n *Node) Bucket(key []byte) (b Bucket, ok bool) {
	own, other := kad.KeyOf([]byte(n.id)), kad.KeyOf(key)
	i := own.CommonPrefix(&other)
	if i == kad.KeyBits {
		return Bucket{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bucketLocked(i), true
}

func (n *Node) bucketLocked(i int) Bucket {
	b := Bucket{Index: i}
	b.Min[i/8] = 0x80 >> (i % 8)
	for j := i/8 + 1; j < len(b.Max); j++ {
		b.Max[j] = 0xff
	}
	b.Max[i/8] = 0xff >> (i % 8)
	n.core.Table().Entries(i, func(e kad.EntryView) bool {
		if e.Pending {
			b.Pending = append(b.Pending, entryOf(e))
		} else {
			b.Entries = append(b.Entries, entryOf(e))
		}
		return true
	})
	return b
}

// Table lists the peers of the routing table, bucket by bucket, the farthest from this node first. Who waits for a place is
// not among them.
func (n *Node) Table() []peer.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.core.Table()
	ids := slices.Grow([]peer.ID(nil), t.Len())
	for i := range t.Depth() {
		t.Entries(i, func(e kad.EntryView) bool {
			if !e.Pending {
				ids = append(ids, peer.ID(e.ID))
			}
			return true
		})
	}
	return ids
}

// ClosestLocalPeers are the peers of the routing table that are nearest to a key, k at the most, nearest first: what this
// node would answer to whoever asks. It asks nobody.
func (n *Node) ClosestLocalPeers(key []byte) []peer.AddrInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	return addrInfos(n.core.ClosestLocal(key, nil))
}

// PeerAddresses are the addresses by which this node would dial a peer: those of its routing table first, then what the
// queries that run have heard. The host's peerstore is not asked.
func (n *Node) PeerAddresses(id peer.ID) []ma.Multiaddr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return multiaddrs(n.core.PeerAddresses([]byte(id)))
}
