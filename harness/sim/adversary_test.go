package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// script is a load of given operations.
type script []Operation

func (l *script) Next() (op Operation, ok bool) {
	if len(*l) == 0 {
		return op, false
	}
	op, *l = (*l)[0], (*l)[1:]
	return op, true
}

// attacked runs a world of 1,000 nodes with 20 puts, then 20 provides, then 60 gets, 60 finds and 60 lookups of the same
// numbers, and adds up what became of each kind.
func attacked(t *testing.T, shards int, wire bool, foes ...Adversary) (*Result, map[OpKind]sum) {
	var ops script
	for i := range uint64(20) {
		ops = append(ops, Operation{At: kad.Duration(i) * 1e9, Kind: Put, Key: i, Node: 0})
	}
	for i := range uint64(20) {
		ops = append(ops, Operation{At: 20e9 + kad.Duration(i)*1e9, Kind: Provide, Key: i})
	}
	for i := range uint64(60) {
		for _, kind := range []OpKind{Get, Find, Lookup} {
			ops = append(ops, Operation{At: 100e9 + kad.Duration(i)*1e9, Kind: kind, Key: i % 20})
		}
	}
	res, rows := run(t, Config{
		Seed: 5, Nodes: 1000, Shards: shards, Kad: quietConfig(), Wire: wire,
		Links: Links{Kind: Uniform, Low: 10e6, High: 100e6}, Load: &ops, For: 200e9, Adversaries: foes,
	})
	sums := map[OpKind]sum{}
	for _, r := range rows {
		s := sums[r.Op.Kind]
		s.n++
		s.requests += int(r.Requests)
		s.failed += int(r.Failed)
		s.found += r.True
		s.sought += r.Sought
		s.took += r.Took
		s.longest = max(s.longest, r.Took)
		count(&s.ok, r.OK)
		if r.Op.Key == 0 {
			count(&s.firstOK, r.OK)
		}
		sums[r.Op.Kind] = s
	}
	require.Equal(t, 60, sums[Lookup].n)
	return res, sums
}

type sum struct {
	n, ok, firstOK, requests, failed, found, sought int
	took, longest                                   kad.Duration
}

func (s sum) recall() float64 { return float64(s.found) / float64(s.sought) }

