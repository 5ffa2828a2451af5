package ground

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

var bootstrapNetwork = &Case{
	Name: "bootstrap-network",
	About: "The instances join; then each server's table is held against the servers truly closest to it, and each instance must get through " +
		"to some others.",
	Min: 2, Max: 10_000, Default: 16,
	Params: with(
		Param{"join", "string", "", "full", "How an instance joins: self (it looks for itself) or full (it refreshes its whole table too)."},
		Param{"settle", "duration", "", "5s", "How long a table may still grow after all have joined."},
		Param{"min_table", "int", "peers", "1", "The table of each instance must have so many."},
		Param{"lookups", "int", "", "2", "For how many others an instance looks, to prove that the network is one."},
		minSuccess, minRecall, maxP99("lookup_ms"),
	),
	Fits: func(in *Instance) error {
		return fits(bound{"lookups", 1, maxOperations}, bound{"min_table", 0, in.Count - 1})(in)
	},
	Run: onNetwork("lookup_ms", func(ctx context.Context, p *party) error {
		least, n := p.in.Params.Int("min_table"), p.in.Params.Int("lookups")
		if err := p.spread(ctx, 1); err != nil {
			return err
		}
		if err := p.inspect(ctx, least); err != nil {
			return err
		}
		for _, seq := range p.others(n, func(seq int) bool { return !p.members[seq-1].Client }) {
			want := p.members[seq-1].ID
			err := p.operate(ctx, "lookup_ms", func(ctx context.Context) error {
				found, err := p.node.Closest(ctx, []byte(want))
				if err == nil && recall(found, []peer.ID{want}) == 0 {
					err = fmt.Errorf("instance %d is not among the %d closest to its own id", seq, len(found))
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}),
}

// inspect holds the table against the truth: a server must know its neighbourhood, for whoever looks for a key there asks it.
// Whom others have dialled comes into their tables when identify is done, so a table is looked at until it lacks nobody, or
// its time is over.
func (p *party) inspect(ctx context.Context, least int) error {
	end := time.Now().Add(p.in.Params.Duration("settle"))
	var truth []peer.ID
	if !p.me().Client {
		truth = p.oracle.nearest([]byte(p.me().ID), p.set.resultSize(), nil)
	}
	table := p.node.Table()
	for (len(table) < least || recall(table, truth) < 1) && time.Now().Before(end) {
		if err := pause(ctx, enrolPoll); err != nil {
			return err
		}
		table = p.node.Table()
	}
	if len(table) < least {
		return fmt.Errorf("%w missed: %d peers in the table of instance %d, expected at least min_table %d", ErrThreshold, len(table), p.in.Seq, least)
	}
	if !p.me().Client {
		p.recalled(table, truth)
	}
	return nil
}
