package sim

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// lookups is a load of lookups at an even pace.
type lookups struct {
	kind  OpKind
	n, i  uint64
	every kad.Duration
	from  kad.Duration
}

func (l *lookups) Next() (Operation, bool) {
	if l.i == l.n {
		return Operation{}, false
	}
	l.i++
	return Operation{At: l.from + kad.Duration(l.i)*l.every, Kind: l.kind, Key: l.i}, true
}

func quietConfig() kad.Config {
	return kad.Config{ReplicationInterval: -1, PublicationInterval: -1, ProvideInterval: -1, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}
}

func static(nodes, n int, every kad.Duration) Config {
	return Config{
		Seed: 1, Nodes: nodes, Kad: quietConfig(),
		Links: Links{Kind: Uniform, Low: 10e6, High: 100e6},
		Load:  &lookups{n: uint64(n), every: every}, For: kad.Duration(n+1) * every,
	}
}

func run(t testing.TB, cfg Config) (*Result, []Row) {
	var rows []Row
	cfg.Watch.Row = func(r Row) { rows = append(rows, r) }
	w, err := New(context.Background(), cfg)
	require.NoError(t, err)
	res, err := w.Run(context.Background())
	require.NoError(t, err)
	return res, rows
}

// TestStatic: 2,000 lookups among 10,000 nodes where nothing goes wrong name all of the closest, by about as many requests and
// hops as the logarithm says, and each row adds up.
func TestStatic(t *testing.T) {
	cfg := static(10_000, 2000, 1e6)
	cfg.Shards = 2
	res, rows := run(t, cfg)
	require.Len(t, rows, 2000)
	named, sought, requests, hops := 0, 0, 0, 0
	last := kad.Duration(0)
	for _, r := range rows {
		require.True(t, r.OK && !r.TimedOut && !r.Censored, "%+v", r)
		require.Equal(t, r.Op.At, r.Began)
		require.GreaterOrEqual(t, r.Began+r.Took, last, "rows come in the order of their ends")
		require.Zero(t, r.Failed)
		require.Equal(t, 20, r.Found)
		last = r.Began + r.Took
		named += r.True
		sought += r.Sought
		requests += int(r.Requests)
		hops += int(r.Hops)
	}
	require.Equal(t, 2000*20, sought)
	require.GreaterOrEqual(t, named, sought-4, "recall is 0.9999 at least")
	require.InDelta(t, 23, float64(requests)/2000, 2)
	require.InDelta(t, 2.9, float64(hops)/2000, 0.5) // log2(10,000/20) is 9 bits, of which an answer of 20 gives some 4
	require.EqualValues(t, 2*requests, res.Sent, "each has an answer")
	answered := 0
	for _, n := range res.LoadOf {
		answered += int(n)
	}
	require.Equal(t, requests, answered)
	require.Zero(t, res.Lost)
	require.NotZero(t, res.Digest)
}
