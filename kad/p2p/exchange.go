package p2p

import (
	"bytes"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// exchange is the memory that one request and its reply need. It is taken for the time of an exchange and given back,
// so that an idle stream holds none and a busy one allocates none.
type exchange struct {
	body      []byte // the request's bytes; request has views of them
	request   wire.Message
	in        kad.Input
	out       kad.Output
	providers []kad.PeerInfo
	addrs     kad.Addrs
	response  wire.Message
	received  []byte // the text of timeReceived
	frame     []byte // the reply's bytes
}

var exchanges = sync.Pool{New: func() any {
	return &exchange{body: make([]byte, 0, 256), frame: make([]byte, 0, 2<<10)}
}}

// keepBuffer is the largest buffer that is kept for the next exchange: that of the longest reply.
const keepBuffer = 16<<10 + 16

// release gives the exchange back. One that had to do with a large message is left to the collector as a whole: all its
// lists have views of that message's bytes.
func (x *exchange) release() {
	if max(cap(x.body), cap(x.frame), cap(x.addrs)) > keepBuffer {
		return
	}
	x.request.Reset()
	x.response.Reset()
	x.in = kad.Input{}
	x.addrs = x.addrs[:0]
	exchanges.Put(x)
}

// maxNamed is how many of the peers that an ADD_PROVIDER names the core is told of: the sender, wherever it stands, and
// k others, who are ignored anyway.
const maxNamed = 21

// input makes the core's input of a request, or says that the request is refused: an unknown type, a key that is
// missing where one is needed, or a record that is not valid.
func (x *exchange) input(st *inboundStream) bool {
	m, in := &x.request, &x.in
	in.Peer.ID, in.Peer.Peer = st.conn.peer, st.handle
	in.Key = m.Key
	if m.Type == wire.Ping {
		in.Kind = kad.PingReq
		return true
	}
	if len(m.Key) == 0 { // libp2p-kad L490-508: it must be set
		return false
	}
	switch m.Type {
	case wire.FindNode:
		in.Kind = kad.FindNodeReq
		if validID(m.Key) {
			in.Target = st.n.stored(m.Key, x)
		}
	case wire.GetValue:
		in.Kind = kad.GetRecord
	case wire.PutValue:
		in.Kind = kad.PutRecord
		// libp2p-kad L498: both keys are there, and equal.
		if !m.HasRecord || !bytes.Equal(m.Key, m.Record.Key) {
			return false
		}
		valid, err := st.n.validate(&m.Record)
		if err != nil {
			return false
		}
		in.Valid = valid
	case wire.GetProviders:
		in.Kind = kad.GetProvidersReq
	case wire.AddProvider:
		in.Kind = kad.AddProvider
		in.Providers = x.named(st)
	default:
		return false
	}
	return true
}

// validate asks the validator of the record's namespace, outside the lock.
func (n *Node) validate(r *wire.Record) (kad.Valid, error) {
	now := n.clock.now()
	rec := kad.Record{Key: r.Key, Value: r.Value}
	if validID(r.Publisher) {
		rec.Publisher = r.Publisher
	}
	if r.TTL != 0 {
		rec.Expires = now + kad.Time(time.Duration(r.TTL)*time.Second)
	}
	return kad.Validate(n.records, rec, now)
}

// named lists the providers that an ADD_PROVIDER names. Only the sender may be stored (libp2p-kad L508), so only its
// addresses are looked at.
func (x *exchange) named(st *inboundStream) []kad.PeerInfo {
	x.providers = x.providers[:0]
	for i := range x.request.ProviderPeers {
		p := &x.request.ProviderPeers[i]
		sender := bytes.Equal(p.ID, st.conn.peer)
		if !validID(p.ID) || !sender && len(x.providers) >= maxNamed-1 {
			continue
		}
		info := kad.PeerInfo{ID: p.ID}
		if sender {
			start := len(x.addrs)
			x.addrs = cleanAddrs(x.addrs, p.ID, kad.Addrs(p.Addrs), st.n.filter())
			info.Addrs = x.addrs[start:]
		}
		x.providers = append(x.providers, info)
		if len(x.providers) > maxNamed {
			break // the sender, over and over
		}
	}
	return x.providers
}

// stored is what the host's peerstore holds of the peer with this id: it is told to whoever looks for that very peer,
// even if it is no server or has private addresses only (ipfs-kad L427). The zero PeerInfo: nothing is known.
func (n *Node) stored(id []byte, x *exchange) kad.PeerInfo {
	addrs := n.host.Peerstore().Addrs(peer.ID(id))
	if len(addrs) == 0 {
		return kad.PeerInfo{}
	}
	info := kad.PeerInfo{ID: id}
	if info.Addrs = appendAddrs(x.addrs[:0], addrs, n.servedAddr); len(info.Addrs) == 0 {
		info.Addrs = appendAddrs(x.addrs[:0], addrs, nil)
	}
	x.addrs = info.Addrs
	return info
}

// answer finds the response to this very request in what the Step did.
func (x *exchange) answer() *kad.Command {
	for i := range x.out.Commands {
		c := &x.out.Commands[i]
		if c.Request == x.in.Request && c.Kind >= kad.RespondFindNode && c.Kind <= kad.Reset {
			return c
		}
	}
	return nil
}

// maxEcho is the longest key that a GET_VALUE without a record gets back: 1 KiB, the longest that a store takes. Nobody
// needs the echo, and that of a long one would leave no room for peers, or make a reply of megabytes.
const maxEcho = 1 << 10

// reply encodes a response into x.frame, in at most limit bytes if it can be done. It says whether anything is to be
// sent: ADD_PROVIDER has no reply unless the core was configured to echo it (ruling 1).
func (x *exchange) reply(c *kad.Command, now kad.Time, limit int) bool {
	m := &x.response
	m.Type = x.request.Type
	m.CloserPeers = appendPeers(m.CloserPeers, c.Closer)
	switch c.Kind {
	case kad.RespondAddProvider:
		if len(c.Providers) == 0 {
			return false
		}
		m.Key = c.Key
		m.ProviderPeers = appendPeers(m.ProviderPeers, c.Providers)
	case kad.RespondGetProviders:
		m.Key = c.Key
		m.ProviderPeers = appendPeers(m.ProviderPeers, c.Providers)
	case kad.RespondGetRecord:
		if c.Found || len(c.Key) <= maxEcho {
			m.Key = c.Key
		}
		if c.Found {
			m.HasRecord = true
			m.Record = recordOf(&c.Record, now)
			// libp2p-kad L422: when we took it, RFC 3339; nanoseconds in UTC (ruling 13).
			x.received = time.Unix(0, int64(c.Record.Received)).UTC().AppendFormat(x.received[:0], time.RFC3339Nano)
			m.Record.TimeReceived = x.received
		}
	case kad.RespondPutRecord:
		m.Key = c.Key
		m.HasRecord = true
		m.Record = wire.Record{Key: c.Record.Key, Value: c.Record.Value} // the request's own, as it came
	}
	if x.frame = wire.AppendFrame(x.frame[:0], m); len(x.frame) > limit { // seldom, so nobody measures beforehand
		fit(m, limit)
		x.frame = wire.AppendFrame(x.frame[:0], m)
	}
	return true
}

// recordOf is a record as it goes on the wire, with libp2p-kad's publisher and the seconds that it has yet to live: at
// least one, for 0 means for ever.
func recordOf(r *kad.Record, now kad.Time) wire.Record {
	rec := wire.Record{Key: r.Key, Value: r.Value, Publisher: r.Publisher}
	if r.Expires != 0 {
		left := time.Duration(r.Expires-now) / time.Second
		rec.TTL = uint32(min(max(left, 1), 1<<32-1))
	}
	return rec
}

// appendPeers fills each in where it is: put together first and copied, it would take 5 ns more.
func appendPeers(dst []wire.Peer, ps []kad.PeerInfo) []wire.Peer {
	for i := range ps {
		dst = append(dst, wire.Peer{})
		p, to := &ps[i], &dst[len(dst)-1]
		to.ID, to.Addrs, to.Connection = p.ID, wire.Addrs(p.Addrs), int32(p.Connection)
	}
	return dst
}

// fit shortens a message to limit bytes (ruling 6): first all peers lose addresses but the first, then the farthest
// closer peers go, then the providers lose their last address, then providers go. The record stays, whatever its size.
func fit(m *wire.Message, limit int) {
	for keep := 8; wire.Size(m) > limit && keep > 0; keep /= 2 {
		firstAddrs(m.CloserPeers, keep)
		firstAddrs(m.ProviderPeers, keep)
	}
	for len(m.CloserPeers) > 0 && wire.Size(m) > limit {
		m.CloserPeers = m.CloserPeers[:len(m.CloserPeers)-1]
	}
	if len(m.ProviderPeers) > 0 && wire.Size(m) > limit {
		firstAddrs(m.ProviderPeers, 0)
	}
	for len(m.ProviderPeers) > 0 && wire.Size(m) > limit {
		m.ProviderPeers = m.ProviderPeers[:len(m.ProviderPeers)-1]
	}
}

// firstAddrs leaves each peer its first n addresses.
func firstAddrs(ps []wire.Peer, n int) {
	for i := range ps {
		if ps[i].Addrs.Len() <= n {
			continue
		}
		var kept wire.Addrs // the old list may be the core's
		for addr := range ps[i].Addrs.All() {
			if kept.Len() == n {
				break
			}
			kept = kept.Append(addr)
		}
		ps[i].Addrs = kept
	}
}
