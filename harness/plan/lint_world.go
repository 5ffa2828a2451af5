package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file holds lint's questions about a plan with a world: whether its lines fit one another, at each point of its sweep.

// simulation looks at the whole plan.
func (n *linter) simulation() {
	n.title()
	h, what := n.plan.Header, n.plan.kind.noun()
	for _, key := range caseHeaders {
		written := map[string]bool{"catalogue": h.Catalogue != nil, "needs": h.Needs != nil, "timeout": h.Timeout != 0, "alone": h.Alone, "repeat": h.Repeat != 0, "each": h.Each != nil}
		if written[key] {
			n.fail(n.lineOf(key), key, "it is about cases; a %s has no use for it", what)
		}
	}
	n.citations()
	n.worldLines()
	n.inFixtures()
	n.unusedFixtures()
}

// CheckWorld holds the lines of a plan that has a world against each other, as Lint does, and looks at nothing else: what
// is run need not be well told.
func CheckWorld(p *Plan) error {
	n := newLinter(p)
	n.worldLines()
	n.errs.sort()
	return n.errs.Fatal().err()
}

// worldLines looks at the lines, at each point of the sweep.
func (n *linter) worldLines() {
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
		n.fail(world.Pos, "world", "there is no load: what is asked, and for how long")
	default:
		for _, sim := range n.plan.Simulations() {
			n.point(sim, first)
		}
	}
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
	if err := sim.World.check(n.plan.kind); err != nil {
		n.fail(first["world"].Pos, "world", "%v%s", err, at)
	}
	adversaries := uint32(0)
	end := sim.end()
	for _, l := range n.plan.Script {
		if f, ok := l.Stmt.(Fault); ok && (!f.Adversary || f.At > 0) && end > 0 && f.At >= end {
			n.warn(l.Pos, l.Verb, "at=%s is after the last operation has begun, at %s: no operation shows what comes of it", ShortTime(f.At), ShortTime(end))
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
	if err := cmp.Or(sim.kinds(), sim.turns()); err != nil {
		n.fail(first["load"].Pos, "load", "%v%s", err, at)
	}
	for _, need := range sim.Needs {
		if err := need.check(sim, n.plan.kind); err != nil {
			n.fail(need.Pos, "need", "%s: %v%s", need.Text, err, at)
		}
	}
}

// defaultK is what k is where no plan says it.
const defaultK = 20

// check holds the words of a world against each other.
func (w World) check(kind WorldKind) error {
	k := w.K
	if k == 0 {
		k = defaultK
	}
	switch {
	case kind == LoadWorld:
		return w.checkLoad()
	case w.Nodes == 0:
		return fmt.Errorf("nodes= is missing: how many there are")
	case kind == NetworkWorld && w.Nodes > maxReal:
		return fmt.Errorf("nodes=%d: real nodes are %d at most: each takes megabytes; world sim has millions", w.Nodes, maxReal)
	case kind == NetworkWorld && w.Tables != "grown":
		return fmt.Errorf("tables=%s: real nodes fill their tables by the protocol: tables=grown was expected", w.Tables)
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

// checkLoad looks at the world of a load.
func (w World) checkLoad() error {
	if w.Transport == "mem" {
		return fmt.Errorf("transport=mem: a load comes over sockets: tcp or quic was expected")
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
			case p.Published && p.Kind == "GET_VALUE" && !sim.asks("PUT_VALUE"):
				return fmt.Errorf("GET_VALUE: no line of the plan puts")
			case p.Published && p.Kind == "GET_PROVIDERS" && !sim.asks("ADD_PROVIDER"):
				return fmt.Errorf("GET_PROVIDERS: no line of the plan adds a provider")
			case int(p.Node) > sim.World.Nodes:
				return fmt.Errorf("node=%d of nodes=%d", p.Node, sim.World.Nodes)
			}
		}
	}
	return nil
}

// turns: a closed load keeps every stream busy.
func (sim *Simulation) turns() error {
	if len(sim.Loads) > 1 && slices.ContainsFunc(sim.Loads, func(w Workload) bool { return w.Closed }) {
		return fmt.Errorf("closed keeps all streams busy: a line beside it has no rate=, for= and count= of its own, and shares by weight=")
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
func (n Need) check(sim *Simulation, world WorldKind) error {
	k := sim.World.K
	if k == 0 {
		k = defaultK
	}
	f, _ := findFigure(n.Figure, world)
	closed := len(sim.Loads) > 0 && sim.Loads[0].Closed
	switch {
	case closed && slices.Contains([]string{"due", "start", "late", "dropped"}, n.Figure):
		return fmt.Errorf("a closed load is never behind: service was expected")
	case n.Figure == "wrong" && !sim.asks("FIND_NODE"):
		return fmt.Errorf("answers to FIND_NODE alone are compared, and no load is of that kind")
	case n.Figure == "wrong" && sim.World.Check == 0:
		return fmt.Errorf("check=0%%: no answer is compared")
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
