package kad_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/kadtest"
)

// nearestNodes are the n of the nodes that are nearest to a key, without one of them: who puts it there.
func nearestNodes(nodes []*kadtest.Node, key []byte, n int, without *kadtest.Node) []*kadtest.Node {
	target := kad.KeyOf(key)
	nodes = slices.Clone(nodes)
	nodes = slices.DeleteFunc(nodes, func(x *kadtest.Node) bool { return x == without })
	slices.SortFunc(nodes, func(a, b *kadtest.Node) int {
		ka, kb := kad.KeyOf(a.ID), kad.KeyOf(b.ID)
		return target.Compare(&ka, &kb)
	})
	return nodes[:min(n, len(nodes))]
}

// names are the names of nodes, in order.
func names(nodes []*kadtest.Node) (list []string) {
	for _, n := range nodes {
		list = append(list, n.Name)
	}
	slices.Sort(list)
	return list
}

// holders are the nodes that store a record under a key, without one of them.
func holders(nodes []*kadtest.Node, key []byte, without *kadtest.Node) (list []*kadtest.Node) {
	for _, n := range nodes {
		if _, ok := n.K.Store().Get(key); ok && n != without {
			list = append(list, n)
		}
	}
	return list
}

// tellers are the nodes that store somebody as a provider of a key, without that one.
func tellers(nodes []*kadtest.Node, key []byte, provider *kadtest.Node) (list []*kadtest.Node) {
	for _, n := range nodes {
		for _, r := range n.K.Store().Providers(key, nil) {
			if n != provider && bytes.Equal(n.K.Directory().ID(r.Provider), provider.ID) {
				list = append(list, n)
			}
		}
	}
	return list
}

// joined makes a world of nodes that know each other as a network does that has been joined through its first three.
func joined(t *testing.T, seed uint64, count int, cfg kad.Config) (*kadtest.World, []*kadtest.Node) {
	w := kadtest.NewWorld(t, seed)
	w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second/10
	nodes := w.Add(count, cfg)
	for i, n := range nodes[1:] {
		w.Connect(n, nodes[w.Rand().IntN(min(i+1, 3))])
	}
	for range 2 {
		for _, n := range nodes {
			require.NoError(t, w.Do(n, kad.Input{Kind: kad.OpBootstrap}).Err)
			require.True(t, w.Settle(10*kad.Minute))
		}
	}
	return w, nodes
}

// TestBootstrapFindsAll is libp2p-kad's property "bootstrap": 2 to 19 nodes in any topology that holds together, with one
// path or several. A bootstrap begins with the node itself, counts down to 0 and leaves no query and nobody unknown.
func TestBootstrapFindsAll(t *testing.T) {
	for seed := range uint64(20) {
		w := kadtest.NewWorld(t, seed)
		w.MaxDelay = kad.Second
		cfg := kadtest.Quiet()
		cfg.DisjointPaths = seed%2 == 1
		nodes := w.Add(2+w.Rand().IntN(18), cfg)
		for i := 1; i < len(nodes); i++ {
			w.Connect(nodes[i], nodes[w.Rand().IntN(i)])
		}
		n := nodes[w.Rand().IntN(len(nodes))]
		w.Events(n)
		id := w.Do(n, kad.Input{Kind: kad.OpBootstrap}).Query
		require.True(t, w.Settle(kad.Hour))
		events := w.Progress(n, id)
		require.Equal(t, n.ID, events[0].Peer.ID, "seed %d", seed)
		for i, ev := range events {
			require.Equal(t, kad.ResBootstrap, ev.Result)
			require.Equal(t, len(events)-1-i, int(ev.Remaining), "seed %d", seed)
			require.Equal(t, i == len(events)-1, ev.Step.Last)
			require.Equal(t, kad.QueryOK, ev.Err)
		}
		for q := range n.K.Queries {
			require.Fail(t, "a query runs", "%v", q)
		}
		require.Equal(t, len(nodes)-1, n.K.Table().Len(), "seed %d", seed)
	}
}

