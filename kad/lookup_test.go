package kad

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// graph is a random network: who knows whom.
type graph struct {
	dir   *Directory
	peers []Peer
	knows map[Peer][]Peer
}

// newGraph makes n peers, each of which knows the k nearest to itself and some at random, so that every search by greedy
// steps can arrive.
func newGraph(rng *rand.Rand, n, k int) *graph {
	g := &graph{dir: NewDirectory(), knows: map[Peer][]Peer{}}
	for range n {
		g.peers = append(g.peers, g.dir.put(randomKey(rng)))
	}
	for _, p := range g.peers {
		near := g.nearest(g.dir.Key(p), g.peers)
		g.knows[p] = slices.Clone(near[1:min(len(near), k+1)])
		for range k {
			g.knows[p] = append(g.knows[p], g.peers[rng.IntN(n)])
		}
	}
	return g
}

func (g *graph) nearest(target *Key, of []Peer) []Peer {
	sorted := slices.Clone(of)
	slices.SortFunc(sorted, func(a, b Peer) int { return target.Compare(g.dir.Key(a), g.dir.Key(b)) })
	return sorted
}

// answer is what a peer says: the k nearest of those that it knows.
func (g *graph) answer(p Peer, target *Key, k int) []Peer {
	near := slices.Compact(g.nearest(target, g.knows[p]))
	return near[:min(k, len(near))]
}

func seeds(g *graph, target *Key, of []Peer) (near []Near) {
	for _, p := range of {
		near = append(near, Near{Dist: g.dir.Key(p).Prefix64() ^ target.Prefix64(), Peer: p})
	}
	return near
}

// A lookup on a random graph ends, asks nobody twice, keeps to its number at a time, and finds the nearest of all.
func TestLookupFindsNearest(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		cfg := Config{K: 20, Alpha: 1 + rng.IntN(10)}.WithDefaults()
		if rng.IntN(2) == 0 {
			cfg.Beta = 3
		}
		want := 1 + rng.IntN(20)
		g := newGraph(rng, 20+rng.IntN(180), 20)
		target := randomKey(rng)
		var l Lookup
		l.Begin(g.dir, target, want, &cfg)
		l.Seed(seeds(g, &target, g.answer(g.peers[rng.IntN(len(g.peers))], &target, 5)))

		asked := map[Peer]bool{}
		var flight []Peer
		now, replies, stalled := Time(1), 0, false
		for !l.Done() {
			for {
				p, ok := l.Next(now)
				if !ok {
					break
				}
				require.False(t, asked[p], "seed %d: asked twice", seed)
				asked[p] = true
				flight = append(flight, p)
			}
			require.LessOrEqual(t, len(flight), max(min(want, maxInFlight), cfg.Alpha))
			if !stalled && cfg.Beta == 0 {
				require.LessOrEqual(t, len(flight), cfg.Alpha, "seed %d: not stalled", seed)
			}
			if l.Done() {
				break
			}
			require.NotEmpty(t, flight, "seed %d: who is not done waits for somebody", seed)
			i := rng.IntN(len(flight))
			p := flight[i]
			flight = slices.Delete(flight, i, i+1)
			awaited := l.Has(p) // or it fell off the list's end
			require.Equal(t, awaited, l.Reply(p, g.answer(p, &target, 20)))
			require.False(t, l.Reply(p, nil), "one answer counts")
			require.False(t, l.Fail(p), "a failure cannot undo an answer")
			replies++
			stalled = stalled || l.stalled
		}
		got, hops := l.Result(nil)
		require.Equal(t, g.nearest(&target, g.peers)[:want], got, "seed %d", seed)
		require.Greater(t, hops, 0)
		require.LessOrEqual(t, hops, replies)
	}
}

