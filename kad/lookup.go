package kad

import "slices"

// Lookup finds the peers nearest to a target. It chooses whom to ask and never sends: the driver asks Next until it has
// nobody more, sends, and reports Reply or Fail. Its shape is libp2p-kad's ClosestPeersIter.
//
// Peers are asked from the nearest outwards, Alpha at a time. It ends when the Want nearest of those that did not fail
// have answered and no nearer one is still being asked (libp2p-kad L154), or when nobody is left to ask. Two things
// raise the number at a time to 10, since what remains is then to ask all of the nearest: Alpha replies in a row
// without progress (it is stalled), and, with Beta, that the Beta nearest have answered (ipfs-kad L388, with the
// follow-up that L154 of libp2p-kad asks for).
//
// Who does not answer within its patience frees its place, and after twice its patience the end waits for it no more
// (pacing.go); but as long as nobody at all has answered, everybody is given the whole PeerTimeout.
type Lookup struct {
	dir    *Directory
	target Key

	want, alpha, beta int
	calm              int // so many replies without progress make it stalled: Alpha
	timeout           Duration
	excused           Duration // how much longer than its patience everybody may take, since the node was held up itself

	peers   []candidate // nearest first
	waiting flight
	idle    int  // replies in a row that brought nothing nearer
	silent  int  // requests in a row that lost patience, without any answer between them
	heard   bool // somebody has answered
	stalled bool
	done    bool

	finished bool // by Finish
	pressed  bool // nobody is postponed any more
}

// candidate is 16 bytes without pointers: a lookup merges a reply's peers in at the price of moving a few cache lines.
type candidate struct {
	dist  uint64
	peer  Peer
	state candidateState
	hops  uint8 // how many peers had to be asked one after the other to hear of it, itself included
}

// candidateState goes one way: from notContacted to waiting, slow, unresponsive, and from each of these three to succeeded or
// failed; one that is postponed becomes notContacted once more. So nobody is asked twice, and no answer counts twice.
type candidateState uint8

const (
	notContacted candidateState = iota
	postponed                   // asked only if nobody else is left
	waiting
	slow         // its patience is over: others are asked in its place
	unresponsive // did not answer in time; a late answer still counts
	succeeded
	failed
)

// What bounds a lookup whatever is reported to it:
//   - It keeps the nearest 6·Want candidates (120): enough to find the 20 nearest when five of six are dead. Each step of
//     the list's end goes inwards, so a candidate that fell off never comes back and nobody is asked twice.
//   - It reads the first 2·K peers of a reply: a right one has K, the peer itself and the target.
//   - Patience doubles, 2^6 times at the most, with each round of requests none of which is answered: a network that has
//     become slow all at once, or is gone, is not asked faster than before.
const (
	maxCandidates = 6
	maxCloser     = 2
	maxDoublings  = 6
)

// Begin makes ready for a new lookup and keeps the memory of the last.
func (l *Lookup) Begin(dir *Directory, target Key, want int, cfg *Config) {
	*l = Lookup{
		dir: dir, target: target,
		want: want, alpha: cfg.Alpha, calm: cfg.Alpha, beta: cfg.Beta, timeout: cfg.PeerTimeout,
		peers: l.peers[:0], waiting: l.waiting[:0],
	}
}

// Seed gives the lookup the peers to start from, or to go on with if it has ended short of them. It says whether there was
// a new one.
func (l *Lookup) Seed(near []Near) (more bool) {
	for _, n := range near {
		if l.insert(candidate{dist: n.Dist, peer: n.Peer, hops: 1}) >= 0 {
			more = true
		}
	}
	l.done = l.done && !more
	return more
}

// Short says whether the lookup has come to its end with fewer answers than wanted, but with some: who has none at all is
// cut off, and would only ask its whole table in vain.
func (l *Lookup) Short() bool {
	if !l.done || l.finished || !l.heard {
		return false
	}
	n := 0
	for i := range l.peers {
		if l.peers[i].state == succeeded {
			n++
		}
	}
	return n < l.want
}

