package kad

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// asking starts an operation at a node that knows three peers, and returns what it asks of them.
func asking(t *testing.T, cfg Config, op Input) (*Kademlia, *Output, []Command) {
	cfg.Mode = ModeServer
	k := newNode(t, cfg)
	fill(t, k, 3)
	out := new(Output)
	k.Step(2, op, out)
	require.NoError(t, out.Err)
	return k, out, append([]Command(nil), out.Commands...)
}

func progress(out *Output) (events []Event) {
	for _, e := range out.Events {
		if e.Kind == QueryProgressed {
			events = append(events, e)
		}
	}
	return events
}

// A record that is not of the key that was asked for, or was not valid, is none; the peers named beside it count all the
// same.
func TestWrongRecord(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetRecord, Key: []byte("k")})
	require.Len(t, asked, 3)
	for i, v := range []Valid{valid(t, "another", "v"), {}} {
		closer := []PeerInfo{{ID: fmt.Appendf(nil, "new %d", i), Addrs: Addrs("\x12\x01x")}}
		k.Step(3, Input{Kind: GetRecordRes, Peer: asked[i].Peer, Query: 1, Key: []byte("k"), Valid: v, Closer: closer}, out)
		require.Empty(t, progress(out))
		require.Len(t, out.Commands, 1, "the new one is asked")
		require.Equal(t, closer[0].ID, out.Commands[0].Peer.ID)
		require.Equal(t, closer[0].Addrs, out.Commands[0].Peer.Addrs)
	}
	k.Step(3, Input{Kind: GetRecordRes, Peer: asked[2].Peer, Query: 1, Valid: valid(t, "k", "v")}, out)
	found := progress(out)
	require.Len(t, found, 1)
	require.Equal(t, []byte("v"), found[0].Record.Value)
	require.Equal(t, asked[2].Peer.ID, found[0].Peer.ID)
}

// The echo of a PUT_VALUE must be what was sent; anything else was not stored.
func TestWrongEcho(t *testing.T) {
	op := Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Quorum: Majority}
	for i := range 3 {
		op.Closer = append(op.Closer, PeerInfo{ID: fmt.Appendf(nil, "peer %d", i)})
	}
	k, out, asked := asking(t, Config{}, op)
	require.Len(t, asked, 3)
	for i, echo := range []Input{{Key: []byte("k"), Value: []byte("v")}, {Key: []byte("k"), Value: []byte("w")}, {Key: []byte("l"), Value: []byte("v")}} {
		echo.Kind, echo.Peer, echo.Query = PutRecordRes, asked[i].Peer, 1
		k.Step(3, echo, out)
	}
	end := progress(out)
	require.Len(t, end, 1)
	require.Equal(t, QueryQuorumFailed, end[0].Err)
	require.Len(t, end[0].Peers, 1)
	require.Equal(t, Stats{Requests: 3, Successes: 1, Failures: 2, Start: 2, End: 3}, end[0].Stats)
}

// Only what was asked, of whom it was asked, and for the present key, is an answer.
func TestStrayReplies(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetClosestPeers, Key: []byte("k")})
	closer := []PeerInfo{{ID: []byte("new"), Addrs: Addrs("\x12\x01x")}}
	for _, in := range []Input{
		{Kind: FindNodeRes, Peer: asked[0].Peer, Query: 2, Closer: closer},
		{Kind: FindNodeRes, Peer: asked[0].Peer, Query: 1, Key: []byte("other"), Closer: closer},
		{Kind: FindNodeRes, Peer: PeerInfo{ID: []byte("stranger")}, Query: 1, Closer: closer},
		{Kind: FindNodeRes, Peer: PeerInfo{ID: []byte("local")}, Query: 1, Closer: closer},
		{Kind: GetRecordRes, Peer: asked[0].Peer, Query: 1, Key: []byte("k"), Valid: valid(t, "k", "v"), Closer: closer},
		{Kind: GetProvidersRes, Peer: asked[0].Peer, Query: 1, Providers: closer, Closer: closer},
		{Kind: PutRecordRes, Peer: asked[0].Peer, Query: 1, Key: []byte("k")},
		{Kind: AddProviderRes, Peer: asked[0].Peer, Query: 1},
		{Kind: QueryError, Peer: asked[0].Peer, Query: 1, Key: []byte("other")},
	} {
		k.Step(3, in, out)
		require.Empty(t, out.Commands, "%v", in)
		require.Empty(t, out.Events, "%v", in)
	}
	require.Zero(t, k.dir.Find([]byte("new")), "who is named in a stray reply is not remembered")
	require.Equal(t, Stats{Requests: 3, Start: 2}, k.queries[0].stats)
	k.Step(3, Input{Kind: FindNodeRes, Peer: asked[0].Peer, Query: 1, Key: []byte("k"), Closer: closer}, out)
	require.Len(t, out.Commands, 1)
}

