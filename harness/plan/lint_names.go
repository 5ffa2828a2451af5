package plan

import (
	"regexp"
	"slices"
	"strings"
)

// This file holds lint's questions about names: which peers, streams, fixtures and captures a line speaks of, and whether
// anything declares them.

func (n *linter) isTarget(l *Line, name string) {
	if t := n.plan.Target(); t != nil && t.Name != name && slices.ContainsFunc(n.plan.Peers, func(d *PeerDecl) bool { return d.Name == name }) {
		n.fail(l.Pos, l.Verb, "%s is not the target; %s is", name, t.Name)
	}
}

func (n *linter) canBeNear(names ...string) {
	for _, name := range names {
		n.near[name] = true
	}
}

// peers notes that these are used, and complains about those that are not declared.
func (n *linter) peers(pos Pos, what string, names ...string) {
	for _, name := range names {
		if strings.Contains(name, "$") { // S$i: any of its stem
			stem := name[:strings.IndexByte(name, '$')]
			for _, d := range n.plan.Peers {
				if strings.HasPrefix(d.Name, stem) {
					n.used[d.Name], n.near[d.Name] = true, true
				}
			}
			continue
		}
		n.used[name] = true
		if !n.declared(name) {
			n.fail(pos, what, "%s; peers are declared by peer lines", unknown("peer", name, n.peerNames()))
		}
	}
}

func (n *linter) declared(name string) bool {
	return slices.ContainsFunc(n.plan.Peers, func(d *PeerDecl) bool { return d.Name == name })
}

func (n *linter) peerNames() []string {
	var out []string
	for _, d := range n.plan.Peers {
		out = append(out, d.Name)
	}
	return out
}

// stream returns the stream's story, and complains if it was never opened.
func (n *linter) stream(l *Line, name string) *streamUse {
	use := n.streams[name]
	if use == nil {
		use = n.openedInLoop(name)
	}
	if use == nil {
		var known []string
		for s := range n.streams {
			known = append(known, s)
		}
		slices.Sort(known)
		n.fail(l.Pos, l.Verb, "%s; no line above opens it", unknown("stream", name, known))
		use = &streamUse{opened: l.Pos}
		n.streams[name] = use
	}
	use.used = true
	return use
}

// openedInLoop finds the loop's stream (s$i) that a name (s3, or s$j in another loop) may be.
func (n *linter) openedInLoop(name string) *streamUse {
	for s, use := range n.streams {
		if sameInLoop(s, name) {
			return use
		}
	}
	return nil
}

// sameInLoop says whether two names, one of them with a loop's variable in it, can be the same.
func sameInLoop(a, b string) bool {
	return strings.Contains(a, "$") && loopName(a).MatchString(b) || strings.Contains(b, "$") && loopName(b).MatchString(a)
}

var loopVariable = regexp.MustCompile(`\\\$[A-Za-z_]+`)

// loopName matches what s$i can be, or s$j.
func loopName(s string) *regexp.Regexp {
	return regexp.MustCompile("^" + loopVariable.ReplaceAllString(regexp.QuoteMeta(s), `(-?[0-9]+|\$$[A-Za-z_]+)`) + "$")
}

// value looks at the names in an expression.
func (n *linter) value(pos Pos, what string, e *Expr, loops scope) {
	e.Walk(func(x *Expr) {
		switch x.Kind {
		case ExprFixture:
			n.used["@"+x.Text] = true
			if _, ok := n.plan.Fixtures[x.Text]; !ok {
				n.fail(pos, what, "%s; fixtures stand below the script, after -- %s --", unknown("fixture", x.Text, fixtureOrder(n.plan)), x.Text)
			}
		case ExprCapture:
			n.used["$"+x.Text] = true
			if name := x.Text; !n.captured[name] && !loops.has(name) && !n.ofHeader(name) {
				n.fail(pos, what, "$%s has no value here: a want above captures it by f=$%s, or let gives it", name, name)
			}
		case ExprWord:
			n.word(pos, what, x.Text)
		case ExprSelect:
			if !slices.Contains(selections, x.Text) {
				n.fail(pos, what, "%s", unknown("part of a peer", x.Text, selections))
			}
		case ExprCall:
			if x.Text == "nearest" {
				n.nearest(pos, what, x)
			}
		}
	})
}

func (n *linter) ofHeader(name string) bool {
	return n.plan.Header.Each != nil && n.plan.Header.Each.Name == name
}

// word is a number, an enum's name, a path, or one peer or more.
func (n *linter) word(pos Pos, what, w string) {
	if _, ok := parseNumber(w); ok || strings.HasPrefix(w, "/") || slices.Contains(MessageTypes, w) || slices.Contains(connections, w) {
		return
	}
	if strings.Contains(w, "..") && strings.Contains(w, "$") {
		return
	}
	names, err := Range(w)
	if err != nil {
		n.fail(pos, what, `%q is neither a number nor a peer; a text stands in ""`, w)
		return
	}
	for _, name := range names {
		if !n.declared(name) && !strings.Contains(name, "$") {
			n.fail(pos, what, `%s; a text stands in ""`, unknown("peer", name, n.peerNames()))
		}
		n.peersQuietly(name)
	}
}

func (n *linter) peersQuietly(name string) {
	if n.declared(name) || strings.Contains(name, "$") {
		n.peers(Pos{}, "", name)
	}
}

// nearest: the target can only know whom it was shown.
func (n *linter) nearest(pos Pos, what string, call *Expr) {
	for _, a := range call.Args[2:] {
		a.Walk(func(x *Expr) {
			if x.Kind != ExprWord {
				return
			}
			names, _ := Range(x.Text)
			for _, name := range names {
				if n.declared(name) && !n.near[name] {
					n.warn(pos, what, "%s is among the nearest, but no line above seats or connects %s: the target cannot know it", name, name)
					return
				}
			}
		})
	}
}

// cycle finds fixtures that are made of themselves. Each is entered once: n.entered holds true while it is being looked
// into and false afterwards.
func (n *linter) cycle(name string, above []string) {
	fx := n.plan.Fixtures[name]
	inside, seen := n.entered[name]
	switch {
	case inside:
		n.fail(fx.Pos, "@"+name, "it is made of itself: %s", strings.Join(append(above[slices.Index(above, name):], name), " → "))
		return
	case seen || fx == nil:
		return
	}
	n.entered[name] = true
	fx.walk(func(e *Expr) {
		if e.Kind == ExprFixture {
			n.cycle(e.Text, append(slices.Clone(above), name))
		}
	})
	n.entered[name] = false
}
