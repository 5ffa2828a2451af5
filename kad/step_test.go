package kad

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func newNode(t testing.TB, cfg Config) *Kademlia {
	k, err := New([]byte("local"), NewDirectory(), cfg)
	require.NoError(t, err)
	return k
}

// quiet is a configuration of a node that does nothing by itself.
func quiet(cfg Config) Config {
	cfg.ReplicationInterval, cfg.PublicationInterval, cfg.ProvideInterval = -1, -1, -1
	cfg.BootstrapInterval, cfg.BootstrapThrottle, cfg.ProbeInterval = -1, -1, -1
	return cfg
}

func TestNew(t *testing.T) {
	_, err := New(nil, NewDirectory(), Config{})
	require.ErrorIs(t, err, ErrPeerID)
	_, err = New([]byte("x"), NewDirectory(), Config{K: -1})
	require.ErrorIs(t, err, ErrConfig)
	frozen := NewDirectory()
	frozen.Freeze()
	_, err = New([]byte("x"), frozen, Config{})
	require.ErrorIs(t, err, ErrPeerID)

	k := newNode(t, Config{})
	require.Zero(t, k.Wake(), "nothing is due before the first step")
	require.Equal(t, ModeClient, k.Mode())
	require.Equal(t, []byte("local"), k.Self().ID)
	require.Equal(t, Current(), k.Config())
	require.Equal(t, 1, k.Directory().Len())
	s := NewMemoryStore(Limits{})
	k.SetStore(s)
	require.Same(t, s, k.Store())

	k.Step(7, Input{Kind: Tick}, new(Output))
	require.Equal(t, 7+Time(5*Minute), k.Wake(), "then the first sweep is")
	k.Step(k.Wake()-1, Input{Kind: Tick}, new(Output))
	require.Equal(t, 7+Time(5*Minute), k.Wake())
	k.Step(k.Wake(), Input{Kind: Tick}, new(Output))
	require.Equal(t, 7+Time(10*Minute), k.Wake())
}

// A Step within a Step is our own mistake, and found out.
func TestStepIsSerial(t *testing.T) {
	k := newNode(t, Config{})
	k.SetStore(reentrant{k.Store(), k})
	require.PanicsWithValue(t, "kad: Step called while another Step runs", func() {
		k.Step(1, Input{Kind: GetRecord, Key: []byte("k")}, new(Output))
	})
}

type reentrant struct {
	Store
	k *Kademlia
}

func (r reentrant) Get(key []byte) (StoredRecord, bool) {
	r.k.Step(1, Input{Kind: Tick}, new(Output))
	return StoredRecord{}, false
}

// fill gives a node a table of n peers.
func fill(t testing.TB, k *Kademlia, n int) {
	var out Output
	for i := range n {
		id := fmt.Appendf(nil, "peer %d", i)
		k.Step(1, Input{Kind: OpAddAddress, Peer: PeerInfo{ID: id}, Addr: fmt.Appendf(nil, "/mem/%d", i)}, &out)
	}
	require.Greater(t, k.Table().Len(), 0)
}

// Serving allocates nothing once warm, whatever the request asks for and whoever asks.
func TestServingAllocatesNothing(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 1000)
	var out Output
	valid, err := Validate(AcceptAll{}, Record{Key: []byte("stored"), Value: []byte("v")}, 1)
	require.NoError(t, err)
	asker := PeerInfo{ID: []byte("peer 5"), Addrs: Addrs("\x12\x01x")}
	k.Step(1, Input{Kind: PutRecord, Peer: asker, Valid: valid}, &out)
	k.Step(1, Input{Kind: AddProvider, Peer: asker, Key: []byte("stored"), Providers: []PeerInfo{asker}}, &out)
	require.Len(t, out.Commands, 1)
	require.Equal(t, RespondAddProvider, out.Commands[0].Kind)

	for _, in := range []Input{
		{Kind: FindNodeReq, Peer: asker, Key: []byte("some key")},
		{Kind: FindNodeReq, Peer: asker, Key: []byte("peer 7")},
		{Kind: FindNodeReq, Peer: asker, Key: []byte("local")},
		{Kind: FindNodeReq, Peer: PeerInfo{ID: []byte("a stranger")}, Key: []byte("some key")},
		{Kind: FindNodeReq, Peer: asker},
		{Kind: GetRecord, Peer: asker, Key: []byte("stored")},
		{Kind: GetRecord, Peer: asker, Key: []byte("not stored")},
		{Kind: GetProvidersReq, Peer: asker, Key: []byte("stored")},
		{Kind: GetProvidersReq, Peer: asker, Key: []byte("not stored")},
		{Kind: FindNodeReq, Peer: asker, Key: []byte("peer 5")},
		{Kind: FindNodeReq, Peer: asker, Key: []byte("peer 7"), Target: PeerInfo{Addrs: Addrs("\x12\x01t")}},
		{Kind: PingReq, Peer: asker},
		{Kind: Tick},
	} {
		k.Step(2, in, &out)
		require.Zero(t, testing.AllocsPerRun(100, func() { k.Step(2, in, &out) }), "%v", in)
	}
}