// A reply may name this node, somebody twice, or ten thousand: it is never asked itself, nobody is asked twice, and no more
// than two times K are read.
func TestReplyNamesTooMuch(t *testing.T) {
	k, out, asked := asking(t, Config{Alpha: 255}, Input{Kind: OpGetClosestPeers, Key: []byte("k")})
	var closer []PeerInfo
	for i := range 10_000 {
		closer = append(closer, PeerInfo{ID: fmt.Appendf(nil, "fake %d", i/2), Addrs: Addrs("\x12\x01x")})
	}
	closer[0].ID = []byte("local")
	k.Step(3, Input{Kind: FindNodeRes, Peer: asked[0].Peer, Query: 1, Closer: closer}, out)
	seen := map[string]bool{"local": true}
	for _, c := range out.Commands {
		require.False(t, seen[string(c.Peer.ID)], "%v", c)
		seen[string(c.Peer.ID)] = true
	}
	require.Len(t, out.Commands, 20)
	require.Less(t, k.dir.Len(), 30)
}

// What is heard of a peer's addresses is added to what is known; an empty list takes nothing away, and a long one is cut.
func TestHeardAddresses(t *testing.T) {
	k, out, asked := asking(t, Config{Alpha: 3}, Input{Kind: OpGetClosestPeers, Key: []byte("k")})
	long := Addrs(nil)
	for i := range 2000 {
		long = long.Add(fmt.Appendf(nil, "address %d", i))
	}
	name := func(i int, addrs Addrs) {
		k.Step(3, Input{Kind: FindNodeRes, Peer: asked[i].Peer, Query: 1, Closer: []PeerInfo{
			{ID: []byte("far"), Addrs: addrs}, {ID: []byte("peer 2"), Addrs: addrs}, {ID: []byte("local"), Addrs: addrs},
		}}, out)
	}
	name(0, Addrs("\x12\x03one"))
	require.Equal(t, Addrs("\x12\x03one"), out.Commands[0].Peer.Addrs)
	name(1, Addrs("\x12\x03two"))
	q := k.queries[0]
	far, two := k.dir.Find([]byte("far")), k.dir.Find([]byte("peer 2"))
	require.Equal(t, Addrs("\x12\x03one\x12\x03two"), q.heard.of(far))
	require.Equal(t, Addrs("\x12\x06/mem/2"), k.dir.Addrs(two), "hearsay is not confirmed")
	name(2, nil)
	require.Equal(t, Addrs("\x12\x03one\x12\x03two"), q.heard.of(far))
	require.Nil(t, q.heard.of(k.self))

	// What the query has found is told with what it has heard beside what is confirmed.
	k.Step(3, Input{Kind: InConnected, Peer: PeerInfo{Peer: far}}, out)
	told := k.infos(q, []Peer{far, two}, out)
	require.Equal(t, []Connection{Connected, NotConnected}, []Connection{told[0].Connection, told[1].Connection})
	require.Equal(t, Addrs("\x12\x03one\x12\x03two"), told[0].Addrs)
	require.Equal(t, Addrs("\x12\x06/mem/2\x12\x03one\x12\x03two"), told[1].Addrs)

	q.heard.add(far, long)
	require.LessOrEqual(t, len(q.heard.of(far)), 2*maxHeardBytes)
	n := len(q.heard.of(far))
	q.heard.add(far, Addrs("\x12\x04more"))
	require.Len(t, q.heard.of(far), n, "enough is enough")
	k.Step(3, Input{Kind: AddressFailed, Peer: PeerInfo{ID: []byte("far")}, Addr: []byte("one")}, out)
	require.False(t, q.heard.of(far).Contains([]byte("one")))
	k.Step(3, Input{Kind: AddressChanged, Peer: PeerInfo{ID: []byte("far")}, OldAddr: []byte("two"), Addr: []byte("tre")}, out)
	require.True(t, q.heard.of(far).Contains([]byte("tre")))
	require.False(t, q.heard.of(far).Contains([]byte("two")))
	q.heard.keep(func(p Peer) bool { return p == two })
	require.Nil(t, q.heard.of(far))
	require.NotNil(t, q.heard.of(two))
}

