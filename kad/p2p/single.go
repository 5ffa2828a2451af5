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
	// lookAgain is how long after a dial its connections are counted. By then what rests has ended (maxRest).
	lookAgain = 15 * time.Second
	// lookTimes is how often; whoever has streams on both for longer than that needs both.
	lookTimes = 4
)

// single closes the connection that we have just made if the peer made one to us while we did. Only the later of the two
// sides sees a connection that is older than its own, so never both are closed. If both were made at once nobody sees that
// now, and one of the two sides looks again later.
func (o *outbound) single(c network.Conn) {
	p := c.RemotePeer()
	older := func(other network.Conn) bool {
		s := other.Stat()
		return other != c && s.Direction == network.DirInbound && s.Opened.Before(c.Stat().Opened)
	}
	if c.Stat().Direction == network.DirOutbound && slices.ContainsFunc(o.direct(p), older) && unused(c) {
		_ = c.Close()
		return
	}
	if o.n.id < p {
		time.AfterFunc(lookAgain, func() { o.tidy(p, lookTimes) })
	}
}

// tidy closes what is not used of several connections to a peer. The node with the smaller id does so, and the other leaves
// them alone.
func (o *outbound) tidy(p peer.ID, times int) {
	conns := o.direct(p)
	left := len(conns)
	if o.n.ctx.Err() != nil || left < 2 {
		return
	}
	for _, c := range conns {
		if left > 1 && unused(c) {
			_ = c.Close()
			left--
		}
	}
	if left > 1 && times > 1 {
		time.AfterFunc(lookAgain, func() { o.tidy(p, times-1) })
	}
}

// direct lists the connections to a peer that go through no relay.
func (o *outbound) direct(p peer.ID) []network.Conn {
	return slices.DeleteFunc(slices.Clone(o.n.host.Network().ConnsToPeer(p)), func(c network.Conn) bool {
		return c.Stat().Limited || c.IsClosed()
	})
}

// unused says whether a connection carries nothing, or identify alone.
func unused(c network.Conn) bool {
	return !slices.ContainsFunc(c.GetStreams(), func(s network.Stream) bool {
		p := s.Protocol()
		return p != "" && p != identify.ID && p != identify.IDPush
	})
}
