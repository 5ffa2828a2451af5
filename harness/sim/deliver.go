package sim

import "github.com/kadbench/kadbench/kad"

// What the network does with a request. Each has exactly one end, which its asker is told: the answer, or that there is none.
// Who tells it depends on where the request got lost, when depends on what the asker's host would have noticed: a dial
// that nobody takes fails after Links.DialTimeout, a request on a connection, or one that was taken and not answered, after
// PeerTimeout. So no host needs a timer for each request, and a core that never hears of a failure (its own timeout does
// not count as one) is not what is simulated.

// carryOut does what a node's core commands.
func (s *shard) carryOut(p kad.Peer, n *node, c *kad.Command) {
	switch c.Kind {
	case kad.SendFindNode:
		s.ask(p, n, c, kad.FindNodeReq)
	case kad.SendGetProviders:
		s.ask(p, n, c, kad.GetProvidersReq)
	case kad.SendAddProvider:
		s.ask(p, n, c, kad.AddProvider)
	case kad.SendGetRecord:
		s.ask(p, n, c, kad.GetRecord)
	case kad.SendPutRecord:
		s.ask(p, n, c, kad.PutRecord)
	case kad.RespondFindNode:
		s.answer(p, n, c, kad.FindNodeRes)
	case kad.RespondGetProviders:
		s.answer(p, n, c, kad.GetProvidersRes)
	case kad.RespondAddProvider:
		s.answer(p, n, c, kad.AddProviderRes)
	case kad.RespondGetRecord:
		s.answer(p, n, c, kad.GetRecordRes)
	case kad.RespondPutRecord:
		s.answer(p, n, c, kad.PutRecordRes)
	case kad.Reset:
		s.fail(p, n, kad.ErrReset, s.delay(p, s.current.asker, n.seq+1))
	case kad.Dial:
		s.dial(p, n, c.Peer.Peer)
	}
}

// delay is how long a message takes.
func (s *shard) delay(from, to kad.Peer, seq uint32) kad.Time {
	return kad.Time(s.w.links.delay(from, to, seq))
}

// ask sends a request.
func (s *shard) ask(p kad.Peer, n *node, c *kad.Command, kind kad.InputKind) {
	m := message{kind: kind, client: n.client, session: n.session, asker: p, query: c.Query, asked: s.now, key: c.Key}
	if kind == kad.PutRecord {
		m.key = c.Record.Key
		m.more().carry(&c.Record, s.now)
	}
	s.send(p, n, c.Peer.Peer, &m)
}

// send lets a request, or a dial, travel.
func (s *shard) send(p kad.Peer, n *node, to kad.Peer, m *message) {
	w := s.w
	size := w.sizes.request(m)
	s.sent++
	s.bytes += size
	n.spend(m.query, size)
	n.seq++
	m.dialled = !n.conns.has(to)
	at := kad.Duration(s.now - w.start)
	switch {
	case m.dialled && (w.links.unreachable(to) || w.links.cut(at, p, to)):
		s.lost++
		m.kind, m.err = kad.DialFailed, kad.ErrDial
		s.post(s.now+w.dialTimeout, p, to, n.seq, m)
		return
	case !w.links.passes(at, p, to, n.seq):
		s.lost++
		m.kind, m.err = kad.QueryError, kad.ErrTimeout
		s.post(s.now+w.timeout, p, to, n.seq, m)
		return
	}
	took := s.delay(p, to, n.seq)
	if m.dialled {
		took *= w.legs
	}
	s.post(s.now+took, to, p, n.seq, m)
}

// answer sends what a core has answered to the request that is being delivered.
func (s *shard) answer(p kad.Peer, n *node, c *kad.Command, kind kad.InputKind) {
	r := s.current
	m := message{kind: kind, session: r.session, asker: r.asker, query: r.query, asked: r.asked, dialled: r.dialled, key: r.key}
	for i := range c.Closer {
		m.name(c.Closer[i].Peer)
	}
	for i := range c.Providers {
		m.more().providers = append(m.more().providers, c.Providers[i].Peer)
	}
	if c.Found {
		m.more().carry(&c.Record, s.now)
	}
	s.reply(p, n, &m)
}

// reply lets an answer travel; one that is lost or comes too late is told as the failure that the asker notices.
func (s *shard) reply(p kad.Peer, n *node, m *message) {
	w := s.w
	n.answered++
	n.seq++
	s.sent++
	s.bytes += w.sizes.answer(m)
	took := s.delay(p, m.asker, n.seq) + kad.Time(w.links.slowBy(p))
	if !w.links.passes(kad.Duration(s.now-w.start), p, m.asker, n.seq) {
		s.lost++
		s.overdue(p, n, m)
		return
	}
	if s.now+took > m.asked+w.timeout && m.kind != kad.AddProviderRes {
		s.overdue(p, n, m)
		return
	}
	s.post(s.now+took, m.asker, p, n.seq, m)
}

// fail tells the asker of the request that is being delivered that it has failed, after a time.
func (s *shard) fail(p kad.Peer, n *node, err kad.ErrorKind, after kad.Time) {
	r := s.current
	m := message{kind: kad.QueryError, err: err, session: r.session, asker: r.asker, query: r.query, asked: r.asked, key: r.key}
	n.seq++
	s.post(s.now+max(after, s.w.window), r.asker, p, n.seq, &m)
}

// silence lets the asker of the request that is being delivered notice that nobody answers. n is the node that does not,
// there or not.
func (s *shard) silence(p kad.Peer, n *node) {
	n.seq++
	m := *s.current
	s.overdue(p, n, &m)
}