// With peers that fail, let their time pass or answer late, a lookup still ends, and what it finds are the nearest of
// those that answered, each of which nobody nearer was left unasked for.
func TestLookupWithFailures(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 4))
		cfg := Config{Alpha: 1 + rng.IntN(10), Beta: rng.IntN(2) * 3}.WithDefaults()
		g := newGraph(rng, 100, 20)
		target := randomKey(rng)
		var l Lookup
		l.Begin(g.dir, target, 20, &cfg)
		l.Seed(seeds(g, &target, g.peers[:20]))
		var flight, answered, all []Peer
		now := Time(1)
		for step := 0; !l.Done(); step++ {
			require.Less(t, step, 10_000, "it ends")
			for p, ok := l.Next(now); ok; p, ok = l.Next(now) {
				flight, all = append(flight, p), append(all, p)
			}
			if l.Done() {
				break
			}
			if len(flight) > 0 {
				i := rng.IntN(len(flight))
				p := flight[i]
				flight = slices.Delete(flight, i, i+1)
				switch rng.IntN(4) {
				case 0:
					l.Fail(p)
				case 1: // silent
				default:
					if l.Reply(p, g.answer(p, &target, 20)) {
						answered = append(answered, p)
					}
				}
			}
			if rng.IntN(3) == 0 || len(flight) == 0 {
				now = max(now, l.Deadline())
			}
		}
		got, _ := l.Result(nil)
		require.Equal(t, g.nearest(&target, answered)[:min(20, len(answered))], got, "seed %d", seed)
		if len(got) > 0 {
			far := g.dir.Key(got[len(got)-1])
			for i := range l.peers {
				if c := l.peers[i]; c.state == notContacted {
					require.Greater(t, target.Compare(g.dir.Key(c.peer), far), 0, "seed %d: a nearer one was not asked", seed)
				}
			}
		}
		slices.Sort(all)
		require.Len(t, slices.Compact(all), len(all), "nobody is asked twice")
	}
}

// Without a success it asks all it knows, in the order of their distance.
func TestLookupAllFail(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	g := newGraph(rng, 20, 5)
	cfg := Config{}.WithDefaults()
	target := randomKey(rng)
	var l Lookup
	l.Begin(g.dir, target, 20, &cfg)
	l.Seed(seeds(g, &target, g.peers))
	var asked []Peer
	for !l.Done() {
		p, ok := l.Next(1)
		if ok {
			asked = append(asked, p)
			require.True(t, l.Fail(p))
			require.False(t, l.Reply(p, nil))
		}
	}
	require.Equal(t, g.nearest(&target, g.peers), asked)
	got, hops := l.Result(nil)
	require.Empty(t, got)
	require.Zero(t, hops)
	require.False(t, l.Fail(asked[0]))
}

// Alpha replies without news make it stalled: then the rest of the nearest are asked ten at a time.
func TestLookupStalls(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	g := newGraph(rng, 60, 5)
	cfg := Config{Alpha: 3}.WithDefaults()
	target := randomKey(rng)
	sorted := g.nearest(&target, g.peers)
	var l Lookup
	l.Begin(g.dir, target, 20, &cfg)
	l.Seed(seeds(g, &target, sorted[10:30]))
	ask := func() (n int) {
		for _, ok := l.Next(1); ok; _, ok = l.Next(1) {
			n++
		}
		return n
	}
	require.Equal(t, 3, ask())
	for i := range 3 {
		require.True(t, l.Reply(sorted[10+i], sorted[10:31+i]), "nobody new among the twenty nearest")
		if i < 2 {
			require.Equal(t, 1, ask())
		}
	}
	require.Equal(t, 8, ask(), "ten at a time")
	require.True(t, l.Reply(sorted[13], sorted[:1]), "news ends the stall")
	require.Zero(t, ask())
	require.True(t, l.Asked(sorted[14]))
	require.False(t, l.Asked(sorted[0]))
}

// The last of the wanted places counts: who takes it is progress, and who takes the next is none.
func TestLookupProgressAtTheEdge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	g := newGraph(rng, 10, 5)
	cfg := Config{Alpha: 1}.WithDefaults()
	target := randomKey(rng)
	sorted := g.nearest(&target, g.peers)
	for place, stalled := range map[int]bool{2: false, 3: true} {
		var l Lookup
		l.Begin(g.dir, target, 3, &cfg)
		known := slices.Delete(slices.Clone(sorted), place, place+1)
		l.Seed(seeds(g, &target, known))
		p, _ := l.Next(1)
		require.True(t, l.Reply(p, sorted[place:place+1]))
		require.Equal(t, stalled, l.stalled, "place %d of 3, counted from 0", place)
	}
}