// The peer whose id is the key is told of with what the host knows of it, once, and not without an address.
func TestFindNodeTarget(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 3)
	var out Output
	closer := func(in Input) (ids []string) {
		in.Kind = FindNodeReq
		k.Step(2, in, &out)
		require.Len(t, out.Commands, 1)
		require.Equal(t, RespondFindNode, out.Commands[0].Kind)
		for _, p := range out.Commands[0].Closer {
			require.NotEmpty(t, p.Addrs)
			ids = append(ids, string(p.ID))
		}
		return ids
	}
	host := PeerInfo{Addrs: Addrs("\x12\x01h")}
	require.Len(t, closer(Input{Key: []byte("unknown")}), 3)
	require.Len(t, closer(Input{Key: []byte("unknown"), Target: host}), 4)
	require.Contains(t, closer(Input{Key: []byte("unknown"), Target: host}), "unknown")
	require.Len(t, closer(Input{Key: make([]byte, maxIDBytes), Target: host}), 4)
	require.Len(t, closer(Input{Key: make([]byte, maxIDBytes+1), Target: host}), 3, "too long for an id")

	one := closer(Input{Key: []byte("peer 1"), Target: host})
	require.Len(t, one, 3, "nobody twice")
	require.Equal(t, "peer 1", one[0])

	// The node itself, once it has an address.
	require.Len(t, closer(Input{Key: []byte("local")}), 3)
	k.Step(2, Input{Kind: ListenAddr, Addr: []byte("/listen")}, &out)
	k.Step(2, Input{Kind: ExternalAddr, Addr: []byte("/external")}, &out)
	require.Contains(t, closer(Input{Key: []byte("local")}), "local")
	require.Equal(t, Addrs(nil).Add([]byte("/external")).Add([]byte("/listen")), k.Self().Addrs)

	// A peer whose addresses are gone is of no use.
	three := k.dir.Find([]byte("peer 2"))
	addrs := k.dir.Addrs(three)
	k.dir.SetAddrs(three, nil)
	require.Len(t, closer(Input{Key: []byte("unknown")}), 2)
	k.dir.SetAddrs(three, addrs)

	// The asker, by the addresses that it is known to have.
	asker := PeerInfo{ID: []byte("peer 1"), Addrs: Addrs("\x12\x01a")}
	require.Len(t, closer(Input{Peer: asker, Key: []byte("x")}), 2)
	got := closer(Input{Peer: asker, Key: []byte("peer 1")})
	require.Equal(t, "peer 1", got[2])
	require.True(t, out.Commands[0].Closer[2].Addrs.Contains([]byte("a")))
	require.True(t, out.Commands[0].Closer[2].Addrs.Contains([]byte("/mem/1")))
}

