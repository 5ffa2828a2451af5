package sim

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/kad"
)

func amino(t testing.TB) *LatencyTable {
	text, err := fixtures.Latency("amino")
	require.NoError(t, err)
	table, err := ParseLatencies("latency/amino.table", text)
	require.NoError(t, err)
	return table
}

func linksOf(t testing.TB, cfg Config) *links {
	if cfg.Nodes == 0 {
		cfg.Nodes = 1000
	}
	l, err := newLinks(&cfg)
	require.NoError(t, err)
	return l
}

// TestDelaysArePinned: numbers of this kind decide the order of events. A change here changes every digest.
func TestDelaysArePinned(t *testing.T) {
	var got []kad.Duration
	for _, ln := range []Links{
		{},
		{Low: 7e6, Jitter: 1e6},
		{Kind: Uniform, Low: 10e6, High: 100e6},
		{Kind: Uniform, Low: 10e6, High: 100e6, Jitter: 20e6},
		{Kind: Regions, Table: amino(t)},
	} {
		got = append(got, linksOf(t, Config{Seed: 1, Links: ln}).delay(3, 999, 5))
	}
	assert.Equal(t, []kad.Duration{50000000, 7721173, 31865137, 46288584, 136372917}, got)
}

func TestDelaysAreOfThePair(t *testing.T) {
	for _, ln := range []Links{{}, {Kind: Uniform, Low: 1e6, High: 90e6}, {Kind: Regions, Table: amino(t)}} {
		l := linksOf(t, Config{Seed: 3, Links: ln})
		for a := kad.Peer(1); a < 60; a++ {
			for b := kad.Peer(1); b < 60; b++ {
				d := l.delay(a, b, 1)
				assert.Equal(t, d, l.delay(b, a, 2), "the way back, kind %d", ln.Kind)
				assert.GreaterOrEqual(t, d, l.least())
			}
		}
		// Another seed, other delays; the same seed, the same.
		again, other := linksOf(t, Config{Seed: 3, Links: ln}), linksOf(t, Config{Seed: 4, Links: ln})
		same := 0
		for p := kad.Peer(2); p < 500; p++ {
			assert.Equal(t, l.delay(1, p, 0), again.delay(1, p, 0))
			if l.delay(1, p, 0) == other.delay(1, p, 0) {
				same++
			}
		}
		if ln.Kind != Constant {
			assert.Less(t, same, 5)
		}
	}
}

// TestUniformDelaysAreUniform, by the distance of Kolmogorov and Smirnov: above 1.95/√n once in a thousand, and the seed is fixed.
func TestUniformDelaysAreUniform(t *testing.T) {
	l := linksOf(t, Config{Seed: 5, Links: Links{Kind: Uniform, Low: 20e6, High: 80e6}})
	var got []float64
	for p := kad.Peer(2); p < 20002; p++ {
		got = append(got, float64(l.delay(1, p, 0)))
	}
	assert.Less(t, distance(got, func(x float64) float64 { return (x - 20e6) / 60e6 }), 1.95/math.Sqrt(20000))
	// The jitter of one link's messages.
	l = linksOf(t, Config{Seed: 5, Links: Links{Low: 20e6, Jitter: 30e6}})
	got = got[:0]
	for seq := range uint32(20000) {
		got = append(got, float64(l.delay(1, 2, seq)))
	}
	assert.Less(t, distance(got, func(x float64) float64 { return (x - 20e6) / 30e6 }), 1.95/math.Sqrt(20000))
	assert.NotEqual(t, l.delay(1, 2, 0), l.delay(2, 1, 0), "jitter is of a message, not of a pair")
}

func TestSharesAreMet(t *testing.T) {
	l := linksOf(t, Config{Seed: 6, Links: Links{Loss: 5000, Unreachable: 200_000, Slow: 100_000}, Nodes: 100_000,
		Faults: []Fault{{Kind: Partition, Share: 300_000, At: 10, Until: 20}, {Kind: Lossy, Share: 400_000, At: 10, Until: 20},
			{Kind: Partition, Share: 300_000, At: 15, Until: 20}, {Kind: Lossy, Share: 500_000, At: 15, Until: 20}}})
	const n = 100_000
	var lost, storm, storms, unreachable, slow, side, both int
	for i := range uint32(n) {
		p := kad.Peer(i + 9)
		count(&lost, l.lost(4, 5, i))
		count(&storm, l.lossy(10, 4, 5, i))
		count(&storms, l.lossy(15, 4, 5, i))
		count(&unreachable, l.unreachable(p))
		count(&slow, l.slowBy(p) == defaultSlowBy)
		count(&side, l.side(&l.partitions[0], p))
		count(&both, l.side(&l.partitions[0], p) && l.side(&l.partitions[1], p))
	}
	near := func(got int, want float64, what string) { // six sigma
		assert.InDelta(t, want*n, float64(got), 6*math.Sqrt(n*want*(1-want)), what)
	}
	near(lost, 0.005, "lost")
	near(storm, 0.4, "lossy")
	near(storms, 0.7, "two that last: 1 - 0.6·0.5")
	near(unreachable, 0.2, "unreachable")
	near(slow, 0.1, "slow")
	near(side, 0.3, "side of a partition")
	near(both, 0.09, "sides of two partitions do not depend on each other")
}