// Providers are told once per answer, with their addresses, whether the Directory knows them or not.
func TestProvidersFound(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetProviders, Key: []byte("k")})
	providers := []PeerInfo{{ID: []byte("p"), Addrs: Addrs("\x12\x01x")}, {ID: []byte("p")}, {}, {ID: []byte("peer 1")}}
	k.Step(3, Input{Kind: GetProvidersRes, Peer: asked[0].Peer, Query: 1, Providers: providers}, out)
	events := progress(out)
	require.Len(t, events, 1)
	copy(providers[0].ID, "X") // it was lent: the event has its own
	providers[0].Addrs[2] = 'y'
	require.Equal(t, []PeerInfo{{ID: []byte("p"), Addrs: Addrs("\x12\x01x")}, {Peer: k.dir.Find([]byte("peer 1")), ID: []byte("peer 1")}}, events[0].Providers)
	require.False(t, events[0].Step.Last)
	require.Zero(t, k.dir.Find([]byte("p")))

	k.Step(3, Input{Kind: GetProvidersRes, Peer: asked[1].Peer, Query: 1}, out)
	require.Empty(t, out.Events, "no event for nothing")

	many := make([]PeerInfo, 5000)
	for i := range many {
		many[i].ID = fmt.Appendf(nil, "provider %d", i)
	}
	k.Step(3, Input{Kind: GetProvidersRes, Peer: asked[2].Peer, Query: 1, Providers: many}, out)
	events = progress(out)
	require.Len(t, events, 2)
	require.Len(t, events[0].Providers, maxProviders)
	require.True(t, events[1].Step.Last)
}

// The correction that follows a get is nobody's query: it is not listed, and cannot be ended.
func TestCorrectionIsHidden(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetRecord, Key: []byte("k")})
	for i, p := range asked {
		in := Input{Kind: GetRecordRes, Peer: p.Peer, Query: 1}
		if i == 0 {
			in.Valid = valid(t, "k", "v")
		}
		k.Step(3, in, out)
	}
	require.True(t, progress(out)[0].Step.Last)
	require.Len(t, out.Commands, 2)
	hidden := out.Commands[0].Query
	require.NotEqual(t, QueryID(1), hidden)
	for range k.Queries {
		require.Fail(t, "no query is to be seen")
	}
	k.Step(3, Input{Kind: OpFinish, Query: hidden}, out)
	require.ErrorIs(t, out.Err, ErrUnknownQuery)
	for _, p := range asked {
		k.Step(4, Input{Kind: QueryError, Peer: p.Peer, Query: hidden}, out)
		require.Empty(t, out.Events)
	}
	require.Empty(t, k.queries)
}

// A get that runs out of time says so, with the best record that it has; one that finds none in time says that.
func TestGetOutOfTime(t *testing.T) {
	for _, found := range []bool{true, false} {
		k, out, asked := asking(t, Config{}, Input{Kind: OpGetRecord, Key: []byte("k")})
		if found {
			k.Step(3, Input{Kind: GetRecordRes, Peer: asked[0].Peer, Query: 1, Valid: valid(t, "k", "v")}, out)
		}
		k.Step(2+Time(Minute), Input{Kind: Tick}, out)
		end := progress(out)
		require.Len(t, end, 1)
		require.True(t, end[0].Step.Last)
		require.Equal(t, QueryTimeout, end[0].Err)
		require.Equal(t, found, end[0].Found)
	}
}

// A correction that finds no place among the queries is left out, and that is not the application's error.
func TestCorrectionWithoutRoom(t *testing.T) {
	k, out, asked := asking(t, Config{Limits: Limits{Queries: 1}}, Input{Kind: OpGetRecord, Key: []byte("k")})
	for i, p := range asked {
		in := Input{Kind: GetRecordRes, Peer: p.Peer, Query: 1}
		if i == 0 {
			in.Valid = valid(t, "k", "v")
		}
		k.Step(3, in, out)
	}
	require.True(t, progress(out)[0].Step.Last)
	require.Len(t, progress(out)[0].Candidates, 1, "one is named, by default")
	require.Empty(t, out.Commands)
	require.NoError(t, out.Err)
	require.Empty(t, k.queries)
}