// A frozen Directory is shared: two nodes look each other up in it by handle, and no step changes it.
func TestFrozenDirectory(t *testing.T) {
	dir := NewDirectory()
	for i := range 50 {
		p := dir.Intern(fmt.Appendf(nil, "node %d", i))
		dir.SetAddrs(p, Addrs(nil).Add(fmt.Appendf(nil, "/mem/%d", i)))
	}
	dir.Freeze()
	cfg := quiet(Config{Mode: ModeServer}).WithDefaults()
	nodes := make([]Kademlia, 51)
	var out Output
	for p := Peer(1); p <= 50; p++ {
		nodes[p].Init(p, dir, &cfg)
		for q := Peer(1); q <= 50; q++ {
			nodes[p].Step(1, Input{Kind: ProtocolConfirmed, Peer: PeerInfo{Peer: q}}, &out)
		}
		require.Equal(t, 49, nodes[p].Table().Len()+countRoutable(&nodes[p]))
	}
	a := &nodes[1]
	a.Step(1, Input{Kind: OpGetClosestPeers, Key: []byte("foo")}, &out)
	require.Equal(t, QueryID(1), out.Query)
	var events []Event
	queue := append([]Command(nil), out.Commands...)
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		b := &nodes[c.Peer.Peer]
		b.Step(2, Input{Kind: FindNodeReq, Peer: PeerInfo{Peer: 1}, Key: c.Key}, &out)
		closer := append([]PeerInfo(nil), out.Commands[0].Closer...)
		a.Step(2, Input{Kind: FindNodeRes, Peer: PeerInfo{Peer: c.Peer.Peer}, Query: c.Query, Closer: closer}, &out)
		queue = append(queue, out.Commands...)
		events = append(events, out.Events...)
	}
	require.Len(t, events, 1)
	require.True(t, events[0].Step.Last)
	require.Len(t, events[0].Peers, 20)
	require.Zero(t, a.Wake(), "no sweep of what is shared, and no query left")
	require.Equal(t, 50, dir.Len())
	a.Step(3, Input{Kind: InConnected, Peer: PeerInfo{ID: []byte("stranger")}}, &out)
	require.ErrorIs(t, out.Err, ErrPeerID)
	a.Step(3, Input{Kind: InConnected, Peer: PeerInfo{Peer: 99}}, &out)
	require.ErrorIs(t, out.Err, ErrPeerID)
}

// countRoutable is how many of the 49 others found their bucket full.
func countRoutable(k *Kademlia) int {
	n := 0
	for p := Peer(1); p <= 50; p++ {
		if present, _ := k.table.Contains(p); !present && p != k.self {
			n++
		}
	}
	return n
}

// A private Directory is swept: who is spoken of no more is forgotten, and who is in the table, connected, asked, heard of
// or a provider is not.
func TestSweep(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 3)
	var out Output
	step := func(in Input) { k.Step(2, in, &out) }
	stranger := PeerInfo{ID: []byte("connected")}
	step(Input{Kind: InConnected, Peer: stranger})
	provider := PeerInfo{ID: []byte("provider")}
	step(Input{Kind: AddProvider, Peer: provider, Key: []byte("k"), Providers: []PeerInfo{provider}})
	step(Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{{ID: []byte("asked"), Addrs: Addrs("\x12\x01x")}}})
	step(Input{Kind: AddressFailed, Peer: PeerInfo{ID: []byte("forgotten")}})
	require.NotZero(t, k.dir.Find([]byte("forgotten")))
	now := Time(1)
	for range 3 {
		now = max(now, k.nextSweep)
		k.Step(now, Input{Kind: Tick}, &out)
		k.queries = append(k.queries[:0], &query{id: 9, search: new(Lookup), deadline: now * 2, heard: heardAddrs{{peer: k.dir.Intern([]byte("heard"))}}})
	}
	require.Zero(t, k.dir.Find([]byte("forgotten")))
	require.Zero(t, k.dir.Find([]byte("asked")), "that query is over")
	for _, id := range []string{"local", "peer 0", "connected", "provider", "heard"} {
		require.NotZero(t, k.dir.Find([]byte(id)), id)
	}
}

func valid(t testing.TB, key, value string) Valid {
	v, err := Validate(AcceptAll{}, Record{Key: []byte(key), Value: []byte(value)}, 1)
	require.NoError(t, err)
	return v
}

func TestValidate(t *testing.T) {
	_, err := Validate(AcceptAll{}, Record{}, 1)
	require.ErrorIs(t, err, ErrKeyLength)
	v := valid(t, "k", "v")
	require.True(t, v.OK())
	require.Equal(t, []byte("v"), v.Record().Value)
	require.Empty(t, v.Rank())
	require.False(t, v.Better([]byte{1}))
	require.True(t, Valid{rank: []byte{2}}.Better([]byte{1}))
	require.False(t, Valid{}.OK())
}

