package kad

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// slowNet is a network for measuring how long lookups take: peers that live, are dead or are slow, and one node that asks.
type slowNet struct {
	*graph
	rng       *rand.Rand
	dead      map[Peer]bool
	rtt       map[Peer]Duration
	connected map[Peer]bool
	now       Time
	pacing    pacing
	cfg       Config
}

// newSlowNet makes 100 peers with 50 ms of round trip, which vary by a tenth. Of 100, so many are dead, and so many of the
// others take eight times as long.
func newSlowNet(seed uint64, cfg Config, dead, slow int) *slowNet {
	rng := rand.New(rand.NewPCG(seed, 11))
	s := &slowNet{
		graph: newGraph(rng, 100, 20), rng: rng, dead: map[Peer]bool{}, rtt: map[Peer]Duration{}, connected: map[Peer]bool{}, cfg: cfg,
	}
	for i, j := range rng.Perm(100) {
		p := s.peers[j]
		s.dead[p] = i < dead
		s.rtt[p] = 50 * Second / 1000
		if i >= dead && i < dead+slow {
			s.rtt[p] *= 8
		}
	}
	return s
}

// outcome of one lookup.
type outcome struct {
	took   Duration
	rpcs   int
	recall int // of the 20 nearest that live
}

// lookup runs one, with the table of one of the peers, and cuts all connections beforehand if they are to be dialled.
func (s *slowNet) lookup(cold bool) outcome {
	if cold {
		clear(s.connected)
	}
	target := randomKey(s.rng)
	var l Lookup
	l.Begin(s.dir, target, 20, &s.cfg)
	self := s.peers[s.rng.IntN(len(s.peers))]
	l.Seed(seeds(s.graph, &target, s.answer(self, &target, 20)))
	type arrival struct {
		at, asked Time
		p         Peer
		dialled   bool
	}
	var o outcome
	var flight []arrival
	start := s.now + 1
	now := start
	for {
		for p, ok := l.Next(now); ok; p, ok = l.Next(now) {
			if s.pacing.doubts(now, p, &s.cfg) && l.Postpone(p) {
				continue
			}
			dialled := !s.connected[p]
			l.Expect(p, dialled, s.pacing.patience(dialled, &s.cfg))
			o.rpcs++
			if s.dead[p] {
				continue
			}
			took := s.rtt[p] + s.rng.Int64N(s.rtt[p]/10)
			if dialled {
				took *= 3
			}
			flight = append(flight, arrival{now + Time(took), now, p, dialled})
		}
		if l.Done() {
			break
		}
		slices.SortStableFunc(flight, func(a, b arrival) int { return int(a.at - b.at) })
		if wake := l.Deadline(); len(flight) == 0 || wake != 0 && wake < flight[0].at {
			now = wake
			continue
		}
		a := flight[0]
		flight = flight[1:]
		now = a.at
		s.connected[a.p] = true
		if f := l.waiting.of(a.p); f != nil {
			s.pacing.of(f.dialled).learn(Duration(now - f.asked))
			l.Hasten(f.dialled, s.pacing.patience(f.dialled, &s.cfg))
		}
		l.Reply(a.p, s.answer(a.p, &target, 20))
	}
	s.now = now
	s.pacing.leave(1, &l)
	for _, a := range flight {
		s.connected[a.p] = true
		s.now = max(s.now, a.at)
		s.pacing.arrive(a.at, 1, a.p, false)
	}
	o.took = Duration(now - start)
	var living []Peer
	for _, p := range s.peers {
		if !s.dead[p] {
			living = append(living, p)
		}
	}
	got, _ := l.Result(nil)
	for _, p := range s.nearest(&target, living)[:20] {
		if slices.Contains(got, p) {
			o.recall++
		}
	}
	return o
}

