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

// The tests of this file prove on networks of kadtest what libp2p-kad's own multi-node tests prove; LIBP2P-KAD.md names
// them side by side.

// fakes tells a node of peers that nobody is.
func fakes(w *kadtest.World, n *kadtest.Node, count int) {
	for i := range count {
		w.Do(n, kad.Input{Kind: kad.OpAddAddress, Peer: kad.PeerInfo{ID: fmt.Appendf(nil, "fake %d", i)}, Addr: []byte("/nowhere")})
	}
	require.Equal(w.TB(), count, n.K.Table().Len())
}

// nearest are the ids of nodes in the order of their distance to a key.
func nearest(key []byte, nodes []*kadtest.Node) (ids [][]byte) {
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	target := kad.KeyOf(key)
	slices.SortFunc(ids, func(a, b []byte) int {
		x, y := kad.KeyOf(a), kad.KeyOf(b)
		return target.Compare(&x, &y)
	})
	return ids
}

func ids(peers []kad.PeerInfo) (list [][]byte) {
	for _, p := range peers {
		list = append(list, p.ID)
	}
	return list
}

// closest runs a lookup and returns its only event.
func closest(w *kadtest.World, n *kadtest.Node, key []byte, count int) kad.Event {
	res := w.Do(n, kad.Input{Kind: kad.OpGetClosestPeers, Key: key, N: count})
	require.NoError(w.TB(), res.Err)
	require.True(w.TB(), w.Settle(5*kad.Minute))
	events := w.Progress(n, res.Query)
	require.Len(w.TB(), events, 1)
	require.Equal(w.TB(), kad.ProgressStep{Count: 1, Last: true}, events[0].Step)
	return events[0]
}

// Ten peers of the own table that do not answer make an empty result, which is no error.
func TestUnresponsiveOwnPeers(t *testing.T) {
	w := kadtest.NewWorld(t, 1)
	n := w.Add(1, kadtest.Quiet())[0]
	fakes(w, n, 10)
	end := closest(w, n, []byte("key"), 0)
	require.Equal(t, kad.QueryOK, end.Err)
	require.Empty(t, end.Peers)
	require.Equal(t, uint32(10), end.Stats.Failures)
}

// Those that another names and that do not answer are tried and not returned; the one that answers is.
func TestUnresponsivePeersOfAnother(t *testing.T) {
	w := kadtest.NewWorld(t, 1)
	n := w.Add(2, kadtest.Quiet())
	fakes(w, n[0], 10)
	w.Connect(n[1], n[0])
	end := closest(w, n[1], []byte("key"), 0)
	require.Equal(t, kad.QueryOK, end.Err)
	require.Equal(t, [][]byte{n[0].ID}, ids(end.Peers))
	require.Equal(t, uint32(1), end.Stats.Successes)
	require.Equal(t, uint32(10), end.Stats.Failures)
}

// full is a network of nodes that all know each other as far as their tables have room.
func full(w *kadtest.World, count int, cfg kad.Config) []*kadtest.Node {
	nodes := w.Add(count, cfg)
	for _, n := range nodes {
		for _, other := range nodes {
			if other != n {
				w.Do(n, kad.Input{Kind: kad.OpAddAddress, Peer: kad.PeerInfo{ID: other.ID}, Addr: other.Addr})
			}
		}
	}
	return nodes
}

// Of 60 nodes a lookup returns as many as were asked for, K at the most, and they are the nearest of all.
func TestClosestPeersCount(t *testing.T) {
	for _, k := range []int{5, 10, 20} {
		cfg := kadtest.Quiet()
		cfg.K = k
		w := kadtest.NewWorld(t, uint64(k))
		nodes := full(w, 60, cfg)
		for n := 1; n < 40; n += 3 {
			key := fmt.Appendf(nil, "key %d", n)
			asker := nodes[n]
			end := closest(w, asker, key, n)
			others := slices.DeleteFunc(slices.Clone(nodes), func(other *kadtest.Node) bool { return other == asker })
			require.Equal(t, nearest(key, others)[:min(n, k)], ids(end.Peers), "k %d, n %d", k, n)
		}
		require.Len(t, closest(w, nodes[0], []byte("as many as there may be"), 0).Peers, k)
	}
}

