package sim

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/kad"
)

// distance is that of Kolmogorov and Smirnov between a sample, which it sorts, and a continuous distribution.
func distance(sample []float64, cdf func(float64) float64) float64 {
	slices.Sort(sample)
	n, most := float64(len(sample)), 0.0
	for i, x := range sample {
		f := cdf(x)
		most = max(most, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	return most
}

func TestAmino(t *testing.T) {
	table := amino(t)
	assert.Len(t, table.Regions(), 9)
	assert.Equal(t, kad.Duration(5e6), table.Least())
	assert.Equal(t, kad.Duration(541098e3), table.Most())
}

// TestRegionsHaveTheirShares: north-america has 315 of 1,000 nodes, africa 5.
func TestRegionsHaveTheirShares(t *testing.T) {
	table := amino(t)
	const n = 200_000
	got := make([]float64, 9)
	for p := range kad.Peer(n) {
		got[table.regionOf(7, p)]++
	}
	for i, w := range []float64{.315, .242, .174, .213, .026, .010, .010, .005, .005} {
		assert.InDelta(t, w*n, got[i], 6*math.Sqrt(n*w), table.Regions()[i])
	}
}

// TestDelaysMeetTheTable: the delays between nodes of two regions have the quantiles of the file, and are straight between them.
func TestDelaysMeetTheTable(t *testing.T) {
	l := linksOf(t, Config{Seed: 8, Nodes: 3000, Links: Links{Kind: Regions, Table: amino(t)}})
	at := []float64{0, .05, .25, .50, .75, .95, .99, 1}
	for _, c := range []struct {
		a, b uint8
		us   []float64
	}{
		{0, 3, []float64{32650, 42203, 54012, 65069, 77800, 101225, 194311, 460070}},
		{0, 0, []float64{5000, 6507, 15067, 23205, 33915, 48292, 58442, 74818}},
		{1, 2, []float64{10265, 18897, 34621, 91029, 115324, 157181, 165484, 166570}},
	} {
		var got []float64
		for p := kad.Peer(1); p <= 3000 && len(got) < 40000; p++ {
			for q := p + 1; q <= 3000 && len(got) < 40000; q++ {
				if r, s := l.region[p], l.region[q]; r == c.a && s == c.b || r == c.b && s == c.a {
					got = append(got, float64(l.delay(p, q, 0))/1e3)
				}
			}
		}
		require.Len(t, got, 40000)
		assert.Less(t, distance(got, func(x float64) float64 {
			for i := 1; i < len(at); i++ {
				if x <= c.us[i] {
					return at[i-1] + (at[i]-at[i-1])*(x-c.us[i-1])/(c.us[i]-c.us[i-1])
				}
			}
			return 1
		}), 1.95/math.Sqrt(40000))
	}
}

func TestDelayAtTheEdges(t *testing.T) {
	table := amino(t)
	assert.Equal(t, uint64(32650e3), table.delay(0, 3, 0))
	assert.Equal(t, uint64(65069e3), table.delay(0, 3, 1<<63))
	assert.InDelta(t, 460070e3, table.delay(3, 0, math.MaxUint64), 1)
}

const small = "source nowhere\nregion a 1\nregion b 1\nquantiles 0 50 100\ndelay a a 1000 2000 3000\ndelay b a 1000 2000 3000\ndelay b b 1000 1000 1000\n"

func TestBadLatencies(t *testing.T) {
	_, err := ParseLatencies("x", []byte(small))
	require.NoError(t, err)
	for _, c := range []struct{ from, to, want string }{
		{"source nowhere", "", "x:7: no source"},
		{"source nowhere", "source # ", "x:1: source is empty"},
		{"source nowhere", "sauce", `x:1: "sauce" is no line of a table`},
		{"region b 1", "region b", "x:3: region has 1 words"},
		{"region b 1", "region a 1", `x:3: region "a" stands here twice`},
		{"region b 1", "region b -1", `x:3: weight = "-1"`},
		{"region b 1", "region b 1000001", `x:3: weight = "1000001", expected a number from 0 to 1000000`},
		{"region b 1", "", `x:6: delay between "b" and "a", expected two of a`},
		{"region a 1\nregion b 1", "region a 0\nregion b 0", "the weights of all regions are 0"},
		{"quantiles 0 50 100", "", "x:5: delay stands before the regions or the quantiles"},
		{"quantiles 0 50 100", "quantiles 0", "x:4: 1 quantiles, expected 2 to 16"},
		{"quantiles 0 50 100", "quantiles 0 50 50 100", `x:4: quantile "50"`},
		{"quantiles 0 50 100", "quantiles 1 50 100", `x:4: quantile "1"`},
		{"quantiles 0 50 100", "quantiles 0 50 99", `x:4: quantile "99"`},
		{"quantiles 0 50 100", "quantiles 0 5e1 100", `x:4: quantile "5e1"`},
		{"quantiles 0 50 100", "quantiles 0 100\nquantiles 0 100", "x:5: quantiles stand here twice"},
		{"delay a a 1000", "region c 1\ndelay a a 1000", `no delay between a and c`},
		{"delay b b 1000 1000 1000", "region c 1", "x:7: region after a delay"},
		{"delay b b 1000 1000 1000", "delay b b 1000 1000", "x:7: delay has 4 words, expected two regions and 3 figures"},
		{"delay b b 1000 1000 1000", "delay b b 999 1000 1000", "x:7: a delay of 999 us is less than 1 ms: the simulation"},
		{"delay b b 1000 1000 1000", "delay b b 1001 1000 1000", "x:7: delay = 1000 after 1001"},
		{"delay b b 1000 1000 1000", "delay b b 1e3 1000 1000", `x:7: delay = "1e3"`},
		{"delay b b 1000 1000 1000", "delay b b 1000 1000 3600000001", `x:7: delay = "3600000001"`},
		{"delay b b 1000 1000 1000", "delay a b 1000 1000 1000", "x:7: delay between a and b stands here twice"},
		{"delay b b 1000 1000 1000", "", "x:7: no delay between b and b"},
	} {
		bad := strings.Replace(small, c.from, c.to, 1)
		_, err := ParseLatencies("x", []byte(bad))
		assert.ErrorContains(t, err, c.want, bad)
		assert.ErrorIs(t, err, ErrLatency)
	}
	_, err = ParseLatencies("x", nil)
	assert.ErrorContains(t, err, "x:1: no source")
	_, err = ParseLatencies("x", make([]byte, maxLatencyBytes+1))
	assert.ErrorContains(t, err, "bytes are more than")
	_, err = ParseLatencies("x", []byte("source s\nquantiles 0 100\n"+strings.Repeat("region a 1\n", 2)))
	assert.ErrorContains(t, err, "twice")
}

// FuzzParseLatencies: a table that is taken gives delays within its bounds for any draw.
func FuzzParseLatencies(f *testing.F) {
	text, err := fixtures.Latency("amino")
	require.NoError(f, err)
	f.Add(text, uint64(1))
	f.Add([]byte(small), uint64(math.MaxUint64))
	f.Add([]byte("source s\nregion a 0\nregion b 7\nquantiles 0 100\n"), uint64(0))
	f.Fuzz(func(t *testing.T, text []byte, x uint64) {
		table, err := ParseLatencies("f", text)
		if err != nil {
			require.ErrorIs(t, err, ErrLatency)
			return
		}
		n := uint64(len(table.regions))
		a, b := uint8(below(x, n)), table.regionOf(x, kad.Peer(x))
		d := kad.Duration(table.delay(a, b, x))
		assert.Equal(t, d, kad.Duration(table.delay(b, a, x)))
		assert.GreaterOrEqual(t, d, table.least)
		assert.LessOrEqual(t, d, table.most)
		assert.GreaterOrEqual(t, table.least, MinDelay)
	})
}
