package target

import (
	"context"
	"time"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// A clock that jumps over two days at once would find a record expired which its owner had published anew after 22 h, so
// advance_clock lets the time pass in steps, and waits after each for what it has set off: what a job sends in the first
// step has been answered before the next.
const (
	// clockSteps is into how many equal parts a jump is cut. Eight of 72 h are 9 h, less than the 22 h or 12 h after which
	// a node gives out its own records again, and these less than the 48 h after which others forget them.
	clockSteps = 8
	// settleLeast is the least time for a step: probes of table peers are no queries, and take a few milliseconds each.
	settleLeast = 50 * time.Millisecond
	// settleMost bounds the wait for what a step has set off: peers that do not answer must not hold the clock. With
	// clockSteps it stays below CallTimeout.
	settleMost = 2 * time.Second
	settleTick = 2 * time.Millisecond
)

// advance is advance_clock of the reference. What was under way before is not waited for at all: a plan may well let the
// time pass so that an operation runs into its timeout.
func advance(ctx context.Context, n *p2p.Node, by time.Duration) error {
	before := map[kad.QueryID]bool{}
	for _, q := range n.Queries() {
		before[q.ID()] = true
	}
	step := by/clockSteps + 1
	for left := by; left > 0; left -= step {
		n.Advance(min(step, left))
		if err := settle(ctx, n, before); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the node's queries have ended, but for those of before.
func settle(ctx context.Context, n *p2p.Node, before map[kad.QueryID]bool) error {
	began := time.Now()
	tick := time.NewTicker(settleTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		busy := false
		for _, q := range n.Queries() {
			busy = busy || !before[q.ID()]
		}
		if waited := time.Since(began); waited > settleMost || !busy && waited > settleLeast {
			return nil
		}
	}
}
