package target

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-varint"

	"github.com/kadbench/kadbench/kad/wire"
)

// maxKnown is how many peers a serving puppet can know; its answers sort them all. The largest plans have 200.
const maxKnown = 1024

// directory is what a serving puppet knows.
type directory struct {
	mu    sync.Mutex
	peers []knownPeer
}

type knownPeer struct {
	id    peer.ID
	place [32]byte // SHA-256 of the id: where it is in the keyspace
	addrs wire.Addrs
}

// Know sets the peers which a serving puppet tells of; at most 1,024, the rest is dropped.
func (p *Puppet) Know(peers []peer.AddrInfo) {
	known := make([]knownPeer, 0, len(peers))
	for _, info := range peers[:min(len(peers), maxKnown)] {
		known = append(known, knownPeer{info.ID, sha256.Sum256([]byte(info.ID)), wireAddrs(info.Addrs)})
	}
	p.known.mu.Lock()
	p.known.peers = known
	p.known.mu.Unlock()
}

// wireAddrs are addresses as the fields of a Peer on the wire.
func wireAddrs(addrs []ma.Multiaddr) (out wire.Addrs) {
	for _, a := range addrs {
		b := a.Bytes()
		out = append(out, 0x12) // field 2 of Peer, length-delimited
		out = append(out, varint.ToUvarint(uint64(len(b)))...)
		out = append(out, b...)
	}
	return out
}

// about is the peer that a FIND_NODE names, if it is one that the nearest leave out: the server itself or the asker. A
// server tells of it besides the nearest (ipfs-kad L430); go takes nobody into a filled table who answers with no peer.
func (p *Puppet) about(key []byte, from peer.ID) []wire.Peer {
	if string(key) == string(p.id) {
		return []wire.Peer{{ID: key, Addrs: wireAddrs(p.host.Addrs())}}
	}
	if string(key) == string(from) {
		p.known.mu.Lock()
		defer p.known.mu.Unlock()
		for _, k := range p.known.peers {
			if k.id == from {
				return []wire.Peer{{ID: key, Addrs: k.addrs}}
			}
		}
	}
	return nil
}

// nearest lists the n known peers nearest to a key, by SHA-256 and XOR, without those left out.
func (d *directory) nearest(key []byte, n int, without ...peer.ID) []wire.Peer {
	d.mu.Lock()
	known := slices.Clone(d.peers)
	d.mu.Unlock()
	known = slices.DeleteFunc(known, func(k knownPeer) bool { return slices.Contains(without, k.id) })
	place := sha256.Sum256(key)
	slices.SortFunc(known, func(a, b knownPeer) int {
		for i := range place {
			if x, y := a.place[i]^place[i], b.place[i]^place[i]; x != y {
				return int(x) - int(y)
			}
		}
		return 0
	})
	var out []wire.Peer
	for _, k := range known[:min(n, len(known))] {
		out = append(out, wire.Peer{ID: []byte(k.id), Addrs: k.addrs})
	}
	return out
}

// honest appends the frame that answers a request: the K nearest peers it knows, without itself and the asker (ipfs-kad
// L357) unless FIND_NODE names them; the echo of a PUT_VALUE; no records and no providers; nothing to ADD_PROVIDER; PING.
// False where it is no request, or one that a server rejects (libp2p-kad L391).
func (p *Puppet) honest(dst, request []byte, from peer.ID) ([]byte, bool) {
	var m wire.Message
	if wire.Decode(request, &m) != nil {
		return dst, false
	}
	reply := wire.Message{Type: m.Type, Key: m.Key}
	switch m.Type {
	case wire.FindNode, wire.GetValue, wire.GetProviders:
		if len(m.Key) == 0 {
			return dst, false
		}
		reply.CloserPeers = p.known.nearest(m.Key, p.cfg.K, p.id, from)
		if m.Type == wire.FindNode {
			reply.CloserPeers = append(p.about(m.Key, from), reply.CloserPeers...)
		}
	case wire.PutValue:
		if !m.HasRecord || !bytes.Equal(m.Key, m.Record.Key) {
			return dst, false
		}
		reply.HasRecord, reply.Record = true, m.Record
	case wire.AddProvider:
		return dst, true
	case wire.Ping:
	default:
		return dst, false
	}
	return wire.AppendFrame(dst, &reply), true
}
