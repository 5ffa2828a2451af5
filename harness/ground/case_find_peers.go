package ground

import (
	"context"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	netw "github.com/kadbench/kadbench/harness/network"
)

var findPeers = &Case{
	Name:  "find-peers",
	About: "Each instance looks for the addresses of some others, those to whom it has no connection first, and compares them with the true ones.",
	Min:   2, Max: 10_000, Default: 16,
	Params: with(
		Param{"n_find_peers", "int", "peers", "5", "How many an instance looks for."},
		minSuccess, maxP99("lookup_ms"),
	),
	Fits: fits(bound{"n_find_peers", 1, maxOperations}),
	Run: onNetwork("lookup_ms", func(ctx context.Context, p *party) error {
		if err := p.spread(ctx, 1); err != nil {
			return err
		}
		for _, seq := range p.strangers(p.in.Params.Int("n_find_peers")) {
			want := p.members[seq-1]
			err := p.operate(ctx, "lookup_ms", func(ctx context.Context) error {
				got, err := p.node.FindPeer(ctx, want.ID)
				if err == nil && !slices.ContainsFunc(got.Addrs, func(a ma.Multiaddr) bool { return a.Equal(want.Addr) }) {
					err = fmt.Errorf("%w: addresses of %s are %v, expected %s among them", netw.ErrNotFound, want.ID, got.Addrs, want.Addr)
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

// strangers draws n servers, those before the others to whom there is no connection: whoever is connected is found without a
// request.
func (p *party) strangers(n int) []int {
	all := p.others(p.in.Count, func(seq int) bool { m := p.members[seq-1]; return !m.Client && m.Addr != nil })
	if h := p.node.Host(); h != nil {
		slices.SortStableFunc(all, func(a, b int) int {
			known := func(seq int) int {
				if h.Network().Connectedness(p.members[seq-1].ID) == network.Connected {
					return 1
				}
				return 0
			}
			return known(a) - known(b)
		})
	}
	return all[:min(n, len(all))]
}
