package kad

import (
	"cmp"
	"slices"
)

// Disjoint is a lookup along several paths which share no peer (S/Kademlia, Baumgart and Mies 2007; libp2p-kad's
// ClosestDisjointPeersIter): a peer that lies leads its own path astray and no other. It is driven as a Lookup is.
//
// There are Alpha paths, each a Lookup that starts from the same peers. A peer belongs to the path that asks it first, and
// the peers that it names are told to that path alone; the others only learn that it has answered or failed, without asking
// it again. It ends when all paths have. Each path asks one peer at a time, so that Alpha are in flight in all, as many as
// the configuration allows one lookup (libp2p-kad's has Alpha in each path, Alpha² in all). A path that is stalled or settled
// asks all of its nearest at once, as a Lookup does; all paths together have no more in flight then than one Lookup has.
type Disjoint struct {
	paths    []Lookup
	turn     int       // the path that may ask first
	contacts []contact // by handle: everybody who was asked
	want     int
	capacity int
}

// contact is a peer that was asked: by which path, and what came of it.
type contact struct {
	peer  Peer
	path  uint8
	state candidateState // waiting, succeeded or failed
}

// Begin makes ready for a new lookup.
func (d *Disjoint) Begin(dir *Directory, target Key, want int, cfg *Config) {
	*d = Disjoint{
		paths: slices.Grow(d.paths[:0], cfg.Alpha)[:cfg.Alpha], contacts: d.contacts[:0],
		want: want, capacity: max(want, cfg.Alpha),
	}
	for i := range d.paths {
		d.paths[i].Begin(dir, target, want, cfg)
		d.paths[i].alpha = 1
	}
}

// Seed gives each path the peers to start from, or to go on with. It says whether there was a new one.
func (d *Disjoint) Seed(near []Near) (more bool) {
	for i := range d.paths {
		if d.paths[i].Seed(near) {
			more = true
		}
	}
	return more
}

// contactAt is where a contact stands, or where it would.
func (d *Disjoint) contactAt(p Peer) (int, bool) {
	return slices.BinarySearchFunc(d.contacts, p, func(c contact, p Peer) int { return cmp.Compare(c.peer, p) })
}

// owner is the path that asked a peer; nil if none did.
func (d *Disjoint) owner(p Peer) *Lookup {
	if i, ok := d.contactAt(p); ok {
		return &d.paths[d.contacts[i].path]
	}
	return nil
}

// Next is whom to ask now; call it until ok is false. The paths take turns. Deadlines pass first, since they free places; as
// long as all are taken somebody is waited for, so that no path needs to notice its end.
func (d *Disjoint) Next(now Time) (p Peer, ok bool) {
	for i := range d.paths {
		d.paths[i].expire(now)
	}
	if d.places() >= d.capacity {
		return 0, false
	}
	for range d.paths {
		path := d.turn
		d.turn = (d.turn + 1) % len(d.paths)
		for p, ok = d.paths[path].Next(now); ok; p, ok = d.paths[path].Next(now) {
			if d.claim(path, p) {
				return p, true
			}
		}
	}
	return 0, false
}

// claim makes a peer that a path wants to ask a contact of that path. If it is another's the path learns what that one
// knows, and waits with it as long as it waits, which takes no place.
func (d *Disjoint) claim(path int, p Peer) bool {
	i, known := d.contactAt(p)
	if !known {
		d.contacts = slices.Insert(d.contacts, i, contact{p, uint8(path), waiting})
		return true
	}
	l, c := &d.paths[path], d.contacts[i]
	switch c.state {
	case succeeded:
		l.Reply(p, nil)
	case failed:
		l.Fail(p)
	default:
		if f := d.paths[c.path].waiting.of(p); f != nil {
			own := l.waiting.of(p)
			*own = *f
			own.foreign = true
			l.candidate(p).state = [...]candidateState{timely: waiting, late: slow, overdue: unresponsive}[f.stage]
		} else { // its path has given it up
			l.forget(p)
			l.candidate(p).state = unresponsive
		}
	}
	return false
}

// Postpone takes back that Next has given a peer: its path asks it only if nobody else is left.
func (d *Disjoint) Postpone(p Peer) bool {
	i, _ := d.contactAt(p)
	if !d.paths[d.contacts[i].path].Postpone(p) {
		return false
	}
	d.contacts = slices.Delete(d.contacts, i, i+1)
	return true
}

// places is how many requests hold a place, each counted in the path that sent it. Those of a path that has ended hold none:
// nobody looks at their deadlines any more.
func (d *Disjoint) places() (n int) {
	for i := range d.paths {
		if l := &d.paths[i]; !l.done {
			_, places := l.waiting.count()
			n += places
		}
	}
	return n
}

// Awaited is how many are being asked whose time is not over.
func (d *Disjoint) Awaited() (n int) {
	d.requests(func(f *inFlight) {
		if f.stage != overdue {
			n++
		}
	})
	return n
}

// requests calls f for each request, once.
func (d *Disjoint) requests(f func(*inFlight)) {
	for i := range d.paths {
		l := &d.paths[i]
		for j := range l.waiting {
			if !l.waiting[j].foreign {
				f(&l.waiting[j])
			}
		}
	}
}

