package kadtest

import (
	"slices"

	"github.com/kadbench/kadbench/kad"
)

// connected says whether two nodes have a connection.
func connected(a, b *Node) bool { return slices.Contains(a.links, b) }

// dial connects two nodes, and tells both as a host would: the connection, that it is the first, and what identify says.
func (e *Env) dial(from, to *Node) bool {
	if connected(from, to) {
		return true
	}
	if to.state != up || from == to {
		return false
	}
	from.links, to.links = append(from.links, to), append(to.links, from)
	e.lastConn++
	for _, s := range []struct {
		n, other *Node
		dialer   bool
	}{{from, to, true}, {to, from, false}} {
		addr := s.other.Addr
		if !s.dialer {
			addr = []byte("ephemeral")
		}
		e.Step(s.n, kad.Input{Kind: kad.ConnectionEstablished, Peer: info(s.other), Conn: e.lastConn, Addr: addr, Dialer: s.dialer}, false)
		e.Step(s.n, kad.Input{Kind: kad.InConnected, Peer: info(s.other)}, false)
	}
	e.identify(to, from)
	e.identify(from, to)
	return true
}

// identify tells one node what another is: whether it serves, and where it listens.
func (e *Env) identify(who, to *Node) {
	p := info(who)
	p.Addrs = addrs(who.Addr)
	e.Step(to, kad.Input{Kind: kad.ProtocolsChanged, Peer: p, Supported: who.K.Mode() == kad.ModeServer}, false)
}

// hangup ends the connection of two nodes.
func (e *Env) hangup(a, b *Node) {
	if !connected(a, b) {
		return
	}
	for _, s := range [][2]*Node{{a, b}, {b, a}} {
		s[0].links = slices.DeleteFunc(s[0].links, func(n *Node) bool { return n == s[1] })
		e.Step(s[0], kad.Input{Kind: kad.InDisconnected, Peer: info(s[1])}, false)
	}
}

// deliver takes one message off its sender's hands: dials if need be, and gives it to its receiver.
func (e *Env) deliver(m message) {
	if m.from != nil && m.from.state != up && !m.reply {
		return
	}
	if e.cut != nil && m.from != nil && m.to != nil && e.cut(m.from, m.to) {
		return
	}
	if m.reply {
		e.deliverReply(m)
		return
	}
	if m.to != nil && m.to.state == dead {
		return // neither an answer nor an error
	}
	if m.to == nil || !connected(m.from, m.to) {
		known := m.to != nil && m.cmd.Peer.Addrs.Contains(m.to.Addr)
		ok := known && e.dial(m.from, m.to)
		if e.level == "all" {
			e.printf("%s dials %s: %s", m.from.Name, e.names(m.from).Peer(m.cmd.Peer), map[bool]string{true: "connected", false: "failed"}[ok])
		}
		if !ok {
			e.Step(m.from, kad.Input{Kind: kad.DialFailed, Peer: m.cmd.Peer}, true)
			return
		}
	}
	if m.cmd.Kind == kad.Dial {
		return
	}
	if m.cmd.Kind == kad.SendAddProvider {
		e.Step(m.from, kad.Input{Kind: kad.AddProviderRes, Peer: info(m.to), Query: m.cmd.Query}, true)
	}
	e.request(m)
}

// request gives a request to its receiver.
func (e *Env) request(m message) {
	if m.to.K.Mode() != kad.ModeServer {
		e.Step(m.from, kad.Input{Kind: kad.QueryError, Peer: info(m.to), Query: m.cmd.Query, Key: m.cmd.Key, Err: kad.ErrUnsupported}, true)
		return
	}
	e.lastReq++
	e.requests[e.lastReq] = m
	in := kad.Input{Peer: info(m.from), Request: e.lastReq, Key: m.cmd.Key}
	switch m.cmd.Kind {
	case kad.SendFindNode:
		in.Kind = kad.FindNodeReq
	case kad.SendGetProviders:
		in.Kind = kad.GetProvidersReq
	case kad.SendAddProvider:
		in.Kind, in.Providers = kad.AddProvider, m.cmd.Providers
	case kad.SendGetRecord:
		in.Kind = kad.GetRecord
	case kad.SendPutRecord:
		in.Kind, in.Key = kad.PutRecord, nil
		in.Valid, _ = kad.Validate(e.valid, m.cmd.Record, e.Now)
	case kad.RespondPing: // there is no command to send a PING: a script does
		in.Kind = kad.PingReq
	}
	e.Step(m.to, in, true)
}

// deliverReply gives a response to the node that asked.
func (e *Env) deliverReply(m message) {
	if m.to.state != up || m.query == 0 {
		return
	}
	in := kad.Input{Peer: info(m.from), Query: m.query, Key: m.key, Closer: m.cmd.Closer, Providers: m.cmd.Providers}
	switch m.cmd.Kind {
	case kad.RespondFindNode:
		in.Kind = kad.FindNodeRes
	case kad.RespondGetProviders:
		in.Kind = kad.GetProvidersRes
	case kad.RespondGetRecord:
		in.Kind = kad.GetRecordRes
		if m.cmd.Found {
			in.Valid, _ = kad.Validate(e.valid, m.cmd.Record, e.Now)
		}
	case kad.RespondPutRecord:
		in.Kind, in.Value = kad.PutRecordRes, m.cmd.Record.Value
	case kad.Reset:
		in.Kind, in.Err = kad.QueryError, kad.ErrReset
	}
	e.Step(m.to, in, true)
}