// find is where a candidate stands, or where it would.
func (l *Lookup) find(dist uint64, p Peer) (int, bool) {
	i, j := 0, len(l.peers)
	for i < j {
		if m := (i + j) / 2; l.peers[m].dist < dist {
			i = m + 1
		} else {
			j = m
		}
	}
	return l.settle(i, dist, p)
}

// settle decides among those of one distance by whole keys: i is the first of them.
func (l *Lookup) settle(i int, dist uint64, p Peer) (int, bool) {
	for ; i < len(l.peers) && l.peers[i].dist == dist; i++ {
		c := l.peers[i].peer
		if c == p {
			return i, true
		}
		if order := l.target.Compare(l.dir.Key(c), l.dir.Key(p)); order >= 0 {
			return i, order == 0
		}
	}
	return i, false
}

// candidate is a peer's entry in the list, nil if it has none. It is good until the next insert.
func (l *Lookup) candidate(p Peer) *candidate {
	if i, ok := l.find(l.distance(p), p); ok {
		return &l.peers[i]
	}
	return nil
}

// distance is the first 64 bits of a peer's distance from the target.
func (l *Lookup) distance(p Peer) uint64 { return l.dir.prefix(p) ^ l.target.Prefix64() }

// insert adds a candidate and says at which place; -1 if it is known or too far.
func (l *Lookup) insert(c candidate) int {
	i, known := l.find(c.dist, c.peer)
	return l.insertAt(i, known, c)
}

// insertAt is insert for a candidate of which it is known where it stands, or would.
func (l *Lookup) insertAt(i int, known bool, c candidate) int {
	limit := maxCandidates * max(l.want, l.alpha)
	if known || i >= limit {
		return -1
	}
	if len(l.peers) == limit { // who is being asked keeps its place among those, if not here
		l.peers = l.peers[:limit-1]
	}
	l.peers = slices.Insert(l.peers, i, c)
	return i
}

// forget frees the place of a peer among those being asked.
func (l *Lookup) forget(p Peer) {
	for i := range l.waiting {
		if l.waiting[i].peer == p {
			l.waiting = slices.Delete(l.waiting, i, i+1)
			return
		}
	}
}

// maxInFlight is what a lookup may have in flight at any given time (libp2p-kad L68-L70, ipfs-kad L402), unless Alpha is more
// by the configuration. libp2p-kad's stalled lookup asks all k at once.
const maxInFlight = 10

// capacity is how many peers may be asked at a time.
func (l *Lookup) capacity() int {
	if l.stalled || l.beta > 0 && l.settled() {
		return max(l.alpha, min(l.want, maxInFlight))
	}
	return l.alpha
}

// settled says whether the beta nearest of those that did not fail have answered.
func (l *Lookup) settled() bool {
	n := 0
	for i := range l.peers {
		switch l.peers[i].state {
		case succeeded:
			if n++; n == l.beta {
				return true
			}
		case notContacted, waiting:
			return false
		}
	}
	return false
}

// Next is whom to ask now; call it until ok is false. It also sees to the deadlines of those being asked. Whoever is asked has
// the whole PeerTimeout, unless Expect says less.
func (l *Lookup) Next(now Time) (p Peer, ok bool) {
	l.expire(now)
	if l.done {
		return 0, false
	}
	awaited, places := l.waiting.count()
	full := places >= l.capacity()
	live, answered, open := 0, 0, false
	for i := range l.peers {
		c := &l.peers[i]
		switch c.state {
		case notContacted:
			// Nobody beyond the want nearest is needed while those may yet answer.
			if full || live >= max(l.want, l.alpha) {
				return 0, false
			}
			c.state = waiting
			l.waiting = append(l.waiting, inFlight{asked: now, patience: l.timeout, peer: c.peer})
			return c.peer, true
		case waiting:
			live++
			open = true
		case slow:
			open = true
		case succeeded:
			live++
			if answered++; answered == l.want && !open {
				l.done = true
				return 0, false
			}
		}
	}
	if awaited == 0 {
		if l.press() {
			return l.Next(now)
		}
		l.done = true
	}
	return 0, false
}