// measure runs lookups in several networks; the results are the median and the 99th percentile of the time, the mean number
// of requests and the mean recall.
func measure(cfg Config, dead, slow int, cold bool) (p50, p99 Duration, rpcs, recall float64) {
	var took []Duration
	n := 0.0
	for seed := range uint64(6) {
		s := newSlowNet(seed, cfg, dead, slow)
		for i := range 40 {
			o := s.lookup(cold)
			if i < 2 { // it has not learnt yet
				continue
			}
			took = append(took, o.took)
			rpcs += float64(o.rpcs)
			recall += float64(o.recall) / 20
			n++
		}
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], rpcs / n, recall / n
}

// With a fifth of the peers dead, patience makes lookups ten times as quick and finds no less, for fewer requests, since the
// dead are not asked by each. Slow peers are found although they take eight times as long as the others, and cost time. The
// figures of a run (ms, Amino, all to be dialled): a fifth dead p50 475 and p99 1319, without patience 20000 and 40160; with
// a tenth slow the recall is 0.978.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{"current": Current(), "amino": Amino()} {
		off := cfg
		off.Patience = -1
		for _, net := range []struct {
			dead, slow int
			cold       bool
			quicker    Duration // so many times at least
			recall     float64  // lost at the most
			rpcs       float64  // more at the most
		}{
			{0, 0, false, 1, 0, 0},
			{0, 0, true, 1, 0, 0},
			{20, 0, false, 10, 0.002, 0},
			{20, 0, true, 10, 0.002, 0},
			{50, 0, true, 10, 0.03, 0},
			{0, 10, true, 1, 0.03, 2},
			{20, 10, false, 2, 0.03, 0},
			{20, 10, true, 2, 0.03, 0},
		} {
			_, slowest, few, all := measure(off, net.dead, net.slow, net.cold)
			_, p99, rpcs, recall := measure(cfg, net.dead, net.slow, net.cold)
			require.LessOrEqual(t, p99*net.quicker, slowest, "%s %+v", name, net)
			require.GreaterOrEqual(t, recall, all-net.recall, "%s %+v", name, net)
			require.LessOrEqual(t, rpcs, few+net.rpcs, "%s %+v", name, net)
		}
	}
}

// Where nobody is dead hardly anybody is missed (recall 0.99), however far the peers are: all of them as slow as 2 s, from 10 ms to 3 s, or one half
// on this machine, which answers first, and the other half 200 ms away. Dialled, all this takes three times as long. The least is 0.9925: the first lookups of Amino near and far, where the quick
// teach a patience that the first of the far do not meet.
func TestPatienceWithTheSlow(t *testing.T) {
	const ms = Second / 1000
	for name, cfg := range map[string]Config{"current": Current(), "amino": Amino()} {
		for world, rtt := range map[string]func(i int, s *slowNet) Duration{
			"all slow": func(int, *slowNet) Duration { return 2 * Second },
			"varied":   func(_ int, s *slowNet) Duration { return 10*ms + s.rng.Int64N(3*Second) },
			"near and far": func(i int, _ *slowNet) Duration {
				return [...]Duration{ms, 200 * ms}[i%2]
			},
		} {
			found, all := 0, 0
			for seed := range uint64(6) {
				s := newSlowNet(seed, cfg, 0, 0)
				for i, p := range s.peers {
					s.rtt[p] = rtt(i, s)
				}
				for range 30 { // the first ones too, which have learnt nothing yet
					found += s.lookup(true).recall
					all += 20
				}
			}
			require.GreaterOrEqual(t, 100*found, 99*all, "%s, %s", name, world)
		}
	}
}

