package kad

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// drive runs a search to its end: answers come in random order, silent is asked for each peer before it answers.
func drive(t *testing.T, s search, rng *rand.Rand, most int, answer func(Peer) []Peer, silent func(Peer) bool) (asked []Peer) {
	var flight []Peer
	now := Time(1)
	for step := 0; ; step++ {
		require.Less(t, step, 100_000, "it ends")
		for p, ok := s.Next(now); ok; p, ok = s.Next(now) {
			s.Expect(p, false, Second)
			require.NotContains(t, asked, p, "nobody is asked twice")
			asked = append(asked, p)
			if !silent(p) {
				flight = append(flight, p)
			}
			require.LessOrEqual(t, s.Awaited(), most)
		}
		if s.Done() {
			return asked
		}
		if len(flight) == 0 {
			require.NotZero(t, s.Deadline(), "who is not done waits for somebody")
			now = max(now, s.Deadline())
			continue
		}
		i := rng.IntN(len(flight))
		p := flight[i]
		flight = slices.Delete(flight, i, i+1)
		if rng.IntN(10) == 0 {
			s.Fail(p)
		} else {
			s.Reply(p, answer(p))
		}
	}
}

// Along one path or several, a lookup in a network without liars finds the nearest of all; the plain one exactly as many as
// wanted, the other at least. With failures both find the nearest of those that answered.
func TestDisjointFindsNearest(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 21))
		cfg := Config{K: 20, Alpha: 1 + rng.IntN(10), Beta: rng.IntN(2) * 3}.WithDefaults()
		want := 1 + rng.IntN(20)
		g := newGraph(rng, 20+rng.IntN(180), 20)
		target := randomKey(rng)
		start := seeds(g, &target, g.answer(g.peers[rng.IntN(len(g.peers))], &target, 20))
		for _, s := range []search{new(Lookup), new(Disjoint)} {
			good := map[Peer]bool{}
			s.Begin(g.dir, target, want, &cfg)
			require.True(t, s.Seed(start))
			asked := drive(t, s, rng, max(want, cfg.Alpha), func(p Peer) []Peer {
				good[p] = true
				return g.answer(p, &target, 20)
			}, func(Peer) bool { return false })
			got, hops := s.Result(nil)
			var answered []Peer
			for _, p := range asked {
				require.False(t, s.Fail(p), "a failure cannot undo an answer, and after the end nothing counts")
				if good[p] {
					answered = append(answered, p)
				}
			}
			sorted := g.nearest(&target, answered)
			if _, plain := s.(*Lookup); plain {
				require.Equal(t, sorted[:min(want, len(sorted))], got, "seed %d", seed)
			} else {
				require.GreaterOrEqual(t, len(got), min(want, len(sorted)))
				require.Equal(t, sorted[:min(want, len(sorted))], got[:min(want, len(sorted))], "seed %d", seed)
				require.True(t, slices.IsSortedFunc(got, func(a, b Peer) int { return target.Compare(g.dir.Key(a), g.dir.Key(b)) }))
				unique := slices.Clone(got)
				slices.Sort(unique)
				require.Len(t, slices.Compact(unique), len(got), "each once")
			}
			require.Positive(t, hops)
		}
	}
}

// Silent peers do not keep any path from its end, and each is asked by one path alone.
func TestDisjointWithSilentPeers(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 22))
		cfg := Config{Alpha: 2 + rng.IntN(4)}.WithDefaults()
		g := newGraph(rng, 100, 20)
		dead := map[Peer]bool{}
		for _, p := range g.peers {
			dead[p] = rng.IntN(4) == 0
		}
		target := randomKey(rng)
		var d Disjoint
		d.Begin(g.dir, target, 20, &cfg)
		d.Seed(seeds(g, &target, g.peers[:20]))
		drive(t, &d, rng, 100, func(p Peer) []Peer { return g.answer(p, &target, 20) }, func(p Peer) bool { return dead[p] })
		got, _ := d.Result(nil)
		require.GreaterOrEqual(t, len(got), 20)
		for _, p := range got {
			require.False(t, dead[p])
		}
	}
}

