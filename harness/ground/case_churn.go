package ground

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// maxRounds of churn: what is left of a run's ten minutes for each is then as long as its two barriers take.
const maxRounds = 1000

// maxOfRound are the lookups of an instance in a round, each with a key of its own.
const maxOfRound = 1000

var churn = &Case{
	Name: "churn",
	About: "In each round a share of the instances ends its node without a word, stays away for the next, and comes back at another address in the one " +
		"after it; the others look up keys and compare what they find with the servers that are there throughout.",
	Min: 4, Max: 1000, Default: 16,
	Params: with(
		Param{"rounds", "int", "", "4", "How many rounds there are."},
		Param{"leave", "float", "", "0.2", "The share of instances that leave in a round; seeds stay."},
		Param{"lookups", "int", "", "3", "How many an instance does in a round."},
		minSuccess, Param{"min_recall", "float", "", "0.8", "The mean share of the true answers that must be found."}, maxP99("lookup_ms"),
	),
	Fits: func(in *Instance) error {
		if leave := in.Params.Float("leave"); leave < 0 || leave >= 1 {
			return refuse(in.Params, "leave", "a share from 0 on, below 1")
		}
		return fits(bound{"rounds", 1, maxRounds}, bound{"lookups", 1, maxOfRound})(in)
	},
	Run: onNetwork("lookup_ms", func(ctx context.Context, p *party) error {
		rounds, leave, lookups := p.in.Params.Int("rounds"), p.in.Params.Float("leave"), p.in.Params.Int("lookups")
		all := p.schedule(rounds, leave)
		for n := 1; n <= rounds; n++ {
			if err := p.round(ctx, n, rounds, all[n], lookups); err != nil {
				return fmt.Errorf("round %d: %w", n, err)
			}
		}
		return nil
	}),
}

// presence is where an instance is in a round.
type presence uint8

const (
	stays   presence = iota
	leaves           // it ends its node
	away             // throughout
	returns          // it opens its node again
)

// schedule is where each instance is in each round, by round and Seq - 1; in round 0 all are there. It follows from the seed,
// so that all can know it. Seeds never leave: whoever returns needs a door.
func (p *party) schedule(rounds int, leave float64) [][]presence {
	all := make([][]presence, rounds+1)
	all[0] = make([]presence, p.in.Count)
	for n := 1; n <= rounds; n++ {
		all[n] = make([]presence, p.in.Count)
		for i, before := range all[n-1] {
			switch {
			case before == leaves:
				all[n][i] = away
			case before == away:
				all[n][i] = returns
			case !p.isSeed(i+1) && draw(p.set.seed, n, i+1) < leave:
				all[n][i] = leaves
			}
		}
	}
	return all
}

// round is the n-th of them, in which everybody is somewhere.
func (p *party) round(ctx context.Context, n, rounds int, where []presence, lookups int) error {
	if err := p.phase(ctx, fmt.Sprintf("round.%d", n)); err != nil {
		return err
	}
	switch where[p.in.Seq-1] {
	case leaves:
		p.in.Out.Message("round %d: leaves", n)
		return p.close()
	case away:
		return nil
	}
	if err := p.spread(ctx, rounds); err != nil {
		return err
	}
	if where[p.in.Seq-1] == returns {
		if err := p.comeBack(ctx); err != nil {
			return err
		}
	}
	there := map[peer.ID]presence{}
	for i, m := range p.members {
		there[m.ID] = where[i]
	}
	for i := range lookups {
		if err := p.lookUpAmid(ctx, p.key(p.in.Seq, n*maxOfRound+i), there); err != nil {
			return err
		}
	}
	return nil
}

// lookUpAmid looks up while others leave and return. It may find any or none of those, so the truth is made of those who stay
// and of those others that it did find: they take places which it could not know to be wrong. Who is away is found in vain.
func (p *party) lookUpAmid(ctx context.Context, key []byte, there map[peer.ID]presence) error {
	var found []peer.ID
	err := p.operate(ctx, "lookup_ms", func(ctx context.Context) (err error) {
		if found, err = p.node.Closest(ctx, key); err == nil && len(found) == 0 {
			err = fmt.Errorf("nobody was found")
		}
		return err
	})
	if err != nil {
		return err
	}
	truth := p.oracle.nearest(key, p.set.resultSize(), func(id peer.ID) bool {
		return there[id] == stays || there[id] != away && slices.Contains(found, id)
	})
	p.in.Out.Point("found", float64(len(found)))
	p.recalled(found, truth)
	gone := 0
	for _, id := range found {
		if there[id] == away {
			gone++
		}
	}
	p.in.Out.Point("found_dead", float64(gone))
	return nil
}

// comeBack opens the node again and enters by the doors that are there.
func (p *party) comeBack(ctx context.Context) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := p.enter(ctx); err != nil {
		return err
	}
	p.in.Out.Point("rejoin_ms", float64(time.Since(began).Microseconds())/1000)
	return nil
}
