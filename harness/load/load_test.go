package load

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func shots(t *testing.T, c Config) (all []Shot) {
	t.Helper()
	l, err := New(c)
	require.NoError(t, err)
	for s, ok := l.Next(); ok; s, ok = l.Next() {
		all = append(all, s)
		require.Less(t, len(all), 5_000_000)
	}
	return all
}

func one(kind Kind, keys Keys) []Part { return []Part{{Kind: kind, Keys: keys}} }

// TestGolden holds the shots themselves: a schedule that changes is a digest that changes.
func TestGolden(t *testing.T) {
	s := time.Second
	for name, c := range map[string]Config{
		"even": {Lines: []Line{
			{Rate: Rate{N: 3}, From: s, Count: 5, Mix: one(Lookup, Keys{})},
			{Rate: Rate{2, 3 * s}, For: 4 * s, Mix: []Part{{Kind: Bootstrap, Node: 7}}},
		}},
		"ties": {Lines: []Line{
			{Count: 3, Mix: one(Put, Keys{Of: 2})},
			{Count: 4, For: 2 * s, Mix: one(Get, Keys{Of: 2})},
			{Rate: Rate{N: 2}, Count: 2, Mix: one(Lookup, Keys{})},
		}},
		"published": {Seed: 3, Lines: []Line{
			{Rate: Rate{N: 1}, Count: 6, Mix: one(Provide, Keys{Of: 4, First: 100})},
			{Rate: Rate{N: 2}, For: 7 * s, Mix: one(Find, Keys{Published: true, Lag: 2 * s})},
		}},
		"mix": {Seed: 4, Lines: []Line{{Arrivals: Poisson, Rate: Rate{N: 10}, To: Rate{N: 40}, For: s, Mix: []Part{
			{Kind: Find, Weight: 3, Keys: Keys{Order: Zipf, Of: 100}},
			{Kind: Provide, Keys: Keys{Of: 100}},
			{Kind: Lookup, Keys: Keys{Order: Hot, Of: 1000, HotOf: 3, Share: 500_000}},
			{Kind: "PING"},
		}}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			for _, s := range shots(t, c) {
				fmt.Fprintf(&got, "%v %s %d", s.Due, s.Op.Kind, s.Op.Key)
				if s.Op.Node != 0 {
					fmt.Fprintf(&got, " by %d", s.Op.Node)
				}
				got.WriteByte('\n')
			}
			file := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())
		})
	}
}

func TestEven(t *testing.T) {
	all := shots(t, Config{Lines: []Line{{Rate: Rate{7, time.Minute}, For: 10 * time.Hour, Mix: one(Lookup, Keys{})}}})
	require.Len(t, all, 7*600) // nothing drifts
	for i, s := range all {
		require.Equal(t, time.Duration(i)*time.Minute/7, s.Due)
		require.Equal(t, uint64(i), s.Op.Key, "no key twice")
	}
}

func TestPoisson(t *testing.T) {
	line := Line{Arrivals: Poisson, Rate: Rate{N: 50}, For: time.Hour, Mix: one(Lookup, Keys{})}
	all := shots(t, Config{Seed: 5, Lines: []Line{line}})
	require.InDelta(t, 180_000, len(all), 4*math.Sqrt(180_000))
	// In each of the seconds, the count of a Poisson process has the variance of its mean.
	counts := make([]float64, 3600)
	for _, s := range all {
		counts[s.Due/time.Second]++
	}
	variance := 0.0
	for _, c := range counts {
		variance += (c - 50) * (c - 50) / 3600
	}
	require.InDelta(t, 50, variance, 4*50*math.Sqrt(2./3600))

	require.Equal(t, all, shots(t, Config{Seed: 5, Lines: []Line{line}}), "the same seed")
	require.NotEqual(t, all[0], shots(t, Config{Seed: 6, Lines: []Line{line}})[0], "another seed")
	two := shots(t, Config{Seed: 5, Lines: []Line{line, line}})
	same := 0
	for i := 1; i < len(two); i++ {
		if two[i].Due == two[i-1].Due {
			same++
		}
	}
	require.Less(t, same, 10, "two lines are independent")
}