// Twelve peers, three paths of one peer each that know nothing of each other: the result has the nearest of every path, and
// a liar's path, which names nearer and nearer ones, takes no place from those of the others. Alpha are in flight, not Alpha².
func TestDisjointPaths(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 3}.WithDefaults()
	at := func(distance byte) Peer { return dir.put(Key{0: distance}) }
	var paths [3][]Peer // each names the next of its own
	for i, distances := range [3][]byte{{200, 150, 100, 50}, {201, 151, 101, 51}, {202, 5, 4, 3}} {
		for _, d := range distances {
			paths[i] = append(paths[i], at(d))
		}
	}
	var d Disjoint
	d.Begin(dir, Key{}, 3, &cfg)
	for i := range paths {
		d.Seed([]Near{{Dist: dir.Key(paths[i][0]).Prefix64(), Peer: paths[i][0]}})
	}
	for round := range 4 {
		var asked []Peer
		for p, ok := d.Next(1); ok; p, ok = d.Next(1) {
			asked = append(asked, p)
		}
		require.ElementsMatch(t, []Peer{paths[0][round], paths[1][round], paths[2][round]}, asked, "one of each path")
		for i := range paths {
			require.False(t, d.Done())
			require.True(t, d.Has(paths[i][round]))
			require.True(t, d.Asked(paths[i][round]))
			require.True(t, d.Reply(paths[i][round], paths[i][round+1:min(round+2, 4)]))
		}
	}
	_, ok := d.Next(1)
	require.False(t, ok)
	require.True(t, d.Done())
	got, hops := d.Result(nil)
	require.Equal(t, []Peer{paths[2][3], paths[2][2], paths[2][1], paths[0][3], paths[1][3]}, got[:5])
	require.Len(t, got, 9, "three of each")
	require.Equal(t, 4, hops)
}

