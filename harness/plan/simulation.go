package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of a simulation.
const (
	maxWorldLines = 200   // a plan has some ten; each is read once more for each point that changes it
	maxPoints     = 1_000 // of a sweep: each is a run
)

// caseHeaders are the lines of the header which a simulation has no use for.
var caseHeaders = []string{"catalogue", "needs", "timeout", "alone", "repeat", "each"}

// simulation reads the script as that of a world, if any of its lines is one of such, and computes the points of its sweep.
func (p *parser) simulation() {
	var lines []*Line
	var other *Line
	p.plan.All(func(l *Line) {
		if v, _ := findVerb(l.Verb); v.own {
			lines = append(lines, l)
		} else if other == nil {
			other = l
		}
	})
	if len(lines) == 0 {
		return
	}
	p.plan.kind = p.world
	what := p.world.noun()
	for _, l := range lines {
		if !slices.Contains(p.plan.Script, l) {
			p.fail(l.Pos.Line, l.Verb, "it belongs to a %s and stands in no block", what)
			return
		}
	}
	switch {
	case other != nil:
		p.fail(other.Pos.Line, other.Verb, "a plan is a case or a %s; line %d makes this one a %s", what, lines[0].Pos.Line, what)
	case p.world == LoadWorld:
		p.loadPeers()
	case len(p.plan.Peers) > 0:
		p.fail(p.plan.Peers[0].Pos.Line, "peer", "a plan is a case or a %s; line %d makes this one a %s, whose nodes are those of its world", what, lines[0].Pos.Line, what)
	case len(lines) > maxWorldLines:
		p.fail(lines[maxWorldLines].Pos.Line, "", "more than %d lines of a %s", maxWorldLines, what)
	}
	if len(p.errs) > 0 {
		return
	}
	axes := p.axes(lines)
	if len(p.errs) > 0 {
		return
	}
	for _, point := range product(axes) {
		if sim := p.point(lines, axes, point); len(p.errs) == 0 {
			p.plan.sims = append(p.plan.sims, sim)
		}
	}
}

// loadPeers allows a load its target, which says nothing more.
func (p *parser) loadPeers() {
	for _, d := range p.plan.Peers {
		if !d.Target || len(d.Params) > 0 {
			p.fail(d.Pos.Line, "peer", "a load has one peer, whom the command names: peer T target, without more words")
		}
	}
}

// axis is an axis of the sweep with the line that it changes.
type axis struct {
	Axis
	pos  Pos
	line *Line
	word string // on that line
}

// axes finds the line of each axis.
func (p *parser) axes(lines []*Line) (all []axis) {
	points := 1
	for _, l := range lines {
		s, _ := l.Stmt.(Sweep)
		for _, a := range s.Axes {
			x := axis{Axis: a, pos: l.Pos}
			var err error
			if x.line, x.word, err = p.swept(lines, a.Name); err != nil {
				p.fail(l.Pos.Line, "sweep", "%v", err)
				return nil
			}
			if slices.ContainsFunc(all, func(o axis) bool { return o.line == x.line && o.word == x.word }) {
				p.fail(l.Pos.Line, "sweep", "%s stands twice", a.Name)
				return nil
			}
			if points *= len(a.Values); points > maxPoints {
				p.fail(l.Pos.Line, "sweep", "more than %d combinations", maxPoints)
				return nil
			}
			all = append(all, x)
		}
	}
	return all
}

// swept is the line on which a word of a sweep stands, or would: alpha on the line of the world, liar.share on that of the
// liars.
func (p *parser) swept(lines []*Line, name string) (*Line, string, error) {
	kind, word, qualified := strings.Cut(name, ".")
	if qualified && kind != "expiry" {
		var found []*Line
		for _, l := range lines {
			if first := strings.Fields(l.Text); (l.Verb == "faults" || l.Verb == "load") && first[1] == kind {
				found = append(found, l)
			}
		}
		switch {
		case len(found) == 0:
			return nil, "", fmt.Errorf("%s: no line is about %s", name, kind)
		case len(found) > 1:
			return nil, "", fmt.Errorf("%s: lines %d and %d are about %s, and it could mean each", name, found[0].Pos.Line, found[1].Pos.Line, kind)
		}
		v, _ := findVerb(found[0].Verb)
		if t, ok := findTerm(v.Terms, word); !ok || !strings.Contains(t.Usage, "=") {
			return nil, "", fmt.Errorf("%s: %s", name, unknown("word", word, termNames(v.Terms)))
		}
		return found[0], word, nil
	}
	if l := loadLine(lines, name); p.world == LoadWorld && l != nil {
		return l, name, nil
	}
	known := []string{}
	for _, verb := range []string{"world", "link", "churn"} {
		v, _ := findVerb(verb)
		known = append(known, termNames(termsIn(v.Terms, p.world))...)
		if _, ok := findTerm(v.Terms, name); !ok {
			continue
		}
		for _, l := range lines {
			if l.Verb == verb {
				return l, name, nil
			}
		}
		return nil, "", fmt.Errorf("%s is a word of %s, and the plan has no such line", name, verb)
	}
	example := "liar.share"
	if p.world == LoadWorld {
		example = "FIND_NODE.rate"
	}
	return nil, "", fmt.Errorf("%s; a word of faults or load stands behind the kind of its line, as %s", unknown("word", name, known), example)
}

