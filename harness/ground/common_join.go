package ground

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// enrolPoll is how often a table is looked at: who was dialled comes into it when identify is done, some milliseconds later,
// and there is no event of it that all implementations have.
const enrolPoll = 5 * time.Millisecond

// enrolLimit is how long the first peer may take to come into the table: 1,000 times what it does on an idle machine.
const enrolLimit = 30 * time.Second

// join opens the node and brings it into the network; it returns when all instances have joined.
//
// They join one after the other, a window of them at once: each enters a network that is there already, as nodes do, and a
// thousand in one process do not all hold the processor at the same time. The window counts who has joined, so the instance
// with the lowest number that has not is never waiting.
func (p *party) join(ctx context.Context) error {
	if p.in.Shape != nil && p.set.latency > 0 {
		if err := p.in.Shape.Shape(ctx, p.set.latency); err != nil {
			return err
		}
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	p.in.Out.Message("%s: %s", p.set.kind.Name(), p.set.kind.Version())
	h := hello{Seq: p.in.Seq, Client: p.set.isClient(p.in.GroupSeq)}
	if addrs := p.node.Info().Addrs; len(addrs) > 0 {
		h.Addr = addrs[0].String()
	}
	var err error
	if p.members, err = meet(ctx, p.in, p.set.seed, h); err != nil {
		return err
	}
	if n := len(p.servers()); n < 2 {
		return fmt.Errorf("%d of %d instances are servers, expected 2 or more", n, p.in.Count)
	}
	if got, want := p.node.Info().ID, p.me().ID; got != want {
		return fmt.Errorf("node %s, expected %s by its seed", got, want)
	}
	p.oracle = newOracle(p.me().ID, p.members)

	if before := p.in.Seq - p.set.window; before > 0 {
		if err := p.in.Sync.Wait(ctx, "joined", before); err != nil {
			return fmt.Errorf("phase joining: %w", err)
		}
	}
	began := time.Now()
	if err := p.enter(ctx); err != nil {
		return err
	}
	p.in.Out.Point("bootstrap_ms", float64(time.Since(began).Microseconds())/1000)
	p.trim()
	if err := p.phase(ctx, "joined"); err != nil {
		return err
	}
	// Who came first has met few by itself. What it missed it learns here, as a refresh would tell it.
	if p.in.Seq <= p.set.window {
		if err := p.lookAround(ctx); err != nil {
			return err
		}
	}
	p.trim()
	if err := p.phase(ctx, "ready"); err != nil {
		return err
	}
	p.in.Out.Point("table_entries", float64(len(p.node.Table())))
	return nil
}

// enter dials those whom the strategy names and looks around. One of them that answers is enough. The only seed has nobody to
// dial: the others come to it.
func (p *party) enter(ctx context.Context) error {
	var failed []error
	doors := p.doors()
	if len(doors) == 0 {
		return nil
	}
	for _, seq := range doors {
		within, cancel := context.WithTimeout(ctx, p.set.patient)
		if err := p.node.Connect(within, p.members[seq-1].info()); err != nil {
			failed = append(failed, fmt.Errorf("instance %d: %w", seq, err))
		}
		cancel()
	}
	if len(failed) == len(doors) {
		return fmt.Errorf("join: %w", errors.Join(failed...))
	}
	if err := p.enrolled(ctx); err != nil {
		return err
	}
	return p.lookAround(ctx)
}

// enrolled waits for the first peer in the table.
func (p *party) enrolled(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, enrolLimit, fmt.Errorf("the table is empty %v after a server was dialled", enrolLimit))
	defer cancel()
	for len(p.node.Table()) == 0 {
		if pause(ctx, enrolPoll) != nil {
			return fmt.Errorf("join: %w", context.Cause(ctx))
		}
	}
	return nil
}

// lookAround fills the table.
func (p *party) lookAround(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, p.set.patient)
	defer cancel()
	var err error
	if p.set.join == joinFull {
		err = p.node.Bootstrap(within)
	} else {
		_, err = p.node.Closest(within, []byte(p.me().ID))
	}
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}

// doors are the instances which this one dials first.
func (p *party) doors() []int {
	servers := p.servers()
	seeds := servers[:min(p.set.seeds, len(servers))]
	server := func(seq int) bool { return !p.members[seq-1].Client }
	switch p.set.strategy {
	case toOne:
		return p.others(1, p.isSeed)
	case toRandom:
		return p.others(len(seeds), server)
	case toRing:
		for i := range p.in.Count {
			if seq := (p.in.Seq+i)%p.in.Count + 1; server(seq) {
				return []int{seq}
			}
		}
	}
	return p.others(len(seeds), p.isSeed)
}