// TestWhatFoesDo: each kind does the harm that it is for, at 20 %, and what it does is the same on any number of shards and
// with every message encoded.
func TestWhatFoesDo(t *testing.T) {
	peaceful, well := attacked(t, 2, false)
	assert.Equal(t, 60, well[Get].ok)
	assert.Equal(t, 60, well[Find].ok)
	assert.Equal(t, 60, well[Lookup].ok)
	assert.Equal(t, 3, well[Get].firstOK)
	assert.Equal(t, 1.0, well[Lookup].recall())
	assert.Zero(t, well[Lookup].failed)
	for _, c := range []struct {
		foe   Adversary
		check func(t *testing.T, r *Result, s map[OpKind]sum)
	}{
		{Adversary{Kind: Silent}, func(t *testing.T, r *Result, s map[OpKind]sum) {
			assert.Greater(t, s[Lookup].failed, 60, "more than one silent node a lookup")
			assert.Greater(t, s[Lookup].recall(), .95)
			assert.Greater(t, s[Get].ok, 55)
		}},
		{Adversary{Kind: Slow}, func(t *testing.T, r *Result, s map[OpKind]sum) {
			assert.Greater(t, s[Lookup].took, 3*well[Lookup].took)
			assert.Less(t, s[Lookup].longest, kad.Duration(60e9))
		}},
		{Adversary{Kind: Liar}, func(t *testing.T, r *Result, s map[OpKind]sum) {
			assert.Greater(t, s[Lookup].failed, 20*60, "twenty ghosts a lookup")
			assert.Greater(t, r.Lost, peaceful.Lost+600)
		}},
		{Adversary{Kind: Poisoner}, func(t *testing.T, r *Result, s map[OpKind]sum) {
			assert.Equal(t, 1.0, s[Lookup].recall(), "they name peers truly, and count as such")
			assert.Zero(t, s[Lookup].failed)
			assert.Greater(t, s[Get].ok, 55, "the valid ones are found beside those that are not")
		}},
		{Adversary{Kind: Sybil}, func(t *testing.T, r *Result, s map[OpKind]sum) {
			assert.Zero(t, s[Get].firstOK, "nobody but sybils was told to keep the record of the first operation's key")
			assert.GreaterOrEqual(t, s[Get].ok, 55, "of the other keys")
		}},
		{Adversary{Kind: Eclipse, Victim: 500}, func(t *testing.T, r *Result, s map[OpKind]sum) {
			assert.Greater(t, r.Sent, peaceful.Sent+600, "each shows itself to the victim")
			assert.Greater(t, s[Lookup].requests, well[Lookup].requests*9/10)
		}},
		{Adversary{Kind: Flooder}, func(t *testing.T, r *Result, s map[OpKind]sum) {
			assert.Greater(t, r.Sent, peaceful.Sent+200*10*200, "200 nodes, 10 requests a second, 200 s and the answers")
			assert.Equal(t, 60, s[Get].ok)
			assert.Equal(t, 1.0, s[Lookup].recall())
		}},
	} {
		t.Run(fmt.Sprint("kind ", c.foe.Kind), func(t *testing.T) {
			c.foe.Share = 200_000
			res, sums := attacked(t, 1, false, c.foe)
			t.Logf("lookup %+v recall %f get %+v find %+v sent %d lost %d", sums[Lookup], sums[Lookup].recall(), sums[Get], sums[Find], res.Sent, res.Lost)
			c.check(t, res, sums)
			again, _ := attacked(t, 3, false, c.foe)
			assert.Equal(t, res.Digest, again.Digest, "on three shards")
			if c.foe.Kind != Flooder {
				again, _ = attacked(t, 2, true, c.foe)
				assert.Equal(t, res.Digest, again.Digest, "encoded")
			}
		})
	}
}

// TestAnEclipsedNodeSeesNobodyElse: what the victim finds near itself are those who eclipse it; what another finds near the
// victim too.
func TestAnEclipsedNodeSeesNobodyElse(t *testing.T) {
	for _, victim := range []kad.Peer{0, 700} {
		ops := script{{At: 300e9, Kind: Bootstrap, Node: 700}}
		cfg := Config{Seed: 5, Nodes: 1000, Kad: quietConfig(), Load: &ops, For: 301e9, Adversaries: []Adversary{{Kind: Eclipse, Share: 50_000, Victim: victim}}}
		w, err := New(context.Background(), cfg)
		require.NoError(t, err)
		_, err = w.Run(context.Background())
		require.NoError(t, err)
		l := &w.foes.lines[0]
		near := w.kads[l.patient].Table().Nearest(nil, w.dir.Key(l.patient), 20)
		require.Len(t, near, 20)
		for _, q := range near {
			assert.Equal(t, role(1), w.nodes[q.Peer].role, "#%d", q.Peer)
		}
		if victim == 0 {
			assert.Equal(t, w.foes.lastHonest(), l.patient)
		}
	}
}

// TestASlowAnswerIsJustInTime: it comes within 2 ms of the moment at which the asker's host would give it up.
func TestASlowAnswerIsJustInTime(t *testing.T) {
	ops := script{{At: 1e9, Kind: Lookup, Node: 1}}
	cfg := Config{Seed: 5, Nodes: 100, Seeds: 1, Kad: quietConfig(), Links: Links{Low: 20e6}, Load: &ops, For: 2e9, Adversaries: []Adversary{{Kind: Slow, Share: One}}}
	cfg.Kad.Patience = -1
	res, rows := run(t, cfg)
	require.Len(t, rows, 1)
	assert.Zero(t, rows[0].Failed)
	assert.Positive(t, rows[0].Requests)
	timeout := cfg.kademlia(kad.ModeServer).PeerTimeout
	rounds := (rows[0].Took + timeout/2) / timeout
	assert.InDelta(t, rounds*timeout, rows[0].Took, float64(rounds*2e6), "%d rounds", rounds)
	assert.Equal(t, uint64(rows[0].Requests)*2, res.Sent)
}

