package p2p

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/kadbench/kadbench/kad"
)

// outbound carries the core's requests to peers: a queue for each peer, so that their order is the core's, and as many
// goroutines as there are requests under way, none when there is nothing to send.
type outbound struct {
	n *Node

	mu      sync.Mutex // taken under Node.mu; never the other way round
	closed  bool
	peers   map[peer.ID]*peerQueue
	dialing int // Dial commands that run or wait
	dials   dials
	resting []*clientStream // of all peers, the one that has rested longest first
	looks   looks
}

// maxDialing bounds the Dial commands that wait for a place: ten for each that runs. A core that wants more is told
// that the dial failed.
const maxDialing = 1000

// peerQueue is what is under way to one peer; it exists while there is a request, a dial or an idle stream.
type peerQueue struct {
	waiting []*request
	running int             // requests, and streams that are being ended
	idle    []*clientStream // the one that has rested longest first
	dial    *dial           // nil: nobody dials it
	closed  []kad.ConnID    // connections that ended while requests run, of which the core is told after the last of them
}

// request is one to send, with all that it needs once the lock is gone.
type request struct {
	kind      kad.CommandKind
	peer      peer.ID
	query     kad.QueryID
	asker     *query // who waits for that query; nil: nobody, it is a job's
	addrs     kad.Addrs
	key       []byte
	record    kad.Record
	providers []kad.PeerInfo
	deadline  time.Time
	conn      network.Conn // on which it went out last; nil: on none
}

func (o *outbound) init(n *Node) {
	o.n = n
	o.dials.places = n.limits.Dials
	o.peers = make(map[peer.ID]*peerQueue)
}

// send queues a request of the core. It is called under Node.mu and copies what the command only lends.
func (o *outbound) send(c *kad.Command, now time.Time) kad.ErrorKind {
	r := &request{
		kind:      c.Kind,
		peer:      peer.ID(c.Peer.ID),
		query:     c.Query,
		asker:     o.n.queries[c.Query],
		addrs:     c.Peer.Addrs,
		key:       append([]byte(nil), c.Key...),
		record:    c.Record,
		providers: append([]kad.PeerInfo(nil), c.Providers...),
		deadline:  now.Add(o.n.limits.RequestTimeout),
	}
	r.record.Key = append([]byte(nil), c.Record.Key...)

	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return kad.ErrRefused
	}
	q := o.queue(r.peer)
	o.makeRoom(q)
	if q.running >= o.n.limits.OutboundRequests {
		if len(q.waiting) >= o.n.limits.OutboundQueue {
			return kad.ErrRefused
		}
		q.waiting = append(q.waiting, r)
		return kad.ErrNone
	}
	q.running++
	o.n.work.Go(func() { o.run(q, r) })
	return kad.ErrNone
}

func (o *outbound) queue(p peer.ID) *peerQueue {
	q := o.peers[p]
	if q == nil {
		q = &peerQueue{}
		o.peers[p] = q
	}
	return q
}

// run performs a request and then those that waited for its place.
func (o *outbound) run(q *peerQueue, r *request) {
	for r != nil {
		o.perform(r)
		r = o.next(q, r.peer)
	}
}

// next is the request that takes the place of one that is over; nil: none waits, and the place is free.
func (o *outbound) next(q *peerQueue, p peer.ID) *request {
	o.mu.Lock()
	if len(q.waiting) > 0 {
		defer o.mu.Unlock()
		r := q.waiting[0]
		q.waiting = q.waiting[1:]
		return r
	}
	q.running--
	var closed []kad.ConnID
	if q.running == 0 {
		closed, q.closed = q.closed, nil
	}
	o.forget(p, q)
	o.mu.Unlock()
	if len(closed) > 0 {
		o.n.mu.Lock()
		defer o.n.mu.Unlock()
		for _, id := range closed {
			o.n.connectionClosed(p, id)
		}
	}
	return nil
}

// maxHeldBack is of how many connections of a peer the end is held back: more than a peer loses while a request runs. Requests to
// one that comes and goes all the time, and is late with each answer, may never be over all at once.
const maxHeldBack = 8