// The estimate: the mean and four deviations, never below a floor which halves with the first three answers.
func TestEstimate(t *testing.T) {
	const ms = Second / 1000
	var e estimate
	require.Equal(t, 2*Second, e.patience())
	e.learn(100 * ms)
	require.Equal(t, Second, e.patience(), "100 ms and four times 50")
	e.learn(100 * ms)
	require.Equal(t, 500*ms, e.patience())
	e.learn(100 * ms)
	e.learn(100 * ms)
	require.Equal(t, 264*ms, e.patience()/ms*ms, "50 ms of deviation fall by a sixteenth each time")
	for range 50 {
		e.learn(100 * ms)
	}
	require.Equal(t, 250*ms, e.patience())
	e.learn(900 * ms)
	require.Equal(t, 1000*ms, e.patience()/(5*ms)*(5*ms), "200 ms of mean, 200 ms of deviation")
	e.learn(-1)
	e.learn(1 << 62)
	require.Greater(t, e.patience(), Minute)

	// Time that is configured, or turned off.
	var p pacing
	cfg := Config{PeerTimeout: 3 * Second}.WithDefaults()
	require.Equal(t, 2*Second, p.patience(true, &cfg))
	p.connected.learn(Hour)
	require.Equal(t, 3*Second, p.patience(false, &cfg), "never more than PeerTimeout")
	require.Equal(t, 2*Second, p.patience(true, &cfg), "a dial is another matter")
	cfg.Patience = Second
	require.Equal(t, Second, p.patience(false, &cfg))
	cfg.Patience = 4 * Second
	require.Equal(t, 3*Second, p.patience(false, &cfg))
	cfg.Patience = -1
	require.Equal(t, 3*Second, p.patience(true, &cfg))
}

// Who is out of patience frees its place, then the end; its late answer counts. As long as nobody has answered everybody is
// given the whole time, and each round in silence doubles the patience.
func TestLookupLosesPatience(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 12))
	g := newGraph(rng, 30, 5)
	cfg := Config{Alpha: 2}.WithDefaults()
	target := randomKey(rng)
	near := g.nearest(&target, g.peers)
	var l Lookup
	l.Begin(g.dir, target, 3, &cfg)
	l.Seed(seeds(g, &target, near[:8]))
	ask := func(now Time) (asked []Peer) {
		for p, ok := l.Next(now); ok; p, ok = l.Next(now) {
			l.Expect(p, false, Second)
			asked = append(asked, p)
		}
		return asked
	}
	at := func(s Duration) Time { return Time(s * Second) }
	require.Equal(t, near[:2], ask(at(1)))
	require.Equal(t, at(2), l.Deadline())
	require.Empty(t, ask(at(2)-1))
	require.Equal(t, near[2:4], ask(at(2)), "their places are free")
	require.True(t, l.Asked(near[0]))
	require.Equal(t, at(4), l.Deadline(), "a round in silence: now it is two seconds")
	require.Equal(t, near[4:6], ask(at(4)))
	require.Equal(t, at(8), l.Deadline(), "and then four")
	require.Equal(t, 6, l.Awaited())

	require.True(t, l.Reply(near[5], nil))
	require.Equal(t, near[6:7], ask(at(4)))
	require.False(t, l.Asked(near[0]), "since somebody has answered its time is over")
	require.Equal(t, at(5), l.Deadline(), "of the one that was just asked")
	require.True(t, l.Reply(near[0], nil), "a late answer counts")
	require.False(t, l.Reply(near[0], nil), "once")
	require.True(t, l.Fail(near[1]))
	require.True(t, l.Reply(near[6], nil))
	require.Empty(t, ask(at(4)))
	require.False(t, l.Done(), "the fifth nearest, which was asked when four seconds were usual, may still answer")
	require.Equal(t, at(6), l.Deadline(), "of the slow third and fourth")
	l.Hasten(false, Second)
	l.Hasten(true, 1)
	require.Equal(t, at(4), l.Deadline(), "one second has become usual: these two are over")
	require.Empty(t, ask(at(4)))
	require.Equal(t, at(5), l.Deadline(), "of the fifth")
	require.Empty(t, ask(at(5)))
	require.False(t, l.Done())
	require.Equal(t, at(6), l.Deadline(), "it is waited for twice as long")
	require.Empty(t, ask(at(6)))
	require.True(t, l.Done())
	got, _ := l.Result(nil)
	require.Equal(t, []Peer{near[0], near[5], near[6]}, got)
}