// Each request has one kind of answer.
func TestAnswersByKind(t *testing.T) {
	to := []PeerInfo{{ID: []byte("peer 0")}}
	kinds := []InputKind{FindNodeRes, GetProvidersRes, GetRecordRes, PutRecordRes, AddProviderRes}
	for want, op := range map[InputKind]Input{
		FindNodeRes:     {Kind: OpGetClosestPeers, Key: []byte("k")},
		GetProvidersRes: {Kind: OpGetProviders, Key: []byte("k")},
		GetRecordRes:    {Kind: OpGetRecord, Key: []byte("k")},
		PutRecordRes:    {Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: to},
		AddProviderRes:  {Kind: OpStartProviding, Key: []byte("k")},
	} {
		k, out, asked := asking(t, Config{}, op)
		if want == AddProviderRes {
			for _, c := range asked {
				k.Step(2, Input{Kind: FindNodeRes, Peer: c.Peer, Query: 1}, out)
			}
			require.Equal(t, SendAddProvider, out.Commands[0].Kind)
		}
		before := k.queries[0].stats.Successes
		for _, kind := range kinds {
			if kind != want {
				k.Step(3, Input{Kind: kind, Peer: asked[0].Peer, Query: 1, Key: []byte("k"), Value: []byte("v")}, out)
				require.Equal(t, before, k.query(1).stats.Successes, "%v to %v", kind, op)
			}
		}
		k.Step(3, Input{Kind: want, Peer: asked[0].Peer, Query: 1, Key: []byte("k"), Value: []byte("v")}, out)
		if q := k.query(1); q != nil {
			require.Equal(t, before+1, q.stats.Successes)
		} else {
			require.Equal(t, before+1, progress(out)[0].Stats.Successes)
		}
	}
}

// That an ADD_PROVIDER was written is no sign of life, nor is the failure of a request that nobody waits for any more; its
// answer is.
func TestSignsOfLife(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpStartProviding, Key: []byte("k")})
	for _, c := range asked {
		k.Step(3, Input{Kind: FindNodeRes, Peer: c.Peer, Query: 1}, out)
	}
	p := asked[0].Peer
	k.Step(4, Input{Kind: DialFailed, Peer: PeerInfo{ID: []byte("peer 1")}}, out)
	k.Step(5, Input{Kind: AddProviderRes, Peer: p, Query: 1}, out)
	require.Equal(t, Time(3), k.probes.life)
	k.pacing.stragglers = []straggler{{query: 99, asked: 5, peer: p.Peer}, {query: 98, asked: 5, peer: p.Peer}}
	k.Step(6, Input{Kind: FindNodeRes, Peer: p, Query: 97}, out)
	require.Equal(t, Time(3), k.probes.life, "it answers nothing")
	k.Step(6, Input{Kind: QueryError, Err: ErrReset, Peer: p, Query: 99}, out)
	require.Equal(t, Time(3), k.probes.life)
	k.Step(7, Input{Kind: FindNodeRes, Peer: p, Query: 98}, out)
	require.Equal(t, Time(7), k.probes.life)
	require.Empty(t, k.pacing.stragglers)
}

// Who is named without an id is nobody. Addresses are remembered of those alone that the lookup has taken, however many are
// named.
func TestHeardIsBounded(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetClosestPeers, Key: []byte("k"), N: 1})
	q := k.queries[0]
	slices.Reverse(asked) // the farthest answers first, so that it is not over yet
	name := func(peers ...PeerInfo) {
		c := asked[0]
		asked = asked[1:]
		k.Step(3, Input{Kind: FindNodeRes, Peer: c.Peer, Query: 1, Closer: peers}, out)
		asked = append(out.Commands[:len(out.Commands):len(out.Commands)], asked...)
	}
	name(PeerInfo{Addrs: Addrs("\x12\x01x")})
	require.False(t, q.search.Has(0))
	most := maxCandidates * int(k.cfg.Alpha)
	target, made := KeyOf([]byte("k")), 0
	for distance := byte(60); distance > 0 && len(asked) > 0; distance-- {
		var named []PeerInfo
		for range 2 * k.cfg.K {
			made++
			key := target
			key[0] ^= distance
			key[30], key[31] = byte(made>>8), byte(made)
			p := k.dir.put(key)
			named = append(named, PeerInfo{Peer: p, ID: k.dir.ID(p), Addrs: Addrs("\x12\x01x")})
		}
		name(named...)
		require.LessOrEqual(t, len(q.heard), 2*most+2*k.cfg.K+most)
		if distance == 60 {
			require.LessOrEqual(t, len(q.heard), most)
		}
	}
	require.Greater(t, made, 1000)
}

