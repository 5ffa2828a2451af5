package sim

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// mixed is a load of all operations, one after the other.
type mixed struct {
	n, i  uint64
	every kad.Duration
}

func (l *mixed) Next() (Operation, bool) {
	if l.i == l.n {
		return Operation{}, false
	}
	l.i++
	kinds := []OpKind{Lookup, Provide, Put, Find, Get, Bootstrap}
	return Operation{At: kad.Duration(l.i) * l.every, Kind: kinds[l.i%6], Key: l.i / 12}, true
}

// worlds in which everything happens that can.
func busyWorlds() map[string]Config {
	hour := kad.Hour / 2
	all := Config{
		Seed: 7, Nodes: 100, Clients: 200_000, Tables: Grown,
		Links: Links{Kind: Uniform, Low: 5e6, High: 80e6, Jitter: 5e6, Loss: 5_000, Unreachable: 50_000, Slow: 50_000},
		Churn: Churn{Kind: LogNormal, Median: hour},
		Faults: []Fault{
			{Kind: Crash, Share: 100_000, At: hour / 2, Until: hour},
			{Kind: Partition, Share: 300_000, At: hour, Until: hour + hour/4},
			{Kind: Lossy, Share: 100_000, At: hour / 4, Until: hour / 3},
			{Kind: Exit, Share: 100_000, At: hour + hour/2},
		},
		For: 2 * hour, Sample: 10 * kad.Minute, Kad: kad.Config{K: 10},
	}
	connected := all
	connected.Links.Idle = 2 * kad.Minute
	connected.Seed = 8
	ideal := all
	ideal.Tables, ideal.Seed = Ideal, 9
	growing := all
	growing.Growth = Growth{First: 1, Batch: 3, Every: 30 * kad.Second}
	growing.Seed = 10
	disjoint := connected
	disjoint.Kad = kad.Amino()
	disjoint.Kad.K = 10
	disjoint.Kad.DisjointPaths = true
	worlds := map[string]Config{"grown": all, "connected": connected, "ideal": ideal, "growing": growing, "disjoint": disjoint}
	return worlds
}

// A run is the same on any number of shards, each time, and whether its messages are encoded or not.
func TestDigest(t *testing.T) {
	for name, cfg := range busyWorlds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first *Result
			var rows string
			for _, shards := range []int{1, 2, 4, 3} {
				cfg := cfg
				cfg.Shards = shards
				cfg.Wire = shards == 3
				cfg.Load = &mixed{n: 300, every: 10 * kad.Second}
				res, list := run(t, cfg)
				if first == nil {
					first, rows = res, fmt.Sprint(list)
					require.NotZero(t, res.Events)
					require.Len(t, list, 300)
					ok := map[OpKind]int{}
					for _, r := range list {
						if r.OK {
							ok[r.Op.Kind]++
						}
					}
					last := res.Samples[len(res.Samples)-1]
					t.Logf("%d events, digest %016x, ok %v, unfinished %d, last sample %+v", res.Events, res.Digest, ok, res.Unfinished, last)
					continue
				}
				require.Equal(t, fmt.Sprintf("%016x", first.Digest), fmt.Sprintf("%016x", res.Digest), "%d shards", shards)
				require.Equal(t, first.Samples, res.Samples)
				require.Equal(t, rows, fmt.Sprint(list))
				require.Equal(t, first.Bytes, res.Bytes)
				require.Equal(t, first.LoadOf, res.LoadOf)
			}
		})
	}
}
