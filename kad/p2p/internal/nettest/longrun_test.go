package nettest

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// The long run: 20 nodes, a record at the 5 nearest, so that who holds what matters. What a record and a provider live is as
// it is by default: 48 h, addresses 24 h, published and provided again after 22 h. Tables are kept in
// order less often than by default, every two hours, or most of a run would be just that.
const (
	few         = 5
	maintenance = 2 * kad.Hour
)

func oursForDays(k int) join {
	return ours(func(c *kad.Config) {
		c.K, c.BootstrapInterval, c.ProbeInterval = k, maintenance, maintenance
		c.ReplicationInterval = kad.Hour // libp2p-kad's; in the IPFS network it is off
	})
}

// theirsForDays keeps to 20 a bucket in a smaller network. With 5 a bucket their nodes were seen to send each other hundreds
// of requests a second, so that the virtual days did not come to their end.
func theirsForDays() join {
	return theirs(dht.RoutingTableRefreshPeriod(time.Duration(maintenance)))
}

// until lets time pass until so long after the beginning. Meanwhile hosts close the connections that rest, as a connection
// manager does: to keep them up costs a packet each way every 15 s, a hundred times what there is to say.
func (w *world) until(began time.Time, at time.Duration) {
	for time.Since(began) < at {
		w.pass(min(5*time.Minute, at-time.Since(began)))
		for _, m := range w.living() {
			for _, c := range m.host.Network().Conns() {
				if len(c.GetStreams()) == 0 {
					_ = c.Close()
				}
			}
		}
	}
}

// gets says what a member finds under a key; "" if nothing.
func (w *world) gets(m *member, c content) string {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	value, err := m.GetValue(ctx, c.name)
	if err != nil {
		return ""
	}
	return string(value)
}

// names says whether a member finds a provider of a content, and any of its addresses.
func (w *world) names(m *member, c content, provider *member) (named, located bool) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	for p := range m.FindProvidersAsync(ctx, c.cid, 0) {
		if p.ID == provider.host.ID() {
			named, located = true, len(p.Addrs) > 0
		}
	}
	return named, located
}

// holds says whether a member of our kind has a record in its store.
func holds(m *member, c content) bool {
	_, ok := m.Routing.(*p2p.Node).Store().Get([]byte(c.name))
	return ok
}

// TestTwoDays: records and providers of those who stay are found for as long as they stay, those of a node that died until
// what it said has expired, its addresses first; what holders die with is held by others within the hour; tables follow a slow churn.
func TestTwoDays(t *testing.T) {
	if testing.Short() || race {
		t.Skip("three days of 20 nodes")
	}
	t.Parallel()
	inWorld(t, 7, 64, func(t *testing.T, w *world) {
		kind := oursForDays(few)
		w.grow(repeat(kind, 20)...)
		w.pass(time.Minute)
		stays, leaves := w.members[0], w.members[1]
		kept, lost := newContent(w.rand), newContent(w.rand)
		began := time.Now()
		for m, c := range map[*member]content{stays: kept, leaves: lost} {
			require.NoError(t, m.PutValue(t.Context(), c.name, c.value))
			require.NoError(t, m.Provide(t.Context(), c.cid, true))
		}
		found := func(at time.Duration, want bool) {
			t.Helper()
			w.until(began, at)
			for _, m := range w.living()[10:] { // nobody of these has put anything
				assert.Equal(t, string(kept.value), w.gets(m, kept), "the record of who stays, after %v", at)
				named, located := w.names(m, kept, stays)
				assert.True(t, named && located, "the provider who stays, after %v: named %t, with addresses %t", at, named, located)
				value := ""
				if want {
					value = string(lost.value)
				}
				assert.Equal(t, value, w.gets(m, lost), "the record of who left, after %v", at)
				named, located = w.names(m, lost, leaves)
				assert.Equal(t, want, named, "the provider who left, after %v", at)
				assert.Equal(t, at < 24*time.Hour, located, "addresses of the provider who left, after %v", at)
			}
		}
		found(10*time.Minute, true)
		w.kill(leaves)
		w.until(began, time.Hour)
		near := w.nearestFew(lost.name)
		for _, m := range near[:3] { // most of those that hold the record
			if m != stays {
				w.kill(m)
			}
		}
		// All that are the nearest now hold it once those that were have replicated it: each hour, and who received it
		// meanwhile from another leaves that to the other (libp2p-kad's rule), so within two.
		w.until(began, 4*time.Hour)
		for i, m := range w.nearestFew(lost.name) {
			assert.True(t, holds(m, lost), "number %d of the nearest, after holders died", i)
		}
		// Every six hours one dies and one comes.
		for at := 6 * time.Hour; at <= 42*time.Hour; at += 6 * time.Hour {
			w.until(began, at)
			others := w.living()[1:] // not the one that stays
			w.kill(others[w.rand.IntN(len(others))])
			newcomer := w.add(kind)
			require.NoError(t, newcomer.connect(t.Context(), stays))
			require.NoError(t, newcomer.bootstrap(t.Context()))
			switch at { // a provider's addresses are known for 24 hours
			case 18 * time.Hour:
				found(23*time.Hour, true)
			case 24 * time.Hour:
				found(25*time.Hour, true)
			}
		}
		found(47*time.Hour, true)
		found(49*time.Hour, false)
		for _, m := range w.living() {
			assert.False(t, holds(m, lost), "the record of who left is in a store after 49 h")
		}
		found(72*time.Hour, false)
		w.tablesLive()
	})
}

