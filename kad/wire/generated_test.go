package wire

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kadbench/kadbench/kad/wire/internal/dhtpb"
)

// unmarshal reads b with the generated message.
func unmarshal(b []byte) (*dhtpb.Message, error) {
	var g dhtpb.Message
	err := proto.Unmarshal(b, &g)
	return &g, err
}

// generated is m as the generated message.
func generated(m *Message) *dhtpb.Message {
	g := &dhtpb.Message{Type: dhtpb.Message_MessageType(m.Type), ClusterLevelRaw: m.ClusterLevelRaw, Key: m.Key}
	if m.HasRecord {
		r := m.Record
		g.Record = &dhtpb.Record{Key: r.Key, Value: r.Value, TimeReceived: string(r.TimeReceived), Publisher: r.Publisher, Ttl: r.TTL}
	}
	peers := func(list []Peer) (out []*dhtpb.Message_Peer) {
		for _, p := range list {
			q := &dhtpb.Message_Peer{Id: p.ID, Connection: dhtpb.Message_ConnectionType(p.Connection)}
			for a := range p.Addrs.All() {
				q.Addrs = append(q.Addrs, a)
			}
			out = append(out, q)
		}
		return out
	}
	g.CloserPeers, g.ProviderPeers = peers(m.CloserPeers), peers(m.ProviderPeers)
	return g
}

// difference says in which field two generated messages differ: those that they know, an empty slice being as good as
// none; "" if in none.
func difference(a, b *dhtpb.Message) string {
	switch {
	case a.Type != b.Type:
		return fmt.Sprintf("type %d, %d", a.Type, b.Type)
	case a.ClusterLevelRaw != b.ClusterLevelRaw:
		return fmt.Sprintf("clusterLevelRaw %d, %d", a.ClusterLevelRaw, b.ClusterLevelRaw)
	case !bytes.Equal(a.Key, b.Key):
		return fmt.Sprintf("key %x, %x", a.Key, b.Key)
	case (a.Record == nil) != (b.Record == nil):
		return "one has a record"
	case !bytes.Equal(a.Record.GetKey(), b.Record.GetKey()):
		return fmt.Sprintf("record.key %x, %x", a.Record.Key, b.Record.Key)
	case !bytes.Equal(a.Record.GetValue(), b.Record.GetValue()):
		return fmt.Sprintf("record.value %x, %x", a.Record.Value, b.Record.Value)
	case a.Record.GetTimeReceived() != b.Record.GetTimeReceived():
		return fmt.Sprintf("record.timeReceived %q, %q", a.Record.TimeReceived, b.Record.TimeReceived)
	case !bytes.Equal(a.Record.GetPublisher(), b.Record.GetPublisher()):
		return fmt.Sprintf("record.publisher %x, %x", a.Record.Publisher, b.Record.Publisher)
	case a.Record.GetTtl() != b.Record.GetTtl():
		return fmt.Sprintf("record.ttl %d, %d", a.Record.Ttl, b.Record.Ttl)
	}
	if d := peersDifference("closerPeers", a.CloserPeers, b.CloserPeers); d != "" {
		return d
	}
	return peersDifference("providerPeers", a.ProviderPeers, b.ProviderPeers)
}

func peersDifference(list string, a, b []*dhtpb.Message_Peer) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d, %d %s", len(a), len(b), list)
	}
	for i, p := range a {
		q := b[i]
		at := fmt.Sprintf("%s[%d]", list, i)
		switch {
		case !bytes.Equal(p.Id, q.Id):
			return fmt.Sprintf("%s.id %x, %x", at, p.Id, q.Id)
		case p.Connection != q.Connection:
			return fmt.Sprintf("%s.connection %d, %d", at, p.Connection, q.Connection)
		case len(p.Addrs) != len(q.Addrs):
			return fmt.Sprintf("%s: %d, %d addrs", at, len(p.Addrs), len(q.Addrs))
		}
		for j := range p.Addrs {
			if !bytes.Equal(p.Addrs[j], q.Addrs[j]) {
				return fmt.Sprintf("%s.addrs[%d] %x, %x", at, j, p.Addrs[j], q.Addrs[j])
			}
		}
	}
	return ""
}
