package plan

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Lint holds a plan that parses against what its parts say of one another: names that nothing declares, things that
// nothing uses, alternatives without a reason, and habits which make a case prove less than it seems to. Warnings are
// advice; the rest must be mended before the plan is run.
func Lint(p *Plan) Errors {
	n := newLinter(p)
	if p.kind != 0 {
		n.simulation()
		n.errs.sort()
		return n.errs
	}
	n.header()
	n.peerLines()
	n.declareCaptures()
	n.walk(p.Script)
	n.whole()
	n.errs.sort()
	return n.errs
}

func newLinter(p *Plan) *linter {
	return &linter{plan: p, used: map[string]bool{}, streams: map[string]*streamUse{}, operations: map[string]string{}, captured: map[string]bool{}, near: map[string]bool{}, entered: map[string]bool{}}
}

type linter struct {
	plan       *Plan
	errs       Errors
	used       map[string]bool // peers by name, fixtures by @name
	near       map[string]bool // peers that can be in T's table: seated, connected, or with a stream
	streams    map[string]*streamUse
	operations map[string]string // the methods of those begun so far
	captured   map[string]bool   // by matchers and lets above the line in question
	anyTime    map[string]bool   // by any line of the plan: what fixtures may use
	entered    map[string]bool   // fixtures that cycle has looked into
	wants      []*Line
}

// streamUse is what has happened to a stream so far.
type streamUse struct {
	opened    Pos
	used      bool
	wanted    bool
	announced bool // the last frame sent was an ADD_PROVIDER
}

func (n *linter) fail(pos Pos, what, format string, args ...any) {
	n.errs.add(pos, false, what, format, args...)
}

func (n *linter) warn(pos Pos, what, format string, args ...any) {
	n.errs.add(pos, true, what, format, args...)
}

// lineOf is where a header's key stands, line 1 if it does not.
func (n *linter) lineOf(key string) Pos {
	for i, l := range strings.Split(string(n.plan.Source), "\n") {
		if firstWord(strings.TrimSpace(l)) == key {
			return Pos{File: n.plan.File, Line: i + 1}
		}
	}
	return Pos{File: n.plan.File, Line: 1}
}

// title looks at the prose and the id.
func (n *linter) title() {
	h, top := n.plan.Header, Pos{File: n.plan.File, Line: 1}
	if n.plan.Prose == "" {
		what := "what the peer must do"
		if k := n.plan.kind; k != 0 {
			what = fmt.Sprintf("what the %s answers", k.noun())
		}
		n.fail(top, "", "the prose is missing: comment lines before the first word, which say %s", what)
	}
	path := strings.TrimSuffix(n.plan.File, ".plan")
	switch {
	case h.ID == "":
		n.fail(top, "id", "it is missing")
	case path != n.plan.File && path != h.ID && !strings.HasSuffix(path, "/"+h.ID):
		// A copy that somebody works on elsewhere may be called what he likes.
		inSuite := strings.HasPrefix(path, "plans/") || strings.Contains(path, "/plans/")
		n.errs.add(n.lineOf("id"), !inSuite, "id", "%s is not the end of the file's path, %s", h.ID, path)
	}
}

// citations looks at the clauses that the header names.
func (n *linter) citations() {
	for _, citation := range n.plan.Header.Spec {
		if _, _, _, err := find(citation); errors.Is(err, errUnknownDocument) {
			n.warn(n.lineOf("spec"), "spec", "%v", err)
		} else if err != nil {
			n.fail(n.lineOf("spec"), "spec", "%v", err)
		}
	}
}

func (n *linter) header() {
	n.title()
	h, top := n.plan.Header, Pos{File: n.plan.File, Line: 1}
	if len(h.Catalogue) == 0 {
		n.fail(top, "catalogue", "it is missing: the entry of the catalogue that the case shows, as FN-05")
	}
	binding := false
	for _, p := range h.Profiles.List() {
		binding = binding || h.Levels[p] <= Should
	}
	if !n.plan.Header.leveled {
		n.fail(top, "level", "it is missing: must, should, may or info")
	}
	n.citations()
	if binding && len(h.Spec) == 0 {
		n.fail(top, "spec", "it is missing: a case at must or should names its clause, as ipfs-kad L357-L360")
	}
}