// In a chain of nodes, each of which knows the next alone, a lookup by the first walks to the last and returns all others in
// the order of their distance.
func TestChain(t *testing.T) {
	for seed := range uint64(10) {
		w := kadtest.NewWorld(t, seed)
		w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second/10
		nodes := w.Add(2+w.Rand().IntN(18), kadtest.Quiet())
		for i, n := range nodes[1:] {
			w.Know(nodes[i], n)
		}
		key := fmt.Appendf(nil, "key %d", seed)
		end := closest(w, nodes[0], key, 0)
		require.Equal(t, kad.QueryOK, end.Err)
		require.Equal(t, nearest(key, nodes[1:]), ids(end.Peers), "seed %d: of %d nodes", seed, len(nodes))
		require.Equal(t, uint32(len(nodes)-1), end.Stats.Successes)
	}
}

// A get of what nobody has says so, and names whom it would have been at: exactly the two that there are, nearest first.
func TestGetRecordNotFound(t *testing.T) {
	cfg := kadtest.Quiet()
	cfg.CacheCandidates = 20
	w := kadtest.NewWorld(t, 1)
	n := w.Add(3, cfg)
	w.Connect(n[0], n[1])
	w.Connect(n[1], n[2])
	key := []byte("nothing")
	q := w.Do(n[0], kad.Input{Kind: kad.OpGetRecord, Key: key}).Query
	require.True(t, w.Settle(kad.Minute))
	events := w.Progress(n[0], q)
	require.Len(t, events, 1)
	require.Equal(t, kad.QueryNotFound, events[0].Err)
	require.False(t, events[0].Found)
	require.True(t, events[0].Step.Last)
	require.ElementsMatch(t, [][]byte{n[1].ID, n[2].ID}, ids(events[0].Peers))
}

// A record that only the third node of a chain has is found. Its event is the first and not the last.
func TestGetRecordOverHops(t *testing.T) {
	w := kadtest.NewWorld(t, 1)
	w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second/10
	n := w.Add(3, kadtest.Quiet())
	w.Connect(n[0], n[1])
	w.Connect(n[1], n[2])
	w.Hold(n[2], kad.Record{Key: []byte("key"), Value: []byte("value")})
	q := w.Do(n[0], kad.Input{Kind: kad.OpGetRecord, Key: []byte("key")}).Query
	require.True(t, w.Settle(kad.Minute))
	events := w.Progress(n[0], q)
	require.Len(t, events, 2)
	require.Equal(t, kad.ProgressStep{Count: 1}, events[0].Step)
	require.Equal(t, n[2].ID, events[0].Peer.ID)
	require.Equal(t, "value", string(events[0].Record.Value))
	require.Equal(t, kad.ProgressStep{Count: 2, Last: true}, events[1].Step)
	require.Equal(t, kad.QueryOK, events[1].Err)
}

// A get has no quorum to fail for: one record of three peers is found, whatever quorum was asked for.
func TestGetIgnoresItsQuorum(t *testing.T) {
	for _, quorum := range []kad.Quorum{kad.One, kad.Majority, kad.All, 2, 20} {
		w := kadtest.NewWorld(t, 1)
		n := full(w, 4, kadtest.Quiet())
		w.Hold(n[2], kad.Record{Key: []byte("key"), Value: []byte("value")})
		q := w.Do(n[0], kad.Input{Kind: kad.OpGetRecord, Key: []byte("key"), Quorum: quorum}).Query
		require.True(t, w.Settle(kad.Minute))
		events := w.Progress(n[0], q)
		require.Len(t, events, 2)
		require.Equal(t, kad.QueryOK, events[1].Err, "quorum %d", quorum)
		require.Equal(t, uint32(3), events[1].Stats.Successes, "all are asked")
	}
}

