package p2p

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
)

// oneSide is a host that has connections to one peer.
type oneSide struct {
	host.Host
	conns connsOf
}

func (s *oneSide) Network() network.Network { return s.conns }

type connsOf struct {
	network.Network
	all []network.Conn
}

func (c connsOf) ConnsToPeer(peer.ID) []network.Conn { return c.all }

// link is a connection with some streams, of which only the protocol is known.
type link struct {
	network.Conn
	to      peer.ID
	stat    network.ConnStats
	addr    ma.Multiaddr
	streams []network.Stream
	closed  bool
	closes  func() // what it does first; nil: nothing
}

func (c *link) RemotePeer() peer.ID           { return c.to }
func (c *link) RemoteMultiaddr() ma.Multiaddr { return c.addr }
func (c *link) Stat() network.ConnStats       { return c.stat }
func (c *link) GetStreams() []network.Stream  { return c.streams }
func (c *link) IsClosed() bool                { return c.closed }

func (c *link) Close() error {
	if c.closes != nil {
		c.closes()
	}
	c.closed = true
	return nil
}

type named struct {
	network.Stream
	protocol protocol.ID
}

func (s named) Protocol() protocol.ID { return s.protocol }

// connTo is a connection that was opened so many milliseconds after the others.
func connTo(to peer.ID, direction network.Direction, opened int, protocols ...protocol.ID) *link {
	c := &link{to: to, addr: ma.StringCast("/ip4/127.0.0.1/tcp/1")}
	c.stat.Direction, c.stat.Opened = direction, time.Unix(0, 0).Add(time.Duration(opened)*time.Millisecond)
	for _, p := range protocols {
		c.streams = append(c.streams, named{protocol: p})
	}
	return c
}

// sideOf is the outbound half of a node with these connections.
func sideOf(t *testing.T, id peer.ID, conns ...network.Conn) *outbound {
	o := &outbound{n: &Node{id: id, host: &oneSide{conns: connsOf{all: conns}}}}
	t.Cleanup(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.looks.timer != nil {
			o.looks.timer.Stop()
		}
	})
	return o
}

// TestSingle: of two connections that two nodes made to each other at once one is closed, and by one side only, whichever
// each of them saw first: a handshake that ends later where it began makes both think that the other's was there before.
func TestSingle(t *testing.T) {
	for name, opened := range map[string]struct{ own, others int }{
		"each saw the other's first": {own: 2, others: 1},
		"each saw its own first":     {own: 1, others: 2},
	} {
		t.Run(name, func(t *testing.T) {
			a1, a2 := connTo("b", network.DirOutbound, opened.own), connTo("b", network.DirInbound, opened.others)
			b1, b2 := connTo("a", network.DirInbound, opened.others), connTo("a", network.DirOutbound, opened.own)
			a, b := sideOf(t, "a", a1, a2), sideOf(t, "b", b1, b2)
			a.single(a1)
			a.single(a1) // by another request that waited for the same dial
			b.single(b2)
			assert.False(t, a1.closed, "the smaller id looks later")
			assert.Len(t, a.looks.waiting, 1)
			assert.Equal(t, opened.own > opened.others, b2.closed)
			assert.False(t, a2.closed || b1.closed, "what the other made")

			a2.closed = a2.closed || b2.closed
			assert.True(t, a.leaveOne("b"))
			assert.False(t, a1.closed, "the one that the other side never closes")
			assert.True(t, a2.closed)
		})
	}
}

// TestTidyEndsWithTheNode: whoever waits for the node's end waits for connections that are being closed.
func TestTidyEndsWithTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		one, two := connTo("b", network.DirInbound, 1), connTo("b", network.DirOutbound, 2)
		one.closes = func() { <-goOn }
		o := sideOf(t, "a", one, two)
		o.n.ctx = t.Context()
		o.looks.waiting = []look{{peer: "b", due: time.Now(), times: 1}}
		go o.tidy()
		synctest.Wait()
		ended := false
		go func() { o.n.work.Wait(); ended = true }()
		synctest.Wait()
		assert.False(t, ended)
		close(goOn)
		synctest.Wait()
		assert.True(t, ended)

		o.closed, one.closed = true, false
		o.looks.waiting = []look{{peer: "b", due: time.Now(), times: 1}}
		o.tidy() // the timer rang as the node was closed
		assert.False(t, one.closed)
	})
}

