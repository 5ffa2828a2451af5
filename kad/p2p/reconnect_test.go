package p2p

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// TestAskedOnceMore: a connection that ends under a request says nothing about the peer, which is asked once more on a new one;
// the core hears of the old one's end after that, and not that the peer is gone. A peer that closes each has failed, and is
// asked twice only; one that had to be dialled is asked once.
func TestAskedOnceMore(t *testing.T) {
	for name, test := range map[string]struct {
		connected bool
		closes    int // so many requests end with the connection
		asked     int
		ok        bool
	}{
		"as it closes":          {connected: true, closes: 1, asked: 2, ok: true},
		"each time":             {connected: true, closes: 9, asked: 2},
		"on the one it dialled": {closes: 9, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			simulated(t, 2, nil, func(t *testing.T, hosts []host.Host) {
				n, s := watching(t, quiet(hosts[0]), kad.FindNodeRes, kad.QueryError, kad.ConnectionEstablished, kad.ConnectionClosed, kad.InDisconnected)
				defer n.Close()
				asked := 0
				answering(hosts[1], DefaultProtocol, func(m *wire.Message, s network.Stream) bool {
					if asked++; asked <= test.closes {
						_ = s.Conn().Close()
						return false
					}
					return echo(m, s)
				})
				to := *host.InfoFromHost(hosts[1])
				if test.connected {
					require.NoError(t, n.Connect(t.Context(), to))
				}
				_, err := n.AddAddress(to.ID, to.Addrs[0])
				require.NoError(t, err)
				s.take()

				found, err := n.GetClosestPeers(t.Context(), []byte("key"), 0)
				require.NoError(t, err)
				pass(time.Second)
				assert.Equal(t, test.asked, asked)
				var kinds []kad.InputKind
				for _, in := range s.take() {
					kinds = append(kinds, in.Kind)
				}
				if test.ok {
					require.Len(t, found.Peers, 1)
					assert.EqualValues(t, 1, found.Stats.Requests)
					assert.Equal(t, []kad.InputKind{kad.ConnectionEstablished, kad.FindNodeRes, kad.ConnectionClosed}, kinds)
					return
				}
				assert.Empty(t, found.Peers)
				assert.Contains(t, kinds, kad.QueryError)
				assert.Equal(t, kad.InDisconnected, kinds[len(kinds)-1])
			})
		})
	}
}