// A record that the node stores itself is the first find, from nobody else, and the others are asked all the same. One that
// has expired is none, and is forgotten.
func TestGetOwnRecord(t *testing.T) {
	w := kadtest.NewWorld(t, 1)
	n := full(w, 3, kadtest.Quiet())
	w.Hold(n[0], kad.Record{Key: []byte("own"), Value: []byte("1:own")})
	w.Hold(n[1], kad.Record{Key: []byte("own"), Value: []byte("2:newer")})
	w.Hold(n[0], kad.Record{Key: []byte("over"), Value: []byte("1:over"), Expires: w.Now()})
	q := w.Do(n[0], kad.Input{Kind: kad.OpGetRecord, Key: []byte("own")}).Query
	require.True(t, w.Settle(kad.Minute))
	events := w.Progress(n[0], q)
	require.Len(t, events, 3)
	require.Equal(t, "1:own", string(events[0].Record.Value))
	require.Empty(t, events[0].Peer.ID)
	require.Equal(t, kad.ProgressStep{Count: 1}, events[0].Step)
	require.Equal(t, n[1].ID, events[1].Peer.ID)
	require.Equal(t, "2:newer", string(events[2].Record.Value))
	require.Equal(t, uint32(2), events[2].Stats.Successes)

	q = w.Do(n[0], kad.Input{Kind: kad.OpGetRecord, Key: []byte("over")}).Query
	_, stored := n[0].K.Store().Get([]byte("over"))
	require.False(t, stored)
	require.True(t, w.Settle(kad.Minute))
	events = w.Progress(n[0], q)
	require.Len(t, events, 1)
	require.Equal(t, kad.QueryNotFound, events[0].Err)
}

// Of twelve holders the application takes ten records and ends the query: it has exactly one more event, the last.
func TestGetRecordFromMany(t *testing.T) {
	w := kadtest.NewWorld(t, 1)
	w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second/10
	nodes := full(w, 13, kadtest.Quiet())
	for _, n := range nodes[1:] {
		w.Hold(n, kad.Record{Key: []byte("key"), Value: []byte("value")})
	}
	asker := nodes[0]
	w.Events(asker)
	q := w.Do(asker, kad.Input{Kind: kad.OpGetRecord, Key: []byte("key")}).Query
	var all []kad.Event
	ended := false
	for range 200 {
		w.Run(kad.Second / 200)
		all = append(all, w.Progress(asker, q)...)
		if len(all) >= 10 && !ended {
			require.NoError(t, w.Do(asker, kad.Input{Kind: kad.OpFinish, Query: q}).Err)
			ended = true
		}
	}
	require.True(t, ended)
	require.GreaterOrEqual(t, len(all), 11)
	require.LessOrEqual(t, len(all), 13)
	for i, ev := range all {
		require.Equal(t, kad.ProgressStep{Count: uint32(i + 1), Last: i == len(all)-1}, ev.Step)
		require.True(t, ev.Found)
		require.Equal(t, "value", string(ev.Record.Value))
	}
	_, running := asker.K.Query(q)
	require.False(t, running)
}

// 101 queries of the application at once, more than the jobs may have, end each with one last event.
func TestManyQueriesOfTheApplication(t *testing.T) {
	cfg := kadtest.Quiet()
	cfg.ReplicationInterval, cfg.PublicationInterval, cfg.ProvideInterval = kad.Minute, kad.Minute, kad.Minute // the jobs are at work meanwhile
	w := kadtest.NewWorld(t, 1)
	w.MinDelay = kad.Second / 10
	n := full(w, 5, cfg)
	w.Do(n[0], kad.Input{Kind: kad.OpStartProviding, Key: []byte("key")})
	w.Run(10 * kad.Minute)
	w.Events(n[0])
	started := map[kad.QueryID]bool{}
	for i := range 101 {
		res := w.Do(n[0], kad.Input{Kind: kad.OpGetClosestPeers, Key: fmt.Appendf(nil, "key %d", i)})
		require.NoError(t, res.Err)
		started[res.Query] = true
	}
	w.Run(10 * kad.Minute)
	for _, ev := range w.Events(n[0]) {
		if ev.Kind == kad.QueryProgressed && ev.Result == kad.ResGetClosestPeers {
			require.True(t, started[ev.Query])
			require.True(t, ev.Step.Last)
			delete(started, ev.Query)
		}
	}
	require.Empty(t, started)
}