func (n *linter) peerLines() {
	if n.plan.Target() == nil {
		n.fail(Pos{File: n.plan.File, Line: 1}, "peer", "there is no target: peer T target")
	}
	for _, d := range n.plan.Peers {
		for _, f := range d.Params {
			if f.Name == "knows" {
				for _, w := range strings.Split(f.Value.Text, ",") {
					names, _ := Range(w)
					n.peers(f.Pos, "peer", names...)
				}
				continue
			}
			if f.Value.Kind != ExprWord || f.Name == "near" {
				n.value(f.Pos, "peer", f.Value, nil)
			}
		}
	}
}

// declareCaptures notes every name that any line gives a value, since a fixture may use it wherever it is given.
func (n *linter) declareCaptures() {
	n.anyTime = map[string]bool{}
	n.plan.All(func(l *Line) {
		for _, name := range captures(l) {
			n.anyTime[name] = true
		}
	})
}

// captures are the names that a line gives values to.
func captures(l *Line) []string {
	var out []string
	for _, m := range matchersOf(l.Stmt) {
		if m.Op == OpCapture {
			out = append(out, m.Value.Text)
		}
	}
	if s, ok := l.Stmt.(Let); ok {
		out = append(out, s.Name)
	}
	return out
}

func matchersOf(s Stmt) []Matcher {
	switch s := s.(type) {
	case Want:
		return s.Expect.Match
	case Identify:
		return s.Match
	case When:
		return s.Match
	case Result:
		return s.Match
	case Saw:
		return s.Match
	case Never:
		return s.Match
	case InFlight:
		return s.Match
	}
	return nil
}

func (n *linter) walk(lines []*Line) {
	for _, l := range lines {
		for _, s := range l.Sides {
			n.stmt(l, s)
		}
		for _, a := range l.Alts {
			for _, s := range a.Sides {
				n.stmt(a, s)
			}
		}
		if l.Verb == "want" {
			n.want(l)
		}
		for _, name := range captures(l) {
			n.captured[name] = true
		}
		for _, a := range l.Alts {
			for _, name := range captures(a) {
				n.captured[name] = true
			}
		}
		n.walk(l.Block)
		for _, a := range l.Alts {
			n.walk(a.Block)
		}
	}
}

// stmt looks at one statement: the names and the values in it.
func (n *linter) stmt(l *Line, s Stmt) {
	switch s := s.(type) {
	case Seat:
		n.peers(l.Pos, l.Verb, append(s.Peers, s.Target)...)
		n.isTarget(l, s.Target)
		n.canBeNear(s.Peers...)
	case Connect:
		n.peers(l.Pos, l.Verb, s.From, s.To)
		n.canBeNear(s.From, s.To)
	case Disconnect:
		n.peers(l.Pos, l.Verb, s.From, s.To)
	case Identify:
		n.peers(l.Pos, l.Verb, s.Peer, s.Of)
	case Let:
		n.value(l.Pos, l.Verb, s.Value, l.loop)
	case Open:
		n.peers(l.Pos, l.Verb, s.From, s.To)
		n.isTarget(l, s.To)
		n.canBeNear(s.From)
		n.streams[s.Stream] = &streamUse{opened: l.Pos}
	case Send:
		n.send(l, s)
	case Raw:
		n.stream(l, s.Stream)
		for _, v := range s.Values {
			n.value(l.Pos, l.Verb, v, l.loop)
		}
	case Finish:
		n.stream(l, s.Stream)
	case Want:
		n.outcome(l, s)
	default:
		n.network(l, s)
	}
	for _, m := range matchersOf(s) {
		for _, step := range m.Steps() {
			if step.Index != "" && step.Index != "*" {
				n.peers(m.Pos, l.Verb, step.Index)
			}
		}
		if m.Value != nil && m.Op != OpCapture {
			n.value(m.Pos, l.Verb, m.Value, l.loop)
		}
	}
}