func TestWhoIsAFoe(t *testing.T) {
	cfg := Config{Seed: 3, Nodes: 40_000, Seeds: 5, Adversaries: []Adversary{{Kind: Silent, Share: 50_000}, {Kind: Flooder, Share: 200_000}, {Kind: Eclipse, Share: 1, Victim: 77}}}
	f, err := newFoes(context.Background(), &cfg, nil)
	require.NoError(t, err)
	got := make([]float64, 4)
	for p := kad.Peer(1); p <= 40_000; p++ {
		got[f.roleOf(p)]++
		if p <= 5 || p == 77 {
			assert.Equal(t, honest, f.roleOf(p), "#%d", p)
		}
	}
	assert.InDelta(t, 2000, got[1], 6*math.Sqrt(2000*.95))
	assert.InDelta(t, 8000, got[2], 6*math.Sqrt(8000*.8))
	assert.Less(t, got[3], 5.0)
	assert.Equal(t, honest, f.roleOf(40_001), "a ghost")
	assert.Equal(t, []kad.Peer{14, 117, 121, 198}, f.members(1)[:4], "these numbers decide digests")
}

func TestBadAdversaries(t *testing.T) {
	for want, list := range map[string][]Adversary{
		"Adversaries[1].Share: the shares come to 1100000": {{Share: 600_000}, {Share: 500_000}},
		"Adversaries[0].Kind: there is no kind 99":         {{Kind: 99}},
		"Adversaries[0].Rate: -1, want 0":                  {{Kind: Flooder, Rate: -1}},
		"Adversaries[0].Rate: 1001, want 0":                {{Kind: Flooder, Rate: 1001}},
		"Adversaries[0].Victim: there is no node 11":       {{Kind: Eclipse, Victim: 11}},
		"Adversaries[100].Kind: more than 100 lines":       make([]Adversary, 101),
	} {
		err := Config{Nodes: 10, Adversaries: list}.Check()
		assert.ErrorIs(t, err, ErrConfig)
		assert.ErrorContains(t, err, want)
	}
	_, err := New(context.Background(), Config{Nodes: 10, Adversaries: []Adversary{{Kind: Sybil, Share: 5}}})
	assert.ErrorIs(t, err, ErrConfig)
	assert.ErrorContains(t, err, "Adversaries[0].Key: neither a key nor an operation")
	none := &foes{nodes: 10, seeds: 0, lines: []foe{{upTo: One}}}
	assert.Zero(t, none.lastHonest())
}

// TestGroundIDsLieNear: they are the nearest of all that were tried, as near as the comment of adversary_ids.go says, and the
// same however many processors try.
func TestGroundIDsLieNear(t *testing.T) {
	target := kad.KeyOf([]byte("here"))
	const tries = 1 << 16
	ids, err := grind(context.Background(), 9, 2, &target, 50, tries)
	require.NoError(t, err)
	distance := func(of id) uint64 {
		sum := sha256.Sum256(of[:])
		return binary.BigEndian.Uint64(sum[:]) ^ target.Prefix64()
	}
	var all []uint64
	for try := range uint64(tries) {
		all = append(all, distance(tryID(mix(9, uint64(forGrind), 2), try)))
	}
	slices.Sort(all)
	for i, of := range ids {
		assert.Equal(t, all[i], distance(of), i)
	}
	assert.InDelta(t, 16, bits.LeadingZeros64(all[0]), 5)
	assert.InDelta(t, math.Log2(tries/50), bits.LeadingZeros64(all[49]), 2)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	again, err := grind(context.Background(), 9, 2, &target, 50, tries)
	require.NoError(t, err)
	assert.Equal(t, ids, again)
	// As many as were tried, and more than that: it tries more.
	ids, err = grind(context.Background(), 9, 2, &target, 100, 10)
	require.NoError(t, err)
	assert.Len(t, ids, 100)
	ended, end := context.WithCancel(context.Background())
	end()
	_, err = grind(ended, 9, 2, &target, 50, tries)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []uint64{minTries, 640_000, maxTries}, []uint64{triesOf(5), triesOf(10_000), triesOf(MaxNodes)})
}