// A get that finds nothing has nothing to give. One that does gives it to the others by the addresses that it has heard.
func TestCorrectionByHearsay(t *testing.T) {
	for _, found := range []bool{false, true} {
		k, out, asked := asking(t, Config{}, Input{Kind: OpGetRecord, Key: []byte("k")})
		heard := PeerInfo{ID: []byte("heard"), Addrs: Addrs("\x12\x01x")}
		for i, c := range append(asked[:3:3], Command{Peer: heard}) {
			in := Input{Kind: GetRecordRes, Peer: PeerInfo{ID: c.Peer.ID}, Query: 1}
			if i == 0 {
				in.Closer = []PeerInfo{heard}
				if found {
					in.Valid = valid(t, "k", "v")
				}
			}
			k.Step(3, in, out)
		}
		require.True(t, progress(out)[0].Step.Last)
		if !found {
			require.Empty(t, out.Commands)
			continue
		}
		require.Len(t, out.Commands, 3)
		for _, c := range out.Commands {
			require.Equal(t, SendPutRecord, c.Kind)
			require.NotEmpty(t, c.Peer.Addrs)
		}
	}
}

// What is cancelled while it looks, or runs out of time, gives nothing to anybody.
func TestNothingIsGivenLate(t *testing.T) {
	for _, op := range []Input{{Kind: OpPutRecord, Valid: valid(t, "k", "v")}, {Kind: OpStartProviding, Key: []byte("k")}} {
		for _, late := range []bool{false, true} {
			k, out, asked := asking(t, Config{}, op)
			k.Step(3, Input{Kind: FindNodeRes, Peer: asked[0].Peer, Query: 1}, out)
			if late {
				k.Step(2+Time(k.cfg.QueryTimeout), Input{Kind: Tick}, out)
			} else {
				k.Step(4, Input{Kind: OpCancel, Query: 1}, out)
			}
			require.Len(t, progress(out), 1)
			require.True(t, progress(out)[0].Step.Last)
			for _, c := range out.Commands {
				require.NotContains(t, []CommandKind{SendPutRecord, SendAddProvider}, c.Kind)
			}
			require.Zero(t, k.jobs.running, "it was no job's")
		}
	}
}

// Whom another query has lost patience with is given what is to be stored all the same.
func TestStragglerIsGiven(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 1)
	var out Output
	p := k.dir.Info(k.table.entries[0].peer)
	k.pacing.stragglers = []straggler{{query: 9, asked: 1, peer: p.Peer}}
	k.Step(2, Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{p}}, &out)
	require.Len(t, out.Commands, 1)
}

// A query keeps the handles of all that it refers to.
func TestQueryVisit(t *testing.T) {
	q := query{
		lookup: Lookup{peers: []candidate{{peer: 1}}, waiting: flight{{peer: 2}}},
		fixed:  Fixed{peers: []fixedPeer{{peer: 3}}}, holders: []holder{{peer: 4}}, closest: []Peer{5},
	}
	q.search = &q.lookup
	q.heard.add(6, Addrs("\x12\x01x"))
	var marked []Peer
	q.visit(func(p Peer) { marked = append(marked, p) })
	require.ElementsMatch(t, []Peer{1, 2, 3, 4, 5, 6}, marked)
}

// A lookup among peers of whom all but a few fail goes on with the next of the table, until as many have answered as are
// wanted or nobody is left; a request says whether its peer is connected.
func TestLookupGoesOn(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, Patience: -1, BucketSize: 40})
	fill(t, k, 60)
	near := k.FindClosestLocal([]byte("k"), nil, 20, nil)
	out := new(Output)
	k.Step(1, Input{Kind: InConnected, Peer: near[0]}, out)
	k.Step(2, Input{Kind: OpGetClosestPeers, Key: []byte("k")}, out)
	asked := map[string]bool{}
	todo := append([]Command(nil), out.Commands...)
	for len(todo) > 0 {
		c := todo[0]
		require.False(t, asked[string(c.Peer.ID)])
		asked[string(c.Peer.ID)] = true
		require.Equal(t, len(asked) == 1, c.Peer.Connection == Connected)
		kind := QueryError
		if len(asked) == 1 || len(asked) > 20 {
			kind = FindNodeRes
		}
		k.Step(3, Input{Kind: kind, Err: ErrTimeout, Peer: c.Peer, Query: 1}, out)
		todo = append(todo[1:], out.Commands...)
	}
	end := progress(out)
	require.Len(t, end, 1)
	require.Len(t, end[0].Peers, 20, "the first and 19 of the others")
	require.Len(t, asked, 39)
}

// Where records have no end by themselves, what is sent has none.
func TestSentWithoutEnd(t *testing.T) {
	for ttl, want := range map[Duration]Time{-1: 0, Hour: 2 + Time(Hour)} {
		op := Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{{ID: []byte("peer 0")}}}
		_, _, asked := asking(t, Config{RecordTTL: ttl}, op)
		require.Equal(t, want, asked[0].Record.Expires)
	}
}
