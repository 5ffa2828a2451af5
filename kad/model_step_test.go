package kad

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of this file prove of one node what libp2p-kad's tests and its history ask for, where no other test does;
// LIBP2P-KAD.md names them side by side.

// The way over a third point is never the shorter one.
func TestTriangle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 40))
	number := func(k Key) *big.Int { return new(big.Int).SetBytes(k[:]) }
	for range 1000 {
		a, b, c := randomKey(rng), randomKey(rng), randomKey(rng)
		if rng.IntN(2) == 0 {
			copy(b[:rng.IntN(32)], a[:])
		}
		over := new(big.Int).Add(number(a.Distance(b)), number(b.Distance(c)))
		require.LessOrEqual(t, number(a.Distance(c)).Cmp(over), 0)
	}
}

// Chance comes from the seed and the id alone.
func TestSeed(t *testing.T) {
	target := func(seed uint64, id string) string {
		k, err := New([]byte(id), NewDirectory(), Config{Seed: seed})
		require.NoError(t, err)
		return string(k.grind(0))
	}
	require.Equal(t, target(1, "a"), target(1, "a"))
	require.NotEqual(t, target(1, "a"), target(2, "a"))
	require.NotEqual(t, target(1, "a"), target(1, "b"))
}

// A lookup begins with the K nearest of the table, though it is for four alone.
func TestLookupSeeds(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer}))
	fill(t, k, 100)
	k.Step(1, Input{Kind: OpGetClosestPeers, Key: []byte("k"), N: 4}, new(Output))
	target := KeyOf([]byte("k"))
	var seeds []Peer
	for i := range k.queries[0].lookup.peers {
		seeds = append(seeds, k.queries[0].lookup.peers[i].peer)
	}
	var want []Peer
	for _, n := range k.table.Nearest(nil, &target, 20) {
		want = append(want, n.Peer)
	}
	require.Equal(t, want, seeds)
}

// News anywhere in an answer is progress: first, in the middle or last, among peers that are known or far.
func TestProgressByAnyPeer(t *testing.T) {
	for at := range 21 {
		rng := rand.New(rand.NewPCG(1, 41))
		g := newGraph(rng, 60, 5)
		cfg := Config{Alpha: 3, Patience: -1}.WithDefaults()
		target := randomKey(rng)
		sorted := g.nearest(&target, g.peers)
		var l Lookup
		l.Begin(g.dir, target, 20, &cfg)
		l.Seed(seeds(g, &target, sorted[10:30]))
		ask := func() (asked []Peer) {
			for p, ok := l.Next(1); ok; p, ok = l.Next(1) {
				asked = append(asked, p)
			}
			return asked
		}
		require.Len(t, ask(), 3)
		for i := range 2 {
			require.True(t, l.Reply(sorted[10+i], sorted[10:30]))
			require.Len(t, ask(), 1)
		}
		answer := slices.Insert(slices.Clone(sorted[12:32]), at, sorted[5])
		require.True(t, l.Reply(sorted[12], answer))
		require.Equal(t, []Peer{sorted[5]}, ask(), "news at place %d of the answer: it is not stalled", at)
	}
}

// Of a peer those addresses come first that it has confirmed, and then what running queries have heard; when they have
// ended, that is forgotten.
func TestPeerAddresses(t *testing.T) {
	k, out, asked := asking(t, quiet(Config{Alpha: 3}), Input{Kind: OpGetClosestPeers, Key: []byte("k")})
	k.Step(2, Input{Kind: OpGetProviders, Key: []byte("l")}, out)
	name := func(query QueryID, addr string) {
		k.Step(3, Input{Kind: FindNodeRes, Peer: asked[0].Peer, Query: query, Closer: []PeerInfo{
			{ID: []byte("far"), Addrs: Addrs(nil).Add([]byte(addr))}, {ID: []byte("peer 2"), Addrs: Addrs(nil).Add([]byte(addr))},
		}}, out)
	}
	require.Nil(t, k.PeerAddresses([]byte("far")))
	require.Nil(t, k.PeerAddresses(nil))
	name(1, "heard")
	require.Equal(t, Addrs(nil).Add([]byte("heard")), k.PeerAddresses([]byte("far")))
	require.Equal(t, Addrs(nil).Add([]byte("/mem/2")).Add([]byte("heard")), k.PeerAddresses([]byte("peer 2")))
	k.Step(4, Input{Kind: OpFinish, Query: 1}, out)
	require.Empty(t, k.PeerAddresses([]byte("far")))
	require.Equal(t, Addrs(nil).Add([]byte("/mem/2")), k.PeerAddresses([]byte("peer 2")))
}

