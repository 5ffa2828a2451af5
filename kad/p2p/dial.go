package p2p

import (
	"context"
	"errors"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/kad"
)

// dials are those under way and those that wait for a place, first come first served. Guarded by outbound.mu.
type dials struct {
	places  int // Limits.Dials
	running int
	waiting []*dial
}

// dial is what all who want to reach one peer at a time share: a place among those under way. go-libp2p joins their
// attempts into one, so that no peer is dialled twice at once however many requests there are to it; and 32 requests to
// one dead peer hold one place, not 32.
//
// A dial goes on when the query that wanted it has ended: that a peer is dead, too, is worth knowing, since the table evicts
// it then, and every later query is spared the wait. It holds its place for RequestTimeout at the most (go-libp2p gives up
// after 5 s over QUIC), so 100 places are enough for ten new dead peers a second; who waits for a place longer than its own
// time fails with ErrRefused, which says nothing about the peer.
type dial struct {
	holders int
	running bool
	ready   chan struct{} // closed when it runs
}

func (o *outbound) connected(p peer.ID) bool {
	return o.n.host.Network().Connectedness(p) == network.Connected
}

// reach connects to the peer of a request unless it is connected.
func (o *outbound) reach(ctx context.Context, r *request) kad.ErrorKind {
	if o.connected(r.peer) {
		return kad.ErrNone
	}
	r.asker.note(routing.DialingPeer, r.peer, "", nil)
	return o.connect(ctx, r.peer, r.addrs)
}

// connect dials, when there is a place. It does not wait for identify, which runs beside the first request.
func (o *outbound) connect(ctx context.Context, p peer.ID, addrs kad.Addrs) kad.ErrorKind {
	d := o.join(p)
	defer o.leave(p, d)
	select {
	case <-d.ready:
	case <-ctx.Done():
		return kad.ErrRefused
	}
	o.n.host.Peerstore().AddAddrs(p, multiaddrs(addrs), peerstore.TempAddrTTL)
	c, err := o.n.host.Network().DialPeer(ctx, p)
	switch {
	case err == nil:
		o.single(c)
		return kad.ErrNone
	case o.n.ctx.Err() == nil && ctx.Err() != nil:
		return kad.ErrTimeout
	case errors.Is(err, network.ErrResourceLimitExceeded): // ours
		return kad.ErrRefused
	}
	o.addressesFailed(p, err)
	return kad.ErrDial
}

// join takes a share in the dial of a peer, and begins one if there is none.
func (o *outbound) join(p peer.ID) *dial {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue(p)
	if q.dial == nil {
		q.dial = &dial{ready: make(chan struct{})}
		if o.dials.running < o.dials.places {
			o.dials.run(q.dial)
		} else {
			o.dials.waiting = append(o.dials.waiting, q.dial)
		}
	}
	q.dial.holders++
	return q.dial
}

// leave gives a share back; the last one's place goes to the dial that has waited for longest.
func (o *outbound) leave(p peer.ID, d *dial) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if d.holders--; d.holders > 0 {
		return
	}
	q := o.queue(p)
	q.dial = nil
	o.forget(p, q)
	w := &o.dials.waiting
	if !d.running {
		for i, other := range *w {
			if other == d {
				*w = append((*w)[:i:i], (*w)[i+1:]...)
				break
			}
		}
		return
	}
	o.dials.running--
	if len(*w) > 0 {
		next := (*w)[0]
		*w = (*w)[1:]
		o.dials.run(next)
	}
}

func (ds *dials) run(d *dial) {
	ds.running++
	d.running = true
	close(d.ready)
}

// addressesFailed tells the core which addresses of a peer turned out to be dead, one by one, so that it keeps those that
// were not: go-libp2p tells of each that it tried when none of them led to the peer.
func (o *outbound) addressesFailed(p peer.ID, err error) {
	var failed *swarm.DialError
	if !errors.As(err, &failed) {
		return
	}
	for _, e := range failed.DialErrors {
		if provesDead(e.Cause) {
			o.step(kad.Input{Kind: kad.AddressFailed, Peer: kad.PeerInfo{ID: []byte(p)}, Addr: withoutPeer(e.Address).Bytes()})
		}
	}
}

// provesDead says whether an address failed because of what is there, or is not. Many fail because of us: it was not tried
// (we have no such transport, or tried a moment ago), or our own network is down.
func provesDead(err error) bool {
	for _, ours := range []error{
		swarm.ErrNoTransport, swarm.ErrDialBackoff, swarm.ErrDialRefusedBlackHole, swarm.ErrGaterDisallowedConnection,
		swarm.ErrQUICDraft29, swarm.ErrSwarmClosed, context.Canceled, network.ErrResourceLimitExceeded,
		syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EMFILE, syscall.EADDRNOTAVAIL,
	} {
		if errors.Is(err, ours) {
			return false
		}
	}
	return true
}

// withoutPeer cuts off the peer's own id, the form in which tables hold an address.
func withoutPeer(a ma.Multiaddr) ma.Multiaddr {
	if transport, last := ma.SplitLast(a); last != nil && last.Protocol().Code == ma.P_P2P {
		return transport
	}
	return a
}

// dial runs a Dial command; its success shows as a connection. False: too many wait.
func (o *outbound) dial(c *kad.Command) bool {
	p, addrs := peer.ID(c.Peer.ID), c.Peer.Addrs
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.dialing >= maxDialing {
		return false
	}
	o.dialing++
	o.n.work.Go(func() {
		ctx, cancel := context.WithTimeout(o.n.ctx, o.n.limits.RequestTimeout)
		defer cancel()
		why := o.connect(ctx, p, addrs)
		o.mu.Lock()
		o.dialing--
		o.mu.Unlock()
		if why != kad.ErrNone {
			o.step(kad.Input{Kind: kad.DialFailed, Peer: kad.PeerInfo{ID: []byte(p)}, Err: why})
		}
	})
	return true
}
