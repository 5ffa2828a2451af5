package kad

import "slices"

// Fixed asks a given list of peers, each once: the second phase of a put or a provide. It is driven as a Lookup is. Each
// peer has its own deadline, and the list ends when all have answered, failed or let it pass; a quorum reached earlier
// stops nobody's request. Unlike a Lookup it never learns of anybody, so its list is as long as its caller made it: K
// peers, or those that the application named.
type Fixed struct {
	peers    []fixedPeer
	next     int // the first that has not been asked
	asking   int // how many are being asked
	parallel int
	timeout  Duration
}

type fixedPeer struct {
	peer     Peer
	state    candidateState
	deadline Time
}

// Begin makes ready for a list of peers, without repetitions: a quorum that counted one twice could not be reached.
func (f *Fixed) Begin(peers []Peer, cfg *Config) {
	*f = Fixed{peers: f.peers[:0], parallel: max(cfg.K, cfg.Alpha), timeout: cfg.PeerTimeout}
	for _, p := range peers {
		if f.find(p) == nil {
			f.peers = append(f.peers, fixedPeer{peer: p})
		}
	}
}

// Len is how many peers there are.
func (f *Fixed) Len() int { return len(f.peers) }

// find walks the list: it has K peers, and only those of a put to given peers may be more.
func (f *Fixed) find(p Peer) *fixedPeer {
	if i := slices.IndexFunc(f.peers, func(x fixedPeer) bool { return x.peer == p }); i >= 0 {
		return &f.peers[i]
	}
	return nil
}

// Next is whom to ask now; call it until ok is false.
func (f *Fixed) Next(now Time) (p Peer, ok bool) {
	f.expire(now)
	if f.next == len(f.peers) || f.asking >= f.parallel {
		return 0, false
	}
	x := &f.peers[f.next]
	f.next++
	f.asking++
	x.state, x.deadline = waiting, now+Time(f.timeout)
	return x.peer, true
}

// expire gives up on those whose time has passed.
func (f *Fixed) expire(now Time) {
	for i := range f.peers[:f.next] {
		if x := &f.peers[i]; x.state == waiting && x.deadline <= now {
			x.state = unresponsive
			f.asking--
		}
	}
}

// Deadline is when Next must be called again at the latest; 0 if nobody is being asked.
func (f *Fixed) Deadline() Time {
	var at Time
	for i := range f.peers[:f.next] {
		if x := &f.peers[i]; x.state == waiting {
			at = earlier(at, x.deadline)
		}
	}
	return at
}

// Reply and Fail take a peer's answer and failure; false if none was awaited.
func (f *Fixed) Reply(p Peer) bool { return f.settle(p, succeeded) }
func (f *Fixed) Fail(p Peer) bool  { return f.settle(p, failed) }

// settle notes how a request ended. One whose time has passed may still succeed or fail; one that has ended stays as it is.
func (f *Fixed) settle(p Peer, state candidateState) bool {
	x := f.find(p)
	if x == nil || x.state != waiting && x.state != unresponsive {
		return false
	}
	if x.state == waiting {
		f.asking--
	}
	x.state = state
	return true
}

// Asked says whether an answer of the peer is awaited.
func (f *Fixed) Asked(p Peer) bool {
	x := f.find(p)
	return x != nil && x.state == waiting
}

// Finish ends the list with what it has.
func (f *Fixed) Finish() {
	f.peers = f.peers[:f.next]
	f.asking = 0
	for i := range f.peers {
		if f.peers[i].state == waiting {
			f.peers[i].state = unresponsive
		}
	}
}

// Done says whether nobody is left to ask or to wait for.
func (f *Fixed) Done() bool { return f.next == len(f.peers) && f.asking == 0 }

// Result appends the peers that have answered.
func (f *Fixed) Result(dst []Peer) []Peer {
	for i := range f.peers {
		if f.peers[i].state == succeeded {
			dst = append(dst, f.peers[i].peer)
		}
	}
	return dst
}