// What operations refuse at once.
func TestOperationsRefused(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, Limits: Limits{Queries: 1, RecordBytes: 10}})
	fill(t, k, 3)
	var out Output
	errOf := func(in Input) error {
		k.Step(2, in, &out)
		return out.Err
	}
	require.ErrorIs(t, errOf(Input{Kind: OpPutRecord, Key: []byte("k")}), ErrInvalidRecord)
	require.ErrorIs(t, errOf(Input{Kind: OpPutRecordTo, Key: []byte("k")}), ErrInvalidRecord)
	require.ErrorIs(t, errOf(Input{Kind: OpPutRecord, Valid: valid(t, "k", "0123456789")}), ErrValueTooLarge)
	require.ErrorIs(t, errOf(Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "0123456789")}), ErrValueTooLarge)
	require.ErrorIs(t, errOf(Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{{ID: []byte("local")}}}), ErrNoPeers)
	require.ErrorIs(t, errOf(Input{Kind: OpFinish, Query: 7}), ErrUnknownQuery)
	require.ErrorIs(t, errOf(Input{Kind: OpGetProviders}), ErrKeyLength)
	require.NoError(t, errOf(Input{Kind: OpRemoveRecord, Key: []byte("none")}))
	require.NoError(t, errOf(Input{Kind: OpGetClosestPeers, Key: []byte("k"), N: 99}))
	for _, in := range []Input{
		{Kind: OpGetClosestPeers, Key: []byte("k")}, {Kind: OpGetRecord, Key: []byte("k")}, {Kind: OpGetProviders, Key: []byte("k")},
		{Kind: OpPutRecord, Valid: valid(t, "k", "v")}, {Kind: OpStartProviding, Key: []byte("k")}, {Kind: OpBootstrap},
		{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{{ID: []byte("peer 0")}}},
	} {
		require.ErrorIs(t, errOf(in), ErrTooManyQueries, "%v", in)
	}
	var infos []QueryInfo
	for q := range k.Queries {
		infos = append(infos, q)
	}
	require.Len(t, infos, 1)
	require.Equal(t, ResGetClosestPeers, infos[0].Kind)
	require.Equal(t, uint32(3), infos[0].Stats.Requests)
	require.Len(t, k.ClosestLocal([]byte("k"), nil), 3)
}

func TestQuorum(t *testing.T) {
	for _, c := range []struct {
		q       Quorum
		n, want int
	}{
		{One, 20, 1}, {One, 0, 1}, {Majority, 20, 11}, {Majority, 3, 2}, {Majority, 0, 1}, {All, 20, 20}, {All, 3, 3},
		{All, 0, 1}, {5, 20, 5}, {5, 3, 3}, {5, 0, 1}, {-7, 20, 1},
	} {
		require.Equal(t, c.want, c.q.of(c.n), "%v of %d", c.q, c.n)
	}
}

// Random inputs, many of them nonsense: no panic, the table keeps its order, every query has exactly one last event within
// its time, and the same seed gives the same outputs to the last byte.
func TestRandomInputs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		require.Equal(t, randomRun(t, seed), randomRun(t, seed), "seed %d", seed)
	}
	require.NotEqual(t, randomRun(t, 1), randomRun(t, 2))
}

