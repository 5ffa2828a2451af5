package p2p

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
)

// One connection to a peer is enough. Two nodes that look for each other at the same moment, as all do in a network that
// begins, dial each other and would keep both connections for ever, each with its four goroutines and 25 KB on either side:
// one in eight of them, in a network of a hundred.

const (
	// lookAgain is how long after a dial a peer's connections are counted: by then identify is through with each.
	lookAgain = 3 * time.Second
	// lookTimes is how often; whoever has streams on both for longer than that, what rests included (maxRest), needs both.
	lookTimes = 6
)

// single closes the connection that we have just made if the peer made one to us while we did, and ours is the larger id. The
// other side leaves both alone for now and looks again later, so that never both are closed: which of the two is older each
// side may see otherwise, as a handshake need not end on both at once.
func (o *outbound) single(c network.Conn) {
	p := c.RemotePeer()
	if o.n.id < p {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.look(p, lookTimes)
		return
	}
	older := func(other network.Conn) bool {
		s := other.Stat()
		return other != c && s.Direction == network.DirInbound && s.Opened.Before(c.Stat().Opened)
	}
	if c.Stat().Direction == network.DirOutbound && slices.ContainsFunc(o.direct(p), older) && unused(c) {
		_ = c.Close()
	}
}

// looks are the peers whose connections are counted later, in the order of the times; guarded by outbound.mu.
type looks struct {
	waiting []look
	timer   *time.Timer // for the first of them; nil: none waits
}

type look struct {
	peer  peer.ID
	due   time.Time
	times int
}

// maxLooks bounds those that wait: more dials than that in lookAgain are a crawl, not a network that begins.
const maxLooks = 10_000

// look counts a peer's connections later, once however many shared a dial. o.mu is held.
func (o *outbound) look(p peer.ID, times int) {
	waits := func(l look) bool { return l.peer == p }
	if o.closed || len(o.looks.waiting) >= maxLooks || slices.ContainsFunc(o.looks.waiting, waits) {
		return
	}
	o.looks.waiting = append(o.looks.waiting, look{p, time.Now().Add(lookAgain), times})
	if o.looks.timer == nil {
		o.looks.timer = time.AfterFunc(lookAgain, o.tidy)
	}
}

// tidy closes what is not used of several connections to a peer. The node with the smaller id does so, and the other leaves
// them alone.
func (o *outbound) tidy() {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	o.n.work.Add(1) // the host may stay when the node is closed, and then its connections are not ours to touch
	defer o.n.work.Done()
	l := &o.looks
	var due []look
	for len(l.waiting) > 0 && !time.Now().Before(l.waiting[0].due) {
		due, l.waiting = append(due, l.waiting[0]), l.waiting[1:]
	}
	l.timer = nil
	if len(l.waiting) > 0 {
		l.timer = time.AfterFunc(time.Until(l.waiting[0].due), o.tidy)
	}
	o.mu.Unlock()
	for _, d := range due {
		if o.n.ctx.Err() == nil && !o.leaveOne(d.peer) && d.times > 1 {
			o.mu.Lock()
			o.look(d.peer, d.times-1)
			o.mu.Unlock()
		}
	}
}

// leaveOne says whether there is one connection at most now. Those that the peer made go first, as the peer closes none but
// them; and none goes unless there is another at that moment, for they may end by themselves meanwhile.
func (o *outbound) leaveOne(p peer.ID) bool {
	conns := o.direct(p)
	slices.SortStableFunc(conns, func(a, b network.Conn) int { return int(a.Stat().Direction) - int(b.Stat().Direction) })
	left := func() int {
		conns = slices.DeleteFunc(conns, network.Conn.IsClosed)
		return len(conns)
	}
	for _, c := range slices.Clone(conns) {
		if left() > 1 && o.vacated(c) && left() > 1 && unused(c) {
			_ = c.Close()
		}
	}
	return left() <= 1
}

// vacated says whether a connection carries nothing but streams of ours that rest, and ends these: else two connections, on
// each of which one side's stream rests between its requests, would last as long as there are any. To end one may wait for
// seconds for a peer that does not read, time enough for another program to open its own.
func (o *outbound) vacated(c network.Conn) bool {
	o.mu.Lock()
	var resting []*clientStream
	for _, st := range o.resting {
		if st.s.Conn() == c {
			resting = append(resting, st)
		}
	}
	for _, s := range c.GetStreams() {
		ours := func(st *clientStream) bool { return st.s.ID() == s.ID() }
		if !identifies(s) && !slices.ContainsFunc(resting, ours) {
			o.mu.Unlock()
			return false
		}
	}
	for _, st := range resting {
		o.retire(st)
	}
	o.mu.Unlock()
	for _, st := range resting {
		st.discard()
	}
	return true
}

// direct lists the connections to a peer that go through no relay.
func (o *outbound) direct(p peer.ID) []network.Conn {
	return slices.DeleteFunc(slices.Clone(o.n.host.Network().ConnsToPeer(p)), func(c network.Conn) bool {
		return c.IsClosed() || c.Stat().Limited || isRelay(c.RemoteMultiaddr())
	})
}

// unused says whether a connection carries nothing, or identify alone.
func unused(c network.Conn) bool {
	return !slices.ContainsFunc(c.GetStreams(), func(s network.Stream) bool { return !identifies(s) })
}

// identifies says whether a stream is identify's. One without a protocol is one whose protocol is being agreed upon: the host
// may be shared, and that one another program's.
func identifies(s network.Stream) bool {
	return s.Protocol() == identify.ID || s.Protocol() == identify.IDPush
}
