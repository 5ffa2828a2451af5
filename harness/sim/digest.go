package sim

import (
	"math/bits"

	"github.com/kadbench/kadbench/kad"
)

// A digest tells whether two runs were the same, step by step: each node folds what it is stepped with and what comes of it,
// and the digest of the world folds the nodes' in the order of their handles. It depends on what the core does, so a change
// of kad changes it; on the number of shards, the machine or the weather it does not.

// fold takes one more word into a digest: a multiplication and a rotation, 2 ns.
func fold(h, v uint64) uint64 {
	return bits.RotateLeft64((h^v)*0x9fb21c651e98df25, 29)
}

// foldStep takes a step in.
func foldStep(h uint64, now kad.Time, in *kad.Input, out *kad.Output) uint64 {
	h = fold(h, uint64(now))
	h = fold(h, uint64(in.Kind)|uint64(in.Err)<<8|uint64(in.Peer.Peer)<<16)
	h = fold(h, uint64(in.Query)|uint64(len(in.Providers))<<48)
	h = foldPeers(h, in.Closer)
	for i := range out.Commands {
		c := &out.Commands[i]
		h = fold(h, uint64(c.Kind)|uint64(len(c.Closer))<<8|uint64(c.Peer.Peer)<<16)
	}
	for i := range out.Events {
		e := &out.Events[i]
		h = fold(h, uint64(e.Kind)|uint64(e.Result)<<8|uint64(e.Peer.Peer)<<16)
		if e.Kind == kad.QueryProgressed {
			h = fold(h, uint64(e.Query)|uint64(e.Err)<<56)
			h = fold(h, uint64(e.Stats.Requests)|uint64(e.Stats.Failures)<<24|uint64(e.Stats.Hops)<<48)
			h = foldPeers(foldPeers(h, e.Peers), e.Providers)
		}
	}
	return h
}

func foldPeers(h uint64, peers []kad.PeerInfo) uint64 {
	i := 0
	for ; i+1 < len(peers); i += 2 {
		h = fold(h, uint64(peers[i].Peer)|uint64(peers[i+1].Peer)<<32)
	}
	if i < len(peers) {
		h = fold(h, uint64(peers[i].Peer))
	}
	return h
}