// A peer is asked by the path that comes first; the others learn that it has answered, failed, or is still being asked, and
// nothing of what it said.
func TestDisjointSharesNoPeer(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 2, PeerTimeout: 4 * Second}.WithDefaults()
	var peers []Peer
	var near []Near
	for i := range byte(6) {
		p := dir.put(Key{0: 10 + i})
		peers = append(peers, p)
		near = append(near, Near{Dist: dir.Key(p).Prefix64(), Peer: p})
	}
	begin := func(n int) *Disjoint {
		d := new(Disjoint)
		d.Begin(dir, Key{}, 2, &cfg)
		d.Seed(near[:n])
		return d
	}
	ask := func(d *Disjoint, now Time) (asked []Peer) {
		for p, ok := d.Next(now); ok; p, ok = d.Next(now) {
			d.Expect(p, true, Second)
			asked = append(asked, p)
		}
		return asked
	}

	d := begin(1)
	require.Equal(t, peers[:1], ask(d, 1), "the other path waits with the first")
	require.Equal(t, 1, d.Awaited())
	require.True(t, d.paths[1].Asked(peers[0]))
	require.True(t, d.Reply(peers[0], peers[1:2]))
	require.False(t, d.Reply(peers[0], nil))
	require.False(t, d.Fail(peers[0]), "a failure cannot undo an answer")
	require.True(t, d.paths[0].Has(peers[1]))
	require.False(t, d.paths[1].Has(peers[1]), "it learns nothing")
	require.Equal(t, peers[1:2], ask(d, 2))
	require.True(t, d.paths[1].Done())
	require.False(t, d.Done(), "the first path goes on")
	require.True(t, d.Fail(peers[1]))
	require.Empty(t, ask(d, 2))
	require.True(t, d.Done())
	got, _ := d.Result(nil)
	require.Equal(t, peers[:1], got)

	// Two paths start from the same two: each asks one, and of the other's it learns in time or late what came of it.
	d = begin(2)
	require.Equal(t, peers[:2], ask(d, 1))
	require.NotNil(t, d.request(peers[0]))
	require.Nil(t, d.request(peers[5]))
	require.False(t, d.Asked(peers[5]))
	require.False(t, d.awaits(peers[5]))
	require.True(t, d.awaits(peers[0]))
	d.Hasten(true, Second/2)
	require.Equal(t, 1+Time(Second/2), d.Deadline())
	require.True(t, d.Reply(peers[0], nil))
	require.Empty(t, ask(d, 2))
	require.False(t, d.Done())
	require.Equal(t, 1, d.Awaited())
	require.Empty(t, ask(d, 1+Time(Second)))
	require.True(t, d.Done(), "nobody is left, and the second has lost our patience in both paths")
	require.True(t, d.Short())
	require.True(t, d.Seed(near[:3]), "so it goes on with more of the table")
	require.Equal(t, peers[2:3], ask(d, 1+Time(Second)))
	require.True(t, d.awaits(peers[1]), "and the late one may still answer")
	require.True(t, d.Reply(peers[1], nil))
	require.True(t, d.Fail(peers[2]))
	require.Empty(t, ask(d, 1+Time(Second)))
	got, _ = d.Result(nil)
	require.Equal(t, peers[:2], got)
	require.False(t, d.Short())

	// To finish a path ends that one; to finish ends all.
	d = begin(2)
	ask(d, 1)
	d.FinishPath(peers[5])
	d.FinishPath(peers[0])
	require.False(t, d.Done())
	require.True(t, d.Reply(peers[0], nil), "the other path waits for it too")
	require.True(t, d.Fail(peers[1]))
	d.Finish()
	require.True(t, d.Done())
	require.False(t, d.Short())
	require.Zero(t, d.Deadline())
	require.Empty(t, ask(d, 1))
	var marked []Peer
	d.visit(func(p Peer) { marked = append(marked, p) })
	require.Contains(t, marked, peers[0])

	d = begin(0)
	require.Empty(t, ask(d, 1))
	require.True(t, d.Done())
	got, hops := d.Result(nil)
	require.Empty(t, got)
	require.Zero(t, hops)
}

// A get with a quorum of one along two paths: what the liar's path brings ends that path alone. Both records are told, and
// the better one is the result.
func TestDisjointGetHearsAllPaths(t *testing.T) {
	cfg := Config{DisjointPaths: true, QuorumEndsGet: true, Alpha: 2, Mode: ModeServer}
	k := newNode(t, cfg)
	fill(t, k, 2)
	out := new(Output)
	k.Step(2, Input{Kind: OpGetRecord, Key: []byte("k")}, out)
	require.NoError(t, out.Err)
	asked := slices.Clone(out.Commands)
	require.Len(t, asked, 2)
	next := func(i int) PeerInfo {
		return PeerInfo{ID: fmt.Appendf(nil, "next of %d", i), Addrs: Addrs("\x12\x01x")}
	}

	k.Step(3, Input{Kind: GetRecordRes, Peer: asked[0].Peer, Query: 1, Valid: valid(t, "k", "forged"), Closer: []PeerInfo{next(0)}}, out)
	require.Len(t, progress(out), 1)
	require.False(t, progress(out)[0].Step.Last, "the other path has not ended")
	require.Empty(t, out.Commands, "the liar's path has")
	k.Step(4, Input{Kind: GetRecordRes, Peer: asked[1].Peer, Query: 1, Closer: []PeerInfo{next(1)}}, out)
	require.Empty(t, progress(out))
	require.Len(t, out.Commands, 1)
	require.Equal(t, next(1).ID, out.Commands[0].Peer.ID)
	k.Step(5, Input{Kind: GetRecordRes, Peer: next(1), Query: 1, Valid: valid(t, "k", "true")}, out)
	events := progress(out)
	require.Len(t, events, 2)
	require.Equal(t, []byte("true"), events[0].Record.Value)
	require.True(t, events[1].Step.Last)
	require.Equal(t, Stats{Requests: 3, Successes: 3, Start: 2, End: 5, Hops: 2}, events[1].Stats)
}