func randomRun(t testing.TB, seed uint64) [32]byte {
	rng := rand.New(rand.NewPCG(seed, 9))
	k := newNode(t, Config{
		Seed: seed, Mode: Mode(rng.IntN(3)), K: 1 + rng.IntN(20), Alpha: 1 + rng.IntN(10), ManualInserts: rng.IntN(4) == 0,
		QuorumEndsGet: rng.IntN(2) == 0, NoCorrection: rng.IntN(2) == 0, Limits: Limits{Queries: 5, Held: 3, GroupPeers: 20, GroupBucketPeers: 10},
		FilterRecords: rng.IntN(2) == 0, ProbeInterval: Duration(1+rng.IntN(100)) * Second, EvictAfter: rng.IntN(4) - 1,
	})
	if rng.IntN(2) == 0 {
		k.cfg.Group = func(addr []byte) uint64 { return uint64(len(addr) % 3) }
	}
	digest := sha256.New()
	var out Output
	now := tableEpoch
	last := map[QueryID]bool{} // of the queries that were begun: whether they had their last event
	observe := func() {
		if out.Query != 0 && !last[out.Query] {
			last[out.Query] = false
		}
		for i := range out.Events {
			e := &out.Events[i]
			digest.Write([]byte(e.String()))
			if e.Kind != QueryProgressed {
				continue
			}
			require.False(t, last[e.Query], "seed %d: an event after the last", seed)
			require.LessOrEqual(t, e.Stats.Successes+e.Stats.Failures, e.Stats.Requests, "seed %d: a request is counted once", seed)
			if e.Step.Last {
				last[e.Query] = true
			}
		}
	}
	var asked []Command
	some := func() []byte { return fmt.Appendf(nil, "peer %d", rng.IntN(60)) }
	list := func() (infos []PeerInfo) {
		for range rng.IntN(30) {
			infos = append(infos, PeerInfo{ID: some(), Addrs: Addrs("\x12\x01x")})
		}
		return append(infos, PeerInfo{}, PeerInfo{ID: []byte("local")}, PeerInfo{Peer: 1 << 30}, PeerInfo{ID: some(), Addrs: Addrs("\xff\xff")})
	}
	kinds := int(OpFinish) + 3
	for range 1500 {
		in := Input{
			Kind: InputKind(rng.IntN(kinds)), Peer: PeerInfo{ID: some(), Addrs: Addrs("\x12\x02ok")}, Conn: ConnID(rng.IntN(3)),
			Query: QueryID(rng.IntN(20)), Key: some(), Value: []byte("v"), Closer: list(), Providers: list(),
			Addr: []byte{byte(rng.IntN(3))}, Dialer: rng.IntN(2) == 0, Supported: rng.IntN(2) == 0, N: rng.IntN(30) - 5,
			Quorum: Quorum(rng.IntN(6) - 3), Mode: Mode(rng.IntN(3)), Request: RequestID(rng.IntN(4)),
			Err: ErrorKind(rng.IntN(int(ErrRefused) + 1)),
		}
		if rng.IntN(2) == 0 {
			in.Valid = valid(t, string(in.Key), "v")
		}
		if len(asked) > 0 && rng.IntN(2) == 0 { // an answer that is awaited
			i := rng.IntN(len(asked))
			c := asked[i]
			asked = append(asked[:i], asked[i+1:]...)
			in.Peer, in.Query, in.Key = c.Peer, c.Query, c.Key
			in.Kind = map[CommandKind]InputKind{
				SendFindNode: FindNodeRes, SendGetRecord: GetRecordRes, SendGetProviders: GetProvidersRes,
				SendPutRecord: PutRecordRes, SendAddProvider: AddProviderRes,
			}[c.Kind]
			if rng.IntN(5) == 0 {
				in.Kind = QueryError
			}
		}
		if at := k.Wake(); at != 0 && rng.IntN(4) == 0 {
			now, in.Kind = max(now, at), Tick
		}
		now += Time(rng.IntN(int(Second)))
		k.Step(now, in, &out)
		digest.Write([]byte(in.String()))
		for _, c := range out.Commands {
			digest.Write([]byte(c.String()))
			if c.Query != 0 {
				c.Key, c.Peer.ID = append([]byte(nil), c.Key...), append([]byte(nil), c.Peer.ID...)
				asked = append(asked, c)
			}
		}
		observe()
		require.LessOrEqual(t, len(k.queries), 5)
		require.LessOrEqual(t, len(k.probes.asked), maxProbes)
		require.LessOrEqual(t, len(k.held), 3)
		k.table.check(t)
		k.visit(func(p Peer) {
			if !k.dir.known(p) {
				t.Fatalf("seed %d: handle %d is nobody's", seed, p)
			}
		})
		// What is due takes a few Steps at the most: a host that obeys Wake never spins.
		for n := 0; in.Kind == Tick && k.Wake() != 0 && k.Wake() <= now; n++ {
			require.Less(t, n, 100, "seed %d", seed)
			k.Step(now, Input{Kind: Tick}, &out)
			observe()
		}
	}
	k.table.check(t)
	for range 1000 { // to rest: all that runs ends by its own timers
		if len(k.queries) == 0 {
			break
		}
		require.NotZero(t, k.Wake())
		now = max(now, k.Wake())
		k.Step(now, Input{Kind: Tick}, &out)
		observe()
	}
	require.Empty(t, k.queries, "seed %d", seed)
	require.NotEmpty(t, last)
	for id, ended := range last {
		require.True(t, ended, "seed %d: query %d", seed, id)
	}
	return [32]byte(digest.Sum(nil))
}

