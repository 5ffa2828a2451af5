package kad

// How long a query bears with a peer. A dead peer must not hold a query up for the whole PeerTimeout, and a slow one must
// not be taken for dead. So there are two moments before that: a request that takes longer than requests usually do frees
// its place among those in flight, and one that takes twice as long is waited for no more. Its answer counts all the same
// as long as the query runs.
//
// What is usual each node learns from its own answers as TCP learns when to send again (RFC 6298): from the mean and the
// mean deviation of the time that they took, apart for peers that were connected when they were asked and for those that
// had to be dialled, which takes two or three round trips more. Time is Step's, numbers are integers: it can be replayed.

// pacing is what a node has learnt.
type pacing struct {
	connected, dialled estimate
	stragglers         []straggler // in the order in which their queries ended; nil until there is one
}

// straggler is a request that its query did not wait for. Its answer still teaches: or a node would only ever learn from
// the quick, and miss the slow each time. As long as there is none, no other query asks the same peer, unless it has nobody
// else: every lookup would meet the same dead.
type straggler struct {
	query   QueryID
	asked   Time
	peer    Peer
	dialled bool
}

// maxStragglers bounds them: six times as many as a lookup leaves behind if a fifth of the peers is dead; 800 bytes.
const maxStragglers = 32

// estimate follows the time that answers take, in microseconds: over an hour in 32 bits.
type estimate struct {
	mean, deviation uint32
	answers         uint8 // so many at least
}

const (
	// firstPatience is that of a node which has had no answer yet. A QUIC or TCP handshake whose first packet is lost tries
	// again after one second (RFC 9002 6.2.2, RFC 6298 2.1), so that such a peer is still waited for. It halves with each of
	// the first three answers; what it is then, 250 ms, remains the least: a pause of a garbage collector or a lost packet
	// on a connection of 50 ms (sent again after 100 ms or so) does not make a peer slow.
	firstPatience = 2 * Second
	halvings      = 3
	// grace is how many times its patience a peer among the nearest is waited for at the end of a lookup.
	grace = 2
	// storingPatience is how many times the patience a request to store is borne with: it may have to be written to a disk, and
	// who is given it has just proved to be alive.
	storingPatience = 4
	// maxSample bounds what is learnt from one answer, since it has 32 bits: one hour.
	maxSample = Hour
)

// patience is how long a request usually takes at the most: the mean and four deviations.
func (e *estimate) patience() Duration {
	usual := (Duration(e.mean) + 4*Duration(e.deviation)) * 1000
	return max(usual, firstPatience>>min(e.answers, halvings))
}

// learn takes the time of one more answer, with the gains of RFC 6298: an eighth of the mean, a quarter of the deviation.
// The deviation falls four times more slowly than it rises: if one peer of ten is slow, nine quick answers must not make
// forget it, or the slow one would be missed each time.
func (e *estimate) learn(took Duration) {
	us := min(max(took, 0), maxSample) / 1000
	if e.answers == 0 {
		e.mean, e.deviation, e.answers = uint32(us), uint32(us/2), 1
		return
	}
	off := us - Duration(e.mean)
	e.mean = uint32(Duration(e.mean) + off/8)
	if more := max(off, -off) - Duration(e.deviation); more > 0 {
		e.deviation += uint32(more / 4)
	} else {
		e.deviation -= uint32(-more / 16)
	}
	e.answers = min(e.answers+1, halvings)
}

// of is the estimate for one kind of request.
func (p *pacing) of(dialled bool) *estimate {
	if dialled {
		return &p.dialled
	}
	return &p.connected
}

// patience is how long a request is borne with now: what is configured, or what is usual; PeerTimeout at the most.
func (p *pacing) patience(dialled bool, cfg *Config) Duration {
	switch {
	case cfg.Patience < 0:
		return cfg.PeerTimeout
	case cfg.Patience > 0:
		return min(cfg.Patience, cfg.PeerTimeout)
	}
	return min(p.of(dialled).patience(), cfg.PeerTimeout)
}

// leave remembers whom a lookup that ends has lost patience with. Of too many the newest stay.
func (p *pacing) leave(query QueryID, s search) {
	s.requests(func(f *inFlight) {
		if f.stage == timely {
			return
		}
		if len(p.stragglers) == maxStragglers {
			p.stragglers = p.stragglers[:copy(p.stragglers, p.stragglers[1:])]
		}
		p.stragglers = append(p.stragglers, straggler{query, f.asked, f.peer, f.dialled})
	})
}

// arrive takes the answer of a straggler, or its failure, which teaches nothing. It is false if none is awaited.
func (p *pacing) arrive(now Time, query QueryID, peer Peer, failed bool) bool {
	for i := range p.stragglers {
		if s := &p.stragglers[i]; s.query == query && s.peer == peer {
			if !failed {
				p.of(s.dialled).learn(Duration(now - s.asked))
			}
			p.stragglers = append(p.stragglers[:i], p.stragglers[i+1:]...)
			return true
		}
	}
	return false
}

// doubts says whether a peer has left another query's request without an answer, and may do so for a while yet.
func (p *pacing) doubts(now Time, peer Peer, cfg *Config) bool {
	for i := range p.stragglers {
		if s := &p.stragglers[i]; s.peer == peer && now < s.asked+Time(cfg.PeerTimeout) {
			return true
		}
	}
	return false
}

// visit marks the peers of stragglers.
func (p *pacing) visit(mark func(Peer)) {
	for i := range p.stragglers {
		mark(p.stragglers[i].peer)
	}
}

// inFlight is a request whose answer is awaited.
type inFlight struct {
	asked    Time
	patience Duration
	peer     Peer
	dialled  bool // the peer was not connected when it was asked
	foreign  bool // another path of a Disjoint sent it
	stage    stage
}

// stage is how long a request has taken: it holds a place, then the end of the phase, then nothing.
type stage uint8

const (
	timely stage = iota
	late
	overdue
)

// flight is the requests of one lookup in the order in which they were sent, each until its answer or PeerTimeout.
type flight []inFlight

// of is a peer's request, nil if it has none. It is good until the list changes. The youngest comes first: there the
// request is that was sent a moment ago.
func (f flight) of(p Peer) *inFlight {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].peer == p {
			return &f[i]
		}
	}
	return nil
}

// count is how many requests are not overdue, and how many of them hold a place.
func (f flight) count() (awaited, places int) {
	for i := range f {
		if f[i].stage != overdue {
			awaited++
		}
		if f[i].stage == timely && !f[i].foreign {
			places++
		}
	}
	return awaited, places
}
