package kad

// heardAddrs is the address book of one query: what other peers said of the addresses of those it may have to ask. It is
// hearsay: nothing of it enters the Directory. It stays with the query through all its phases, so that a peer which was
// found can be dialled again to be given a record. A later report adds and never takes away: an empty list from one peer
// must not make another unreachable.
type heardAddrs []heard

// heard is of one peer; it is found by walking, since there are few more than a lookup has candidates (120).
type heard struct {
	peer  Peer
	addrs Addrs
}

// maxHeardBytes bounds what is kept of one peer's addresses by hearsay: some 30 addresses. A reply of 16 KiB that names 20
// peers has 800 bytes for each.
const maxHeardBytes = 2 << 10

// of returns what was heard of a peer.
func (h heardAddrs) of(p Peer) Addrs {
	for i := range h {
		if h[i].peer == p {
			return h[i].addrs
		}
	}
	return nil
}

// add notes what somebody says of a peer.
func (h *heardAddrs) add(p Peer, addrs Addrs) {
	addrs = addrs.clone(maxHeardBytes)
	if len(addrs) == 0 {
		return
	}
	for i := range *h {
		if e := &(*h)[i]; e.peer == p {
			if len(e.addrs) < maxHeardBytes {
				e.addrs = e.addrs.Merge(addrs)
			}
			return
		}
	}
	*h = append(*h, heard{p, addrs})
}

// keep drops what is no longer of use: the addresses of peers that fell off the lookup's list.
func (h *heardAddrs) keep(useful func(Peer) bool) {
	kept := (*h)[:0]
	for _, e := range *h {
		if useful(e.peer) {
			kept = append(kept, e)
		}
	}
	clear((*h)[len(kept):])
	*h = kept
}

// replace and remove follow what connections prove: an address that moved or failed is hearsay no more.
func (h heardAddrs) replace(p Peer, old, addr []byte) {
	for i := range h {
		if h[i].peer == p {
			h[i].addrs = h[i].addrs.Replace(old, addr)
		}
	}
}

func (h heardAddrs) remove(p Peer, addr []byte) {
	for i := range h {
		if h[i].peer == p {
			h[i].addrs = h[i].addrs.Remove(addr)
		}
	}
}