func (n *linter) send(l *Line, s Send) {
	use := n.stream(l, s.Stream)
	for _, f := range s.Frame.Fields {
		n.value(f.Pos, l.Verb, f.Value, l.loop)
	}
	if use.announced && !n.expectsEcho(s.Stream) {
		n.warn(l.Pos, l.Verb, "%s carried an ADD_PROVIDER, which some peers echo: use a new stream, or let a want on it accept ADD_PROVIDER or silence", s.Stream)
	}
	use.announced = s.Frame.Type == "ADD_PROVIDER"
}

// expectsEcho says whether any want on the stream deals with the answer to an ADD_PROVIDER.
func (n *linter) expectsEcho(stream string) bool {
	found := false
	n.plan.All(func(l *Line) {
		if w, ok := l.Stmt.(Want); ok && w.Stream == stream {
			found = found || w.Expect.Kind == ExpectSilence || w.Expect.Type == "ADD_PROVIDER"
		}
	})
	return found
}

// reason finds a clause (ipfs-kad L357), a ruling (ruling 1), or an issue (#12, or its address) in a why.
var reason = regexp.MustCompile(`(?i)\b[a-z][a-z0-9.-]* L[0-9]+|\brulings? [0-9]+|#[0-9]+|https?://\S+`)

// outcome looks at one want or or.
func (n *linter) outcome(l *Line, s Want) {
	use := n.stream(l, s.Stream)
	n.reason(l, s.Why)
	limit := n.plan.Header.Timeout
	if limit == 0 {
		limit = defaultTime
	}
	if s.Expect.Within > limit || s.Expect.For > limit {
		n.warn(l.Pos, l.Verb, "it waits longer than the case may last, %s; the header's timeout allows more", ShortTime(limit))
	}
	if s.Expect.Kind == ExpectRefused && use.wanted && l.Verb == "want" {
		n.warn(l.Pos, l.Verb, "refused is how an open can end; something was wanted on %s before", s.Stream)
	}
}

// want looks at a want with its alternatives.
func (n *linter) want(l *Line) {
	n.wants = append(n.wants, l)
	seen := map[string]bool{}
	for _, a := range append([]*Line{l}, l.Alts...) {
		w := a.Stmt.(Want)
		n.stream(a, w.Stream).wanted = true
		text := strings.TrimPrefix(a.Text, a.Verb)
		if seen[text] {
			n.warn(a.Pos, a.Verb, "the same stands above already")
		}
		seen[text] = true
	}
}

// told says whether others of its range may tell the target of a serving puppet, in a lookup of the target's.
func (n *linter) told(d *PeerDecl) bool {
	return d.Kind == "serving" && len(n.operations) > 0 && slices.ContainsFunc(d.Group, func(name string) bool { return n.used[name] })
}

// inFixtures looks at the names in the fixtures.
func (n *linter) inFixtures() {
	for _, name := range fixtureOrder(n.plan) {
		fx := n.plan.Fixtures[name]
		before := n.captured
		n.captured = n.anyTime
		fx.walk(func(e *Expr) {
			if e.Kind != ExprCall && e.Kind != ExprList { // Walk reaches what is inside them anyway
				n.value(fx.Pos, "@"+name, &Expr{Kind: e.Kind, Text: e.Text, X: e.X}, nil)
			}
		})
		n.captured = before
	}
}

func (n *linter) unusedFixtures() {
	for _, name := range fixtureOrder(n.plan) {
		if !n.used["@"+name] {
			n.fail(n.plan.Fixtures[name].Pos, "@"+name, "nothing uses it")
		}
		n.cycle(name, nil)
	}
}

// whole looks at what can be told only at the end.
func (n *linter) whole() {
	n.inFixtures()
	n.unusedFixtures()
	for _, d := range n.plan.Peers {
		if !n.used[d.Name] && (d.Name == d.Group[0] || n.used[d.Group[0]]) && !n.told(d) {
			n.fail(d.Pos, "peer", "nothing uses %s", d.Name)
		}
	}
	n.plan.All(func(l *Line) {
		if l.Verb == "open" && !slices.ContainsFunc(l.Names, func(s string) bool { return n.streams[s].used }) {
			n.warn(l.Pos, l.Verb, "nothing uses %s", runs(l.Names))
		}
	})
	n.proof()
}