func TestRamp(t *testing.T) {
	for _, r := range []struct{ from, to Rate }{
		{Rate{N: 10}, Rate{N: 100}}, {Rate{N: 100}, Rate{N: 10}}, {Rate{0, time.Second}, Rate{N: 50}}, {Rate{N: 50}, Rate{0, time.Second}},
	} {
		a, b := float64(r.from.N)*1000, float64(r.to.N)*1000 // over 1000 s
		all := shots(t, Config{Lines: []Line{{Rate: r.from, To: r.to, For: 1000 * time.Second, Mix: one(Lookup, Keys{})}}})
		require.InDelta(t, (a+b)/2, len(all), 1)
		for i, s := range all {
			if x := s.Due.Seconds() / 1000; math.Abs(float64(i)-a*x-(b-a)*x*x/2) > 1e-3 {
				t.Errorf("%v: shot %d at %v", r, i, s.Due)
			}
		}
		for seed := range uint64(20) { // falling, some go on beyond what the rate ever brings
			all := shots(t, Config{Seed: seed, Lines: []Line{{Arrivals: Poisson, Rate: r.from, To: r.to, For: time.Second, Mix: one(Lookup, Keys{})}}})
			require.InDelta(t, (a+b)/2000, len(all), 5*math.Sqrt((a+b)/2000))
		}
	}
	all := shots(t, Config{Lines: []Line{{Arrivals: Poisson, Rate: Rate{N: 10}, To: Rate{N: 30}, For: 1000 * time.Second, Mix: one(Lookup, Keys{})}}})
	require.InDelta(t, 20_000, len(all), 4*math.Sqrt(20_000))
}

func TestZipf(t *testing.T) {
	const n = 200_000
	for _, skew := range []float64{0.8, 1, 1.5} {
		counts := make([]float64, 1000)
		for _, s := range shots(t, Config{Lines: []Line{{Count: n, Mix: one(Find, Keys{Order: Zipf, Of: 1000, Skew: uint32(skew * 1e6)})}}}) {
			counts[s.Op.Key]++
		}
		sum := 0.0
		for i := range counts {
			sum += math.Pow(float64(i+1), -skew)
		}
		chi := 0.0
		for i, c := range counts[:100] {
			want := n * math.Pow(float64(i+1), -skew) / sum
			chi += (c - want) * (c - want) / want
		}
		require.InDelta(t, 100, chi, 4*math.Sqrt(200), "skew %v", skew) // chi-squared of 100
	}
}

func TestHot(t *testing.T) {
	hot, seen := 0, map[uint64]int{}
	for _, s := range shots(t, Config{Lines: []Line{{Count: 100_000, Mix: one(Get, Keys{Order: Hot, Of: 50, First: 7, HotOf: 5, Share: 800_000})}}}) {
		seen[s.Op.Key]++
		if s.Op.Key < 12 {
			hot++
		}
	}
	require.InDelta(t, 80_000, hot, 4*127)
	require.Len(t, seen, 50)
	require.Contains(t, seen, uint64(7))
	require.Contains(t, seen, uint64(56))
}

func TestMixByWeight(t *testing.T) {
	counts := map[Kind]int{}
	for _, s := range shots(t, Config{Lines: []Line{{Count: 100_000, Mix: []Part{{Kind: Lookup, Weight: 7}, {Kind: Bootstrap}, {Kind: "PING", Weight: 2}}}}}) {
		counts[s.Op.Kind]++
	}
	require.InDelta(t, 70_000, counts[Lookup], 4*145)
	require.InDelta(t, 10_000, counts[Bootstrap], 4*95)
	require.InDelta(t, 20_000, counts["PING"], 4*127)
}

// TestPublished: no find comes for a key that was not provided early enough, and all that were are found some time.
func TestPublished(t *testing.T) {
	for _, order := range []KeyOrder{Uniform, Zipf, Hot} {
		c := Config{Seed: 9, Lines: []Line{
			{Arrivals: Poisson, Rate: Rate{N: 20}, From: time.Second, For: time.Minute, Mix: one(Find, Keys{Order: order, Published: true, Lag: 5 * time.Second, Share: 500_000})},
			{Arrivals: Poisson, Rate: Rate{N: 1}, For: time.Minute, Mix: one(Provide, Keys{Order: Zipf, Of: 40})},
			{Count: 1, Mix: one(Put, Keys{})},
		}}
		l, err := New(c)
		require.NoError(t, err)
		first, found, finds := map[uint64]time.Duration{}, map[uint64]bool{}, 0
		for s, ok := l.Next(); ok; s, ok = l.Next() {
			switch s.Op.Kind {
			case Provide:
				if _, ok := first[s.Op.Key]; !ok {
					first[s.Op.Key] = s.Due
				}
			case Find:
				finds++
				found[s.Op.Key] = true
				require.Contains(t, first, s.Op.Key)
				require.GreaterOrEqual(t, s.Due-first[s.Op.Key], 5*time.Second)
			}
		}
		require.Greater(t, l.Fell(), uint64(20), "in the first seconds there is nothing to find")
		require.InDelta(t, 1200, float64(finds)+float64(l.Fell()), 4*35)
		require.Greater(t, len(found), len(first)/2)
		require.Len(t, l.ledgers[Provide].entries, len(first), "a key that is published again is not drawn more often")
	}
}

