package kad

import "slices"

// Fixed asks a given list of peers, each once: the second phase of a put or a provide. It is driven as a Lookup is. Each
// peer has its own deadline, and the list ends when all have answered, failed or let it pass; a quorum reached earlier
// stops nobody's request. Who is slower than its patience frees its place, and is waited for no longer unless the quorum
// hangs on it: then it has the whole PeerTimeout, since what it stores decides how the operation ends. Unlike a Lookup a
// Fixed never learns of anybody, so its list is as long as its caller made it: K peers, or those that the application
// named.
type Fixed struct {
	peers    []fixedPeer
	next     int // the first that has not been asked
	places   int // how many are being asked and are not slow
	late     int // how many are slow
	good     int // how many have answered
	quorum   int // how many must answer
	parallel int
	timeout  Duration
}

type fixedPeer struct {
	asked    Time
	patience Duration
	peer     Peer
	state    candidateState
}

// Begin makes ready for a list of peers, without repetitions: a quorum that counted one twice could not be reached.
func (f *Fixed) Begin(peers []Peer, quorum Quorum, cfg *Config) {
	*f = Fixed{peers: f.peers[:0], parallel: max(cfg.K, cfg.Alpha), timeout: cfg.PeerTimeout}
	for _, p := range peers {
		if f.find(p) == nil {
			f.peers = append(f.peers, fixedPeer{peer: p})
		}
	}
	f.quorum = quorum.of(len(f.peers))
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

// Next is whom to ask now; call it until ok is false. Whoever is asked has the whole PeerTimeout, unless Expect says less.
func (f *Fixed) Next(now Time) (p Peer, ok bool) {
	f.expire(now)
	if f.next == len(f.peers) || f.places >= f.parallel {
		return 0, false
	}
	x := &f.peers[f.next]
	f.next++
	f.places++
	x.state, x.asked, x.patience = waiting, now, f.timeout
	return x.peer, true
}

// Expect says of a peer that is being asked how long to bear with it.
func (f *Fixed) Expect(p Peer, patience Duration) { f.find(p).patience = min(patience, f.timeout) }

// Excuse lengthens the patience with those who are being asked.
func (f *Fixed) Excuse(d Duration) {
	for i := range f.peers[:f.next] {
		if x := &f.peers[i]; x.state == waiting || x.state == slow {
			x.patience = min(x.patience+d, f.timeout)
		}
	}
}

// hangs says whether the quorum hangs on those that are slow.
func (f *Fixed) hangs() bool {
	return f.good < f.quorum && f.good+f.late+f.places+len(f.peers)-f.next >= f.quorum
}

// due is when a request frees its place, or is waited for no more.
func (f *Fixed) due(x *fixedPeer) Time {
	if x.state == slow && f.hangs() {
		return x.asked + Time(f.timeout)
	}
	return x.asked + Time(x.patience)
}

// expire gives up on those whose time has passed. Each that is given up may end the hope for the quorum, and so the time of
// those after it; those before it were asked no later, and their time has passed already.
func (f *Fixed) expire(now Time) {
	for i := range f.peers[:f.next] {
		x := &f.peers[i]
		if x.state == waiting && f.due(x) <= now {
			x.state = slow
			f.places--
			f.late++
		}
		if x.state == slow && f.due(x) <= now {
			x.state = unresponsive
			f.late--
		}
	}
}

// Deadline is when Next must be called again at the latest; 0 if nobody is waited for.
func (f *Fixed) Deadline() (at Time) {
	for i := range f.peers[:f.next] {
		if x := &f.peers[i]; x.state == waiting || x.state == slow {
			at = earlier(at, f.due(x))
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
	if x == nil {
		return false
	}
	switch x.state {
	case waiting:
		f.places--
	case slow:
		f.late--
	case unresponsive:
	default:
		return false
	}
	x.state = state
	if state == succeeded {
		f.good++
	}
	return true
}

// Asked says whether the peer is being asked and its time is not over.
func (f *Fixed) Asked(p Peer) bool {
	x := f.find(p)
	return x != nil && (x.state == waiting || x.state == slow)
}

// Awaited is how many are being asked whose time is not over.
func (f *Fixed) Awaited() int { return f.places + f.late }

// Finish ends the list with what it has.
func (f *Fixed) Finish() {
	f.peers = f.peers[:f.next]
	f.places, f.late = 0, 0
	for i := range f.peers {
		if x := &f.peers[i]; x.state == waiting || x.state == slow {
			x.state = unresponsive
		}
	}
}

// Done says whether nobody is left to ask or to wait for.
func (f *Fixed) Done() bool { return f.next == len(f.peers) && f.Awaited() == 0 }

// Result appends the peers that have answered.
func (f *Fixed) Result(dst []Peer) []Peer {
	for i := range f.peers {
		if f.peers[i].state == succeeded {
			dst = append(dst, f.peers[i].peer)
		}
	}
	return dst
}
