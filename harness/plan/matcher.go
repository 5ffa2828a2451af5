package plan

import (
	"fmt"
	"strings"
)

// operators in the order in which they are looked for: the longer ones first.
var operators = []struct {
	text string
	op   Op
	says string // for explain
}{
	{"!=", OpNotEqual, "is not"},
	{"!~", OpNone, "holds none of"},
	{"<=", OpAtMost, "is at most"},
	{">=", OpAtLeast, "is at least"},
	{"<~", OpOnly, "holds nothing but"},
	{"~", OpAll, "holds all of"},
	{"=", OpEqual, "is"},
}

// parseMatcher reads one condition, f=v. loops names the variables of the loops around it, whose values are compared,
// never captured.
func parseMatcher(w word, pos Pos, table []field, label string, loops scope) (Matcher, error) {
	m := Matcher{Pos: pos, Text: tidy(w.text), Op: OpPresent}
	path := w.text
	if at, i := findOperator(w.text); at >= 0 {
		m.Op, path = operators[i].op, w.text[:at]
		v, err := parseExpr(w.text[at+len(operators[i].text):], pos, label)
		if err != nil {
			return m, err
		}
		m.Value = v
	} else if p, ok := strings.CutPrefix(path, "!"); ok {
		m.Op, path = OpAbsent, p
	}
	if m.Path = path; path == "" {
		return m, fmt.Errorf("%q begins with no field", w.text)
	}
	if m.Op == OpEqual {
		switch {
		case m.Value.Kind == ExprWord && m.Value.Text == "unique":
			m.Op, m.Value = OpUnique, nil
		case m.Value.Kind == ExprWord && m.Value.Text == "rfc3339":
			m.Op, m.Value = OpTime, nil
		case m.Value.Kind == ExprCapture && !loops.has(m.Value.Text):
			m.Op = OpCapture
		}
	}
	row, err := checkPath(path, table)
	if err != nil {
		return m, err
	}
	return m, checkMatch(m, row)
}

// findOperator finds the first operator outside brackets.
func findOperator(s string) (at, index int) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case '"', '(', '{':
			return -1, 0
		}
		if depth > 0 {
			continue
		}
		for j, o := range operators {
			if strings.HasPrefix(s[i:], o.text) {
				return i, j
			}
		}
	}
	return -1, 0
}

// PathStep is one name of a path; Index is what stands in brackets behind it: a peer's name, * for each, or "".
type PathStep struct{ Name, Index string }

// Steps takes the path apart: closerPeers[A].addrs is {closerPeers A} {addrs}.
func (m Matcher) Steps() []PathStep { return splitPath(m.Path) }

func splitPath(path string) []PathStep {
	var out []PathStep
	for _, part := range strings.Split(path, ".") {
		name, index, ok := strings.Cut(part, "[")
		if ok {
			index = strings.TrimSuffix(index, "]")
		}
		out = append(out, PathStep{Name: name, Index: index})
	}
	return out
}

// checkPath finds the field at the end of a path.
func checkPath(path string, table []field) (field, error) {
	var row field
	steps := splitPath(path)
	for i, s := range steps {
		f, ok := findField(table, s.Name)
		if !ok {
			return row, fmt.Errorf("%s", unknown("field", s.Name, fieldNames(table)))
		}
		row = f
		indexed := s.Index != "" || strings.Contains(path, "[]")
		if indexed && f.Kind != kindPeers {
			return row, fmt.Errorf("%s has no entries by name; closerPeers and providerPeers have", s.Name)
		}
		if indexed && s.Index != "*" && !isName(s.Index) {
			return row, fmt.Errorf("%s[%s]: a peer's name or * was expected", s.Name, s.Index)
		}
		if i == len(steps)-1 {
			break
		}
		switch {
		case f.Kind == kindRecord:
			table = recordFields
		case f.Kind == kindStats:
			table = statsFields
		case f.Kind == kindPeers && s.Index != "" && f.Number == 0:
			table = entryFields
		case f.Kind == kindPeers && s.Index != "":
			table = peerFields
		case f.Kind == kindPeers:
			return row, fmt.Errorf("%s.%s: whose? Write %s[A].%s, or %s[*].%s for every entry", s.Name, steps[i+1].Name, s.Name, steps[i+1].Name, s.Name, steps[i+1].Name)
		default:
			return row, fmt.Errorf("%s has nothing inside it", s.Name)
		}
	}
	return row, nil
}

// checkMatch refuses an operator which the field cannot bear.
func checkMatch(m Matcher, row field) error {
	isList := row.Kind == kindPeers || row.Kind == kindAddrs || row.Kind == kindList
	steps := m.Steps()
	one := steps[len(steps)-1].Index != ""
	switch m.Op {
	case OpAll, OpNone, OpOnly, OpUnique:
		if !isList || one {
			return fmt.Errorf("%s is not a list; ~ !~ <~ and =unique are for lists", m.Path)
		}
	case OpTime:
		if row.Kind != kindBytes {
			return fmt.Errorf("%s is no text; =rfc3339 is for record.timeReceived", m.Path)
		}
	case OpAtMost, OpAtLeast:
		if row.Kind == kindRecord || row.Kind == kindStats || one {
			return fmt.Errorf("%s has no length; <= and >= compare numbers, or the length of a list or of bytes", m.Path)
		}
	}
	if m.Value != nil && m.Op != OpAtMost && m.Op != OpAtLeast {
		return checkValue(row, m.Value)
	}
	return nil
}

// String is the matcher as written.
func (m Matcher) String() string { return m.Text }
