package ground

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

var findProviders = &Case{
	Name:  "find-providers",
	About: "Each instance announces keys, each of them with some others, and when all have, looks for providers of keys that it does not provide.",
	Min:   2, Max: 10_000, Default: 16,
	Params: with(
		Param{"record_count", "int", "keys", "5", "How many keys begin at an instance, which announces them first."},
		Param{"providers", "int", "instances", "1", "How many instances announce a key: the first, and those after it."},
		Param{"search_records", "int", "keys", "5", "For how many keys of others an instance looks."},
		minSuccess, minRecall, maxP99("lookup_ms"),
	),
	Fits: func(in *Instance) error {
		return fits(records, searched, bound{"providers", 1, in.Count - 1})(in) // someone is left to look
	},
	Run: onNetwork("lookup_ms", func(ctx context.Context, p *party) error {
		count, each := p.in.Params.Int("record_count"), p.in.Params.Int("providers")
		if err := p.spread(ctx, 2); err != nil {
			return err
		}
		for back := range each {
			for i := range count {
				key := p.key(p.after(p.in.Seq, -back), i)
				if err := p.operate(ctx, "provide_ms", func(ctx context.Context) error { return p.node.Provide(ctx, key) }); err != nil {
					return err
				}
			}
		}
		if err := p.phase(ctx, "provided"); err != nil {
			return err
		}
		return p.search(ctx, p.in.Params.Int("search_records"), count, each)
	}),
}

// after is the instance so many after another, in the ring of all.
func (p *party) after(seq, n int) int { return (seq-1+n+p.in.Count)%p.in.Count + 1 }

// search looks for n keys of others, of which each instance has so many, provided by it and those after it. It is the second
// of two phases.
func (p *party) search(ctx context.Context, n, count, each int) error {
	if err := p.spread(ctx, 2); err != nil {
		return err
	}
	var owners []int
	for len(owners) < n {
		owners = append(owners, p.others(n-len(owners), func(seq int) bool { // it is not among the providers itself
			return (p.in.Seq-seq+p.in.Count)%p.in.Count >= each
		})...)
	}
	for i, owner := range owners {
		var truth, found []peer.ID
		for k := range each {
			truth = append(truth, p.members[p.after(owner, k)-1].ID)
		}
		began := time.Now()
		err := p.operate(ctx, "lookup_ms", func(ctx context.Context) error {
			err := p.node.FindProviders(ctx, p.key(owner, i%count), 0, func(id peer.ID) {
				if len(found) == 0 {
					p.in.Out.Point("first_provider_ms", float64(time.Since(began).Microseconds())/1000)
				}
				found = append(found, id)
			})
			if err == nil && recall(found, truth) == 0 {
				err = fmt.Errorf("providers of a key of instance %d are %v, expected %v", owner, found, truth)
			}
			return err
		})
		if err != nil {
			return err
		}
		p.in.Out.Point("found", float64(len(found)))
		p.recalled(found, truth)
	}
	return nil
}