func BenchmarkGrind(b *testing.B) {
	target := kad.KeyOf([]byte("here"))
	for range b.N {
		_, err := grind(context.Background(), 9, 2, &target, 50, 1<<20)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(1<<20), "ns/id")
}

// asked puts a request of node 1 to a foe, and returns what goes back to it; false: the foe's core was left to answer.
func asked(t *testing.T, w *World, p kad.Peer, m message) (message, bool) {
	s := w.shards[0]
	m.asker, m.asked, m.session = 1, w.start, 1
	s.now, s.current, s.queue, s.messages = w.start+50e6, &m, nil, slab{}
	if !s.misbehave(p, &w.nodes[p], 1, s.current) {
		return message{}, false
	}
	require.Len(t, s.queue, 1)
	require.Equal(t, kad.Peer(1), s.queue[0].to)
	return s.messages.messages[s.queue[0].msg], true
}

// TestWhatFoesAnswer, request by request.
func TestWhatFoesAnswer(t *testing.T) {
	key := recordKey(5, Put, 0)
	put := &extra{found: true, record: kad.Record{Key: key, Value: recordValue(key, 1)}}
	requests := []message{
		{kind: kad.FindNodeReq, key: key}, {kind: kad.GetProvidersReq, key: key}, {kind: kad.GetRecord, key: key},
		{kind: kad.AddProvider, key: key}, {kind: kad.PutRecord, key: key, extra: put}, {kind: kad.GetRecord, key: []byte("another")},
	}
	// For each kind of foe a letter for each request: - its core answers, x no answer, 0 an answer that names nobody, p that it
	// is put, f it names other foes alone, g ghosts alone, n nodes, v a record that is not valid and nodes.
	for kind, want := range map[AdversaryKind]string{
		Silent: "xxx0xx", Liar: "ggg0pg", Poisoner: "--v0pv", Sybil: "fff0p-", Eclipse: "fff0pf", Flooder: "------",
	} {
		w, err := New(context.Background(), Config{Seed: 5, Nodes: 300, Shards: 1, Kad: quietConfig(), Adversaries: []Adversary{{Kind: kind, Share: 200_000, Key: key}}})
		require.NoError(t, err)
		p := w.foes.members(1)[3]
		got := ""
		for _, m := range requests {
			a, ok := asked(t, w, p, m)
			got += letter(w, a, ok)
		}
		assert.Equal(t, want, got, "kind %d", kind)
	}
}

func letter(w *World, a message, ok bool) string {
	foes, ghosts := 0, 0
	for _, q := range a.closer[:a.n] {
		count(&ghosts, int(q) > w.cfg.Nodes)
		count(&foes, w.nodes[q].role != honest)
	}
	switch n := int(a.n); {
	case !ok:
		return "-"
	case a.kind == kad.QueryError:
		return "x"
	case a.kind == kad.PutRecordRes && a.extra.found && n == 0:
		return "p"
	case a.extra != nil:
		_, err := kad.Validate(validator{}, a.extra.receive(w.start), w.start)
		if err != nil && numberOf(&a.extra.record) == 1<<62 && n == 20 && foes < 20 {
			return "v"
		}
		return "?"
	case n == 0:
		return "0"
	case foes == n && n == 20:
		return "f"
	case ghosts == n && n == 20:
		return "g"
	}
	return "n"
}

// TestAFlooderHasOneLifeAtATime: one that leaves and comes back sends no more than its rate.
func TestAFlooderHasOneLifeAtATime(t *testing.T) {
	none := script{}
	const span = 300
	cfg := Config{Seed: 5, Nodes: 40, Shards: 1, Kad: quietConfig(), Load: &none, For: span * 1e9, Sample: 1e9,
		Churn: Churn{Kind: Exponential, Median: 5e9, Away: 10e6}, Adversaries: []Adversary{{Kind: Flooder, Share: One, Rate: 2}}}
	res, _ := run(t, cfg)
	assert.Greater(t, res.Sent, uint64(32*2*span/2), "they do flood")
	assert.Less(t, res.Sent, uint64(32*2*span*3), "requests, answers, and some of the joins")
}