// A host may give the handle that it remembers beside the id: it counts while it is that id's, and after that the id does.
func TestHandleBesideID(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 3)
	one, two := k.dir.Find([]byte("peer 1")), k.dir.Find([]byte("peer 2"))
	for _, c := range []struct {
		in   PeerInfo
		want Peer
	}{
		{PeerInfo{Peer: one, ID: []byte("peer 1")}, one},
		{PeerInfo{Peer: two, ID: []byte("peer 1")}, one},
		{PeerInfo{Peer: 99, ID: []byte("peer 1")}, one},
		{PeerInfo{Peer: two}, two},
		{PeerInfo{Peer: 99}, 0},
		{PeerInfo{Peer: one, ID: []byte("stranger")}, 0},
		{PeerInfo{}, 0},
	} {
		require.Equal(t, c.want, k.lookup(c.in), "%v", c.in)
	}
}

// Where records never expire by configuration, what their sender says still counts; and so for providers.
func TestNoTTL(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, RecordTTL: -1, ProviderTTL: -1, ProviderAddrTTL: -1})
	var out Output
	for key, expires := range map[string]Time{"sender's": 500, "never": 0} {
		v, err := Validate(AcceptAll{}, Record{Key: []byte(key), Value: []byte("v"), Expires: expires}, 1)
		require.NoError(t, err)
		k.Step(100, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
		require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
		r, ok := k.Store().Get([]byte(key))
		require.True(t, ok)
		require.Equal(t, expires, r.Expires)
		require.Equal(t, Time(100), r.Received)
	}
	// Too late when it came: acknowledged and not kept.
	v, err := Validate(AcceptAll{}, Record{Key: []byte("late"), Value: []byte("v"), Expires: 100}, 1)
	require.NoError(t, err)
	k.Step(100, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
	require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
	_, ok := k.Store().Get([]byte("late"))
	require.False(t, ok)

	p := PeerInfo{ID: []byte("p"), Addrs: Addrs("\x12\x01x")}
	k.Step(100, Input{Kind: AddProvider, Peer: p, Key: []byte("k"), Providers: []PeerInfo{p}}, &out)
	k.Step(1<<62, Input{Kind: GetProvidersReq, Peer: p, Key: []byte("k")}, &out)
	require.Len(t, out.Commands[0].Providers, 1)
	require.NotEmpty(t, out.Commands[0].Providers[0].Addrs)
}

// Values longer than 64 KiB do not stay in the Output.
func TestOutputGivesBack(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	var out Output
	v, err := Validate(AcceptAll{}, Record{Key: []byte("k"), Value: make([]byte, maxKeptBytes+1)}, 1)
	require.NoError(t, err)
	k.Step(1, Input{Kind: PutRecord, Valid: v}, &out)
	require.Equal(t, RespondPutRecord, out.Commands[0].Kind)
	require.NotZero(t, cap(out.bytes))
	k.Step(1, Input{Kind: Tick}, &out)
	require.Zero(t, cap(out.bytes))
	require.Empty(t, out.Commands)
	require.Empty(t, out.Events)
}

// An announcement of 65,536 entries that all name the sender, each with the same few addresses, is one provider, at once.
func TestAddProviderManyEntries(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	p := PeerInfo{ID: []byte("p"), Addrs: Addrs(bytes.Repeat([]byte("\x12\x01x\x12\x01y"), 500))}
	in := Input{Kind: AddProvider, Peer: p, Key: []byte("k"), Providers: slices.Repeat([]PeerInfo{p}, 65_536)}
	var out Output
	k.Step(1, in, &out)
	require.Equal(t, RespondAddProvider, out.Commands[0].Kind)
	providers := k.Store().Providers([]byte("k"), nil)
	require.Len(t, providers, 1)
	require.Equal(t, Addrs("\x12\x01x\x12\x01y"), providers[0].Addrs)
}

// The same Output takes no more room for a thousand steps than for ten.
func TestOutputDoesNotGrow(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 100)
	var out Output
	size := func(steps int) [4]int {
		for range steps {
			k.Step(1, Input{Kind: FindNodeReq, Peer: PeerInfo{ID: []byte("asker"), Addrs: Addrs("\x12\x01x")}, Key: []byte("peer 7")}, &out)
		}
		return [4]int{cap(out.peers), cap(out.bytes), cap(out.Commands), cap(out.Events)}
	}
	require.Equal(t, size(10), size(1000))
}