// With Beta 3 the three nearest settle it, and then the rest of the nearest are asked ten at a time.
func TestLookupBeta(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	g := newGraph(rng, 30, 5)
	cfg := Amino()
	cfg.Alpha = 4
	target := randomKey(rng)
	sorted := g.nearest(&target, g.peers)
	var l Lookup
	l.Begin(g.dir, target, 20, &cfg)
	l.Seed(seeds(g, &target, sorted[:25]))
	ask := func() (asked []Peer) {
		for p, ok := l.Next(1); ok; p, ok = l.Next(1) {
			asked = append(asked, p)
		}
		return asked
	}
	require.Equal(t, sorted[:4], ask())
	l.Reply(sorted[0], nil)
	l.Reply(sorted[2], nil)
	l.Reply(sorted[3], nil)
	require.Len(t, ask(), 3, "the second nearest may still answer")
	l.Fail(sorted[1])
	require.Len(t, ask(), 7, "three have answered: ten at a time")
}

// A reply that names 100,000 peers nearer and nearer to the target makes neither the list nor the work grow without bound.
func TestLookupIsBounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	dir := NewDirectory()
	cfg := Config{}.WithDefaults()
	target := randomKey(rng)
	liar := dir.put(randomKey(rng))
	var l Lookup
	l.Begin(dir, target, 20, &cfg)
	l.Seed([]Near{{Dist: l.distance(liar), Peer: liar}})
	_, ok := l.Next(1)
	require.True(t, ok)
	var fakes []Peer
	for range 100_000 {
		key := randomKey(rng)
		copy(key[:4], target[:])
		fakes = append(fakes, dir.put(key))
	}
	require.True(t, l.Reply(liar, fakes))
	require.LessOrEqual(t, len(l.peers), maxCandidates*20)

	asked, now := 0, Time(1)
	for !l.Done() {
		if p, ok := l.Next(now); ok {
			asked++
			if asked%2 == 0 {
				l.Reply(p, fakes[asked*100:][:100])
			}
			continue
		}
		if l.Deadline() != 0 {
			now = l.Deadline()
		}
	}
	require.LessOrEqual(t, asked, 1000)
	require.LessOrEqual(t, len(l.peers), maxCandidates*20)
	require.True(t, slices.IsSortedFunc(l.peers, func(a, b candidate) int {
		return target.Compare(dir.Key(a.peer), dir.Key(b.peer))
	}))
}

// What is merged in is in order even where only the last bits differ.
func TestLookupTies(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{}.WithDefaults()
	var l Lookup
	l.Begin(dir, Key{}, 20, &cfg)
	for _, last := range []byte{7, 3, 9, 3, 1} {
		p := dir.put(Key{31: last})
		l.insert(candidate{dist: l.distance(p), peer: p})
	}
	var order []byte
	for _, c := range l.peers {
		order = append(order, dir.Key(c.peer)[31])
	}
	require.Equal(t, []byte{1, 3, 7, 9}, order)
}

// A fixed list: K at a time, each once, each with its own deadline.
func TestFixed(t *testing.T) {
	cfg := Config{K: 2, Alpha: 2}.WithDefaults()
	var f Fixed
	f.Begin([]Peer{1, 2, 2, 1, 3, 4}, One, &cfg)
	require.Equal(t, 4, f.Len())
	require.False(t, f.Done(), "nobody has been asked")
	require.False(t, f.Reply(5), "nor will this one be")
	next := func(now Time) Peer {
		p, _ := f.Next(now)
		return p
	}
	require.Equal(t, []Peer{1, 2, 0}, []Peer{next(1), next(1), next(1)})
	require.False(t, f.Reply(3), "not asked yet")
	require.True(t, f.Fail(1), "a failure makes room")
	require.False(t, f.Reply(1))
	require.Equal(t, []Peer{3, 0}, []Peer{next(5), next(5)})
	require.Equal(t, 1+Time(10*Second), f.Deadline())
	require.Equal(t, Peer(4), next(f.Deadline()), "and so does a deadline")
	require.True(t, f.Reply(2), "late, but it counts")
	require.False(t, f.Asked(2))
	require.True(t, f.Asked(3))
	require.True(t, f.Reply(3))
	require.False(t, f.Done())
	require.True(t, f.Reply(4))
	require.True(t, f.Done())
	require.Zero(t, f.Deadline())
	require.Equal(t, []Peer{2, 3, 4}, f.Result(nil))
}