// TestPutRecord is libp2p-kad's property "put_record": a record lies on exactly the K nodes nearest to its key, with its
// value, publisher and end, and so again after it was published again.
func TestPutRecord(t *testing.T) {
	for seed := range uint64(4) {
		cfg := kadtest.Quiet()
		cfg.K, cfg.PublicationInterval = 3+int(seed)*3, kad.Hour
		w, nodes := joined(t, seed, 20+int(seed)*5, cfg)
		n := nodes[w.Rand().IntN(len(nodes))]
		for i := range 5 {
			key := fmt.Appendf(nil, "key %d", i)
			ends := w.Now() + kad.Time(10*kad.Hour)
			rec := kad.Record{Key: key, Value: []byte("1:v"), Publisher: []byte("somebody"), Expires: ends}
			id := w.Do(n, kad.Input{Kind: kad.OpPutRecord, Valid: w.Record(rec), Quorum: kad.All}).Query
			check := func(ev kad.Event) {
				want := nearestNodes(nodes, key, cfg.K, n)
				require.Equal(t, kad.QueryOK, ev.Err)
				require.Len(t, ev.Peers, cfg.K)
				require.Equal(t, names(want), names(holders(nodes, key, n)), "seed %d", seed)
				for _, h := range append(want, n) {
					got, _ := h.K.Store().Get(key)
					require.Equal(t, "1:v", string(got.Value))
					require.Equal(t, n.ID, got.Publisher, "who puts it publishes it")
					require.Equal(t, ends, got.Expires)
				}
			}
			w.Events(n)
			require.True(t, w.Settle(kad.Minute))
			events := w.Progress(n, id)
			require.Len(t, events, 1)
			check(events[0])
			for _, h := range holders(nodes, key, n) {
				h.K.Store().Remove(key)
			}
			w.Run(kad.Hour)
			again := w.Events(n)
			i := slices.IndexFunc(again, func(ev kad.Event) bool {
				return ev.Result == kad.ResRepublishRecord && bytes.Equal(ev.Key, key)
			})
			require.GreaterOrEqual(t, i, 0)
			check(again[i])
		}
	}
}

// TestPutRecordFiltered is the part of it in which the applications of the holders have the word: what they accept lies on the
// K nearest, what they refuse on none, and its publisher is told.
func TestPutRecordFiltered(t *testing.T) {
	cfg := kadtest.Quiet()
	cfg.K, cfg.FilterRecords = 4, true
	w, nodes := joined(t, 7, 20, cfg)
	n := nodes[3]
	for i := range 6 {
		accept, key := i%2 == 0, fmt.Appendf(nil, "key %d", i)
		rec := w.Record(kad.Record{Key: key, Value: []byte("1:v")})
		w.Events(n)
		id := w.Do(n, kad.Input{Kind: kad.OpPutRecord, Valid: rec, Quorum: kad.All}).Query
		for range 20 {
			w.Run(kad.Second / 10)
			for _, h := range nodes {
				if h == n {
					continue
				}
				for _, ev := range w.Events(h) {
					if ev.Held {
						kind := map[bool]kad.InputKind{true: kad.OpAccept, false: kad.OpRefuse}[accept]
						require.NoError(t, w.Do(h, kad.Input{Kind: kind, Request: ev.Request}).Err)
					}
				}
			}
		}
		events := w.Progress(n, id)
		require.Len(t, events, 1)
		if !accept {
			require.Equal(t, kad.QueryQuorumFailed, events[0].Err)
			require.Empty(t, holders(nodes, key, n))
			continue
		}
		require.Equal(t, kad.QueryOK, events[0].Err)
		require.Equal(t, names(nearestNodes(nodes, key, cfg.K, n)), names(holders(nodes, key, n)))
	}
}

// TestAddProvider is libp2p-kad's property "add_provider": a provider record lies on exactly the K nodes nearest to its key,
// and so again after it was announced again; when it is stopped the provider has none.
func TestAddProvider(t *testing.T) {
	for seed := range uint64(3) {
		cfg := kadtest.Quiet()
		cfg.K, cfg.ProvideInterval = 3+int(seed)*4, kad.Hour
		w, nodes := joined(t, 10+seed, 20+int(seed)*5, cfg)
		n := nodes[w.Rand().IntN(len(nodes))]
		for i := range 5 {
			key := fmt.Appendf(nil, "key %d", i)
			w.Events(n)
			id := w.Do(n, kad.Input{Kind: kad.OpStartProviding, Key: key}).Query
			require.True(t, w.Settle(kad.Minute))
			events := w.Progress(n, id)
			require.Len(t, events, 1)
			require.Equal(t, kad.QueryOK, events[0].Err)
			want := names(nearestNodes(nodes, key, cfg.K, n))
			require.Equal(t, want, names(tellers(nodes, key, n)), "seed %d", seed)
			for _, h := range tellers(nodes, key, n) {
				h.K.Store().RemoveProvider(key, h.K.Directory().Find(n.ID))
			}
			w.Run(kad.Hour)
			require.Equal(t, want, names(tellers(nodes, key, n)), "seed %d: announced again", seed)
			require.True(t, slices.ContainsFunc(w.Events(n), func(ev kad.Event) bool {
				return ev.Result == kad.ResRepublishProvider && ev.Step.Last && bytes.Equal(ev.Key, key)
			}))
			w.Do(n, kad.Input{Kind: kad.OpStopProviding, Key: key})
			require.Empty(t, n.K.Store().Providers(key, nil))
		}
		require.Empty(t, slices.Collect(n.K.Store().AllProviders()))
	}
}