// Nobody at all answers: each is given PeerTimeout, and then it ends.
func TestLookupInSilence(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 13))
	g := newGraph(rng, 30, 5)
	cfg := Config{Alpha: 1}.WithDefaults()
	target := randomKey(rng)
	var l Lookup
	l.Begin(g.dir, target, 20, &cfg)
	l.Seed(seeds(g, &target, g.peers))
	now, last, asked := Time(1), Time(0), 0
	for !l.Done() {
		if p, ok := l.Next(now); ok {
			l.Expect(p, false, Second/4)
			asked, last = asked+1, now
			continue
		}
		now = max(now, l.Deadline())
	}
	require.Equal(t, 30, asked)
	require.Equal(t, last+Time(10*Second), now)
	require.Greater(t, Duration(now), 2*Minute, "more and more slowly: not thirty in eight seconds")
}

// What is stored is waited for as long as the quorum hangs on it, and no longer.
func TestFixedLosesPatience(t *testing.T) {
	begin := func(q Quorum) *Fixed {
		cfg := Config{}.WithDefaults()
		f := new(Fixed)
		f.Begin([]Peer{1, 2, 3}, q, &cfg)
		for p, ok := f.Next(1); ok; p, ok = f.Next(1) {
			f.Expect(p, Second)
		}
		return f
	}
	soon, end := 1+Time(Second), 1+Time(10*Second)

	f := begin(One)
	require.Equal(t, soon, f.Deadline())
	f.Reply(1)
	f.Next(soon - 1)
	require.False(t, f.Done())
	f.Next(soon)
	require.True(t, f.Done(), "the quorum is reached")
	require.True(t, f.Reply(2), "a late answer counts")
	require.Equal(t, []Peer{1, 2}, f.Result(nil))

	f = begin(Majority)
	f.Reply(1)
	f.Next(soon)
	require.False(t, f.Done(), "one of the two others decides")
	require.Equal(t, end, f.Deadline())
	require.True(t, f.Asked(3))
	f.Fail(2)
	f.Next(soon)
	require.False(t, f.Done())
	f.Reply(3)
	require.True(t, f.Done())

	f = begin(All)
	f.Reply(1)
	f.Next(soon)
	f.Fail(3)
	require.Equal(t, soon, f.Deadline())
	f.Next(soon)
	require.True(t, f.Done(), "it cannot be reached any more")

	f = begin(All)
	f.Next(soon)
	require.Equal(t, 3, f.Awaited())
	f.Next(end)
	require.True(t, f.Done(), "at the latest")
	f.Finish()
	require.Empty(t, f.Result(nil))

	f = begin(Quorum(3))
	f.Reply(1)
	f.Next(soon)
	f.Finish()
	require.False(t, f.Asked(2))
	require.True(t, f.Done())
}

// An answer to a query that has ended teaches how long answers take, once; a failure does not.
func TestStragglersTeach(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetClosestPeers, Key: []byte("k"), N: 1})
	for _, c := range asked[1:] {
		k.Step(3, Input{Kind: FindNodeRes, Peer: c.Peer, Query: 1}, out)
	}
	for len(progress(out)) == 0 {
		k.Step(k.Wake(), Input{Kind: Tick}, out)
	}
	ended := progress(out)[0].Stats.End
	require.Len(t, k.pacing.stragglers, 1, "the nearest")
	before := k.pacing
	late := Input{Kind: FindNodeRes, Peer: asked[0].Peer, Query: 1}
	k.Step(ended+Time(Second), late, out)
	require.Empty(t, out.Events)
	require.Greater(t, k.pacing.dialled.mean, before.dialled.mean)
	taught := k.pacing
	k.Step(ended+Time(2*Second), late, out)
	require.Equal(t, taught.dialled, k.pacing.dialled)

	var p pacing
	for i := range Peer(40) {
		p.leave(7, &Lookup{waiting: flight{{peer: i + 1, stage: overdue}, {peer: 100, stage: timely}}})
	}
	require.Len(t, p.stragglers, maxStragglers)
	var marked []Peer
	p.visit(func(x Peer) { marked = append(marked, x) })
	require.Equal(t, Peer(40), marked[maxStragglers-1])
	p.arrive(9, 7, 40, true)
	p.arrive(9, 8, 39, false)
	require.Len(t, p.stragglers, maxStragglers-1)
	require.Zero(t, p.dialled.answers+p.connected.answers)
	p.arrive(9, 7, 39, false)
	require.Equal(t, uint8(1), p.connected.answers)
}