// Each path asks one at a time, Alpha together. When all are stalled they ask as many at once as one Lookup would; and when
// those have lost our patience, that is noted though there is no place for others.
func TestDisjointParallelism(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 23))
	g := newGraph(rng, 100, 20)
	cfg := Config{Alpha: 3}.WithDefaults()
	var d Disjoint
	d.Begin(g.dir, Key{}, 20, &cfg)
	for i := range d.paths {
		d.paths[i].Seed(seeds(g, &Key{}, g.peers[i*30:][:30])) // no peer in common
	}
	ask := func(now Time) (asked []Peer) {
		for p, ok := d.Next(now); ok; p, ok = d.Next(now) {
			d.Expect(p, false, Second)
			asked = append(asked, p)
		}
		return asked
	}
	for range cfg.Alpha {
		asked := ask(1)
		require.Len(t, asked, cfg.Alpha)
		for _, p := range asked {
			require.True(t, d.Reply(p, nil))
		}
	}
	require.Len(t, ask(1), 20)
	require.Equal(t, 20, d.Awaited())
	require.Equal(t, 1+Time(Second), d.Deadline())
	ask(1 + Time(Second))
	require.Greater(t, d.Deadline(), 1+Time(Second))
}

// A peer that one path has given up is no hope for another that hears of it later: that asks the next at once.
func TestDisjointGivenUp(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 3, PeerTimeout: 4 * Second}.WithDefaults()
	var d Disjoint
	d.Begin(dir, Key{}, 1, &cfg)
	dead, next, first, second := dir.put(Key{0: 1}), dir.put(Key{0: 2}), dir.put(Key{0: 20}), dir.put(Key{0: 10})
	seed := func(path int, p Peer) { d.paths[path].Seed([]Near{{Dist: dir.Key(p).Prefix64(), Peer: p}}) }
	seed(0, dead)
	seed(1, first)
	ask := func(now Time) (asked []Peer) {
		for p, ok := d.Next(now); ok; p, ok = d.Next(now) {
			asked = append(asked, p)
		}
		return asked
	}
	require.Equal(t, []Peer{dead, first}, ask(1))
	require.True(t, d.Reply(first, []Peer{second}))
	require.Equal(t, []Peer{second}, ask(2*Time(Second)))
	require.Empty(t, ask(1+Time(4*Second)))
	require.True(t, d.paths[0].Done())
	require.True(t, d.Reply(second, []Peer{dead, next}))
	require.Equal(t, []Peer{next}, ask(5*Time(Second)))
	require.Equal(t, 1, d.Awaited())
	require.True(t, d.Reply(next, nil))
	require.Empty(t, ask(5*Time(Second)))
	require.True(t, d.Done())
	got, _ := d.Result(nil)
	require.Equal(t, []Peer{next}, got)
}

// perPath is a Disjoint of as many paths as there are lists, each of which starts from its own, by distance.
func perPath(want int, lists ...[]byte) (d *Disjoint, at func(distance byte) Peer) {
	dir, peers := NewDirectory(), map[byte]Peer{}
	cfg := Config{Alpha: len(lists)}.WithDefaults()
	at = func(distance byte) Peer {
		if peers[distance] == 0 {
			peers[distance] = dir.put(Key{0: distance})
		}
		return peers[distance]
	}
	d = new(Disjoint)
	d.Begin(dir, Key{}, want, &cfg)
	for i, list := range lists {
		for _, distance := range list {
			d.paths[i].Seed([]Near{{Dist: dir.Key(at(distance)).Prefix64(), Peer: at(distance)}})
		}
	}
	return d, at
}

