package kad

// How a Lookup bears with those whom it asks: when a request frees its place, when nobody waits for it any more, and who is
// asked last since it has left another's request without an answer. How long is usual, pacing.go learns.

// Expect says of the peer that Next has just given how long to bear with it, and whether it had to be dialled.
func (l *Lookup) Expect(p Peer, dialled bool, patience Duration) {
	f := l.waiting.of(p)
	f.dialled = dialled
	// In Alpha requests without an answer, or as many as are in flight, there is nobody to compare a slow one with.
	for range min(l.silent/l.capacity(), maxDoublings) {
		patience *= 2
	}
	f.patience = min(patience, l.timeout)
}

// Hasten shortens the patience with those who are being asked to what has become usual meanwhile.
func (l *Lookup) Hasten(dialled bool, patience Duration) {
	for i := range l.waiting {
		if f := &l.waiting[i]; f.dialled == dialled {
			f.patience = min(f.patience, patience)
		}
	}
}

// Excuse lengthens the patience with all whom the lookup asks.
func (l *Lookup) Excuse(d Duration) { l.excused = min(l.excused+d, l.timeout) }

// due is when the present stage of a request ends.
func (l *Lookup) due(f *inFlight) Time {
	switch {
	case f.stage == timely:
		return f.asked + Time(min(f.patience+l.excused, l.timeout))
	case f.stage == late && l.heard:
		return f.asked + Time(min(grace*f.patience+l.excused, l.timeout))
	}
	return f.asked + Time(l.timeout)
}

// expire takes the requests whose time has passed to their next stage.
func (l *Lookup) expire(now Time) {
	if l.Deadline() > now {
		return
	}
	kept := l.waiting[:0]
	for _, f := range l.waiting {
		c := l.candidate(f.peer) // nil if it fell off the list's end
		if f.stage == timely && l.due(&f) <= now {
			f.stage = late
			l.silent++
			if c != nil {
				c.state = slow
			}
		}
		if f.stage == late && l.due(&f) <= now {
			f.stage = overdue
			if c != nil {
				c.state = unresponsive
			}
		}
		if f.stage != overdue || f.asked+Time(l.timeout) > now {
			kept = append(kept, f)
		}
	}
	l.waiting = kept
}

// Deadline is when Next must be called again at the latest; 0 if nobody is waited for.
func (l *Lookup) Deadline() (at Time) {
	for i := range l.waiting {
		if f := &l.waiting[i]; f.stage != overdue {
			at = earlier(at, l.due(f))
		}
	}
	return at
}

// Postpone takes back that Next has given a peer: it is asked only if nobody else is left. It is false if that is so.
func (l *Lookup) Postpone(p Peer) bool {
	if l.pressed {
		return false
	}
	l.forget(p)
	l.candidate(p).state = postponed
	return true
}

// press makes those that were postponed the next to be asked. It is false if there is none.
func (l *Lookup) press() (any bool) {
	l.pressed = true
	for i := range l.peers {
		if c := &l.peers[i]; c.state == postponed {
			c.state, any = notContacted, true
		}
	}
	return any
}
