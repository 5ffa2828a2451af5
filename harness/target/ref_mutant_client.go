package target

import (
	"bytes"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// What the node does as a client.
var clientMutants = []mutant{
	{name: "asks-twice", says: "sends each request twice", ask: func(t *mutation) {
		t.frames = [][]byte{framed(t.message), framed(t.message)}
	}},
	{name: "sends-pings", says: "sends a PING before each request", ask: func(t *mutation) {
		t.frames = [][]byte{framed(&wire.Message{Type: wire.Ping}), framed(t.message)}
	}},
	{name: "asks-for-another", says: "asks for another key than it should", ask: func(t *mutation) {
		if t.message.Type != wire.PutValue {
			t.message.Key = append([]byte{0x12, 0x20}, bytes.Repeat([]byte{5}, 32)...)
		}
	}},
	{name: "puts-nothing", says: "sends PING instead of PUT_VALUE", ask: func(t *mutation) {
		if t.message.Type == wire.PutValue {
			t.message = &wire.Message{Type: wire.Ping}
		}
	}},
	{name: "puts-other-value", says: "puts another value than it was given", ask: func(t *mutation) {
		if t.message.HasRecord {
			t.message.Record.Value = []byte("another")
		}
	}},
	{name: "announces-another", says: "announces another peer than itself", ask: func(t *mutation) {
		for i := range t.message.ProviderPeers {
			t.message.ProviderPeers[i].ID = invented(3)
		}
	}},
	{name: "announces-no-addresses", says: "announces itself without addresses", ask: func(t *mutation) {
		for i := range t.message.ProviderPeers {
			t.message.ProviderPeers[i].Addrs = nil
		}
	}},
	{name: "announces-nothing", says: "sends PING instead of ADD_PROVIDER", ask: func(t *mutation) {
		if t.message.Type == wire.AddProvider {
			t.message = &wire.Message{Type: wire.Ping}
		}
	}},
	{name: "hears-nobody", says: "uses no closer peers of replies", take: func(t *mutation) { t.message.CloserPeers = nil }},
	{name: "hears-no-records", says: "uses no records of replies", take: func(t *mutation) { t.message.HasRecord, t.message.Record = false, wire.Record{} }},
	{name: "hears-no-providers", says: "uses no providers of replies", take: func(t *mutation) { t.message.ProviderPeers = nil }},
	{name: "drops-bare-providers", says: "drops providers without addresses", take: func(t *mutation) {
		t.message.ProviderPeers = slices.DeleteFunc(t.message.ProviderPeers, func(p wire.Peer) bool { return len(p.Addrs) == 0 })
	}},
	{name: "any-type", says: "takes a reply of any type", take: func(t *mutation) {
		if t.request != nil {
			t.message.Type = t.request.Type
		}
	}},
	{name: "wants-time", says: "drops records without timeReceived", take: func(t *mutation) {
		if t.message.HasRecord && len(t.message.Record.TimeReceived) == 0 {
			t.message.HasRecord, t.message.Record = false, wire.Record{}
		}
	}},
	{name: "heeds-their-cluster-level", says: "drops replies with a clusterLevelRaw", take: func(t *mutation) { t.drop = t.message.ClusterLevelRaw != 0 }},
	{name: "one-bad-spoils-all", says: "drops a reply in which any peer is bad", take: func(t *mutation) {
		for _, p := range t.message.CloserPeers {
			if _, err := peer.IDFromBytes(p.ID); err != nil {
				t.message.CloserPeers = nil
				return
			}
		}
	}},
	{name: "dials-itself", says: "follows its own id in a reply as another's", take: func(t *mutation) {
		for i := range t.message.CloserPeers {
			if bytes.Equal(t.message.CloserPeers[i].ID, []byte(t.self)) {
				t.message.CloserPeers[i].ID = invented(4)
			}
		}
	}},
	{name: "dials-nobody", says: "dials nobody, and speaks to those alone that came to it", shy: true},
	{name: "alpha-thirty", says: "has thirty requests in flight", config: func(c *p2p.Config) { c.Kad.Alpha = 30 }},
	{name: "no-correction", says: "corrects nobody's records", ask: func(t *mutation) { t.drop = t.message.Type == wire.PutValue }},
	{name: "waits-forever", says: "gives no request up", config: func(c *p2p.Config) {
		c.Limits.RequestTimeout = 2 * time.Minute
		c.Kad.PeerTimeout, c.Kad.Patience = 2*kad.Minute, -1
	}},
}