// A path that hears of a peer which another has asked before learns what came of it, and asks somebody else.
func TestDisjointLearnsLate(t *testing.T) {
	d, at := perPath(2, []byte{1, 2}, []byte{9})
	next := func() Peer {
		p, _ := d.Next(1)
		return p
	}
	require.Equal(t, []Peer{at(1), at(9)}, []Peer{next(), next()})
	require.True(t, d.Reply(at(1), nil))
	require.Equal(t, at(2), next())
	require.True(t, d.Fail(at(2)))
	require.True(t, d.Reply(at(9), []Peer{at(1), at(2), at(3)}))
	require.Equal(t, at(3), next())
	require.Equal(t, succeeded, d.paths[1].candidate(at(1)).state)
	require.Equal(t, failed, d.paths[1].candidate(at(2)).state)
	require.Zero(t, next())
	require.True(t, d.Reply(at(3), nil))
	require.Zero(t, next())
	require.True(t, d.Done())
	got, _ := d.paths[1].Result(nil)
	require.Equal(t, []Peer{at(1), at(3)}, got)
}

// All paths together are short if they have ended and fewer than wanted have answered, whichever path they belong to.
func TestDisjointShort(t *testing.T) {
	type path struct{ answer, fail []byte }
	for _, c := range []struct {
		paths []path
		want  bool
	}{
		{[]path{{answer: []byte{1}}, {answer: []byte{2}}}, false}, // each has one of two, together they have two
		{[]path{{answer: []byte{1}}, {fail: []byte{2}}}, true},
		{[]path{{fail: []byte{1}}, {answer: []byte{2}}}, true},
		{[]path{{fail: []byte{1}}, {fail: []byte{2}}}, false}, // cut off
		{[]path{{answer: []byte{1, 2}}, {fail: []byte{3}}}, false},
	} {
		d, at := perPath(2, append(c.paths[0].answer, c.paths[0].fail...), append(c.paths[1].answer, c.paths[1].fail...))
		for p, ok := d.Next(1); ok; p, ok = d.Next(1) {
			require.False(t, d.Short(), "it has not ended")
			for _, x := range c.paths {
				for _, distance := range x.answer {
					if p == at(distance) {
						require.True(t, d.Reply(p, nil))
					}
				}
				for _, distance := range x.fail {
					if p == at(distance) {
						require.True(t, d.Fail(p))
					}
				}
			}
		}
		require.True(t, d.Done())
		require.Equal(t, c.want, d.Short(), "%v", c)
	}

	d, at := perPath(2, []byte{1}, []byte{2})
	d.Next(1)
	d.Next(1)
	require.True(t, d.Reply(at(1), nil))
	_, ok := d.Next(1)
	require.False(t, ok)
	require.True(t, d.paths[0].Short())
	require.False(t, d.Short(), "the other path goes on")
}

// Who is a candidate of a path is one of the search, and kept as long as it runs; after the end nothing counts any more.
func TestDisjointPeers(t *testing.T) {
	d, at := perPath(2, []byte{1, 2}, []byte{9})
	require.True(t, d.Has(at(1)))
	require.True(t, d.Has(at(9)))
	require.False(t, d.Has(at(7)))
	require.Equal(t, 3, d.size())
	require.False(t, d.awaits(at(1)), "it was not asked")
	d.Next(1)
	d.Next(1)
	require.True(t, d.awaits(at(1)))
	require.NotZero(t, d.Deadline())
	var marked []Peer
	d.visit(func(p Peer) { marked = append(marked, p) })
	for _, distance := range []byte{1, 2, 9} {
		require.Contains(t, marked, at(distance))
	}
	require.True(t, d.Reply(at(1), nil))
	require.False(t, d.Asked(at(1)))
	require.False(t, d.awaits(at(1)))

	d.Finish()
	require.Zero(t, d.Deadline(), "nobody is waited for")
	require.False(t, d.awaits(at(9)))
	require.False(t, d.Reply(at(9), nil))
	require.False(t, d.Fail(at(9)))

	d, _ = perPath(2, []byte{}, []byte{})
	d.contacts = append(d.contacts, contact{peer: 77})
	marked = marked[:0]
	d.visit(func(p Peer) { marked = append(marked, p) })
	require.Equal(t, []Peer{77}, marked, "who was asked is known by its handle")
	got, _ := d.Result([]Peer{5})
	require.Equal(t, []Peer{5}, got, "it appends")
}

