package ground

import (
	"context"
	"sync"
	"time"
)

// maxConcurrency of operations of one instance: each is up to alpha streams, and a host carries some thousands.
const maxConcurrency = 256

var provideStress = &Case{
	Name:  "provide-stress",
	About: "Each instance announces many keys, several at the same time, and when all have, looks for providers of some keys of others.",
	Min:   2, Max: 1000, Default: 16,
	Params: with(
		Param{"record_count", "int", "keys", "40", "How many keys an instance announces."},
		Param{"concurrency", "int", "keys", "8", "How many of them at the same time, 256 at most."},
		Param{"search_records", "int", "keys", "10", "For how many keys of others an instance looks."},
		minSuccess, minRecall, maxP99("provide_ms"),
	),
	Fits: fits(records, searched, bound{"concurrency", 1, maxConcurrency}),
	Run: onNetwork("provide_ms", func(ctx context.Context, p *party) error {
		count := p.in.Params.Int("record_count")
		if err := p.spread(ctx, 2); err != nil {
			return err
		}
		if err := p.provide(ctx, count, p.in.Params.Int("concurrency")); err != nil {
			return err
		}
		if err := p.phase(ctx, "provided"); err != nil {
			return err
		}
		return p.search(ctx, p.in.Params.Int("search_records"), count, 1)
	}),
}

// provide announces the keys of this instance, some of them at a time.
func (p *party) provide(ctx context.Context, count, concurrency int) error {
	type outcome struct {
		took time.Duration
		err  error
	}
	outcomes := make([]outcome, count)
	next := make(chan int)
	var workers sync.WaitGroup
	before, began := p.node.Stats().Requests, time.Now()
	for range min(concurrency, count) {
		workers.Go(func() {
			for i := range next {
				within, cancel := context.WithTimeout(ctx, p.set.patient)
				began := time.Now()
				err := p.node.Provide(within, p.key(p.in.Seq, i))
				outcomes[i] = outcome{time.Since(began), err}
				cancel()
			}
		})
	}
	for i := range count {
		next <- i
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.in.Out.Point("provides_per_s", float64(count)/time.Since(began).Seconds())
	p.in.Out.Point("requests", float64(p.node.Stats().Requests-before))
	for _, o := range outcomes {
		p.count("provide_ms", o.took, o.err)
	}
	return nil
}
