package p2p

import "sync/atomic"

// places are so many that can be taken at once. A channel would do, but all streams of a connection would meet at its lock
// twice for each request, where a place is nearly always free.
type places struct {
	free atomic.Int32 // below 0: so many wait
	wait chan struct{}
}

// init makes n places for takers who are at most so many.
func (p *places) init(n, takers int) {
	p.free.Store(int32(n))
	p.wait = make(chan struct{}, takers)
}

// try takes a place if one is free. Who gets none stands in line, and must await one.
func (p *places) try() bool { return p.free.Add(-1) >= 0 }

// await waits for a place. False: done was closed before there was one, and the places are of no use any more.
func (p *places) await(done <-chan struct{}) bool {
	select {
	case <-p.wait:
		return true
	case <-done:
		return false
	}
}

// give gives a place back, to the one who has waited for longest if there is one. It never waits: a place is held, free or
// in the channel, so that no more are in there than there are places, nor, as each is meant for one who waits, takers.
func (p *places) give() {
	if p.free.Add(1) <= 0 {
		p.wait <- struct{}{}
	}
}
