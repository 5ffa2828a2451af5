package kad

import "slices"

// Who was evicted for its silence may be cut off together with half of the network, and each half evicts the other. When the
// cut is over nobody would ever know: no table, and so no answer, names anybody of the other half. (libp2p-kad does not
// have the problem, since it evicts nobody.) So a node remembers the last few, and each bootstrap asks one of them whether
// it lives. As soon as one in each half has found one of the other, lookups of their own keys tell their neighbours.

// maxEvicted is how many are remembered: with an interval of 5 minutes each is asked about once in 80. In half of a network
// that is cut from the other, nearly all of them are of the other half.
const maxEvicted = 16

// rememberEvicted notes a peer that was evicted for its silence. Of too many the newest stay.
func (p *probes) rememberEvicted(peer Peer) {
	p.forgetEvicted(peer)
	if len(p.evicted) == maxEvicted {
		p.evicted = slices.Delete(p.evicted, 0, 1)
	}
	p.evicted = append(p.evicted, peer)
}

// forgetEvicted forgets one that has its place again.
func (p *probes) forgetEvicted(peer Peer) {
	if i := slices.Index(p.evicted, peer); i >= 0 {
		p.evicted = slices.Delete(p.evicted, i, i+1)
	}
}

// askEvicted asks one of them, by chance, whether it lives. It has its place again when it answers, as everybody who serves.
func (k *Kademlia) askEvicted(now Time, out *Output) {
	ps := &k.probes
	if len(ps.evicted) == 0 || len(ps.asked) >= maxProbes {
		return
	}
	p := ps.evicted[k.rng.Uint64()%uint64(len(ps.evicted))]
	if slices.ContainsFunc(ps.asked, func(a probe) bool { return a.peer == p }) {
		return
	}
	witness := ps.witness
	k.askWhetherAlive(now, p, out)
	ps.witness = witness // it was not asked as one
}
