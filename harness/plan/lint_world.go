package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file holds lint's questions about a simulation: whether its lines fit one another, at each point of its sweep.

// simulation looks at the whole plan.
func (n *linter) simulation() {
	n.title()
	h := n.plan.Header
	for _, key := range caseHeaders {
		written := map[string]bool{"catalogue": h.Catalogue != nil, "needs": h.Needs != nil, "timeout": h.Timeout != 0, "alone": h.Alone, "repeat": h.Repeat != 0, "each": h.Each != nil}
		if written[key] {
			n.fail(n.lineOf(key), key, "it is about cases; a simulation has no use for it")
		}
	}
	n.citations()
	first := map[string]*Line{}
	for _, l := range n.plan.Script {
		if before := first[l.Verb]; before != nil && slices.Contains([]string{"world", "link", "churn"}, l.Verb) {
			n.fail(l.Pos, l.Verb, "a second one; line %d says it already", before.Pos.Line)
		} else if before == nil {
			first[l.Verb] = l
		}
		n.texts(l)
	}
	top := n.plan.Script[0].Pos
	switch world := first["world"]; {
	case world == nil:
		n.fail(top, n.plan.Script[0].Verb, "there is no world: world sim nodes=1000")
	case first["load"] == nil:
		n.fail(world.Pos, "world", "there is no load: what is asked of the nodes, and for how long")
	default:
		for _, sim := range n.plan.Simulations() {
			n.point(sim, first)
		}
	}
	n.inFixtures()
	n.unusedFixtures()
}

// texts notes the fixtures that a line names.
func (n *linter) texts(l *Line) {
	use := func(name string) {
		n.value(l.Pos, l.Verb, &Expr{Kind: ExprFixture, Text: name}, nil)
	}
	switch s := l.Stmt.(type) {
	case Links:
		if s.Own {
			use(s.Table)
		}
	case Churn:
		if s.Kind == "trace" {
			use(s.Trace)
		}
	case Fault:
		if s.Key == nil {
			return
		}
		if n.value(l.Pos, l.Verb, s.Key, nil); len(n.errs) == 0 {
			if _, err := n.plan.KeyBytes(s.Key); err != nil {
				n.fail(l.Pos, l.Verb, "key=%s: %v", s.Key, err)
			}
		}
	case Needs:
		for _, need := range s.All {
			name, isFixture := strings.CutPrefix(need.Digest, "@")
			if _, own := n.plan.Fixtures[name]; isFixture && (own || need.Digest != SuiteDigests) {
				use(name)
			}
		}
	}
}

// point looks at one point of the sweep.
func (n *linter) point(sim *Simulation, first map[string]*Line) {
	at := sim.At()
	if at != "" {
		at = " (at " + at + ")"
	}
	if err := sim.World.check(); err != nil {
		n.fail(first["world"].Pos, "world", "%v%s", err, at)
	}
	adversaries := uint32(0)
	end := sim.end()
	for _, l := range n.plan.Script {
		if f, ok := l.Stmt.(Fault); ok && !f.Adversary && end > 0 && f.At >= end {
			n.warn(l.Pos, l.Verb, "at=%s is after the last operation has begun, at %s: no operation shows what comes of it", short(f.At), short(end))
		}
	}
	for _, f := range sim.Faults {
		if f.Adversary {
			adversaries += f.Share
		}
	}
	if adversaries > 1e6 {
		n.fail(first["faults"].Pos, "faults", "those that do harm are %s%% of the nodes together%s", decimal(int64(adversaries)*100), at)
	}
	if len(sim.Loads) > 0 && sim.Loads[0].shares() {
		n.fail(first["load"].Pos, "load", "it has no rate, and there is no line above to share one with: rate=50/s for=1h, or count=1000")
	}
	if err := sim.kinds(); err != nil {
		n.fail(first["load"].Pos, "load", "%v%s", err, at)
	}
	for _, need := range sim.Needs {
		if err := need.check(sim); err != nil {
			n.fail(need.Pos, "need", "%s: %v%s", need.Text, err, at)
		}
	}
}

// defaultK is what k is where no plan says it.
const defaultK = 20

// check holds the words of a world against each other.
func (w World) check() error {
	k := w.K
	if k == 0 {
		k = defaultK
	}
	switch {
	case w.Nodes == 0:
		return fmt.Errorf("nodes= is missing: how many there are")
	case w.Seeds > w.Nodes:
		return fmt.Errorf("seeds=%d of nodes=%d", w.Seeds, w.Nodes)
	case w.First > w.Nodes:
		return fmt.Errorf("first=%d of nodes=%d", w.First, w.Nodes)
	case w.First == 0 && (w.Batch != 0 || w.Every != 0):
		return fmt.Errorf("batch= and every= say how the nodes join after the first ones: first= is missing")
	case w.First != 0 && w.Every == 0:
		return fmt.Errorf("every= is missing: when the next nodes join after the first=%d", w.First)
	case w.First != 0 && w.Tables != "grown":
		return fmt.Errorf("nodes that join one after another fill their tables by the protocol: tables=grown was expected")
	case w.Beta > k:
		return fmt.Errorf("beta=%d is more than k=%d", w.Beta, k)
	case w.Bucket != 0 && w.Bucket < k:
		return fmt.Errorf("bucket=%d is less than k=%d: a node would not keep its k nearest", w.Bucket, k)
	case w.Clients == 1e6:
		return fmt.Errorf("clients=100%%: nobody would answer")
	}
	return nil
}

// end is when the last operation begins, 0 if a load goes by its count alone.
func (sim *Simulation) end() (end time.Duration) {
	for _, l := range sim.Loads {
		if l.For == 0 {
			return 0
		}
		end = max(end, l.From+l.For)
	}
	return end
}

// kinds: what is sought is published by some line.
func (sim *Simulation) kinds() error {
	for _, l := range sim.Loads {
		for _, p := range l.Mix {
			switch {
			case p.Kind == "find" && !sim.asks("provide"):
				return fmt.Errorf("find: no line of the plan provides")
			case p.Kind == "get" && !sim.asks("put"):
				return fmt.Errorf("get: no line of the plan puts")
			case int(p.Node) > sim.World.Nodes:
				return fmt.Errorf("node=%d of nodes=%d", p.Node, sim.World.Nodes)
			}
		}
	}
	return nil
}

// asks says whether any load is of this kind.
func (sim *Simulation) asks(kind string) bool {
	return slices.ContainsFunc(sim.Loads, func(l Workload) bool {
		return slices.ContainsFunc(l.Mix, func(p Part) bool { return p.Kind == kind })
	})
}

// check holds a need against the world and its loads.
func (n Need) check(sim *Simulation) error {
	k := sim.World.K
	if k == 0 {
		k = defaultK
	}
	f, _ := findFigure(n.Figure)
	switch {
	case n.N > k:
		return fmt.Errorf("k is %d", k)
	case n.Of != "" && !sim.asks(n.Of):
		return fmt.Errorf("no load is of the kind %s", n.Of)
	case f.of == "lookup" && !sim.asks("lookup"):
		return fmt.Errorf("no load is of the kind lookup")
	case n.Figure == "first" && !sim.asks("find") && !sim.asks("get"):
		return fmt.Errorf("no load is of the kind find or get")
	case n.Figure == "survival" && !sim.asks("put"):
		return fmt.Errorf("no load is of the kind put")
	}
	return nil
}

// decimal writes millionths.
func decimal(n int64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%06d", n/1e6, n%1e6), "0"), ".")
}