// silent lets time pass at a node that nobody answers, and returns the progress of its queries.
func silent(t *testing.T, k *Kademlia, now Time, d Duration) (events []Event) {
	var out Output
	end := now + Time(d)
	for n := 0; k.Wake() != 0 && k.Wake() <= end; n++ {
		require.Less(t, n, 10_000)
		now = max(now, k.Wake())
		k.Step(now, Input{Kind: Tick}, &out)
		events = append(events, progress(&out)...)
	}
	return events
}

// A phase that runs out of time ends its query, of whatever kind, with that error and with what there is: a first phase
// without an answer, and a second one after a first that was answered.
func TestPhasesOutOfTime(t *testing.T) {
	cfg := quiet(Config{Mode: ModeServer, QueryTimeout: 5 * Second, Patience: -1})
	one := func(id string) []PeerInfo { return []PeerInfo{{ID: []byte(id)}} }
	for _, c := range []struct {
		op   Input
		kind ResultKind
	}{
		{Input{Kind: OpGetClosestPeers, Key: []byte("k")}, ResGetClosestPeers},
		{Input{Kind: OpGetRecord, Key: []byte("k")}, ResGetRecord},
		{Input{Kind: OpGetProviders, Key: []byte("k")}, ResGetProviders},
		{Input{Kind: OpPutRecord, Valid: valid(t, "k", "v")}, ResPutRecord},
		{Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: one("peer 1")}, ResPutRecord},
		{Input{Kind: OpStartProviding, Key: []byte("k")}, ResStartProviding},
		{Input{Kind: OpBootstrap}, ResBootstrap},
	} {
		k, _, _ := asking(t, cfg, c.op)
		events := silent(t, k, 2, Minute)
		require.NotEmpty(t, events, "%v", c.op.Kind)
		for i, ev := range events {
			require.Equal(t, c.kind, ev.Result)
			require.Equal(t, QueryTimeout, ev.Err, "%v", c.op.Kind)
			require.Equal(t, ProgressStep{uint32(i + 1), i == len(events)-1}, ev.Step)
		}
		end := events[len(events)-1].Stats
		require.Equal(t, Time(5*Second)*Time(len(events)), end.End-end.Start, "each phase has its own time")
	}
	for _, op := range []Input{{Kind: OpPutRecord, Valid: valid(t, "k", "v"), Quorum: All}, {Kind: OpStartProviding, Key: []byte("k")}} {
		k, out, asked := asking(t, cfg, op)
		for _, c := range asked {
			k.Step(2+Time(Second), Input{Kind: FindNodeRes, Peer: c.Peer, Query: 1}, out)
		}
		require.Len(t, out.Commands, 3, "the second phase")
		events := silent(t, k, 2, Minute)
		require.Len(t, events, 1)
		require.Equal(t, QueryTimeout, events[0].Err, "%v", op.Kind)
		require.Equal(t, Time(6*Second), events[0].Stats.End-events[0].Stats.Start, "each phase has its own time")
		require.Equal(t, uint32(3), events[0].Stats.Successes)
	}

	// And so the jobs' queries.
	cfg.PublicationInterval, cfg.ProvideInterval = Hour, Hour
	k := newNode(t, cfg)
	fill(t, k, 3)
	require.NoError(t, k.Store().Put(StoredRecord{Record: Record{Key: []byte("k"), Value: []byte("v"), Publisher: k.dir.ID(k.self), Received: 1}}))
	require.NoError(t, k.Store().AddProvider(ProviderRecord{Key: []byte("p"), Provider: k.self, Received: 1}))
	k.Step(1, Input{Kind: Tick}, new(Output))
	kinds := map[ResultKind]QueryErr{}
	for _, ev := range silent(t, k, 1, 3*Hour) {
		kinds[ev.Result] = ev.Err
	}
	require.Equal(t, map[ResultKind]QueryErr{ResRepublishRecord: QueryTimeout, ResRepublishProvider: QueryTimeout}, kinds)
}

