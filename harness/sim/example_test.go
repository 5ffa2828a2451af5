package sim_test

import (
	"context"
	"fmt"

	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// everySecond is a load: ten lookups, one a second.
type everySecond struct{ n uint64 }

func (l *everySecond) Next() (sim.Operation, bool) {
	l.n++
	return sim.Operation{At: kad.Duration(l.n) * kad.Second, Kind: sim.Lookup, Key: l.n}, l.n <= 10
}

// Ten lookups among 500 nodes with ideal tables, 20 ms from anybody to anybody.
func Example() {
	cfg := sim.Config{Seed: 1, Nodes: 500, Links: sim.Links{Low: 20e6}, Load: &everySecond{}, For: 11 * kad.Second}
	found, sought := 0, 0
	cfg.Watch.Row = func(r sim.Row) {
		found += r.True
		sought += r.Sought
		if r.Op.Key == 10 {
			fmt.Printf("the last: %d requests, %d hops, %d ms\n", r.Requests, r.Hops, r.Took/1e6)
		}
	}
	ctx := context.Background()
	w, err := sim.New(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := w.Run(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d of the %d nearest, %d s of simulated time\n", found, sought, result.Until/kad.Second)
	// Output:
	// the last: 20 requests, 2 hops, 320 ms
	// 200 of the 200 nearest, 11 s of simulated time
}