// tablesLive wants nine of ten entries of our tables to be nodes that live.
func (w *world) tablesLive() {
	living := peersOf(w.living())
	entries, good := 0, 0
	for _, m := range w.living() {
		for _, id := range m.table() {
			entries++
			if slices.Contains(living, id) {
				good++
			}
		}
	}
	w.t.Logf("tables: %d entries, %d of them living", entries, good)
	assert.GreaterOrEqual(w.t, 10*good, 9*entries)
}

// nearestFew are the living that are nearest to a key, nearest first.
func (w *world) nearestFew(key string) []*member {
	var near []*member
	for _, id := range nearestOf(key, peersOf(w.living()), peer.ID(""))[:few] {
		for _, m := range w.living() {
			if m.host.ID() == id {
				near = append(near, m)
			}
		}
	}
	return near
}

var pairs = flag.Int("pairs", 7, "nodes of each kind in TestTwoDaysMixed; 20 take minutes")

// TestTwoDaysMixed: in a network of both kinds, what ours has published and provided is found by both after more than two
// days, since ours does so again. What theirs has provided, once, is found by both until 48 h have passed, and then by
// nobody. (Records of theirs cannot be held against the clock: its stores count 48 h from the last time that a record was
// sent to them, whatever the sender says of its expiry.)
func TestTwoDaysMixed(t *testing.T) {
	if testing.Short() || race {
		t.Skip("two days of nodes of both kinds")
	}
	t.Parallel()
	inWorld(t, 8, 2**pairs, func(t *testing.T, w *world) {
		w.grow(slices.Repeat([]join{oursForDays(20), theirsForDays()}, *pairs)...)
		w.pass(time.Minute)
		own, other := w.members[0], w.members[1]
		ofOurs, ofTheirs := newContent(w.rand), newContent(w.rand)
		began := time.Now()
		for m, c := range map[*member]content{own: ofOurs, other: ofTheirs} {
			require.NoError(t, m.PutValue(t.Context(), c.name, c.value))
			require.NoError(t, m.Provide(t.Context(), c.cid, true))
		}
		for _, at := range []time.Duration{time.Hour, 47 * time.Hour, 49 * time.Hour, 60 * time.Hour} {
			w.until(began, at)
			for i, m := range w.members[2:] {
				assert.Equal(t, string(ofOurs.value), w.gets(m, ofOurs), "node %d, our record after %v", i+2, at)
				named, located := w.names(m, ofOurs, own)
				assert.True(t, named && located, "node %d, our provider after %v: named %t, with addresses %t", i+2, at, named, located)
				if at < 48*time.Hour {
					assert.Equal(t, string(ofTheirs.value), w.gets(m, ofTheirs), "node %d, their record after %v", i+2, at)
				}
				named, _ = w.names(m, ofTheirs, other)
				assert.Equal(t, at < 48*time.Hour, named, "node %d, their provider after %v", i+2, at)
			}
		}
	})
}
