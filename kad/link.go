package kad

import (
	"bytes"
	"cmp"
	"slices"
)

// A peer is connected from its first connection to its last, as the host tells it: the table keeps who is connected apart
// from who is not, requests go to connected peers without a dial, and what a peer was asked fails when its last connection
// is gone. ConnectionEstablished and ConnectionClosed tell of each connection; InConnected and InDisconnected of the first
// and the last. Either pair alone is enough, and both together say nothing twice.

// link is what is known of the connections of one peer. Links stand in a slice ordered by handle: they must be walked in
// a fixed order when the Directory is swept, and they come and go far less often than they are looked up.
type link struct {
	peer   Peer
	silent bool // it was evicted for not answering, though it is connected
	conns  []conn
}

type conn struct {
	id        ConnID
	dialer    bool
	confirmed bool   // ProtocolConfirmed was said of it; libp2p-kad's handler says it once, and so it counts once here
	addr      []byte // of the remote end
}

// linkAt is where the link of a peer stands, or where it would.
func (k *Kademlia) linkAt(p Peer) (int, bool) {
	return slices.BinarySearchFunc(k.links, p, func(l link, p Peer) int { return cmp.Compare(l.peer, p) })
}

// connected says whether the peer has a connection.
func (k *Kademlia) connected(p Peer) bool {
	_, ok := k.linkAt(p)
	return ok
}

// connect notes that the peer is connected and returns its link, which is good until the next link comes or goes.
func (k *Kademlia) connect(now Time, p Peer) *link {
	i, ok := k.linkAt(p)
	if !ok {
		k.links = slices.Insert(k.links, i, link{peer: p})
		k.signOfLife(now)
		k.table.Update(now, p, true)
	}
	return &k.links[i]
}

// disconnect notes that the peer's last connection is gone: whatever it was asked will not be answered.
func (k *Kademlia) disconnect(now Time, p Peer, out *Output) {
	i, ok := k.linkAt(p)
	if !ok {
		return
	}
	k.links = slices.Delete(k.links, i, i+1)
	k.table.Update(now, p, false)
	k.failEverywhere(now, p, out)
	if k.probes.take(p) {
		k.peerFailed(now, p, ErrTimeout, out)
	}
	k.held.drop(p)
}

// connectionEstablished adds a connection; one that is told of again replaces what was known of it.
func (k *Kademlia) connectionEstablished(now Time, p Peer, in *Input) {
	l := k.connect(now, p)
	l.drop(in.Conn)
	l.conns = append(l.conns, conn{id: in.Conn, dialer: in.Dialer, addr: bytes.Clone(in.Addr)})
}

// connectionClosed forgets a connection. One that is not known changes nothing: a peer whom InConnected alone announced
// stays connected until InDisconnected.
func (k *Kademlia) connectionClosed(now Time, p Peer, in *Input, out *Output) {
	i, ok := k.linkAt(p)
	if !ok {
		return
	}
	l := &k.links[i]
	if l.drop(in.Conn) && len(l.conns) == 0 {
		k.disconnect(now, p, out)
	}
}

// drop forgets a connection.
func (l *link) drop(id ConnID) bool {
	for i := range l.conns {
		if l.conns[i].id == id {
			l.conns = slices.Delete(l.conns, i, i+1)
			return true
		}
	}
	return false
}

// confirm notes that the peer serves, as it proved on this connection; false if it was said of it before.
func (l *link) confirm(id ConnID) bool {
	for i := range l.conns {
		if c := &l.conns[i]; c.id == id {
			first := !c.confirmed
			c.confirmed = true
			return first
		}
	}
	return true
}

// dialled is the address by which the connection was dialled; none if the peer dialled us: where an inbound connection
// comes from is not where the peer listens.
func (l *link) dialled(id ConnID) []byte {
	for i := range l.conns {
		if l.conns[i].id == id && l.conns[i].dialer {
			return l.conns[i].addr
		}
	}
	return nil
}

// addressChanged replaces an address of a peer in the table and in every running query.
func (k *Kademlia) addressChanged(p Peer, in *Input) {
	if i, ok := k.linkAt(p); ok {
		for j := range k.links[i].conns {
			if c := &k.links[i].conns[j]; c.id == in.Conn {
				c.addr = bytes.Clone(in.Addr)
			}
		}
	}
	k.dir.SetAddrs(p, k.dir.Addrs(p).Replace(in.OldAddr, in.Addr))
	for _, q := range k.queries {
		q.heard.replace(p, in.OldAddr, in.Addr)
	}
}

// addressFailed drops an address which could not be dialled, unless it is the last: a peer without an address could never
// be tried again.
func (k *Kademlia) addressFailed(p Peer, addr []byte) {
	if left := k.dir.Addrs(p).Remove(addr); len(left) > 0 {
		k.dir.SetAddrs(p, left)
	}
	for _, q := range k.queries {
		q.heard.remove(p, addr)
	}
}
