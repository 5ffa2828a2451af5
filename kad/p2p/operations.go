package p2p

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"

	"github.com/kadbench/kadbench/kad"
)

// Every operation that asks other peers takes a context: when it ends, the operation returns at once with the context's
// error, and its query is finished. Beside ErrTimeout, ErrNotFound and ErrQuorum the result holds what was reached. Those
// of records are in records.go, those of providers in providers.go.

// ClosestPeers is the result of GetClosestPeers.
type ClosestPeers struct {
	Peers []peer.AddrInfo // nearest first
	Stats Stats
}

// FoundPeer is the result of LookupPeer.
type FoundPeer struct {
	Peer  peer.AddrInfo
	Stats Stats
}

// Bootstrap refreshes the routing table: a lookup of this node's own id, then one in each farther bucket. It returns
// when the last has ended. Events tells of each lookup and how many remain.
//
// If the table is empty, those who may enter it come first: the peers of Config.Bootstrap are dialled, and who has just been
// connected is waited for, until somebody is in it, Limits.RequestTimeout at the longest. ErrNoPeers: nobody is. That is no
// end: whoever enters later is followed by a bootstrap without being asked (kad.Config.BootstrapThrottle).
func (n *Node) Bootstrap(ctx context.Context) error {
	if err := n.join(ctx); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	q, err := n.start(ctx, kad.Input{Kind: kad.OpBootstrap}, nil)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	if _, err := q.each(ctx, nil); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// GetClosestPeers finds the count peers nearest to a key (0, and more than k: k), which may be that of a record, a
// multihash or a peer id.
func (n *Node) GetClosestPeers(ctx context.Context, key []byte, count int) (ClosestPeers, error) {
	if len(key) == 0 || count < 0 {
		return ClosestPeers{}, fmt.Errorf("get closest peers: %w: a key of %d bytes, %d peers", ErrInvalid, len(key), count)
	}
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetClosestPeers, Key: key, N: count}, nil)
	if err != nil {
		return ClosestPeers{}, fmt.Errorf("get closest peers: %w", err)
	}
	last, err := q.each(ctx, nil)
	res := ClosestPeers{Peers: addrInfos(last.Peers), Stats: n.statsOf(last.Stats)}
	if err != nil {
		return res, fmt.Errorf("get closest peers: %w", err)
	}
	return res, nil
}

// LookupPeer finds the addresses of a peer: its own, or those of one that is connected, from the host's peerstore, else by
// a lookup of its id, which ends with the first reply that names it. FindPeer is the same without the numbers.
func (n *Node) LookupPeer(ctx context.Context, id peer.ID) (FoundPeer, error) {
	if !validID([]byte(id)) {
		return FoundPeer{}, fmt.Errorf("find peer: %w: peer id %x", ErrInvalid, string(id))
	}
	switch h := n.Host(); {
	case h == nil:
		return FoundPeer{}, fmt.Errorf("find peer: %w", ErrClosed)
	case id == n.id:
		return FoundPeer{Peer: *host.InfoFromHost(h)}, nil
	case h.Network().Connectedness(id) == network.Connected:
		return FoundPeer{Peer: h.Peerstore().PeerInfo(id)}, nil
	}
	q, err := n.start(ctx, kad.Input{Kind: kad.OpGetClosestPeers, Key: []byte(id)}, []byte(id))
	if err != nil {
		return FoundPeer{}, fmt.Errorf("find peer: %w", err)
	}
	last, err := q.each(ctx, nil)
	switch {
	case errors.Is(err, errFound):
		last = q.finish()
		return FoundPeer{Peer: n.give(*q.found), Stats: n.statsOf(last.Stats)}, nil
	case err != nil && !errors.Is(err, ErrTimeout):
		return FoundPeer{}, fmt.Errorf("find peer: %w", err)
	}
	res := FoundPeer{Stats: n.statsOf(last.Stats)}
	for _, p := range last.Peers {
		if string(p.ID) == string(id) {
			res.Peer = n.give(p)
			return res, nil
		}
	}
	if err == nil {
		err = ErrNotFound
	}
	return res, fmt.Errorf("find peer: %w", asked(err, res.Stats))
}

// give makes of a peer that was found what the caller gets, and lets the host know where it is: for two minutes it can be
// dialled by its id alone, as after a lookup of go-libp2p-kad-dht. Of one that is connected the host knows better; who has
// answered a lookup is. Others of whom a lookup hears are not kept.
func (n *Node) give(p kad.PeerInfo) peer.AddrInfo {
	info := addrInfo(p)
	if info.ID != n.id && len(info.Addrs) > 0 && n.host.Network().Connectedness(info.ID) != network.Connected {
		n.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	}
	return info
}

// asked adds to an error of an operation that there was nobody to ask.
func asked(err error, s Stats) error {
	if err != nil && s.Requests == 0 {
		return fmt.Errorf("%w: %w", err, ErrNoPeers)
	}
	return err
}
