package ground

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

var churn = &Case{
	Name: "churn",
	About: "In each round a share of the instances ends its node without a word, to come back a round later at another address, " +
		"while the others look up keys and compare what they find with the servers that are there throughout.",
	Min: 4, Max: 1000, Default: 16,
	Params: with(
		Param{"rounds", "int", "", "3", "How many rounds there are."},
		Param{"leave", "float", "", "0.2", "The share of instances that leave in a round; seeds stay."},
		Param{"lookups", "int", "", "3", "How many an instance does in a round."},
		minSuccess, Param{"min_recall", "float", "", "0.8", "The mean share of the true answers that must be found."}, maxP99("lookup_ms"),
	),
	Run: onNetwork("lookup_ms", func(ctx context.Context, p *party) error {
		rounds, leave, lookups := p.in.Params.Int("rounds"), p.in.Params.Float("leave"), p.in.Params.Int("lookups")
		switch {
		case rounds < 1:
			return refuse(p.in.Params, "rounds", "1 or more")
		case leave < 0 || leave >= 1:
			return refuse(p.in.Params, "leave", "a share from 0 on, below 1")
		case lookups < 1:
			return refuse(p.in.Params, "lookups", "1 or more")
		}
		for round := 1; round <= rounds; round++ {
			if err := p.round(ctx, round, leave, lookups); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		return nil
	}),
}

// round is one of them: who is to leave leaves and who left in the last one returns while the others look up.
func (p *party) round(ctx context.Context, n int, leave float64, lookups int) error {
	if err := p.phase(ctx, fmt.Sprintf("round.%d", n)); err != nil {
		return err
	}
	me := p.in.Seq
	switch {
	case p.away(n, me, leave):
		p.in.Out.Message("round %d: leaves", n)
		return p.close()
	case p.away(n-1, me, leave):
		if err := p.comeBack(ctx); err != nil {
			return err
		}
	}
	there := p.there(n, leave)
	for i := range lookups {
		key := p.key(me, n*1000+i)
		if err := p.lookUpAmid(ctx, key, there); err != nil {
			return err
		}
	}
	return nil
}

// away says whether an instance has no node at the end of a round. It follows from the seed, so that all can know it. Nobody is
// away twice in a row, and the seeds never are: whoever returns needs a door.
func (p *party) away(round, seq int, leave float64) bool {
	if round < 1 || p.isSeed(seq) || p.away(round-1, seq, leave) {
		return false
	}
	return draw(p.set.seed, round, seq) < leave
}

// presence is where a server is in a round.
type presence uint8

const (
	absent presence = iota
	moving          // it leaves or returns in this round
	steady
)

// there is where each server is in a round.
func (p *party) there(round int, leave float64) map[peer.ID]presence {
	all := map[peer.ID]presence{}
	for _, seq := range p.servers() {
		before, after := !p.away(round-1, seq, leave), !p.away(round, seq, leave)
		at := absent
		switch {
		case before && after:
			at = steady
		case before || after:
			at = moving
		}
		all[p.members[seq-1].ID] = at
	}
	return all
}

// lookUpAmid looks up while others come and go. Of those the lookup may find any or none, so the truth is made of the steady
// ones, and of those others that it did find: they take places which it could not know to be wrong.
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
		return there[id] == steady || there[id] == moving && recall(found, []peer.ID{id}) == 1
	})
	p.in.Out.Point("found", float64(len(found)))
	p.recalled(found, truth)
	gone := 0
	for _, id := range found {
		if there[id] == absent {
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
