package run

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/harness/record"
)

// TestFindMax: of a server whose latency explodes at a rate, the search finds that rate, wherever it begins.
func TestFindMax(t *testing.T) {
	for _, limit := range []float64{150, 1000, 7777, 123_456} {
		c := benchOf(t, "world real\nload FIND_NODE rate=1000/s for=10s\nneed due.p99<10ms", "ref:", "echo:")
		c.FindMax = true
		random := rand.New(rand.NewPCG(1, 2))
		scripted(&c, func(d *bench.Driver, _ int) *bench.Result {
			r := d.Load.Lines[0].Rate
			rate := float64(r.N) / r.Per.Seconds()
			took := time.Millisecond
			if rate > limit*(0.99+0.02*random.Float64()) {
				took = time.Second
			}
			return result(2000, took)
		})
		r, err := Bench(t.Context(), c)
		require.NoError(t, err)
		for _, m := range r.Measured {
			require.NotNil(t, m.Max)
			assert.InEpsilon(t, limit, *m.Max, 0.07)
			assert.Less(t, len(m.Tries), maxTries)
			assert.Equal(t, m.Tries[0].Rate, 1000.0)
		}
		assert.InDelta(t, 1, r.Measured[1].Against.Rate.Median, 0.1)
	}
	c := benchOf(t, "world real\nload FIND_NODE rate=8/s for=10s\nneed due.p99<10ms", "ref:", "echo:")
	c.FindMax = true
	scripted(&c, func(*bench.Driver, int) *bench.Result { return result(2000, time.Second) })
	r, err := Bench(t.Context(), c)
	assert.ErrorIs(t, err, ErrNeed)
	require.Len(t, r.Measured, 2, "that the first fails says nothing of the second")
	for _, m := range r.Measured {
		assert.Equal(t, "at no rate from 113/s on did all needs hold", m.Error)
		assert.Zero(t, *m.Max)
		assert.Equal(t, record.Fail, m.Needs[0].Verdict, "which of them at the lowest rate")
		assert.Len(t, m.Tries, 1, "at fewer than that 10 s have too few requests for a p99")
	}
	assert.Equal(t, 1, r.Benches[0].Rounds)
}

// TestFindMaxMix: a search asks for as much of each line as the plan does, and begins with the rate that the plan has on the
// mean.
func TestFindMaxMix(t *testing.T) {
	for _, test := range []struct {
		loads string
		rate  float64
		share map[load.Kind]float64
	}{
		{"load ADD_PROVIDER rate=100/s for=20s\nload GET_PROVIDERS published rate=900/s for=20s", 1000,
			map[load.Kind]float64{"ADD_PROVIDER": 0.1, "GET_PROVIDERS": 0.9}},
		{"load FIND_NODE rate=300/s for=20s weight=2\nload PING", 300, map[load.Kind]float64{"FIND_NODE": 2. / 3, "PING": 1. / 3}},
		{"load FIND_NODE rate=100/s to=300/s for=20s\nload PING rate=100/s from=10s for=10s", 250, map[load.Kind]float64{"FIND_NODE": 0.8, "PING": 0.2}},
		{"load FIND_NODE closed for=20s weight=3\nload PING", 1000, map[load.Kind]float64{"FIND_NODE": 0.75, "PING": 0.25}},
	} {
		c := benchOf(t, "world real\n"+test.loads, "ref:")
		c.FindMax = true
		scripted(&c, func(d *bench.Driver, _ int) *bench.Result {
			all, of := 0.0, map[load.Kind]float64{}
			require.Len(t, d.Load.Lines, 1)
			for _, p := range d.Load.Lines[0].Mix {
				all += float64(max(p.Weight, 1))
				of[p.Kind] += float64(max(p.Weight, 1))
			}
			for kind, share := range test.share {
				assert.InDelta(t, share, of[kind]/all, 1e-5, "%s of %s", kind, test.loads)
			}
			return result(2000, time.Second)
		})
		r, err := Bench(t.Context(), c)
		assert.ErrorIs(t, err, ErrNeed)
		assert.Equal(t, test.rate, r.Measured[0].Tries[0].Rate, test.loads)
	}
}

// TestFindMaxKeepsUp: a server whose latency stays within the bound only because a turn is shorter than the bound has its
// limit all the same.
func TestFindMaxKeepsUp(t *testing.T) {
	c := benchOf(t, "world real\nload FIND_NODE rate=1000/s for=2s\nneed due.p99<10s", "ref:")
	c.FindMax = true
	scripted(&c, func(d *bench.Driver, _ int) *bench.Result {
		r := result(d.Load.Lines[0].Rate.N/1000, time.Millisecond)
		r.Ended = min(r.Ended, 3000)
		return r
	})
	r, err := Bench(t.Context(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, 3000/keptUp, *r.Measured[0].Max, 0.07)
	assert.Contains(t, r.Measured[0].Tries[2].Why, "3000 of 4000 requests a second were answered")
}

// TestFindMaxOfTheGenerator: where the generator came too late, the target's highest rate is not known, and is beside no other.
func TestFindMaxOfTheGenerator(t *testing.T) {
	c := benchOf(t, "world real\nload FIND_NODE rate=1000/s for=2s\nneed due.p99<10ms", "ref:", "echo:")
	c.FindMax = true
	scripted(&c, func(d *bench.Driver, _ int) *bench.Result {
		r := result(2000, time.Millisecond)
		if d.Load.Lines[0].Rate.N > 3_000_000 {
			r.Late = 100
		}
		return r
	})
	r, err := Bench(t.Context(), c)
	require.NoError(t, err)
	for _, m := range r.Measured {
		assert.InEpsilon(t, 3000, *m.Max, 0.07)
		assert.True(t, m.GeneratorEnded())
		assert.Nil(t, m.Against)
	}
}

// TestFindMaxUntold: a rate at which nobody can tell whether a need held did not hold.
func TestFindMaxUntold(t *testing.T) {
	c := benchOf(t, "world real\nload FIND_NODE rate=1000/s for=2s\nneed due.p99<10ms", "ref:")
	c.FindMax = true
	scripted(&c, func(*bench.Driver, int) *bench.Result { return result(900, time.Millisecond) })
	r, err := Bench(t.Context(), c)
	require.NoError(t, err)
	assert.Zero(t, *r.Measured[0].Max)
	assert.Equal(t, "due.p99<10ms: p99 of 900 requests: 1000 are needed, so that 10 lie beyond it", r.Measured[0].Tries[0].Why)
}