// Expect says of the peer that Next has just given how long to bear with it, and whether it had to be dialled.
func (d *Disjoint) Expect(p Peer, dialled bool, patience Duration) {
	d.owner(p).Expect(p, dialled, patience)
}

// Hasten shortens the patience with those who are being asked to what has become usual meanwhile.
func (d *Disjoint) Hasten(dialled bool, patience Duration) {
	for i := range d.paths {
		d.paths[i].Hasten(dialled, patience)
	}
}

// Excuse lengthens the patience with all whom the paths ask.
func (d *Disjoint) Excuse(more Duration) {
	for i := range d.paths {
		d.paths[i].Excuse(more)
	}
}

// Deadline is when Next must be called again at the latest; 0 if nobody is waited for.
func (d *Disjoint) Deadline() (at Time) {
	for i := range d.paths {
		if l := &d.paths[i]; !l.done {
			at = earlier(at, l.Deadline())
		}
	}
	return at
}

// Reply takes a peer's answer: the peers that it says are nearer. It is false for an answer that was not awaited.
func (d *Disjoint) Reply(p Peer, closer []Peer) bool {
	return d.settle(p, succeeded, func(l *Lookup) bool {
		if l == d.owner(p) {
			return l.Reply(p, closer)
		}
		return l.Reply(p, nil)
	})
}

// Fail takes a peer's failure. It is false for one that was not being asked. A failure cannot undo an answer.
func (d *Disjoint) Fail(p Peer) bool {
	return d.settle(p, failed, func(l *Lookup) bool { return l.Fail(p) })
}

// settle tells all paths that wait for a peer what came of it. It counts if its own path awaited it, or another that does
// the same for want of a request of its own.
func (d *Disjoint) settle(p Peer, state candidateState, tell func(*Lookup) bool) (counts bool) {
	i, ok := d.contactAt(p)
	if !ok || d.contacts[i].state != waiting {
		return false
	}
	for j := range d.paths {
		if tell(&d.paths[j]) {
			counts = true
		}
	}
	if counts {
		d.contacts[i].state = state
	}
	return counts
}

// FinishPath ends the path that asked a peer with what it has.
func (d *Disjoint) FinishPath(p Peer) {
	if l := d.owner(p); l != nil {
		l.Finish()
	}
}

// Finish ends all paths with what they have.
func (d *Disjoint) Finish() {
	for i := range d.paths {
		d.paths[i].Finish()
	}
}

// Done says whether all paths have ended.
func (d *Disjoint) Done() bool {
	for i := range d.paths {
		if !d.paths[i].done {
			return false
		}
	}
	return true
}

// Short says whether all paths have come to their ends with fewer answers than wanted, but with some.
func (d *Disjoint) Short() bool {
	n, short := 0, false
	for i := range d.contacts {
		if d.contacts[i].state == succeeded {
			n++
		}
	}
	for i := range d.paths {
		short = short || d.paths[i].Short()
	}
	return short && d.Done() && n < d.want
}

// Has says whether a peer is among the candidates of a path.
func (d *Disjoint) Has(p Peer) bool {
	for i := range d.paths {
		if d.paths[i].Has(p) {
			return true
		}
	}
	return false
}

// size is how many candidates there are.
func (d *Disjoint) size() (n int) {
	for i := range d.paths {
		n += len(d.paths[i].peers)
	}
	return n
}

// awaits says whether an answer of the peer would count, be it late.
func (d *Disjoint) awaits(p Peer) bool {
	i, ok := d.contactAt(p)
	if !ok || d.contacts[i].state != waiting {
		return false
	}
	for j := range d.paths {
		if d.paths[j].awaits(p) {
			return true
		}
	}
	return false
}

// Asked says whether the peer is being asked and its time is not over.
func (d *Disjoint) Asked(p Peer) bool {
	l := d.owner(p)
	return l != nil && l.Asked(p)
}

// request is the request to a peer, nil if none is under way.
func (d *Disjoint) request(p Peer) *inFlight {
	if l := d.owner(p); l != nil {
		return l.request(p)
	}
	return nil
}

// Result appends the nearest Want of each path that have answered, all together nearest first and each once. In a network
// without liars the paths meet, and there are Want; with liars those that they put forward take no place from the others.
func (d *Disjoint) Result(dst []Peer) (result []Peer, hops int) {
	first := len(dst)
	for i := range d.paths {
		n := 0
		dst, n = d.paths[i].Result(dst)
		hops = max(hops, n)
	}
	own := dst[first:]
	if len(own) == 0 {
		return dst, hops
	}
	l := &d.paths[0]
	slices.SortFunc(own, func(a, b Peer) int { return l.target.Compare(l.dir.Key(a), l.dir.Key(b)) })
	return dst[:first+len(slices.Compact(own))], hops
}

// visit marks all peers that the lookup refers to.
func (d *Disjoint) visit(mark func(Peer)) {
	for i := range d.paths {
		d.paths[i].visit(mark)
	}
	for i := range d.contacts {
		mark(d.contacts[i].peer)
	}
}
