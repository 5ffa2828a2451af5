package sim

import (
	"context"
	"testing"
	"time"

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

func TestStatic(t *testing.T) {
	for _, shards := range []int{1, 2} {
		cfg := static(10000, 2000, 1e6)
		cfg.Shards = shards
		began := time.Now()
		res, rows := run(t, cfg)
		tr, so, req, hops := 0, 0, 0, 0
		for _, r := range rows {
			tr += r.True
			so += r.Sought
			req += int(r.Requests)
			hops += int(r.Hops)
		}
		t.Logf("shards %d digest %x events %d steps %d ran %v cpu %v ns/event %d ready %v heap/node %d rows %d recall %f req %f hops %f windows %d took %v entries %d",
			shards, res.Digest, res.Events, res.Steps, res.Ran, res.CPU, res.CPU.Nanoseconds()/int64(res.Events), res.Ready, int(res.Heap)/res.Nodes, len(rows), float64(tr)/float64(so), float64(req)/float64(len(rows)), float64(hops)/float64(len(rows)), res.Windows, time.Since(began), res.Entries)
	}
}
