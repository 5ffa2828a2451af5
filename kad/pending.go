package kad

// pending is a peer that waits for a place in a full bucket: one a bucket, as in libp2p-kad. The bucket's head, the peer
// that has been disconnected for longest, is dialled; if that fails, or it has not reconnected when the time is up, it is
// evicted. So a peer that lives is never displaced by a newcomer (ipfs-kad L275).
type pending struct {
	ready     Time
	peer      Peer
	bucket    uint16
	connected bool
}

// pendingIndex is where a peer stands among those that wait, or -1. They are few: one a bucket, and only where it is full.
func (t *Table) pendingIndex(p Peer) int {
	for i := range t.pending {
		if t.pending[i].peer == p {
			return i
		}
	}
	return -1
}

func (t *Table) hasPending(b int) bool {
	for i := range t.pending {
		if int(t.pending[i].bucket) == b {
			return true
		}
	}
	return false
}

// setPending notes the status of a peer that waits; false if it does not wait.
func (t *Table) setPending(p Peer, connected bool) bool {
	i := t.pendingIndex(p)
	if i >= 0 {
		t.pending[i].connected = connected
	}
	return i >= 0
}

func (t *Table) dropPending(i int) { t.pending = append(t.pending[:i], t.pending[i+1:]...) }

func (t *Table) dropPendingOf(b int) {
	for i := range t.pending {
		if int(t.pending[i].bucket) == b {
			t.dropPending(i)
			return
		}
	}
}

// HeadFailed ends the wait for the place of a bucket's head which could not be dialled: ApplyPending gives it away.
func (t *Table) HeadFailed(now Time, head Peer) {
	for i := range t.pending {
		w := &t.pending[i]
		if from, to := t.bucket(int(w.bucket)); from < to && t.entries[from].peer == head {
			w.ready = now
		}
	}
}

// takePlace gives a free place of bucket b to whoever waits for one there, and says who that is; 0: nobody.
func (t *Table) takePlace(now Time, b int) Peer {
	for i, w := range t.pending {
		if int(w.bucket) == b {
			t.dropPending(i)
			t.place(w.peer, b, statusAt(now, w.connected))
			return w.peer
		}
	}
	return 0
}

// NextPending is when the first of those that wait must be looked at again; 0 if nobody waits.
func (t *Table) NextPending() Time {
	var at Time
	for i := range t.pending {
		at = earlier(at, t.pending[i].ready)
	}
	return at
}

// ApplyPending decides about one peer whose time is up: it takes the place of its bucket's head unless that has
// reconnected. more is false when nobody was due. p is 0 if the one that was due got no place. Nobody is evicted for a
// place that has become free meanwhile. Call it until more is false: then NextPending lies in the future.
func (t *Table) ApplyPending(now Time) (p, evicted Peer, more bool) {
	for i := range t.pending {
		w := t.pending[i]
		if now < w.ready {
			continue
		}
		t.dropPending(i)
		b := int(w.bucket)
		from, to := t.bucket(b)
		if to-from >= t.k {
			if t.entries[from].connected() {
				return 0, 0, true
			}
			evicted = t.entries[from].peer
			t.removeAt(from, b)
		}
		t.place(w.peer, b, statusAt(now, w.connected))
		return w.peer, evicted, true
	}
	return 0, 0, false
}

// later is the greater of two moments, where 0 is never.
func later(a, b Time) Time {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// earlier is the smaller of two moments, where 0 is never.
func earlier(a, b Time) Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