// overdue turns a message into the word that there is no answer, at the moment when the asker's host gives up.
func (s *shard) overdue(p kad.Peer, n *node, m *message) {
	m.kind, m.err, m.n, m.extra = kad.QueryError, kad.ErrTimeout, 0, nil
	at := m.asked + s.w.timeout
	if m.dialled && !n.up {
		m.kind, m.err = kad.DialFailed, kad.ErrDial
		at = m.asked + s.w.dialTimeout
	}
	s.post(max(at, s.now+s.w.window), m.asker, p, n.seq, m)
}

// deliver gives a node a message that has arrived.
func (s *shard) deliver(p kad.Peer, n *node, from kad.Peer, m *message) {
	if isRequest(m.kind) {
		s.deliverRequest(p, n, from, m)
		return
	}
	if !n.up || m.session != n.session {
		return // who asked is gone
	}
	s.events++
	if m.kind == kad.DialFailed {
		s.step(p, n, &kad.Input{Kind: kad.DialFailed, Peer: kad.PeerInfo{Peer: from}, Err: m.err})
		return
	}
	in := kad.Input{Kind: m.kind, Peer: kad.PeerInfo{Peer: from}, Query: m.query, Key: m.key, Err: m.err}
	switch m.kind {
	case kad.QueryError:
		s.step(p, n, &in)
		return
	case kad.ConnectionEstablished:
		s.connected(p, n, from, true)
		return
	}
	n.spend(m.query, s.w.sizes.answer(m))
	if s.w.codec && !s.decode(from, m) {
		in.Kind, in.Err = kad.QueryError, kad.ErrInvalid
		s.step(p, n, &in)
		return
	}
	if s.w.idle > 0 {
		s.connected(p, n, from, true)
	} else if s.wants(p, from) {
		s.stepOnly(p, n, &kad.Input{Kind: kad.ProtocolConfirmed, Peer: kad.PeerInfo{Peer: from}})
	}
	s.closer = s.closer[:0]
	for _, c := range m.closer[:m.n] {
		s.closer = append(s.closer, kad.PeerInfo{Peer: c})
	}
	if x := m.extra; x != nil {
		s.unpack(x, &in)
	}
	in.Closer = s.closer
	s.step(p, n, &in)
}

// wants says whether a table has no place for a peer yet, but would have one. Where no connections are kept a full bucket
// takes nobody, so its node need not be told.
func (s *shard) wants(p, peer kad.Peer) bool {
	b, ok := s.w.kads[p].Table().BucketOf(peer)
	return ok && b.Len() < s.w.bucket && !b.Contains(peer)
}

// unpack puts what few answers have into an input.
func (s *shard) unpack(x *extra, in *kad.Input) {
	for _, c := range x.closer {
		s.closer = append(s.closer, kad.PeerInfo{Peer: c})
	}
	s.named = s.named[:0]
	for _, c := range x.providers {
		s.named = append(s.named, kad.PeerInfo{Peer: c})
	}
	in.Providers = s.named
	switch {
	case !x.found:
	case in.Kind == kad.PutRecordRes:
		in.Key, in.Value = x.record.Key, x.record.Value
	default:
		in.Valid, _ = kad.Validate(validator{}, x.receive(s.now), s.now) // not valid: no record
	}
}

// deliverRequest serves a request, if anybody is there to do so.
func (s *shard) deliverRequest(p kad.Peer, n *node, from kad.Peer, m *message) {
	if !n.up {
		s.lost++
		s.silence(p, n)
		return
	}
	s.events++
	if n.role != honest && m.kind != dialled && s.misbehave(p, n, from, m) {
		return
	}
	s.serve(p, n, from, m)
}

// serve lets a node's core answer the request that is being delivered.
func (s *shard) serve(p kad.Peer, n *node, from kad.Peer, m *message) {
	w := s.w
	switch {
	case w.idle > 0:
		s.connected(p, n, from, false)
	case !m.client && s.wants(p, from):
		s.step(p, n, &kad.Input{Kind: kad.ProtocolsChanged, Peer: kad.PeerInfo{Peer: from}, Supported: true})
	}
	if m.kind == dialled {
		s.reply(p, n, &message{kind: kad.ConnectionEstablished, session: m.session, asker: from, asked: m.asked, dialled: true})
		return
	}
	if n.client {
		s.fail(p, n, kad.ErrUnsupported, s.delay(p, from, n.seq+1))
		return
	}
	if w.codec && !s.decode(from, m) {
		s.fail(p, n, kad.ErrReset, s.delay(p, from, n.seq+1))
		return
	}
	in := kad.Input{Kind: m.kind, Peer: kad.PeerInfo{Peer: from}, Request: 1, Key: m.key}
	switch m.kind {
	case kad.FindNodeReq, kad.GetProvidersReq, kad.GetRecord:
		s.stepOnly(p, n, &in)
		return
	case kad.AddProvider:
		s.named = append(s.named[:0], kad.PeerInfo{Peer: from})
		in.Providers = s.named
	case kad.PutRecord:
		v, err := kad.Validate(validator{}, m.extra.receive(s.now), s.now)
		if err != nil {
			s.fail(p, n, kad.ErrReset, s.delay(p, from, n.seq+1))
			return
		}
		in.Valid = v
	}
	s.step(p, n, &in)
}

// isRequest says whether a message wants an answer.
func isRequest(kind kad.InputKind) bool {
	switch kind {
	case kad.FindNodeReq, kad.GetProvidersReq, kad.AddProvider, kad.GetRecord, kad.PutRecord, dialled:
		return true
	}
	return false
}
