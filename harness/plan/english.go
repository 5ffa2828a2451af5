package plan

import (
	"fmt"
	"slices"
	"strings"
)

// runs prints names, a run of numbered ones by its ends: A and S1 to S40.
func runs(names []string) string {
	var parts []string
	for i := 0; i < len(names); {
		j := i
		stem, from, numbered := stemAndNumber(names[i])
		for numbered && j+1 < len(names) {
			s, n, ok := stemAndNumber(names[j+1])
			if !ok || s != stem || n != from+j+1-i {
				break
			}
			j++
		}
		if j > i+1 {
			parts = append(parts, names[i]+" to "+names[j])
			i = j + 1
			continue
		}
		parts = append(parts, names[i])
		i++
	}
	return and(parts)
}

func and(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// or names profiles: base or amino.
func or(set ProfileSet) string { return strings.ReplaceAll(set.String(), ",", " or ") }

// capital begins a sentence; names of peers and values stay as they are.
func capital(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if slices.Contains([]string{"the", "each", "for", "no", "after", "what", "when", "until", "it",
		"a", "nodes", "every"}, word) {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}

func typeName(t string) string {
	switch {
	case t == "-":
		return "a frame without a type"
	case isNumber(t):
		return "a frame of type " + t
	case strings.HasPrefix(t, "A"):
		return "an " + t
	}
	return "a " + t
}

// frame tells a message: "a FIND_NODE with key @K".
func (t *teller) frame(f Frame) string {
	parts := make([]string, len(f.Fields))
	for i, x := range f.Fields {
		parts[i] = t.field(x)
	}
	if len(parts) == 0 {
		return typeName(f.Type)
	}
	return typeName(f.Type) + " with " + and(parts)
}

func (t *teller) field(f Field) string {
	if number, typ, ok, err := rawField(f.Name); ok && err == nil {
		return fmt.Sprintf("field %d (wire type %d) %s", number, typ, t.value(f.Value))
	}
	return f.Name + " " + t.value(f.Value)
}

func (t *teller) matchers(list []Matcher) string {
	parts := make([]string, len(list))
	for i, m := range list {
		parts[i] = t.matcher(m)
	}
	return strings.Join(parts, "; ")
}

func (t *teller) matcher(m Matcher) string {
	path := tellPath(m.Path)
	length := ""
	if f, err := checkPath(m.Path, append([]field{sizeField}, messageFields...)); err == nil {
		switch f.Kind {
		case kindPeers, kindAddrs, kindList:
			length = "the number of "
		case kindBytes:
			length = "the length of "
		}
	}
	switch m.Op {
	case OpPresent:
		return path + " is there"
	case OpAbsent:
		return path + " is absent or empty"
	case OpUnique:
		return "nothing stands twice in " + path
	case OpTime:
		return path + " is a time in RFC 3339"
	case OpCapture:
		if t.named(m.Value.Text) {
			return fmt.Sprintf("%s is $%s", path, m.Value.Text)
		}
		return fmt.Sprintf("%s is $%s (whatever it is the first time)", path, m.Value.Text)
	case OpAtMost, OpAtLeast:
		path = length + path
	case OpEqual:
		if e := m.Value; e.Kind == ExprCall && e.Text == "nearest" {
			return fmt.Sprintf("%s are exactly %s", path, t.value(e))
		}
	}
	for _, o := range operators {
		if o.op == m.Op {
			return fmt.Sprintf("%s %s %s", path, o.says, t.value(m.Value))
		}
	}
	return m.Text
}

// named says whether a let gives $name its value.
func (t *teller) named(name string) bool {
	found := false
	t.plan.All(func(l *Line) {
		if s, ok := l.Stmt.(Let); ok && s.Name == name {
			found = true
		}
	})
	return found
}

// tellPath reads a path from its end: the addrs of A in closerPeers.
func tellPath(path string) string {
	var parts []string
	for _, s := range splitPath(path) {
		part := s.Name
		switch s.Index {
		case "":
		case "*":
			part = "every entry of " + s.Name
		default:
			part = s.Index + "'s entry in " + s.Name
		}
		parts = append([]string{part}, parts...)
	}
	return strings.Join(parts, " of ")
}

// value tells an expression.
func (t *teller) value(e *Expr) string {
	switch e.Kind {
	case ExprString:
		return e.String()
	case ExprHex:
		return "the bytes " + e.Text
	case ExprWord:
		if strings.Contains(e.Text, "..") {
			return strings.Replace(e.Text, "..", " to ", 1)
		}
	case ExprCall:
		return t.call(e)
	case ExprSlice:
		lo, hi := "the start", "the end"
		if e.Lo != nil {
			lo = "byte " + t.value(e.Lo)
		}
		if e.Hi != nil {
			hi = "byte " + t.value(e.Hi)
		}
		return fmt.Sprintf("%s from %s up to %s", t.value(e.X), lo, hi)
	case ExprSelect:
		return t.value(e.X) + "'s " + map[string]string{"pubkey": "public key", "addrs": "addresses", "id": "id"}[e.Text]
	case ExprList:
		if len(e.Args) == 0 {
			return "an empty list"
		}
		return "[" + strings.Join(t.values(e.Args), ", ") + "]"
	case ExprMessage, ExprEntry:
		parts := make([]string, len(e.Fields))
		for i, f := range e.Fields {
			parts[i] = t.field(f)
		}
		if e.Kind == ExprEntry {
			return fmt.Sprintf("%s (but with %s)", e.Text, and(parts))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return e.String()
}

func (t *teller) values(list []*Expr) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = t.value(e)
	}
	return out
}

func (t *teller) call(e *Expr) string {
	f, ok := findFunction(e.Text)
	if !ok {
		return e.String()
	}
	args := t.values(e.Args)
	switch f.Name {
	case "nearest":
		return fmt.Sprintf("the %s of %s that are nearest to %s", args[0], and(args[2:]), args[1])
	case "beside":
		return fmt.Sprintf("a key whose place shares exactly %s leading bits with that of %s", args[1], args[0])
	case "repeat":
		return fmt.Sprintf("%s times %s", args[0], args[1])
	}
	out := fmt.Sprintf(f.says, and(args))
	for i, a := range e.Fields {
		switch {
		case i == 0:
			out += " with "
		default:
			out += ", "
		}
		if name, removed := strings.CutPrefix(a.Name, "!pb."); removed {
			out += "no " + name
			continue
		}
		out += a.Name + " " + t.value(a.Value)
	}
	return out
}

// fixtureOrder lists the fixtures as they stand in the file.
func fixtureOrder(p *Plan) []string {
	var out []string
	for n := range p.Fixtures {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b string) int { return p.Fixtures[a].Pos.Line - p.Fixtures[b].Pos.Line })
	return out
}