func TestCheck(t *testing.T) {
	ok := Line{Count: 1, Mix: one(Lookup, Keys{})}
	for want, change := range map[string]func(*Line){
		"load 2: arrivals: there is no 2":                                               func(l *Line) { l.Arrivals = 2 },
		"load 2: from: -1ns: from 0 to 87600h0m0s":                                      func(l *Line) { l.From = -1 },
		"load 2: for: 87600h0m0.000000001s: from 0 to 87600h0m0s":                       func(l *Line) { l.For = MaxTime + 1 },
		"load 2: count: 1073741825: 1073741824 at most":                                 func(l *Line) { l.Count = MaxShots + 1 },
		"load 2: neither count nor for: nothing would end it":                           func(l *Line) { l.Count = 0 },
		"load 2: neither count nor rate: nothing would come":                            func(l *Line) { l.Count, l.For = 0, 1 },
		"load 2: to: a rate that changes needs for, the time that it takes":             func(l *Line) { l.To.N = 1 },
		"load 2: to: from a rate of 0 to a rate of 0: nothing would come":               func(l *Line) { l.To.Per, l.For = 1, 1 },
		"load 2: rate: 0 in 1m0s: nothing would come":                                   func(l *Line) { l.Rate.Per = time.Minute },
		"load 2: mix: 0 parts: 1 to 64":                                                 func(l *Line) { l.Mix = nil },
		"load 2: rate: 1 in -1ns: at most 1073741824, in a time from 1ns to 87600h0m0s": func(l *Line) { l.Rate = Rate{1, -1} },
		"load 2: to: 1000000 in 1s over 1h0m0s: more than 1073741824 shots": func(l *Line) {
			l.Count, l.Rate.N, l.To.N, l.For = 0, 1, 1_000_000, time.Hour
		},
		"load 2: : kind: none":                                                   func(l *Line) { l.Mix = one("", Keys{}) },
		"load 2: get: order: there is no 3":                                      func(l *Line) { l.Mix = one(Get, Keys{Order: 3}) },
		"load 2: get: lag: -1ns: from 0 to 87600h0m0s":                           func(l *Line) { l.Mix = one(Get, Keys{Lag: -1}) },
		"load 2: get: skew: 10000001 millionths: 10000000 at most":               func(l *Line) { l.Mix = one(Get, Keys{Skew: MaxSkew + 1}) },
		"load 2: get: share: 1000001 millionths: 1000000 at most":                func(l *Line) { l.Mix = one(Get, Keys{Share: million + 1}) },
		"load 2: put: published: only what seeks can ask for what was published": func(l *Line) { l.Mix = one(Put, Keys{Published: true}) },
		"load 2: get: published: no line has a put":                              func(l *Line) { l.Mix = one(Get, Keys{Published: true}) },
		"load 2: get: of: how many keys there are to draw from must be said":     func(l *Line) { l.Mix = one(Get, Keys{}) },
		"load 2: put: of: 1048577: a Zipf order has 1048576 at most":             func(l *Line) { l.Mix = one(Put, Keys{Order: Zipf, Of: MaxZipf + 1}) },
	} {
		l := ok
		change(&l)
		_, err := New(Config{Lines: []Line{ok, l}})
		require.ErrorIs(t, err, ErrConfig, want)
		require.EqualError(t, err, want)
	}
	require.ErrorIs(t, Config{Lines: make([]Line, MaxLines+1)}.Check(), ErrConfig)
	require.NoError(t, Config{}.Check())
}

// TestExtremes: what Check lets through does not overflow.
func TestExtremes(t *testing.T) {
	for _, l := range []Line{
		{Rate: Rate{1, MaxTime}, Count: MaxShots},
		{Rate: Rate{MaxShots, 1}, Count: 10, For: 1},
		{Rate: Rate{1, MaxTime}, To: Rate{MaxShots, MaxTime}, For: MaxTime, Count: 10},
		{Rate: Rate{MaxShots, 1}, To: Rate{MaxShots, 1}, For: MaxTime, Count: 10},
		{Arrivals: Poisson, Rate: Rate{1, MaxTime}, Count: MaxShots},
	} {
		l.Mix, l.From = one(Lookup, Keys{}), MaxTime
		last := time.Duration(0)
		for _, s := range shots(t, Config{Lines: []Line{l}}) {
			require.GreaterOrEqual(t, s.Due, last)
			require.LessOrEqual(t, s.Due, 2*MaxTime)
			last = s.Due
		}
	}
}

func BenchmarkNext(b *testing.B) {
	l, err := New(Config{Lines: []Line{{Arrivals: Poisson, Rate: Rate{N: 50}, Count: MaxShots, Mix: one(Lookup, Keys{})}}})
	require.NoError(b, err)
	for b.Loop() {
		l.Next()
	}
}
