package sim

import "github.com/kadbench/kadbench/kad"

// connections are those of one node, if the world keeps any (Links.Idle). Each end closes a connection by its own clock, Idle
// after the last message on it; both have seen the same messages, so they do it at nearly the same time. Who dies closes
// nothing: the others find out.
type connections struct {
	list []connection
	wake kad.Time // when the first may be due to be closed; 0: never
}

type connection struct {
	peer kad.Peer
	last kad.Time // message
}

// maxConnections is how many a node keeps: the low water mark of go-libp2p's connection manager is 160. Of more the one that
// was idle longest is closed.
const maxConnections = 160

// has says whether there is a connection with a peer.
func (c *connections) has(p kad.Peer) bool { return c.at(p) >= 0 }

func (c *connections) at(p kad.Peer) int {
	if c == nil {
		return -1
	}
	for i := range c.list {
		if c.list[i].peer == p {
			return i
		}
	}
	return -1
}

// connected notes a message on the connection of a node with a peer. If there was none it has just been made: the core is
// told of it, and what both ends learn from each other over a new connection.
func (s *shard) connected(p kad.Peer, n *node, peer kad.Peer, dialler bool) {
	if i := n.conns.at(peer); i >= 0 {
		n.conns.list[i].last = s.now
		return
	}
	if n.conns == nil {
		n.conns = new(connections)
	}
	c := n.conns
	if len(c.list) == maxConnections {
		idlest := 0
		for i := range c.list {
			if c.list[i].last < c.list[idlest].last {
				idlest = i
			}
		}
		s.disconnect(p, n, idlest)
	}
	c.list = append(c.list, connection{peer, s.now})
	if due := s.now + s.w.idle; c.wake == 0 || due < c.wake {
		c.wake = due
	}
	info := kad.PeerInfo{Peer: peer}
	s.stepOnly(p, n, &kad.Input{Kind: kad.ConnectionEstablished, Peer: info, Conn: 1, Dialer: dialler})
	switch {
	case dialler:
		s.stepOnly(p, n, &kad.Input{Kind: kad.ProtocolConfirmed, Peer: info, Conn: 1, Dialer: true})
	case !s.w.nodes[peer].client:
		s.stepOnly(p, n, &kad.Input{Kind: kad.ProtocolsChanged, Peer: info, Supported: true})
	}
	s.setWake(p, n)
}

// disconnect closes one connection.
func (s *shard) disconnect(p kad.Peer, n *node, i int) {
	c := n.conns
	peer := c.list[i].peer
	c.list[i] = c.list[len(c.list)-1]
	c.list = c.list[:len(c.list)-1]
	s.step(p, n, &kad.Input{Kind: kad.ConnectionClosed, Peer: kad.PeerInfo{Peer: peer}, Conn: 1})
}

// closeIdle closes the connections that have carried nothing for Links.Idle.
func (s *shard) closeIdle(p kad.Peer, n *node) {
	c := n.conns
	if c.wake == 0 || c.wake > s.now {
		return
	}
	c.wake = 0
	for i := 0; i < len(c.list); {
		due := c.list[i].last + s.w.idle
		if due <= s.now {
			s.disconnect(p, n, i)
			continue
		}
		if c.wake == 0 || due < c.wake {
			c.wake = due
		}
		i++
	}
}

// dial carries out the core's wish to see whether a peer can be reached.
func (s *shard) dial(p kad.Peer, n *node, to kad.Peer) {
	if s.w.idle == 0 || n.conns.has(to) {
		return
	}
	s.send(p, n, to, &message{kind: dialled, session: n.session, asker: p, asked: s.now})
}

// dialled is the kind of a message that opens a connection and asks for nothing, and of its answer ConnectionEstablished is.
const dialled = kad.InConnected