// A straggler is one peer's request of one query: nobody else's answer is its. It is doubted for as long as PeerTimeout, and
// its answer teaches how long it took.
func TestStragglerIsOneRequest(t *testing.T) {
	cfg := Config{PeerTimeout: 10 * Second}.WithDefaults()
	p := pacing{stragglers: []straggler{{query: 7, asked: Time(Second), peer: 1}}}
	require.False(t, p.arrive(Time(3*Second), 7, 2, false))
	require.False(t, p.arrive(Time(3*Second), 8, 1, false))
	require.True(t, p.doubts(Time(11*Second)-1, 1, &cfg))
	require.False(t, p.doubts(Time(11*Second), 1, &cfg))
	require.False(t, p.doubts(Time(Second), 2, &cfg))
	require.True(t, p.arrive(Time(3*Second), 7, 1, false))
	require.Equal(t, uint32(2_000_000), p.connected.mean)
	require.False(t, p.arrive(Time(3*Second), 7, 1, false))
}

// A request is known until PeerTimeout, though the lookup waits for it no more by then, and wants no Tick for it; that of a
// peer which has fallen off the list's end is no exception.
func TestOverdueRequest(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 3, PeerTimeout: 10 * Second}.WithDefaults()
	var l Lookup
	l.Begin(dir, Key{}, 1, &cfg)
	var peers []Peer
	for i := range byte(3) {
		peers = append(peers, dir.put(Key{0: 200 + i}))
		l.Seed([]Near{{Dist: l.distance(peers[i]), Peer: peers[i]}})
	}
	for p, ok := l.Next(1); ok; p, ok = l.Next(1) {
		l.Expect(p, false, Second)
	}
	var closer []Peer
	for i := range byte(maxCandidates*3 - 2) {
		closer = append(closer, dir.put(Key{0: 1 + i}))
	}
	require.True(t, l.Reply(peers[0], closer))
	require.False(t, l.Has(peers[2]))
	due := 1 + Time(10*Second)
	for now := 1 + Time(Second); now < due; now += Time(Second) {
		l.expire(now)
	}
	require.Zero(t, l.Awaited())
	require.Zero(t, l.Deadline())
	require.NotNil(t, l.request(peers[1]))
	require.NotNil(t, l.request(peers[2]))
	require.Equal(t, unresponsive, l.candidate(peers[1]).state)
	next, ok := l.Next(due) // it asks the next, whose deadline then is what lets the others go
	require.True(t, ok)
	require.Equal(t, closer[0], next)
	l.Expect(next, false, Second)
	l.expire(due + Time(Second))
	require.Nil(t, l.request(peers[1]))
	require.Nil(t, l.request(peers[2]))
}

// A peer that is put off until nobody else is left was not asked, so it has not failed either; and a request to store has four
// times the patience of another, but not a failed one's whole time.
func TestPutOffIsNoFailure(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer, Patience: Second})
	fill(t, k, 3)
	near := k.FindClosestLocal([]byte("k"), nil, 3, nil)
	k.pacing.stragglers = []straggler{{query: 99, asked: 1, peer: near[0].Peer}}
	out := new(Output)
	k.Step(2, Input{Kind: OpGetClosestPeers, Key: []byte("k")}, out)
	require.Len(t, out.Commands, 2)
	require.Equal(t, Stats{Requests: 2, Start: 2}, k.queries[0].stats)

	k.Step(2, Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: near}, out)
	require.Equal(t, 2+Time(storingPatience*Second), k.queries[1].fixed.Deadline())
}