// Who loses our patience frees its place at once, also where all places were taken: the next is asked in the same Step, and a
// search of which nothing is left has ended.
func TestDisjointFullExpires(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 3, PeerTimeout: 4 * Second}.WithDefaults()
	var d Disjoint
	var near []Near
	for i := range byte(4) {
		p := dir.put(Key{0: 10 + i})
		near = append(near, Near{Dist: dir.Key(p).Prefix64(), Peer: p})
	}
	ask := func(now Time, patience Duration) (asked []Peer) {
		for p, ok := d.Next(now); ok; p, ok = d.Next(now) {
			d.Expect(p, false, patience)
			asked = append(asked, p)
		}
		return asked
	}
	seed := func(paths ...[]Near) {
		d.Begin(dir, Key{}, 1, &cfg) // three places
		for i := range paths {
			d.paths[i].Seed(paths[i]) // as replies have made them by then: they differ
		}
	}
	seed(near[:1], near[1:2], near[2:])
	require.Len(t, ask(1, Second), 3)
	require.Equal(t, []Peer{near[3].Peer}, ask(1+Time(Second), Second))

	seed(near[:1], near[1:2], near[2:3])
	require.Len(t, ask(1, 4*Second), 3)
	require.Empty(t, ask(1+Time(4*Second), 4*Second))
	require.True(t, d.Done(), "or, with no deadline left, it hangs until QueryTimeout")
}

// A path that has ended takes no places from the others, though requests of it are still under way: it looks at no deadline
// any more, so that they would be taken until QueryTimeout.
func TestDisjointEndedPathGivesPlaces(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 2}.WithDefaults()
	var d Disjoint
	d.Begin(dir, Key{}, 2, &cfg) // two places
	var near []Near
	for i := range byte(3) {
		p := dir.put(Key{0: 10 + i})
		near = append(near, Near{Dist: dir.Key(p).Prefix64(), Peer: p})
	}
	d.paths[0].Seed(near[:2])
	d.paths[1].Seed(near[2:])
	d.paths[0].stalled = true // as it is after some replies: it asks two at a time
	for i := range 2 {
		d.turn = 0
		p, _ := d.Next(1)
		require.Equal(t, near[i].Peer, p)
	}
	_, ok := d.Next(1)
	require.False(t, ok, "both places are taken")
	d.FinishPath(near[0].Peer)
	p, _ := d.Next(1)
	require.Equal(t, near[2].Peer, p)
}

// This node's own copy ends a get at once if it is quorum enough; together with a path's find it ends that path alone.
func TestDisjointGetWithOwnCopy(t *testing.T) {
	for quorum, sent := range map[Quorum]int{One: 0, 2: 2} {
		k := newNode(t, Config{DisjointPaths: true, QuorumEndsGet: true, Alpha: 2, Mode: ModeServer})
		fill(t, k, 2)
		out := new(Output)
		k.Step(1, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: valid(t, "k", "own")}, out)
		k.Step(2, Input{Kind: OpGetRecord, Key: []byte("k"), Quorum: quorum}, out)
		asked := 0
		for _, c := range out.Commands {
			if c.Kind == SendGetRecord {
				asked++
			}
		}
		require.Equal(t, sent, asked)
		if sent > 0 {
			k.Step(3, Input{Kind: GetRecordRes, Peer: out.Commands[0].Peer, Query: 1, Valid: valid(t, "k", "forged")}, out)
			require.Len(t, progress(out), 1)
			require.False(t, progress(out)[0].Step.Last, "the other path goes on")
		}
	}
}