func TestFaultsOfLinksHaveTheirTime(t *testing.T) {
	l := linksOf(t, Config{Seed: 6, Faults: []Fault{
		{Kind: Exit, Share: One, At: 1},
		{Kind: Partition, Share: One / 2, At: 10, Until: 20},
		{Kind: Lossy, Share: One, At: 30, Until: 40},
		{Kind: Partition, Share: One / 2, At: 50},
	}})
	in, out := kad.Peer(0), kad.Peer(0)
	for p := kad.Peer(1); in == 0 || out == 0; p++ {
		if l.side(&l.partitions[0], p) {
			in = p
		} else {
			out = p
		}
	}
	for at := range kad.Duration(50) {
		assert.Equal(t, at >= 10 && at < 20, l.cut(at, in, out), at)
		assert.Equal(t, l.cut(at, in, out), l.cut(at, out, in), at)
		assert.False(t, l.cut(at, in, in), at)
		assert.Equal(t, at >= 30 && at < 40, l.lossy(at, in, out, 1), at)
		assert.Equal(t, !l.cut(at, in, out) && !l.lossy(at, in, out, 1), l.passes(at, in, out, 1), at)
	}
	assert.True(t, l.partitions[1].on(1<<61), "without an end it lasts for ever")
}

func TestSeedsAreSpared(t *testing.T) {
	cfg := Config{Seed: 1, Nodes: 20, Links: Links{Unreachable: One, Slow: One, SlowBy: 5}, Faults: []Fault{{Kind: Exit, Share: One}}}
	for _, c := range []struct{ seeds, nodes, want int }{{0, 20, 8}, {3, 20, 3}, {0, 5, 5}, {30, 20, 20}} {
		cfg.Seeds, cfg.Nodes = c.seeds, c.nodes
		l := linksOf(t, cfg)
		for p := kad.Peer(1); p <= 20; p++ {
			assert.Equal(t, int(p) > c.want, l.unreachable(p))
			assert.Equal(t, int(p) > c.want, l.slowBy(p) == 5)
			assert.Equal(t, int(p) > c.want, exits(&cfg, 0, p))
		}
	}
}

func TestBadLinks(t *testing.T) {
	for want, c := range map[string]Config{
		"a delay of 0.500 ms is less than 1 ms: the simulation advances by windows": {Links: Links{Low: 5e5}},
		"a delay of 0.000 ms is less than 1 ms":                                     {Links: Links{Kind: Uniform, High: 5e6}},
		"a delay of -0.000 ms is less than 1 ms":                                    {Links: Links{Low: -5}},
		"Links.High: 5 ns is less than Links.Low":                                   {Links: Links{Kind: Uniform, Low: 6, High: 5}},
		"Links.Table: regions need a table":                                         {Links: Links{Kind: Regions}},
		"Links.Kind: there is no kind 9":                                            {Links: Links{Kind: 9}},
		"more than an hour":                                                         {Links: Links{Low: 3601e9}},
		"Links.Jitter: -1 ns is negative":                                           {Links: Links{Jitter: -1}},
		"Links.SlowBy: -1 ns is negative":                                           {Links: Links{SlowBy: -1}},
		"Links.Loss: 1000001 parts per million":                                     {Links: Links{Loss: One + 1}},
		"Links.Unreachable: ":                                                       {Links: Links{Unreachable: One + 1}},
		"Links.Slow: ":                                                              {Links: Links{Slow: One + 1}},
		"Faults[1].Share: ":                                                         {Faults: []Fault{{}, {Share: One + 1}}},
		"Faults[0].Until: from 9 ns until 8 ns":                                     {Faults: []Fault{{At: 9, Until: 8}}},
		"Faults[0].Until: from -1 ns":                                               {Faults: []Fault{{At: -1}}},
	} {
		_, err := newLinks(&c)
		assert.ErrorContains(t, err, want)
	}
	_, err := newLinks(&Config{Links: Links{Low: 5e5}})
	assert.ErrorIs(t, err, errShort)
}

func TestLinksDoNotAllocate(t *testing.T) {
	l := linksOf(t, Config{Links: Links{Kind: Regions, Table: amino(t), Jitter: 5e6, Loss: 1}, Faults: []Fault{{Kind: Partition, Share: 1}}})
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		sink += uint64(l.delay(3, 4, 5))
		if l.passes(5, 3, 4, 5) {
			sink++
		}
	}))
}

func BenchmarkLinks(b *testing.B) {
	table := amino(b)
	for _, ln := range []Links{{}, {Jitter: 5e6, Loss: 5000}, {Kind: Uniform, Low: 1e6, High: 9e6}, {Kind: Regions, Table: table}, {Kind: Regions, Table: table, Jitter: 5e6, Loss: 5000}} {
		l := linksOf(b, Config{Links: ln, Nodes: 100_000})
		b.Run(fmt.Sprintf("kind=%d/jitter=%d/loss=%d", ln.Kind, ln.Jitter, ln.Loss), func(b *testing.B) {
			for i := range b.N {
				from, to := kad.Peer(i*7919%100_000), kad.Peer(i*104729%100_000)
				if l.passes(0, from, to, uint32(i)) {
					sink += uint64(l.delay(from, to, uint32(i)))
				}
			}
		})
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}