// A chain of 300 peers, each known to the one before only: it is walked to its end, and its hops are counted up to 255.
func TestLookupLongChain(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 1}.WithDefaults()
	var chain []Peer
	for i := range 300 {
		chain = append(chain, dir.put(Key{0: 1, 1: byte((300 - i) >> 8), 2: byte(300 - i)}))
	}
	var l Lookup
	l.Begin(dir, Key{}, 1, &cfg)
	l.Seed([]Near{{Dist: l.distance(chain[0]), Peer: chain[0]}})
	for i := 0; !l.Done(); i++ {
		if p, ok := l.Next(1); ok {
			require.Equal(t, chain[i], p)
			l.Reply(p, chain[i+1:min(i+2, 300)])
		}
	}
	got, hops := l.Result(nil)
	require.Equal(t, chain[299:], got)
	require.Equal(t, 255, hops)
}

// A fixed list that is ended early keeps who has answered, and asks nobody more.
func TestFixedFinish(t *testing.T) {
	cfg := Config{K: 2, Alpha: 2}.WithDefaults()
	var f Fixed
	f.Begin([]Peer{1, 2, 3}, One, &cfg)
	f.Next(1)
	f.Next(1)
	require.True(t, f.Reply(1))
	f.Finish()
	require.True(t, f.Done())
	require.False(t, f.Asked(2))
	_, ok := f.Next(1)
	require.False(t, ok)
	require.Equal(t, []Peer{1}, f.Result(nil))
}

// A lookup is short that has ended with fewer answers than wanted, but with some; more seeds let it go on, at whatever
// place they come, and the same ones do not.
func TestLookupShort(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 3}.WithDefaults()
	var near []Near // by distance
	for i := range byte(4) {
		p := dir.put(Key{0: 1 + i})
		near = append(near, Near{Dist: dir.Key(p).Prefix64(), Peer: p})
	}
	var l Lookup
	run := func(answer bool) {
		for p, ok := l.Next(1); ok; p, ok = l.Next(1) {
			require.False(t, l.Short(), "it has not ended")
			if answer {
				require.True(t, l.Reply(p, nil))
			} else {
				require.True(t, l.Fail(p))
			}
		}
		require.True(t, l.Done())
	}
	l.Begin(dir, Key{}, 3, &cfg)
	require.False(t, l.Seed(nil))
	require.False(t, l.Done(), "it has not even begun")
	l.Seed(near[1:3])
	run(true)
	require.True(t, l.Short(), "two of three")
	require.False(t, l.Seed(near[1:3]))
	require.True(t, l.Done())
	require.True(t, l.Seed(near[:3]), "a nearer one")
	require.False(t, l.Done())
	require.False(t, l.Seed(near[:3]), "which stays to be asked")
	require.False(t, l.Done())
	run(true)
	require.False(t, l.Short(), "as many as wanted")

	l.Begin(dir, Key{}, 3, &cfg)
	l.Seed(near[:1])
	run(true)
	require.True(t, l.Seed(near), "farther ones")
	run(false)
	require.True(t, l.Short(), "one answer, however many failures")
	l.Finish()
	require.False(t, l.Short(), "it was ended")

	l.Begin(dir, Key{}, 3, &cfg)
	l.Seed(near[:2])
	run(false)
	require.False(t, l.Short(), "who has no answer at all is cut off")
}

// A lookup refers to its candidates, and to those still being asked that have fallen off the list's end.
func TestLookupVisit(t *testing.T) {
	dir := NewDirectory()
	cfg := Config{Alpha: 2}.WithDefaults()
	far, farther := dir.put(Key{0: 200}), dir.put(Key{0: 201})
	var l Lookup
	l.Begin(dir, Key{}, 1, &cfg)
	l.Seed([]Near{{Dist: l.distance(far), Peer: far}, {Dist: l.distance(farther), Peer: farther}})
	l.Next(1)
	l.Next(1)
	var closer []Peer
	for i := range byte(maxCandidates * 2) {
		closer = append(closer, dir.put(Key{0: 1 + i}))
	}
	require.True(t, l.Reply(far, closer))
	require.False(t, l.Has(farther))
	var marked []Peer
	l.visit(func(p Peer) { marked = append(marked, p) })
	require.ElementsMatch(t, append(closer, farther), marked)
}

// A fixed list asks K at a time, also where a lookup asks fewer.
func TestFixedParallelism(t *testing.T) {
	cfg := Config{K: 5, Alpha: 2}.WithDefaults()
	var f Fixed
	f.Begin([]Peer{1, 2, 3, 4, 5, 6, 7}, One, &cfg)
	for _, ok := f.Next(1); ok; _, ok = f.Next(1) {
	}
	require.Equal(t, 5, f.Awaited())
}