// holdBack says whether the core is told of a connection's end only later: requests are under way to the peer, and each is
// tried again on another connection, or fails and says so itself. The core fails all of them at once when it hears that
// the peer is gone. It is called under Node.mu.
func (o *outbound) holdBack(p peer.ID, id kad.ConnID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.peers[p]
	if q == nil || q.running == 0 || len(q.closed) == maxHeldBack || o.closed {
		return false
	}
	q.closed = append(q.closed, id)
	return true
}

// forget drops an empty queue; o.mu is held.
func (o *outbound) forget(p peer.ID, q *peerQueue) {
	if q.running == 0 && len(q.waiting) == 0 && len(q.idle) == 0 && q.dial == nil && o.peers[p] == q {
		delete(o.peers, p)
	}
}

// perform brings one request to its peer and steps what came of it.
func (o *outbound) perform(r *request) {
	ctx, cancel := context.WithDeadline(o.n.ctx, r.deadline)
	defer cancel()
	in, why := o.attempt(ctx, r)
	if why != kad.ErrNone {
		r.asker.note(routing.QueryError, r.peer, why.String(), nil)
		if why == kad.ErrDial {
			o.step(kad.Input{Kind: kad.DialFailed, Peer: kad.PeerInfo{ID: []byte(r.peer)}})
		}
		o.step(kad.Input{Kind: kad.QueryError, Peer: kad.PeerInfo{ID: []byte(r.peer)}, Query: r.query, Key: r.key, Err: why})
		return
	}
	if r.kind != kad.SendAddProvider { // that has no answer
		r.asker.note(routing.PeerResponse, r.peer, "", in.Closer)
	}
	r.asker.seek(in.Closer)
	o.step(in)
}

func (o *outbound) step(in kad.Input) { _ = o.n.do(in, nil) }

// attempt asks, and once more if the connection was there before and turned out to be at its end, or was closed because there
// is another (single.go): peers and their connection managers close connections as they like, and that one did says nothing
// about whether the peer would answer. That it may have read the request before does no harm (unsettled says why).
func (o *outbound) attempt(ctx context.Context, r *request) (kad.Input, kad.ErrorKind) {
	if ctx.Err() != nil { // while it waited for its turn; no stream shall suffer for that
		return kad.Input{}, kad.ErrTimeout
	}
	found := o.connected(r.peer)
	in, why := o.once(ctx, r)
	if (found || o.connected(r.peer)) && why == kad.ErrReset && ctx.Err() == nil && (r.conn == nil || r.conn.IsClosed()) {
		return o.once(ctx, r)
	}
	return in, why
}

// once connects if need be, and asks on a stream that has rested or on a new one. A rested stream which turns out to be dead
// before any byte of the reply came is replaced.
func (o *outbound) once(ctx context.Context, r *request) (kad.Input, kad.ErrorKind) {
	r.conn = nil
	if why := o.reach(ctx, r); why != kad.ErrNone {
		return kad.Input{}, why
	}
	r.noteSending()
	if st := o.take(r); st != nil {
		r.conn = st.s.Conn()
		in, why, again := st.ask(ctx, r)
		if !again {
			return in, why
		}
		r.conn = nil
	}
	st, why := o.newStream(ctx, r)
	if why != kad.ErrNone {
		return kad.Input{}, why
	}
	r.conn = st.s.Conn()
	in, why, _ := st.ask(ctx, r)
	if !st.unsettled(why) || ctx.Err() != nil || r.conn.IsClosed() {
		return in, why
	}
	if st, why = o.negotiated(ctx, r); why != kad.ErrNone {
		return kad.Input{}, why
	}
	r.conn = st.s.Conn()
	in, why, _ = st.ask(ctx, r)
	return in, why
}

// close ends all requests and streams. New ones are refused; those under way end with the node's context.
func (o *outbound) close() {
	o.mu.Lock()
	o.closed = true
	idle := o.resting
	o.resting = nil
	if o.looks.timer != nil {
		o.looks.timer.Stop()
	}
	for _, st := range idle {
		st.timer.Stop()
	}
	for _, q := range o.peers {
		q.idle, q.waiting = nil, nil
	}
	o.mu.Unlock()
	var ended sync.WaitGroup
	for _, st := range idle { // at once: each may wait for its peer
		ended.Go(st.discard)
	}
	ended.Wait()
}
