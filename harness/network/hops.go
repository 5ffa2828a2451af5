package network

import (
	"bytes"
	"crypto/sha256"
	"hash/maphash"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad/wire"
)

// chains are how many peers had to be asked one after the other until a search heard of each of those that it met, as the core
// counts them (kad.Lookup): the k nearest of the node's own table have 1, whoever is first named in an answer has one more than
// the peer that named it. The table is looked at when the search begins, since one of its peers may be named by another before
// it is asked; that the core goes on with more of its table where it falls short of k peers is not seen.
//
// The search ends with the first record or provider that is sent out to be stored: who answers later has led to nobody.
type chains struct {
	target   [32]byte
	k        int
	hops     map[uint64]uint8 // by hashOf a peer: of ids each would be copied
	answered []peer.ID
	ended    bool
}

// maxMet bounds what is noted of one search, whatever its peers name: an answer has 20, and a lookup asks some 30.
const maxMet = 4096

var hashSeed = maphash.MakeSeed()

// hashOf tells ids apart: that two of maxMet share a hash has a chance of one in 10^12, and no peer knows the seed.
func hashOf(id peer.ID) uint64 { return maphash.String(hashSeed, string(id)) }

// chainsTo begins a search for a key by a node with such a table.
func chainsTo(key string, k int, table []peer.ID) *chains {
	c := &chains{target: sha256.Sum256([]byte(key)), k: k, hops: make(map[uint64]uint8, 4*k)}
	for _, id := range nearest(table, c.target, k, keyOfPeer, func(peer.ID) bool { return true }) {
		c.hops[hashOf(id)] = 1
	}
	return c
}

// of is a peer's figure. Nobody named one that has none, so it is of the table too: farther than the k nearest.
func (c *chains) of(id peer.ID) uint8 { return max(1, c.hops[hashOf(id)]) }

// ask notes who is asked.
func (c *chains) ask(kind wire.Type, to peer.ID) {
	if kind == wire.PutValue || kind == wire.AddProvider {
		c.ended = true
	}
	if !c.ended && len(c.hops) < maxMet {
		c.hops[hashOf(to)] = c.of(to)
	}
}

// answer takes a peer's answer to a request of the search.
func (c *chains) answer(from peer.ID, body []byte) {
	if c.ended || len(c.answered) == maxMet {
		return
	}
	c.answered = append(c.answered, from)
	hops := c.of(from)
	if hops < 255 {
		hops++
	}
	closerPeers(body, func(id []byte) {
		if h := maphash.Bytes(hashSeed, id); c.hops[h] == 0 && len(c.hops) < maxMet {
			c.hops[h] = hops
		}
	})
}

// longest is the longest chain that led to a peer of the result; where the operation names none that is, as for the core, the k
// nearest that have answered.
func (c *chains) longest(result []peer.ID) (hops uint8) {
	if len(result) == 0 {
		result = nearest(c.answered, c.target, c.k, keyOfPeer, func(peer.ID) bool { return true })
	}
	for _, id := range result {
		hops = max(hops, c.of(id))
	}
	return hops
}

// keyOfPeer is where a peer lies.
func keyOfPeer(id peer.ID) [32]byte {
	var b [64]byte // an id has some 40 bytes
	return sha256.Sum256(append(b[:0], id...))
}

// nearest are the count nearest to a target, nearest first, of those for which is says so, which is asked of few.
func nearest[T any](of []T, target [32]byte, count int, key func(T) [32]byte, is func(T) bool) []T {
	type at struct {
		far [32]byte
		it  T
	}
	near := make([]at, 0, count+1)
	for _, it := range of {
		a := at{key(it), it}
		for i := range a.far {
			a.far[i] ^= target[i]
		}
		if len(near) == count && bytes.Compare(a.far[:], near[count-1].far[:]) > 0 || !is(it) {
			continue
		}
		i, _ := slices.BinarySearchFunc(near, a, func(x, y at) int { return bytes.Compare(x.far[:], y.far[:]) })
		near = slices.Insert(near, i, a)
		near = near[:min(len(near), count)]
	}
	out := make([]T, len(near))
	for i, a := range near {
		out[i] = a.it
	}
	return out
}
