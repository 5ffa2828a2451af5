package ground

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
)

var getClosestPeers = &Case{
	Name:  "get-closest-peers",
	About: "Each instance looks up the peers closest to random keys and compares them with the truly closest of all servers.",
	Min:   2, Max: 10_000, Default: 16,
	Params: with(
		Param{"lookups", "int", "", "5", "How many an instance does, one after the other."},
		minSuccess, minRecall, maxP99("lookup_ms"),
	),
	Fits: fits(bound{"lookups", 1, maxOperations}),
	Run: onNetwork("lookup_ms", func(ctx context.Context, p *party) error {
		if err := p.spread(ctx, 1); err != nil {
			return err
		}
		for i := range p.in.Params.Int("lookups") {
			if _, err := p.lookUp(ctx, p.key(p.in.Seq, i), nil); err != nil {
				return err
			}
		}
		return nil
	}),
}

// lookUp looks up the closest peers to a key and holds them against the truth: all servers of which is says so, nil for all.
// An operation that finds nobody has failed.
func (p *party) lookUp(ctx context.Context, key []byte, is func(peer.ID) bool) (found []peer.ID, err error) {
	truth := p.oracle.nearest(key, p.set.resultSize(), is)
	err = p.operate(ctx, "lookup_ms", func(ctx context.Context) (err error) {
		if found, err = p.node.Closest(ctx, key); err == nil && len(found) == 0 && len(truth) > 0 {
			err = fmt.Errorf("nobody was found, expected %d peers", len(truth))
		}
		return err
	})
	if err == nil {
		p.in.Out.Point("found", float64(len(found)))
		p.recalled(found, truth)
	}
	return found, err
}
