package p2p

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"

	"github.com/kadbench/kadbench/kad"
)

const (
	// rest is how long a stream stays unused after a reply before it is used again. FIND_NODE replies name no key, so
	// a second answer to the last request could pass for the answer to the next; one that comes within a rest is
	// noticed, and the stream is dropped. A lookup asks each peer once, so the rest costs it nothing.
	rest = 100 * time.Millisecond

	// maxRest is when an idle stream is closed: js-libp2p and go-libp2p-kad-dht drop theirs after 10 s and 60 s.
	maxRest = 9 * time.Second

	// maxIdle is how many idle streams are kept for a peer. One serves one lookup at a time; lookups that ask the same peer
	// within a rest of each other are seldom, but for those of a bootstrap, and each stream takes a goroutine and some
	// kilobytes on either side.
	maxIdle = 1

	// maxResting is how many are kept for all peers together: twice as many as there are peers in the table of a small
	// network, whom a busy node asks again and again.
	maxResting = 128
)

// take takes the stream that has rested long enough, but no longer than others: those that are too many are left to their
// end. nil: there is none. ADD_PROVIDER gets a fresh one always, since it is not used again.
func (o *outbound) take(r *request) *clientStream {
	if r.kind == kad.SendAddProvider {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.peers[r.peer]
	if q == nil || o.crowded(q) {
		return nil
	}
	for i := len(q.idle) - 1; i >= 0; i-- {
		if st := q.idle[i]; time.Since(st.rested) >= rest {
			o.rouse(st)
			return st
		}
	}
	return nil
}

// park lets a stream rest for the next request, or ends it. To end one may wait for a peer that does not read, so that
// is never done under a lock, nor while the answer of another peer waits to be stepped.
func (o *outbound) park(st *clientStream) {
	switch kept, crowded, surplus := o.keep(st); {
	case surplus != nil:
		o.n.work.Go(surplus.discard)
	case kept:
	case crowded:
		st.finish()
	default:
		st.discard()
	}
}

// keep puts a stream among those at rest, if there is a place, and says which one has to end for it.
func (o *outbound) keep(st *clientStream) (kept, crowded bool, surplus *clientStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue(st.peer)
	crowded = o.crowded(q)
	if o.closed || st.ended || len(q.idle) >= maxIdle || crowded {
		o.forget(st.peer, q)
		return false, crowded, nil
	}
	st.rested = time.Now()
	if st.dozes {
		st.timer = time.AfterFunc(rest, st.lull)
	} else {
		st.timer = time.AfterFunc(maxRest, st.expire)
	}
	q.idle = append(q.idle, st)
	o.resting = append(o.resting, st)
	if len(o.resting) > maxResting {
		surplus = o.resting[0]
		o.retire(surplus)
	}
	return true, false, surplus
}

// rouse takes a stream out of those at rest, if it is one. o.mu is held.
func (o *outbound) rouse(st *clientStream) {
	is := func(other *clientStream) bool { return other == st }
	if i := slices.IndexFunc(o.resting, is); i >= 0 {
		o.resting = slices.Delete(o.resting, i, i+1)
	}
	q := o.queue(st.peer)
	if i := slices.IndexFunc(q.idle, is); i >= 0 {
		q.idle = slices.Delete(q.idle, i, i+1)
		st.timer.Stop()
	}
}

// retire is rouse for a stream that rests no more, since it ends. o.mu is held.
func (o *outbound) retire(st *clientStream) {
	st.ended = true
	o.rouse(st)
	o.forget(st.peer, o.queue(st.peer))
}

// crowded says whether more than half of the streams that a peer may allow are open. o.mu is held.
//
// Then none rests any more, and each is used once and ended on both sides before its place goes to the next request, which
// mostly costs no time: the peer's end comes with its answer. For a stream that we reset may count a little longer with the
// peer, and at its limit the peer resets the next one. Below the half, as many may be ending as are open.
func (o *outbound) crowded(q *peerQueue) bool {
	return len(q.waiting) > 0 || q.running+len(q.idle) > o.n.limits.OutboundRequests/2
}

// makeRoom ends the streams at rest if one more request makes a crowd. Each holds a place until it has ended, and then a
// request that waits gets it. o.mu is held.
func (o *outbound) makeRoom(q *peerQueue) {
	if q.running+len(q.idle)+1 <= o.n.limits.OutboundRequests/2 {
		return
	}
	for _, st := range slices.Clone(q.idle) {
		o.rouse(st)
		q.running++
		o.n.work.Go(func() {
			st.finish()
			if r := o.next(q, st.peer); r != nil {
				o.run(q, r)
			}
		})
	}
}

// busy is crowded for those who do not hold the lock.
func (o *outbound) busy(p peer.ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.crowded(o.queue(p))
}

// restsFor says whether a stream has rested for so long. A timer that rings just as the stream is taken waits for the lock, and
// then it is used, or may rest again. o.mu is held.
func (st *clientStream) restsFor(d time.Duration) bool {
	return slices.Contains(st.o.resting, st) && time.Since(st.rested) >= d
}

// expire ends a stream that nobody needs any more.
func (st *clientStream) expire() {
	st.o.mu.Lock()
	over := st.restsFor(maxRest)
	if over {
		st.o.retire(st)
	}
	st.o.mu.Unlock()
	if over {
		st.discard()
	}
}

// drop ends a stream whose reader has ended, be it at rest or not.
func (st *clientStream) drop() {
	o := st.o
	o.mu.Lock()
	o.retire(st)
	o.mu.Unlock()
	st.discard()
}

// canDoze says whether a look at a stream need not wait: yamux gives what has come before it looks at the deadline. quic-go
// does not, and go-libp2p's mocknet knows no deadlines.
func canDoze(s network.Stream) bool { return s.Conn().ConnState().StreamMultiplexer == yamux.ID }

// lull ends the reader of a stream that has rested.
func (st *clientStream) lull() {
	st.o.mu.Lock()
	defer st.o.mu.Unlock()
	if !st.restsFor(rest) {
		return
	}
	st.timer = time.AfterFunc(maxRest-rest, st.expire)
	st.mu.Lock()
	st.dozing = true
	st.mu.Unlock()
	_ = st.s.SetReadDeadline(time.Unix(1, 0)) // waits for nobody
}

// What a reader does whose deadline is over.
type lulled int

const (
	timedOut lulled = iota // the time of the request in flight
	asleep                 // it ends, and the stream rests on
	roused                 // a request was sent before it ended: it goes on
)

func (st *clientStream) doze() lulled {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case !st.dozing:
		return timedOut
	case st.asking:
		st.dozing = false
		return roused
	}
	st.dozing, st.reading = false, false
	return asleep
}
