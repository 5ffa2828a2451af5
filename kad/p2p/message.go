package p2p

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// confirm tells the core that a peer answered on an outbound stream, once for each connection. Only then is it certain
// that the peer serves the protocol.
func (n *Node) confirm(c network.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.conns[c]
	if n.closed || known == nil || known.confirmed {
		return
	}
	known.confirmed = true
	n.tell(kad.Input{Kind: kad.ProtocolConfirmed, Peer: kad.PeerInfo{ID: []byte(c.RemotePeer())}, Conn: known.id,
		Dialer: known.addr != nil, Addr: known.addr})
}

// messageType of a request, and of its reply.
func (r *request) messageType() wire.Type {
	switch r.kind {
	case kad.SendGetProviders:
		return wire.GetProviders
	case kad.SendGetRecord:
		return wire.GetValue
	case kad.SendPutRecord:
		return wire.PutValue
	case kad.SendAddProvider:
		return wire.AddProvider
	}
	return wire.FindNode
}

// frame encodes a request.
func (r *request) frame(n *Node) []byte {
	m := wire.Message{Type: r.messageType(), Key: r.key}
	switch r.kind {
	case kad.SendPutRecord:
		m.Key, m.HasRecord = r.record.Key, true
		m.Record = recordOf(&r.record, n.clock.now())
	case kad.SendAddProvider:
		m.ProviderPeers = appendPeers(nil, r.providers)
	}
	fit(&m, n.limits.SendBytes)
	return wire.AppendFrame(nil, &m)
}

// maxCloser is how many peers of one reply are looked at: three times k = 20, for a peer whose k is larger. Lists come
// nearest first, so the rest would not serve the lookup anyway.
const maxCloser = 60

// maxProviders of one reply are looked at. 16 KiB hold 250 of them at most, 4 MiB 65,000.
const maxProviders = 1000

// usualPeers is how many peers a reply names, as a rule: a list that grows to it is copied five times, which was a third of the
// memory that a lookup takes.
const usualPeers = 20

// understand makes the input of a reply. It must be of the request's type, and about its key where it names one. A record
// that is not valid, or is another key's, is left out, and the closer peers are used all the same (libp2p-kad L270).
func (n *Node) understand(r *request, body []byte) (kad.Input, kad.ErrorKind) {
	m := wire.Message{CloserPeers: make([]wire.Peer, 0, usualPeers)}
	if wire.Decode(body, &m) != nil {
		return kad.Input{}, kad.ErrInvalid
	}
	if m.Type != r.messageType() {
		return kad.Input{}, kad.ErrInvalid
	}
	in := kad.Input{Peer: kad.PeerInfo{ID: []byte(r.peer)}, Query: r.query, Key: r.key}
	switch r.kind {
	case kad.SendFindNode:
		in.Kind = kad.FindNodeRes
	case kad.SendGetProviders:
		in.Kind = kad.GetProvidersRes
		in.Providers = n.usable(m.ProviderPeers, maxProviders)
	case kad.SendGetRecord:
		in.Kind = kad.GetRecordRes
		if len(m.Key) > 0 && !bytes.Equal(m.Key, r.key) {
			return kad.Input{}, kad.ErrInvalid
		}
		if m.HasRecord && bytes.Equal(m.Record.Key, r.key) {
			in.Valid, _ = n.validate(&m.Record) // not valid: no record
		}
	case kad.SendPutRecord:
		in.Kind = kad.PutRecordRes
		if !m.HasRecord || len(m.Key) > 0 && !bytes.Equal(m.Key, r.record.Key) {
			return kad.Input{}, kad.ErrInvalid
		}
		in.Key, in.Value = m.Record.Key, m.Record.Value
	}
	in.Closer = n.usable(m.CloserPeers, maxCloser)
	return in, kad.ErrNone
}

// usableAddrs are the addresses of a peer of a reply that can be used: the reply's own bytes where nothing about them is
// unusual, as with nine of ten peers.
func (n *Node) usableAddrs(p *wire.Peer) kad.Addrs {
	if len(p.Addrs) <= maxAddrs*minPlain && n.filter() == nil && allPlain(kad.Addrs(p.Addrs)) {
		return kad.Addrs(p.Addrs)
	}
	return cleanAddrs(nil, p.ID, kad.Addrs(p.Addrs), n.filter())
}

// usable keeps of the peers of a reply the first of those that have an id, with the addresses that can be used. A
// provider may have none (GP-15 of the catalogue).
func (n *Node) usable(ps []wire.Peer, limit int) []kad.PeerInfo {
	list := slices.Grow([]kad.PeerInfo(nil), min(len(ps), limit))
	for i := range ps {
		p := &ps[i]
		if len(list) == limit {
			break
		}
		if !validID(p.ID) || string(p.ID) == string(n.id) {
			continue
		}
		list = append(list, kad.PeerInfo{ID: p.ID, Addrs: n.usableAddrs(p), Connection: kad.Connection(p.Connection)})
	}
	return list
}
