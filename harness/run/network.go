package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/network"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

const (
	// settleFor is how long a network rests between the joining of its first nodes and its load: what joining leaves to be
	// done by itself comes half a second later.
	settleFor = 2 * time.Second
	// refreshEvery is how often tables are refreshed unless the plan says otherwise: the default of the implementations.
	refreshEvery = 10 * time.Minute
)

// team is the targets whose nodes make up one network.
type team struct {
	name  string
	kinds []network.Kind
}

// networks runs a point whose world has nodes: a network of each target, one after another, or one of all, and the same again
// in each round. Each is closed before the next begins.
func (c *BenchConfig) networks(ctx context.Context, p benchPoint, report *BenchReport) error {
	teams, err := c.teams()
	if err != nil {
		return err
	}
	rounds := max(c.Rounds, 1)
	for round := 1; round <= rounds; round++ {
		for _, t := range teams {
			if err := c.network(ctx, p, t, report, BenchEvent{Plan: p.plan.Header.ID, Point: p.world.At(), Target: t.name, Round: round, Rounds: rounds}); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNetworks says why the targets cannot be the nodes of a point's networks.
func (c *BenchConfig) checkNetworks(p benchPoint) error {
	teams, err := c.teams()
	if err != nil {
		return err
	}
	for _, t := range teams {
		cfg, err := c.networkOf(p, t)
		if err == nil {
			err = cfg.Check()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// teams are the targets one by one, or all of them together.
func (c *BenchConfig) teams() (teams []team, err error) {
	for _, f := range c.Targets {
		k, err := network.KindOf(f)
		if err != nil {
			return nil, err
		}
		teams = append(teams, team{f.Name(), []network.Kind{k}})
	}
	if !c.Mixed {
		return teams, nil
	}
	var all team
	var names []string
	for _, t := range teams {
		names = append(names, t.name)
		all.kinds = append(all.kinds, t.kinds...)
	}
	all.name = strings.Join(names, "+")
	return []team{all}, nil
}

// network builds one network, loads it, judges what came out and logs all of it.
func (c *BenchConfig) network(ctx context.Context, p benchPoint, t team, report *BenchReport, e BenchEvent) error {
	cfg, err := c.networkOf(p, t)
	if err != nil {
		return fmt.Errorf("%w: plan %s: %w", ErrUsage, p.plan.File, err)
	}
	r := &SimRun{Plan: p.plan, Point: p.world.Point, number: len(report.Networks), world: p.world, shards: 1}
	r.config = sim.Config{Seed: p.seed, Nodes: cfg.Nodes, Shards: 1, For: kad.Duration(cfg.For), Kad: kad.Config{K: cfg.Node.K}}
	r.figures = newFigures(p.world, &r.config)
	if c.Command != nil {
		r.Repeat = c.Command(p.plan, p.world.At(), p.seed)
	}
	report.Networks = append(report.Networks, r)
	var kept error // the first thing that could not be written
	keep := func(err error) {
		if kept == nil && err != nil {
			kept = fmt.Errorf("%w: %w", ErrHarness, err)
		}
	}
	lines := SimConfig{Log: c.Log}
	e.Span = cfg.For
	cfg.Watch = sim.Observer{
		Row:    r.figures.row,
		Sample: func(s sim.Sample) { keep(lines.sampled(r, r.figures.sample(s))) },
		Progress: func(at sim.Progress) {
			if e.Elapsed = time.Duration(at.At); e.Elapsed > 0 {
				e.PerSecond = float64(at.Operations) / e.Elapsed.Seconds()
			}
			c.tell(e)
		},
	}
	keep(c.networkBegan(r, t, cfg))
	result, err := network.Run(ctx, cfg)
	switch {
	case err == nil && result.Stopped:
		err = fmt.Errorf("interrupted: %w", context.Canceled)
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("interrupted: %w", ctx.Err())
	case err != nil:
		err = fmt.Errorf("%w: %s: %w", ErrTarget, t.name, err)
	default:
		r.figures.end(&result.Result)
		for _, n := range p.world.Needs {
			r.Needs = append(r.Needs, networkNeed(r, result, n))
		}
	}
	keep(c.networkEnded(r, result, err))
	r.figures = nil
	e.Ended = true
	c.tell(e)
	return cmp.Or(err, kept)
}

// networkOf is the network of a point: what its plan says, with what the command says in its place.
func (c *BenchConfig) networkOf(p benchPoint, t team) (network.Config, error) {
	w := &p.world.World
	cfg := network.Config{
		Kinds: t.kinds, Nodes: cmp.Or(c.Nodes, w.Nodes), Seed: p.seed, Clients: sim.PPM(w.Clients), Seeds: w.Seeds,
		Growth: sim.Growth{First: w.First, Batch: w.Batch, Every: timeOf(w.Every)},
		Sample: w.Sample, Deadline: w.Deadline, Settle: settleFor,
		Node: network.Spec{Delay: p.world.Links.Low, Timeout: w.Timeout, Unlimited: true, K: w.K, Alpha: w.Alpha, Beta: w.Beta,
			Refresh: cmp.Or(w.Refresh, refreshEvery)},
	}
	if cfg.Node.Refresh == plan.Off {
		cfg.Node.Refresh = 0
	}
	if w.Beta < 0 { // off: all of the nearest must have answered
		cfg.Node.Beta = cmp.Or(w.K, defaultWidth)
	}
	if cfg.Mem = w.Transport == "mem"; !cfg.Mem { // in memory the transport, beside which kademlia is held, is a mock
		cfg.Node.Transport, cfg.Node.Security, cfg.Profile = w.Transport, w.Security, true
	}
	if w.Tables == "ideal" {
		return cfg, errors.New("tables=ideal: real nodes fill their tables by the protocol: tables=grown was expected")
	}
	var err error
	if cfg.Churn, err = churnOf(p.plan, &p.world.Churn); err != nil {
		return cfg, err
	}
	kinds := map[string]network.FaultKind{"crash": network.Crash, "silent": network.Silent, "slow": network.Slow}
	for _, f := range p.world.Faults {
		kind, ok := kinds[f.Kind]
		if !ok {
			return cfg, fmt.Errorf("faults %s: real nodes have crash, silent and slow", f.Kind)
		}
		cfg.Faults = append(cfg.Faults, network.Fault{Kind: kind, Share: sim.PPM(f.Share), At: f.At, Until: f.Until})
	}
	world := *p.world
	world.Loads = slices.Clone(world.Loads)
	for i := range world.Loads {
		l := &world.Loads[i]
		if c.Rate.Count != 0 {
			l.Rate, l.To, l.Count = c.Rate, plan.Rate{}, 0
		}
		l.For = cmp.Or(c.For, l.For)
		for _, m := range l.Mix {
			if int(m.Node) > cfg.Nodes {
				return cfg, fmt.Errorf("load %s: node=%d, and there are %d", m.Kind, m.Node, cfg.Nodes)
			}
		}
	}
	cfg.For = endOf(&world, cfg.Nodes)
	cfg.Load, err = scheduleOf(world.Loads, p.seed, timeOf(cfg.For), false)
	return cfg, err
}

// defaultWidth is K where nobody says otherwise.
const defaultWidth = 20

// networkNeed holds one figure against its bound: one of the nodes' cost, or of the operations as in a simulation.
func networkNeed(r *SimRun, result *network.Result, n plan.Need) record.NeedGot {
	got := record.NeedGot{Text: n.Text, Line: n.Pos.String()}
	of := func(value, scale float64) record.NeedGot {
		if value == 0 {
			got.Verdict, got.Why = record.Skipped, "nodes in processes of their own do not show it"
			return got
		}
		return judge(got, n, measured{value: value * scale})
	}
	switch cost := &result.Cost; n.Figure {
	case "cpu":
		return of(cost.OperationCPU, 1e6) // milliseconds, and times are nanoseconds
	case "connections":
		return of(cost.Connections, million)
	case "goroutines":
		return of(cost.Goroutines, million)
	case "heap":
		return of(cost.Heap, 1)
	case "hops", "rpcs", "dead":
		if r.figures.of(n.Of).requests.N() == 0 && result.Sent == 0 {
			return of(0, 1)
		}
	}
	return r.figures.measure(n)
}