// TestUnused: a connection with streams is left alone, those included whose protocol is not known yet; and so is one by way of
// a relay, whatever there is beside it.
func TestUnused(t *testing.T) {
	identified := connTo("b", network.DirInbound, 1, identify.ID, identify.IDPush)
	negotiating, used := connTo("b", network.DirInbound, 2, ""), connTo("b", network.DirInbound, 3, "/else")
	relayed := connTo("b", network.DirInbound, 4)
	relayed.addr = ma.StringCast("/ip4/127.0.0.1/tcp/1/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC/p2p-circuit")
	own := connTo("b", network.DirOutbound, 5)
	o := sideOf(t, "a", identified, negotiating, used, relayed, own)
	assert.False(t, o.leaveOne("b"))
	assert.True(t, identified.closed)
	assert.False(t, negotiating.closed, "it may be another program's, that waits for identify")
	assert.False(t, used.closed)
	assert.False(t, relayed.closed)
	assert.True(t, own.closed)

	direct := connTo("b", network.DirOutbound, 5)
	o = sideOf(t, "a", relayed, direct)
	assert.True(t, o.leaveOne("b"), "the only one that is direct")
	assert.False(t, direct.closed || relayed.closed)
}

// restingOn is a stream of ours that rests on a connection.
type restingOn struct {
	named
	id    string
	conn  *link
	reset func() // what happens as it ends
}

func (s *restingOn) ID() string         { return s.id }
func (s *restingOn) Conn() network.Conn { return s.conn }

func (s *restingOn) Reset() error {
	s.conn.streams = slices.DeleteFunc(s.conn.streams, func(other network.Stream) bool { return other == s })
	s.reset()
	return nil
}

// TestVacated: a connection on which nothing but a stream of ours rests is closed, and the stream ended; one on which the
// other side's stream rests is not, nor one that another program uses, or that is the only one, by the time that ours has ended.
func TestVacated(t *testing.T) {
	theirs := &restingOn{named: named{protocol: DefaultProtocol}, id: "theirs"}
	for name, test := range map[string]struct {
		meanwhile func(first, second *link)
		closed    bool
		one       bool
	}{
		"ours alone":          {meanwhile: func(_, _ *link) {}, closed: true, one: true},
		"used meanwhile":      {meanwhile: func(_, second *link) { second.streams = append(second.streams, named{protocol: "/else"}) }},
		"the only one by now": {meanwhile: func(first, _ *link) { first.closed = true }, one: true},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := connTo("b", network.DirInbound, 1), connTo("b", network.DirOutbound, 2)
			o := sideOf(t, "a", first, second)
			o.peers = map[peer.ID]*peerQueue{}
			ended := false
			own := &restingOn{named: named{protocol: DefaultProtocol}, id: "own", conn: second, reset: func() {
				ended = true
				test.meanwhile(first, second)
			}}
			second.streams, first.streams = []network.Stream{own}, []network.Stream{theirs}
			st := &clientStream{o: o, s: own, peer: "b", timer: time.NewTimer(time.Hour)}
			o.resting, o.queue("b").idle = []*clientStream{st}, []*clientStream{st}

			assert.Equal(t, test.one, o.leaveOne("b"))
			assert.True(t, ended)
			assert.Equal(t, test.closed, second.closed)
			assert.Len(t, first.streams, 1)
			assert.Empty(t, o.resting)
			assert.Empty(t, o.peers)
			assert.True(t, st.ended)
		})
	}
}
