package nettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// member is a node of a network, whichever implementation it is, behind what both can do.
type member struct {
	host *countingHost
	routing.Routing
	closest func(ctx context.Context, key string) ([]peer.ID, error) // nearest first, at most 20
	table   func() []peer.ID
	close   func() error
	dead    bool // it was killed
}

// join makes a host a member of one kind, with the settings that the test of the network wants.
type join func(t *testing.T, h *countingHost) *member

// ours is a node with the settings of the IPFS network, which are go-libp2p-kad-dht's too; its jobs run as they do by
// default.
func ours(change func(*kad.Config)) join {
	return func(t *testing.T, h *countingHost) *member {
		cfg := kad.Amino()
		cfg.Mode = kad.ModeServer
		if change != nil {
			change(&cfg)
		}
		n, err := p2p.New(p2p.Config{Host: h, Kad: cfg, Validators: p2p.Namespaces("v", "pk")})
		require.NoError(t, err)
		require.NoError(t, n.Start(t.Context()))
		return &member{
			host: h, Routing: n, table: n.Table, close: n.Close,
			closest: func(ctx context.Context, key string) ([]peer.ID, error) {
				got, err := n.GetClosestPeers(ctx, []byte(key), 0)
				ids := make([]peer.ID, len(got.Peers))
				for i, p := range got.Peers {
					ids[i] = p.ID
				}
				return ids, err
			},
		}
	}
}

// theirs is a server of go-libp2p-kad-dht as it is by default, but for its protocol: under the prefix /ipfs it takes no
// validator of a namespace for tests, so it has another prefix and is told the protocol in full.
func theirs(more ...dht.Option) join {
	return func(t *testing.T, h *countingHost) *member {
		d, err := dht.New(h, append([]dht.Option{
			dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/test"), dht.V1ProtocolOverride(p2p.DefaultProtocol),
			dht.Validator(record.NamespacedValidator{"v": greatest{}, "pk": record.PublicKeyValidator{}}),
		}, more...)...)
		require.NoError(t, err)
		return &member{host: h, Routing: d, table: d.RoutingTable().ListPeers, closest: d.GetClosestPeers, close: d.Close}
	}
}

// bootstrap fills a member's table by its own means and returns when that is done.
func (m *member) bootstrap(ctx context.Context) error {
	if err := m.Bootstrap(ctx); err != nil {
		return err
	}
	if d, ok := m.Routing.(*dht.IpfsDHT); ok { // its Bootstrap has only begun
		return <-d.RefreshRoutingTable()
	}
	return nil
}

func (m *member) connect(ctx context.Context, to *member) error {
	info := host.InfoFromHost(to.host)
	if n, ok := m.Routing.(*p2p.Node); ok {
		return n.Connect(ctx, *info)
	}
	return m.host.Connect(ctx, *info)
}

// greatest is the validator of kad/p2p's namespace v in go-libp2p-kad-dht's terms.
type greatest struct{}

func (greatest) Validate(_ string, value []byte) error {
	if !bytes.HasPrefix(value, []byte("ok ")) {
		return errors.New("not ok")
	}
	return nil
}

func (greatest) Select(_ string, values [][]byte) (best int, err error) {
	for i := range values {
		if bytes.Compare(values[i], values[best]) > 0 {
			best = i
		}
	}
	return best, nil
}

// nearest are the 20 members nearest to a key but for the one that asks, nearest first.
func nearest(key string, among []*member, asker *member) []peer.ID {
	return nearestOf(key, peersOf(among), asker.host.ID())
}

func nearestOf(key string, among []peer.ID, asker peer.ID) []peer.ID {
	target := sha256.Sum256([]byte(key))
	distance := func(id peer.ID) []byte {
		d := sha256.Sum256([]byte(id))
		for i := range d {
			d[i] ^= target[i]
		}
		return d[:]
	}
	ids := slices.DeleteFunc(slices.Clone(among), func(id peer.ID) bool { return id == asker })
	slices.SortFunc(ids, func(a, b peer.ID) int { return bytes.Compare(distance(a), distance(b)) })
	return ids[:min(20, len(ids))]
}

func peersOf(members []*member) []peer.ID {
	ids := make([]peer.ID, len(members))
	for i, m := range members {
		ids[i] = m.host.ID()
	}
	return ids
}

// recall is which part of want got has.
func recall(got, want []peer.ID) float64 {
	found := 0
	for _, id := range want {
		if slices.Contains(got, id) {
			found++
		}
	}
	return float64(found) / float64(len(want))
}