// A deadline stands, however often the node is woken before it, and when it comes a Tick alone is enough.
func TestDeadlinesStand(t *testing.T) {
	k, out, asked := asking(t, quiet(Config{Patience: -1}), Input{Kind: OpGetClosestPeers, Key: []byte("k")})
	wake := k.Wake()
	require.Equal(t, 2+Time(10*Second), wake)
	for now := Time(3); now < wake; now += Time(Second / 10) {
		k.Step(now, Input{Kind: Tick}, out)
		k.Step(now, Input{Kind: FindNodeReq, Peer: asked[0].Peer, Key: []byte("x")}, out)
		k.Step(now, Input{Kind: ListenAddr, Addr: []byte("a")}, out)
		require.Equal(t, wake, k.Wake())
		require.Empty(t, progress(out))
	}
	k.Step(wake, Input{Kind: Tick}, out)
	end := progress(out)
	require.Len(t, end, 1)
	require.True(t, end[0].Step.Last)
	require.Equal(t, uint32(3), end[0].Stats.Failures)
}

// A record whose quorum is reached still goes to all who are to have it, and those count who answer later.
func TestQuorumDropsNothing(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer, Patience: -1}))
	op := Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Quorum: One}
	for i := range 25 {
		op.Closer = append(op.Closer, PeerInfo{ID: fmt.Appendf(nil, "peer %d", i), Addrs: Addrs("\x12\x01x")})
	}
	out := new(Output)
	k.Step(1, op, out)
	sent := slices.Clone(out.Commands)
	for i := 0; i < len(sent); i++ {
		require.Empty(t, progress(out), "after %d answers", i)
		k.Step(2, Input{Kind: PutRecordRes, Peer: sent[i].Peer, Query: 1, Key: []byte("k"), Value: []byte("v")}, out)
		sent = append(sent, out.Commands...)
	}
	require.Len(t, sent, 25)
	end := progress(out)
	require.Len(t, end, 1)
	require.Equal(t, QueryOK, end[0].Err)
	require.Len(t, end[0].Peers, 25)
}

// A record that has expired when it comes is acknowledged and not stored.
func TestExpiredOnArrival(t *testing.T) {
	k := newNode(t, quiet(Config{Mode: ModeServer}))
	out := new(Output)
	for expires, stored := range map[Time]bool{99: false, 100: false, 101: true} {
		key := fmt.Sprintf("ends at %d", expires)
		v, err := Validate(AcceptAll{}, Record{Key: []byte(key), Value: []byte("v"), Expires: expires}, 1)
		require.NoError(t, err)
		k.Step(100, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, out)
		require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
		_, ok := k.Store().Get([]byte(key))
		require.Equal(t, stored, ok, key)
	}
}

// What is known of a provide: first it looks, then it tells those that it has found, and who has been told.
func TestQueryInfoOfProvide(t *testing.T) {
	k, out, asked := asking(t, quiet(Config{}), Input{Kind: OpStartProviding, Key: []byte("k")})
	info, ok := k.Query(1)
	require.True(t, ok)
	require.Equal(t, ResStartProviding, info.Kind)
	require.Equal(t, []byte("k"), info.Key)
	require.False(t, info.Storing)
	for _, c := range asked {
		k.Step(3, Input{Kind: FindNodeRes, Peer: c.Peer, Query: 1}, out)
	}
	info, _ = k.Query(1)
	require.True(t, info.Storing)
	require.Empty(t, info.Stored)
	k.Step(4, Input{Kind: AddProviderRes, Peer: asked[1].Peer, Query: 1}, out)
	info, ok = k.Query(1)
	require.True(t, ok)
	require.Len(t, info.Stored, 1)
	require.Equal(t, asked[1].Peer.ID, info.Stored[0].ID)
}