// TestTwoDays is the life of a network of 20 nodes in which one dies every two hours and another joins. What was put is on
// those nearest to its key as long as it lives, though whoever put it has gone at once and in the end no node of the
// first day is left; it is gone everywhere when its 48 hours are over. What is provided is found as long as its provider
// lives, and until 48 hours after its last announcement.
func TestTwoDays(t *testing.T) {
	t.Parallel()
	cfg := kad.Config{Mode: kad.ModeServer, K: 5, BootstrapInterval: 30 * kad.Minute, PublicationInterval: -1}
	w := kadtest.NewWorld(t, 1)
	w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second/10
	live := slices.Clone(w.Add(20, cfg))
	for i, n := range live[1:] {
		w.Connect(n, live[i])
	}
	w.Run(10 * kad.Minute)

	publisher, provider, start := live[0], live[1], w.Now()
	var keys [][]byte
	for i := range 10 {
		key := fmt.Appendf(nil, "key %d", i)
		keys = append(keys, key)
		w.Do(publisher, kad.Input{Kind: kad.OpPutRecord, Valid: w.Record(kad.Record{Key: key, Value: []byte("1:v")})})
		w.Do(provider, kad.Input{Kind: kad.OpStartProviding, Key: key})
	}
	w.Run(kad.Minute)
	w.Stop(publisher)
	live = live[1:]
	first := slices.Clone(live)
	leave := func(n *kadtest.Node, join bool) {
		w.Kill(n)
		live = slices.DeleteFunc(live, func(x *kadtest.Node) bool { return x == n })
		if join {
			fresh := w.Add(1, cfg)[0]
			w.Connect(fresh, live[w.Rand().IntN(len(live))])
			live = append(live, fresh)
		}
	}
	for hour := 2; hour < 48; hour += 2 {
		victim := live[0]
		if victim == provider {
			victim = live[1]
		}
		leave(victim, true)
		w.Run(kad.Duration(start) + int64(hour)*kad.Hour - kad.Duration(w.Now()))
		for _, key := range keys {
			held := holders(live, key, nil)
			for _, n := range nearestNodes(live, key, 3, nil) {
				require.Contains(t, names(held), n.Name, "%s after %d hours, of %v", key, hour, names(held))
			}
			for _, n := range held {
				r, _ := n.K.Store().Get(key)
				require.LessOrEqual(t, r.Expires, start+kad.Time(48*kad.Hour))
				require.Greater(t, r.Expires, start+kad.Time(47*kad.Hour))
			}
			require.NotEmpty(t, tellers(live, key, provider), "%s after %d hours", key, hour)
		}
	}
	for _, n := range first {
		if n != provider {
			require.NotContains(t, live, n)
		}
	}
	w.Run(kad.Duration(start) + 48*kad.Hour - kad.Duration(w.Now()))
	for _, key := range keys {
		require.Empty(t, holders(live, key, nil))
		require.NotEmpty(t, tellers(live, key, provider))
	}

	// The provider goes: the others tell of it until 48 hours after they heard it last.
	announced := kad.Time(0)
	for _, n := range live {
		for r := range n.K.Store().AllProviders() {
			announced = max(announced, r.Received)
		}
	}
	require.Greater(t, announced, w.Now()-kad.Time(12*kad.Hour))
	leave(provider, false)
	w.Run(kad.Duration(announced) + 48*kad.Hour - 1 - kad.Duration(w.Now()))
	told := 0
	for _, key := range keys {
		told += len(tellers(live, key, provider))
	}
	require.NotZero(t, told)
	w.Run(1)
	for _, key := range keys {
		require.Empty(t, tellers(live, key, provider))
	}
}