// A node alone that provides finds itself, and then comes the last event.
func TestGetProvidersAlone(t *testing.T) {
	w := kadtest.NewWorld(t, 1)
	n := w.Add(1, kadtest.Quiet())[0]
	w.Do(n, kad.Input{Kind: kad.OpStartProviding, Key: []byte("key")})
	q := w.Do(n, kad.Input{Kind: kad.OpGetProviders, Key: []byte("key")}).Query
	require.True(t, w.Settle(kad.Minute))
	events := w.Progress(n, q)
	require.Len(t, events, 2)
	require.Equal(t, [][]byte{n.ID}, ids(events[0].Providers))
	require.Equal(t, kad.ProgressStep{Count: 1}, events[0].Step)
	require.Empty(t, events[1].Providers)
	require.Equal(t, kad.ProgressStep{Count: 2, Last: true}, events[1].Step)
}

// The application stops a search once it has one, two or five providers: none of them is told twice in one answer, there is
// exactly one last event, and a search for more than there are ends by itself.
func TestGetProvidersUntilEnough(t *testing.T) {
	for _, limit := range []int{1, 2, 5} {
		w := kadtest.NewWorld(t, uint64(limit))
		w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second
		nodes := full(w, 12, kadtest.Quiet())
		for _, n := range nodes[1:4] {
			w.Do(n, kad.Input{Kind: kad.OpStartProviding, Key: []byte("key")})
		}
		require.True(t, w.Settle(kad.Minute))
		asker := nodes[0]
		w.Events(asker)
		q := w.Do(asker, kad.Input{Kind: kad.OpGetProviders, Key: []byte("key")}).Query
		found, ended := map[string]bool{}, false
		var all []kad.Event
		for range 6000 {
			w.Run(kad.Second / 100)
			for _, ev := range w.Progress(asker, q) {
				all = append(all, ev)
				for _, p := range ev.Providers {
					found[string(p.ID)] = true
				}
			}
			if len(found) >= limit && !ended {
				ended = true
				w.Do(asker, kad.Input{Kind: kad.OpFinish, Query: q})
			}
		}
		require.Len(t, found, min(3, max(limit, len(found))))
		require.Equal(t, limit <= 3, ended)
		for i, ev := range all {
			require.Equal(t, kad.ProgressStep{Count: uint32(i + 1), Last: i == len(all)-1}, ev.Step)
		}
		for id := range found {
			require.True(t, slices.ContainsFunc(nodes[1:4], func(n *kadtest.Node) bool { return bytes.Equal(n.ID, []byte(id)) }))
		}
		_, running := asker.K.Query(q)
		require.False(t, running)
	}
}

// Lookups over networks of 100 nodes, a fifth of them dead, with seeded delays: none returns a dead one or takes as long as
// a phase may, each comes in the order of distance, and of the twenty nearest that live they find nine of ten at least.
// (Not all of them: a node answers with the twenty nearest that it knows, dead or alive, and here all know the same.)
func TestLookupAmongTheDead(t *testing.T) {
	found, all := 0, 0
	for seed := range uint64(20) {
		w := kadtest.NewWorld(t, seed)
		w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second/5
		nodes := full(w, 100, kadtest.Quiet())
		var live []*kadtest.Node
		for i, n := range nodes {
			if i > 0 && w.Rand().IntN(5) == 0 {
				w.Kill(n)
			} else {
				live = append(live, n)
			}
		}
		key := fmt.Appendf(nil, "key %d", seed)
		end := closest(w, nodes[0], key, 0)
		require.Equal(t, kad.QueryOK, end.Err)
		require.Less(t, end.Stats.End-end.Stats.Start, kad.Time(kad.Minute))
		want, got := nearest(key, live[1:]), ids(end.Peers)
		require.LessOrEqual(t, len(got), 20)
		at := -1
		for _, id := range got {
			i := slices.IndexFunc(want, func(other []byte) bool { return bytes.Equal(other, id) })
			require.Greater(t, i, at, "seed %d: %s is dead, or out of order", seed, id)
			at = i
			if i < 20 {
				found++
			}
		}
		all += 20
	}
	require.GreaterOrEqual(t, 10*found, 9*all, "%d of %d", found, all)
}
