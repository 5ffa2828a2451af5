package target

import (
	"bytes"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-varint"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// mutants are the mistakes, the server's first. Each is one that an implementation could make.
var mutants = slices.Concat(listMutants, recordMutants, providerMutants, wireMutants, streamMutants, nodeMutants, clientMutants)

// closer alters the closer peers of each reply which has some.
func closer(alter func(t *mutation, ps []wire.Peer) []wire.Peer) func(*mutation) {
	return func(t *mutation) { t.message.CloserPeers = alter(t, t.message.CloserPeers) }
}

// invented is a peer that nobody has ever heard of: an Ed25519 id with this byte all over.
func invented(b byte) []byte {
	return append([]byte{0, 36, 8, 1, 18, 32}, bytes.Repeat([]byte{b}, 32)...)
}

func entry(id []byte, addrs ...string) wire.Peer {
	p := wire.Peer{ID: id}
	for _, a := range addrs {
		p.Addrs = p.Addrs.Append(ma.StringCast(a).Bytes())
	}
	return p
}

// addresses alters the list of addresses of each peer of a reply.
func addresses(alter func(p *wire.Peer) wire.Addrs) func(*mutation) {
	return func(t *mutation) {
		for _, list := range [][]wire.Peer{t.message.CloserPeers, t.message.ProviderPeers} {
			for i := range list {
				list[i].Addrs = alter(&list[i])
			}
		}
	}
}

// What a reply lists.
var listMutants = []mutant{
	{name: "lists-nobody", says: "leaves closerPeers empty", reply: closer(func(*mutation, []wire.Peer) []wire.Peer { return nil })},
	{name: "lists-nineteen", says: "drops the last of the closer peers", reply: closer(func(_ *mutation, ps []wire.Peer) []wire.Peer {
		return ps[:max(0, len(ps)-1)]
	})},
	{name: "lists-itself", says: "adds itself to the closer peers", reply: closer(func(t *mutation, ps []wire.Peer) []wire.Peer {
		return append(ps, entry([]byte(t.self), "/ip4/127.0.0.1/tcp/4001"))
	})},
	{name: "lists-the-asker", says: "adds the asker to the closer peers", reply: closer(func(t *mutation, ps []wire.Peer) []wire.Peer {
		return append(ps, entry([]byte(t.peer), "/ip4/127.0.0.1/tcp/4001"))
	})},
	{name: "lists-a-stranger", says: "adds a peer that nobody knows to the closer peers", reply: closer(func(_ *mutation, ps []wire.Peer) []wire.Peer {
		return append(ps, entry(invented(7), "/ip4/127.0.0.1/tcp/4001"))
	})},
	{name: "lists-twice", says: "lists the first of the closer peers twice", reply: closer(func(_ *mutation, ps []wire.Peer) []wire.Peer {
		return append(ps, ps[:min(1, len(ps))]...)
	})},
	{name: "leaves-out-the-target", says: "leaves out the peer that FIND_NODE names", reply: closer(func(t *mutation, ps []wire.Peer) []wire.Peer {
		return slices.DeleteFunc(ps, func(p wire.Peer) bool { return t.request != nil && bytes.Equal(p.ID, t.request.Key) })
	})},
	{name: "no-addresses", says: "tells peers without their addresses", reply: addresses(func(*wire.Peer) wire.Addrs { return nil })},
	{name: "text-addresses", says: "writes addresses as text", reply: addresses(func(p *wire.Peer) (out wire.Addrs) {
		for b := range p.Addrs.All() {
			if a, err := ma.NewMultiaddrBytes(b); err == nil {
				out = out.Append([]byte(a.String()))
			}
		}
		return out
	})},
	{name: "first-address-only", says: "tells one address of each peer", reply: addresses(func(p *wire.Peer) (out wire.Addrs) {
		for b := range p.Addrs.All() {
			return out.Append(b)
		}
		return nil
	})},
	{name: "extra-address", says: "adds an ephemeral address to each peer", reply: addresses(func(p *wire.Peer) wire.Addrs {
		return append(slices.Clip(p.Addrs), wire.MakeAddrs(ma.StringCast("/ip4/127.0.0.1/tcp/40000").Bytes())...)
	})},
}

// What a reply says of a record.
var recordMutants = []mutant{
	{name: "forgets-records", says: "acknowledges a PUT_VALUE and stores nothing", hear: acknowledge},
	{name: "other-value", says: "changes the value of records", reply: func(t *mutation) {
		if t.message.HasRecord {
			t.message.Record.Value = append(bytes.Clone(t.message.Record.Value), 0)
		}
	}},
	{name: "no-record-key", says: "leaves the key of records out", reply: func(t *mutation) { t.message.Record.Key = nil }},
	{name: "no-time", says: "serves records without timeReceived", reply: func(t *mutation) { t.message.Record.TimeReceived = nil }},
	{name: "record-for-every-key", says: "finds a record under every key", reply: func(t *mutation) {
		if m := t.message; m.Type == wire.GetValue && !m.HasRecord {
			m.HasRecord, m.Record = true, wire.Record{Key: t.request.Key, Value: []byte("ok")}
		}
	}},
	{name: "record-alone", says: "sends no closer peers beside a record", reply: func(t *mutation) {
		if t.message.HasRecord {
			t.message.CloserPeers = nil
		}
	}},
	{name: "echo-without-record", says: "acknowledges PUT_VALUE without the record", reply: func(t *mutation) {
		if t.message.Type == wire.PutValue {
			t.message.HasRecord, t.message.Record = false, wire.Record{}
		}
	}},
	{name: "refuses-records", says: "refuses each PUT_VALUE", hear: func(t *mutation) {
		if t.message.Type == wire.PutValue {
			t.frames = [][]byte{{0}} // an empty frame: a PUT_VALUE without a record
		}
	}},
	{name: "no-validation", says: "takes every record", config: func(c *p2p.Config) { each(c, func(v kad.Validator) kad.Validator { return careless{v} }) }},
	{name: "no-selection", says: "finds all sound records equally good", config: func(c *p2p.Config) { each(c, func(v kad.Validator) kad.Validator { return unranked{v} }) }},
}

// acknowledge answers a put itself, and the node hears of a PING instead, whose answer is changed back.
func acknowledge(t *mutation) {
	if m := t.message; m.Type == wire.PutValue && m.HasRecord {
		t.instead = framed(&wire.Message{Type: wire.PutValue, Key: m.Key, HasRecord: true, Record: m.Record})
		t.message = &wire.Message{Type: wire.Ping}
	}
}

// What is said of providers.
var providerMutants = []mutant{
	{name: "forgets-providers", says: "drops each ADD_PROVIDER", hear: func(t *mutation) { t.drop = t.message.Type == wire.AddProvider }},
	{name: "no-providers", says: "names no providers", reply: func(t *mutation) { t.message.ProviderPeers = nil }},
	{name: "hides-the-asker", says: "does not tell a provider of itself", reply: func(t *mutation) {
		t.message.ProviderPeers = slices.DeleteFunc(t.message.ProviderPeers, func(p wire.Peer) bool { return bytes.Equal(p.ID, []byte(t.peer)) })
	}},
	{name: "providers-of-others", says: "names a provider of every key", reply: func(t *mutation) {
		if t.message.Type == wire.GetProviders {
			t.message.ProviderPeers = append(t.message.ProviderPeers, entry(invented(9), "/ip4/25.1.2.3/tcp/4001"))
		}
	}},
	{name: "takes-other-providers", says: "stores under the sender's name whatever providers it is told", hear: func(t *mutation) {
		if m := t.message; m.Type == wire.AddProvider {
			m.ProviderPeers = []wire.Peer{entry([]byte(t.peer), "/ip4/25.1.2.3/tcp/4001")}
		}
	}},
	{name: "first-provider-only", says: "looks at the first provider of an ADD_PROVIDER alone", hear: func(t *mutation) {
		t.message.ProviderPeers = t.message.ProviderPeers[:min(1, len(t.message.ProviderPeers))]
	}},
	{name: "last-provider-only", says: "looks at the last provider of an ADD_PROVIDER alone", hear: func(t *mutation) {
		t.message.ProviderPeers = t.message.ProviderPeers[max(0, len(t.message.ProviderPeers)-1):]
	}},
	{name: "one-provider", says: "names one provider of several", reply: func(t *mutation) {
		t.message.ProviderPeers = t.message.ProviderPeers[:min(1, len(t.message.ProviderPeers))]
	}},
	{name: "providers-alone", says: "sends no closer peers beside providers", reply: func(t *mutation) {
		if len(t.message.ProviderPeers) > 0 {
			t.message.CloserPeers = nil
		}
	}},
	{name: "sha2-256-only", says: "takes sha2-256 multihashes alone as keys of providers", hear: func(t *mutation) {
		m := t.message
		sound := len(m.Key) == 34 && m.Key[0] == 0x12
		if (m.Type == wire.AddProvider || m.Type == wire.GetProviders) && !sound {
			t.message.Key = nil
		}
	}},
	{name: "cuts-long-keys", says: "cuts keys to 80 bytes instead of refusing them", hear: func(t *mutation) {
		t.message.Key = t.message.Key[:min(len(t.message.Key), 80)]
	}},
	{name: "cid-and-multihash-apart", says: "keeps a CID and its multihash apart", hear: func(t *mutation) {
		if m := t.message; m.Type == wire.GetProviders && len(m.Key) == 34 {
			m.Key = append([]byte{1, 0x55}, m.Key...)
		}
	}},
	{name: "two-replies-to-announcements", says: "answers ADD_PROVIDER twice", hear: func(t *mutation) {
		if m := t.message; m.Type == wire.AddProvider {
			t.instead = slices.Concat(framed(m), framed(m))
			t.message = &wire.Message{Type: wire.Ping}
		}
	}},
}

// What the bytes of a reply are like.
var wireMutants = []mutant{
	{name: "other-type", says: "replies with another type", reply: func(t *mutation) { t.message.Type = (t.message.Type + 1) % 6 }},
	{name: "other-key", says: "replies with another key", reply: func(t *mutation) { t.message.Key = []byte("another") }},
	{name: "long-length", says: "writes the length of replies in more bytes than it takes", raw: func(b []byte) []byte {
		length, n, err := varint.FromUvarint(b)
		if err != nil {
			return b
		}
		head := varint.ToUvarint(length)
		head[len(head)-1] |= 0x80
		return slices.Concat(head, []byte{0}, b[n:])
	}},
	{name: "cut-replies", says: "ends replies one byte too early", raw: func(b []byte) []byte { return b[:len(b)-1] }, after: "close"},
	{name: "no-replies", says: "never replies", reply: func(t *mutation) { t.drop = true }},
	{name: "two-replies", says: "replies twice", raw: func(b []byte) []byte { return slices.Concat(b, b) }},
	{name: "echoes-peers", says: "echoes the peers of requests", reply: func(t *mutation) {
		if t.request != nil {
			t.message.CloserPeers = append(t.message.CloserPeers, t.request.CloserPeers...)
			t.message.ProviderPeers = append(t.message.ProviderPeers, t.request.ProviderPeers...)
		}
	}},
	{name: "answers-everything", says: "answers what it should refuse with an empty FIND_NODE", refused: func(*mutation) [][]byte {
		return [][]byte{framed(&wire.Message{Type: wire.FindNode})}
	}},
	{name: "echoes-everything", says: "answers what it should refuse with the request", refused: func(t *mutation) [][]byte {
		if t.request == nil {
			return [][]byte{framed(&wire.Message{Type: wire.Ping})}
		}
		return [][]byte{framed(t.request)}
	}},
	{name: "heeds-cluster-level", says: "refuses requests with a clusterLevelRaw", hear: func(t *mutation) {
		if t.message.ClusterLevelRaw != 0 {
			t.message.Key = nil
		}
	}},
	{name: "closed-enums", says: "refuses requests with an unknown connection type", hear: func(t *mutation) {
		for _, p := range append(slices.Clone(t.message.CloserPeers), t.message.ProviderPeers...) {
			if p.Connection > 3 {
				t.message.Key = nil
			}
		}
	}},
	{name: "strict-fields", says: "refuses frames that are not as it would write them", hear: func(t *mutation) {
		if !bytes.Equal(t.whole, framed(t.message)) {
			t.frames = [][]byte{{0}}
		}
	}},
}

// How streams go.
var streamMutants = []mutant{
	{name: "one-request", says: "resets each stream after its first reply", after: "reset"},
	{name: "closes-after-reply", says: "closes each stream after its first reply", after: "close"},
	{name: "answers-late", says: "answers the first request of a stream together with the second", reply: func(t *mutation) {
		if t.nth == 1 {
			t.drop, t.held = true, framed(t.message)
		} else if t.held != nil {
			t.frames, t.held = [][]byte{framed(t.message), t.held}, nil
		}
	}},
	{name: "swallows-refused", says: "keeps streams open on which it refused a request", holds: true},
	{name: "any-protocol", says: "agrees to every version of the protocol", eager: true},
}

// How the node is set up.
var nodeMutants = []mutant{
	{name: "never-serves", says: "is never a server", config: func(c *p2p.Config) { c.Kad.Mode = kad.ModeClient }},
	{name: "always-serves", says: "is always a server", config: func(c *p2p.Config) { c.Kad.Mode = kad.ModeServer }},
	{name: "tells-private", says: "tells private addresses in a public network", config: func(c *p2p.Config) { c.PublicOnly = false }},
	{name: "no-diversity", says: "takes any number of peers of one network", config: func(c *p2p.Config) { c.Diversity = false }},
	{name: "another-protocol", says: "speaks another protocol than it was told", config: func(c *p2p.Config) { c.Protocols = []string{"/other/kad/1.0.0"} }},
	{name: "both-protocols", says: "speaks the public network's protocol beside its own", config: func(c *p2p.Config) {
		c.Protocols = slices.Compact(append(c.Protocols, p2p.DefaultProtocol))
	}},
	{name: "no-ping", says: "has no libp2p ping", mute: true},
	{name: "no-noise", says: "has no Noise", config: func(c *p2p.Config) { c.Security = []string{p2p.TLS} }},
	{name: "no-tls", says: "has no TLS", config: func(c *p2p.Config) { c.Security = []string{p2p.Noise} }},
	{name: "forgets-soon", says: "keeps records and providers for a tenth of their time", config: func(c *p2p.Config) {
		c.Kad.RecordTTL, c.Kad.ProviderTTL, c.Kad.ProviderAddrTTL = tenth(c.Kad.RecordTTL, 48), tenth(c.Kad.ProviderTTL, 48), tenth(c.Kad.ProviderAddrTTL, 24)
	}},
	{name: "forgets-nothing", says: "keeps records and providers for ever", config: func(c *p2p.Config) {
		c.Kad.RecordTTL, c.Kad.ProviderTTL, c.Kad.ProviderAddrTTL = 1000*kad.Hour, 1000*kad.Hour, 1000*kad.Hour
	}},
	{name: "no-jobs", says: "neither refreshes nor republishes", config: func(c *p2p.Config) {
		c.Kad.BootstrapInterval, c.Kad.ReplicationInterval, c.Kad.PublicationInterval, c.Kad.ProvideInterval = -1, -1, -1, -1
	}},
}

// each puts something in the place of each validator.
func each(c *p2p.Config, instead func(kad.Validator) kad.Validator) {
	for name, v := range c.Validators {
		c.Validators[name] = instead(v)
	}
}

// careless takes what its validator refuses, and likes it less than anything sound.
type careless struct{ kad.Validator }

func (v careless) Validate(key, value []byte, now kad.Time) ([]byte, error) {
	rank, err := v.Validator.Validate(key, value, now)
	if err != nil {
		return nil, nil
	}
	return rank, nil
}

// unranked finds all sound records of a key equally good.
type unranked struct{ kad.Validator }

func (v unranked) Validate(key, value []byte, now kad.Time) ([]byte, error) {
	_, err := v.Validator.Validate(key, value, now)
	return nil, err
}

func tenth(d kad.Duration, hours int) kad.Duration {
	if d == 0 {
		d = kad.Duration(hours) * kad.Hour
	}
	return d / 10
}