// sharedWords are those that all lines of a load have in common.
var sharedWords = []string{"warmup", "connections", "streams", "reuse"}

// loadLine is that of a load to which a word of a sweep belongs without a kind before it: any line if they share the word,
// else the only one.
func loadLine(lines []*Line, name string) (found *Line) {
	v, _ := findVerb("load")
	if t, ok := findTerm(v.Terms, name); !ok || !strings.Contains(t.Usage, "=") {
		return nil
	}
	shared := slices.Contains(sharedWords, name)
	for _, l := range lines {
		switch {
		case l.Verb != "load":
		case found == nil || shared && strings.Contains(l.Text, " "+name+"="):
			found = l
		case !shared:
			return nil
		}
	}
	return found
}

// product lists the combinations of the axes' values, the last axis changing first; of no axes, the empty one.
func product(axes []axis) [][]string {
	all := [][]string{nil}
	for _, a := range axes {
		var next [][]string
		for _, before := range all {
			for _, v := range a.Values {
				next = append(next, append(slices.Clone(before), v))
			}
		}
		all = next
	}
	return all
}

// point reads the lines as if the values of one combination stood on them.
func (p *parser) point(lines []*Line, axes []axis, values []string) *Simulation {
	sim := &Simulation{World: World{Seed: 1}}
	for i, a := range axes {
		sim.Point = append(sim.Point, Setting{a.Name, values[i]})
	}
	var all Workload // what the lines of a load share
	for _, l := range lines {
		stmt := l.Stmt
		words := slices.Clone(l.row.words[1:])
		var changed *axis
		for i, a := range axes {
			if a.line == l {
				words, changed = replace(words, a.word, values[i], a.pos.Line), &axes[i]
			}
		}
		if changed != nil {
			v, _ := findVerb(l.Verb)
			c := &cursor{file: p.file, line: l.Pos.Line, words: words, world: p.world, label: l.label}
			if stmt = v.parse(c); c.err != nil {
				p.fail(changed.pos.Line, "sweep", "%v", c.err)
				return nil
			}
		}
		if w, ok := stmt.(Workload); ok {
			if word := all.share(w); word != "" {
				p.fail(l.Pos.Line, "load", "%s= differs from that of a line above: the lines of a load share it", word)
				return nil
			}
		}
		sim.add(stmt)
	}
	if p.world == LoadWorld {
		for i := range sim.Loads {
			w := &sim.Loads[i]
			w.Warmup, w.Connections, w.Streams, w.Reuse = all.Warmup, all.Connections, all.Streams, cmp.Or(all.Reuse, "streams")
		}
	}
	return sim
}

// share takes over the words that all lines of a load share, and names the one about which two differ.
func (w *Workload) share(of Workload) string {
	return cmp.Or(agree("warmup", &w.Warmup, of.Warmup), agree("connections", &w.Connections, of.Connections),
		agree("streams", &w.Streams, of.Streams), agree("reuse", &w.Reuse, of.Reuse))
}

func agree[T comparable](word string, all *T, one T) string {
	var none T
	if one != none && *all != none && one != *all {
		return word
	}
	*all = cmp.Or(one, *all)
	return ""
}

// replace puts name=value in the place of the word of this name, or behind all others.
func replace(words []word, name, value string, line int) []word {
	new := word{text: name + "=" + value, line: line}
	i := slices.IndexFunc(words, func(w word) bool { return strings.HasPrefix(w.text, name+"=") })
	if i < 0 {
		return append(words, new)
	}
	words[i] = new
	return words
}

// add adds what a line says.
func (sim *Simulation) add(s Stmt) {
	switch s := s.(type) {
	case World:
		sim.World = s
	case Links:
		sim.Links = s
	case Churn:
		sim.Churn = s
	case Fault:
		sim.Faults = append(sim.Faults, s)
	case Needs:
		sim.Needs = append(sim.Needs, s.All...)
	case Workload:
		if n := len(sim.Loads); n > 0 && s.shares() {
			above := &sim.Loads[n-1]
			above.Mix = append(slices.Clone(above.Mix), s.Mix...)
			return
		}
		sim.Loads = append(sim.Loads, s)
	}
}

// At is the simulation's point, as alpha=3 k=20; "" without a sweep.
func (sim *Simulation) At() string {
	parts := make([]string, len(sim.Point))
	for i, s := range sim.Point {
		parts[i] = s.Name + "=" + s.Value
	}
	return strings.Join(parts, " ")
}

// KeyBytes computes the key of a simulation's line, whose values know of no peers and no captures.
func (p *Plan) KeyBytes(e *Expr) ([]byte, error) {
	v, err := NewEvaluator(p, nobody{}).Eval(e)
	if err != nil {
		return nil, err
	}
	return v.AsBytes()
}

// nobody is the surroundings of a simulation's values.
type nobody struct{}

var errNobody = errors.New("a simulation has no peers with names")

func (nobody) Peer(string) (Identity, error) { return Identity{}, errNobody }
func (nobody) Capture(string) (Value, bool)  { return Value{}, false }
func (nobody) Seed() uint64                  { return 0 }
func (nobody) Now() time.Time                { return time.Unix(0, 0) }