// Reply takes a peer's answer: the peers that it says are nearer. It is false for an answer that was not awaited.
func (l *Lookup) Reply(p Peer, closer []Peer) bool {
	awaited := l.awaits(p)
	l.forget(p)
	if !awaited {
		return false
	}
	l.silent, l.heard = 0, true
	c := l.candidate(p)
	c.state = succeeded
	hops := c.hops
	if hops < 255 {
		hops++
	}
	progress := len(l.peers) < l.want
	// An answer names the nearest first, as a rule, so each is looked for from where the one before stands: two sorted lists
	// are merged.
	at := 0
	for _, near := range closer {
		dist := l.distance(near)
		if at > 0 && l.peers[at-1].dist >= dist {
			at = 0
		}
		for at < len(l.peers) && l.peers[at].dist < dist {
			at++
		}
		i, known := l.settle(at, dist, near)
		if i = l.insertAt(i, known, candidate{dist: dist, peer: near, hops: hops}); i >= 0 && i < l.want {
			progress = true
		}
	}
	if progress {
		l.idle, l.stalled = 0, false
	} else if l.idle++; l.idle >= l.calm {
		l.stalled = true
	}
	return true
}

// Fail takes a peer's failure. It is false for one that was not being asked. A failure cannot undo an answer.
func (l *Lookup) Fail(p Peer) bool {
	awaited := l.awaits(p)
	l.forget(p)
	if awaited {
		l.candidate(p).state = failed
	}
	return awaited
}

// Finish ends the lookup with what it has.
func (l *Lookup) Finish() {
	l.done, l.finished = true, true
}

// FinishPath ends the lookup: it has one path.
func (l *Lookup) FinishPath(Peer) { l.Finish() }

// Done says whether the lookup has ended.
func (l *Lookup) Done() bool { return l.done }

// Has says whether a peer is among the candidates.
func (l *Lookup) Has(p Peer) bool { return l.candidate(p) != nil }

// awaits says whether an answer of the peer would count, be it late.
func (l *Lookup) awaits(p Peer) bool {
	c := l.candidate(p)
	return !l.done && c != nil && (c.state == waiting || c.state == slow || c.state == unresponsive)
}

// Asked says whether the peer is being asked and its time is not over.
func (l *Lookup) Asked(p Peer) bool {
	c := l.candidate(p)
	return c != nil && (c.state == waiting || c.state == slow)
}

// Awaited is how many are being asked whose time is not over.
func (l *Lookup) Awaited() int {
	n, _ := l.waiting.count()
	return n
}

// size is how many candidates there are.
func (l *Lookup) size() int { return len(l.peers) }

// request is the request to a peer, nil if none is under way.
func (l *Lookup) request(p Peer) *inFlight { return l.waiting.of(p) }

// requests calls f for each request.
func (l *Lookup) requests(f func(*inFlight)) {
	for i := range l.waiting {
		f(&l.waiting[i])
	}
}

// Result appends the nearest peers that have answered, nearest first, Want at the most. hops is the longest chain of
// peers that led to one of them.
func (l *Lookup) Result(dst []Peer) (result []Peer, hops int) {
	n := 0
	for i := range l.peers {
		if c := &l.peers[i]; c.state == succeeded && n < l.want {
			dst = append(dst, c.peer)
			hops = max(hops, int(c.hops))
			n++
		}
	}
	return dst, hops
}

// visit marks all peers that the lookup refers to.
func (l *Lookup) visit(mark func(Peer)) {
	for i := range l.peers {
		mark(l.peers[i].peer)
	}
	for i := range l.waiting { // some of whom may have fallen off the list's end
		mark(l.waiting[i].peer)
	}
}
