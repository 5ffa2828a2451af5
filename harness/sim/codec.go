package sim

import (
	"bytes"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// codec encodes and decodes what a world sends, if it is asked to (Config.Wire): a world gives the same digest with it and
// without, or one of the two is wrong.
type codec struct {
	message wire.Message
	decoded wire.Message
	frame   []byte
}

// types of the requests and answers.
func typeOf(kind kad.InputKind) wire.Type {
	switch kind {
	case kad.GetProvidersReq, kad.GetProvidersRes:
		return wire.GetProviders
	case kad.AddProvider:
		return wire.AddProvider
	case kad.GetRecord, kad.GetRecordRes:
		return wire.GetValue
	case kad.PutRecord, kad.PutRecordRes:
		return wire.PutValue
	}
	return wire.FindNode
}

// decode sends the message that is being delivered through the wire format and puts what comes out in its place. It is
// false if that is not what went in, which no test has seen.
func (s *shard) decode(from kad.Peer, m *message) bool {
	if m.kind == kad.AddProviderRes || m.kind == dialled || m.kind == kad.ConnectionEstablished {
		return true // nothing is on the wire
	}
	c, dir := &s.codec, s.w.dir
	c.message.Reset()
	out := &c.message
	out.Type, out.Key = typeOf(m.kind), m.key
	s.handles = m.peers(s.handles[:0])
	for _, p := range s.handles {
		out.CloserPeers = append(out.CloserPeers, wire.Peer{ID: dir.ID(p), Addrs: wire.Addrs(dir.Addrs(p))})
	}
	if m.kind == kad.AddProvider {
		out.ProviderPeers = append(out.ProviderPeers, wire.Peer{ID: dir.ID(from), Addrs: wire.Addrs(dir.Addrs(from))})
	}
	if x := m.extra; x != nil {
		for _, p := range x.providers {
			out.ProviderPeers = append(out.ProviderPeers, wire.Peer{ID: dir.ID(p), Addrs: wire.Addrs(dir.Addrs(p))})
		}
		if x.found {
			out.HasRecord = true
			out.Record = wire.Record{Key: x.record.Key, Value: x.record.Value, Publisher: x.record.Publisher, TTL: x.ttl}
		}
	}
	c.frame = wire.AppendFrame(c.frame[:0], out)
	size := s.w.sizes.answer(m)
	if isRequest(m.kind) {
		size = s.w.sizes.request(m)
	}
	if uint64(len(c.frame)) != size {
		return false
	}
	body, err := wire.ReadFrame(bytes.NewReader(c.frame), nil, maxFrame)
	if err != nil || wire.Decode(body, &c.decoded) != nil || c.decoded.Type != out.Type {
		return false
	}
	s.accept(m, &c.decoded)
	return true
}

// maxFrame is what the specification allows a frame (4 MiB).
const maxFrame = 4 << 20

// accept puts a decoded message in the place of the one that was encoded.
func (s *shard) accept(m *message, in *wire.Message) {
	dir := s.w.dir
	m.key, m.n = in.Key, 0
	was := m.extra
	m.extra = nil
	for i := range in.CloserPeers {
		m.name(dir.Find(in.CloserPeers[i].ID))
	}
	if was == nil {
		return
	}
	x := m.more()
	for i := range in.ProviderPeers {
		x.providers = append(x.providers, dir.Find(in.ProviderPeers[i].ID))
	}
	if in.HasRecord {
		r := &in.Record
		x.found, x.ttl = true, r.TTL
		x.record = kad.Record{Key: r.Key, Value: r.Value, Publisher: r.Publisher}
	}
}
