package plan

import "slices"

// All calls fn for every line of the script, blocks and alternatives included, in their order in the file.
func (p *Plan) All(fn func(*Line)) { walkLines(p.Script, fn) }

func walkLines(lines []*Line, fn func(*Line)) {
	for _, l := range lines {
		fn(l)
		walkLines(l.Block, fn)
		walkLines(l.Alts, fn)
	}
}

// fresh are the verbs which change what the target holds in common for all cases.
var fresh = []string{"seat", "connect", "op", "clock"}

// Fresh says whether the case needs a target of its own: it gives it parameters, fills its table, or has it do something.
func (p *Plan) Fresh() bool {
	own := false
	for _, d := range p.Peers {
		own = own || d.Target && len(d.Params) > 0
	}
	p.All(func(l *Line) { own = own || slices.Contains(fresh, l.Verb) })
	return own
}

// Target is the declaration of the peer under test, nil if there is none.
func (p *Plan) Target() *PeerDecl {
	for _, d := range p.Peers {
		if d.Target {
			return d
		}
	}
	return nil
}

// PeersIn are the peers that a value names, itself or by the fixtures in it.
func (p *Plan) PeersIn(e *Expr) (names []string) {
	seen := map[string]bool{}
	var look func(*Expr)
	look = func(x *Expr) {
		switch {
		case x.Kind == ExprWord:
			named, _ := Range(x.Text)
			for _, name := range named {
				if slices.ContainsFunc(p.Peers, func(d *PeerDecl) bool { return d.Name == name }) {
					names = append(names, name)
				}
			}
		case x.Kind == ExprFixture && !seen[x.Text]:
			seen[x.Text] = true
			if fx := p.Fixtures[x.Text]; fx != nil {
				fx.walk(func(inner *Expr) { inner.Walk(look) })
			}
		}
	}
	e.Walk(look)
	return names
}

// deriveNeeds adds what the script itself shows that the target must offer.
func deriveNeeds(p *Plan) {
	add := func(n string) {
		if !slices.Contains(p.Header.Needs, n) {
			p.Header.Needs = append(p.Header.Needs, n)
		}
	}
	if t := p.Target(); t != nil {
		for _, f := range t.Params {
			add("start:" + f.Name)
		}
	}
	p.All(func(l *Line) {
		if l.Verb == "seat" {
			add("seat")
		}
		switch s := l.Stmt.(type) {
		case Send:
			if s.Times*len(l.Sides) > floodFrames {
				add("flood")
			}
		case Operation:
			add("op:" + s.Method)
		case Clock:
			if !slices.Contains(p.Header.Needs, "clock") {
				add("expiry")
			}
		}
		for _, e := range exprsOf(l.Stmt) {
			e.Walk(func(x *Expr) {
				if isFlood(x) {
					add("flood")
				}
			})
		}
	})
	for _, name := range fixtureOrder(p) {
		p.Fixtures[name].walk(func(x *Expr) {
			if isFlood(x) {
				add("flood")
			}
		})
	}
}

// A flood is what nobody sends to a peer that is not his: over 100 frames by one line, or values over 1 MiB. A remote
// address gets no case that needs it.
const (
	floodFrames = 100
	floodBytes  = 1 << 20
	floodList   = 10_000
)

func isFlood(e *Expr) bool {
	if e.Kind != ExprCall || len(e.Args) == 0 || e.Args[0].Kind != ExprWord {
		return false
	}
	n, _ := parseNumber(e.Args[0].Text)
	return e.Text == "rand" && n.Num > floodBytes || e.Text == "repeat" && n.Num > floodList
}

// exprsOf lists the values of a statement.
func exprsOf(s Stmt) []*Expr {
	switch s := s.(type) {
	case Let:
		return []*Expr{s.Value}
	case Raw:
		return s.Values
	case Send:
		return valuesOf(s.Frame.Fields)
	case Answer:
		return append(valuesOf(s.Frame.Fields), s.Values...)
	case Operation:
		return valuesOf(s.Params)
	}
	return nil
}

func valuesOf(fields []Field) (out []*Expr) {
	for _, f := range fields {
		out = append(out, f.Value)
	}
	return out
}
