package plan

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// maxExprDepth bounds how deep brackets nest: a hand-written plan needs four, and a recursive parser must stop somewhere.
const maxExprDepth = 32

// exprParser reads one word as a value. On the first mistake it stops and keeps it.
type exprParser struct {
	src   string
	at    int
	pos   Pos
	label string // of rand(): where it stands, see Expr.Label
	depth int
	nth   int // number of rand() in this word
	err   error
}

// parseExpr reads the whole of src as one value.
func parseExpr(src string, pos Pos, label string) (*Expr, error) {
	p := &exprParser{src: src, pos: pos, label: label}
	e := p.value(false)
	p.blanks()
	if p.err == nil && p.at < len(p.src) {
		p.fail("%q stands after the end of the value", p.src[p.at:])
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

func (p *exprParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *exprParser) blanks() {
	for p.at < len(p.src) && strings.IndexByte(" \t\n", p.src[p.at]) >= 0 {
		p.at++
	}
}

func (p *exprParser) peek() byte {
	if p.at < len(p.src) {
		return p.src[p.at]
	}
	return 0
}

// take consumes c if it is next.
func (p *exprParser) take(c byte) bool {
	if p.peek() == c {
		p.at++
		return true
	}
	return false
}

// value reads a value with the slices behind it. bound: inside [lo:hi], where ':' ends a word.
func (p *exprParser) value(bound bool) *Expr {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxExprDepth {
		p.fail("brackets nest deeper than %d", maxExprDepth)
	}
	if p.err != nil {
		return nil
	}
	p.blanks()
	e := p.primary(bound)
	for p.err == nil && p.peek() == '[' {
		e = p.slice(e)
	}
	return e
}

func (p *exprParser) primary(bound bool) *Expr {
	switch c := p.peek(); c {
	case 0:
		p.fail("a value is missing")
		return nil
	case '"':
		return p.text()
	case '[':
		p.at++
		e := p.node(ExprList, "")
		e.Args = p.list(']')
		return e
	case '{':
		p.at++
		e := p.node(ExprMessage, "")
		e.Fields = p.fields()
		return e
	case '@', '$':
		p.at++
		kind := ExprFixture
		if c == '$' {
			kind = ExprCapture
		}
		name := p.run(bound)
		if name == "" {
			p.fail("a name is missing after %q", string(c))
		}
		return p.node(kind, name)
	}
	w := p.run(bound)
	if w == "" {
		p.fail("a value cannot begin with %q", string(p.peek()))
		return nil
	}
	if digits, ok := strings.CutPrefix(w, "hex:"); ok {
		if strings.Contains(digits, "$") { // a loop's value goes in later
			return p.node(ExprHex, digits)
		}
		if _, err := hex.DecodeString(digits); err != nil {
			p.fail("hex:%s is not hexadecimal: an even number of digits 0-9 a-f was expected", digits)
		}
		return p.node(ExprHex, strings.ToLower(digits))
	}
	switch p.peek() {
	case '(':
		return p.call(w)
	case '{':
		p.at++
		e := p.node(ExprEntry, w)
		e.X = p.node(ExprWord, w)
		e.Fields = p.fields()
		return e
	}
	if x, sel, ok := strings.Cut(w, "."); ok && isName(x) && isName(sel) {
		e := p.node(ExprSelect, sel)
		e.X = p.node(ExprWord, x)
		return e
	}
	return p.node(ExprWord, w)
}

func (p *exprParser) node(k ExprKind, text string) *Expr {
	return &Expr{Pos: p.pos, Kind: k, Text: text}
}

// run reads the longest word without brackets, quotes, commas, '=' and blanks.
func (p *exprParser) run(bound bool) string {
	stop := "()[]{}\",= \t\n"
	if bound {
		stop += ":"
	}
	start := p.at
	for p.at < len(p.src) && strings.IndexByte(stop, p.src[p.at]) < 0 {
		p.at++
	}
	return p.src[start:p.at]
}

func (p *exprParser) text() *Expr {
	end := closingQuote(p.src, p.at)
	if end < 0 {
		p.fail(`a text without its closing "`)
		return nil
	}
	raw := p.src[p.at : end+1]
	p.at = end + 1
	s, err := strconv.Unquote(raw)
	if err != nil {
		p.fail(`%s is no text: escapes are \" \\ \n \t \xNN \uNNNN`, raw)
		return nil
	}
	return p.node(ExprString, s)
}

func (p *exprParser) slice(x *Expr) *Expr {
	p.at++ // [
	e := p.node(ExprSlice, "")
	e.X = x
	if p.blanks(); p.peek() != ':' {
		e.Lo = p.value(true)
	}
	if p.blanks(); !p.take(':') {
		p.fail("a slice is x[from:to]")
	}
	if p.blanks(); p.peek() != ']' {
		e.Hi = p.value(true)
	}
	if p.blanks(); !p.take(']') {
		p.fail("a slice is x[from:to]")
	}
	return e
}

// list reads values with commas between them, up to end.
func (p *exprParser) list(end byte) []*Expr {
	var out []*Expr
	for p.err == nil {
		if p.blanks(); p.take(end) {
			return out
		}
		if len(out) > 0 && !p.take(',') {
			p.fail("a comma or %q was expected, not %q", string(end), p.src[p.at:])
			break
		}
		out = append(out, p.value(false))
	}
	return out
}

// fields reads name=value with blanks (or commas) between them, up to }.
func (p *exprParser) fields() []Field {
	var out []Field
	for p.err == nil {
		if p.blanks(); p.take('}') {
			return out
		}
		if p.take(','); p.err == nil {
			p.blanks()
			out = append(out, p.field())
		}
	}
	return out
}

func (p *exprParser) field() Field {
	f := Field{Pos: p.pos, Name: p.run(false)}
	if f.Name == "" || !p.take('=') {
		p.fail("name=value was expected, not %q", p.src[min(p.at, len(p.src)):])
		return f
	}
	f.Value = p.value(false)
	return f
}

// call reads name(a, b, f=v, !f). Named arguments and removals come after the others.
func (p *exprParser) call(name string) *Expr {
	p.at++ // (
	e := p.node(ExprCall, name)
	if name == "rand" {
		p.nth++
		e.Label = fmt.Sprintf("%s.%d", p.label, p.nth)
	}
	for first := true; p.err == nil; first = false {
		if p.blanks(); p.take(')') {
			break
		}
		if !first && !p.take(',') {
			p.fail("a comma or \")\" was expected, not %q", p.src[p.at:])
			break
		}
		p.blanks()
		start := p.at
		if w := p.run(false); p.err == nil && w != "" {
			if p.peek() == '=' {
				p.at = start
				e.Fields = append(e.Fields, p.field())
				continue
			}
			if strings.HasPrefix(w, "!") {
				e.Fields = append(e.Fields, Field{Pos: p.pos, Name: w})
				continue
			}
		}
		if p.at = start; len(e.Fields) > 0 {
			p.fail("%s: a plain value after a named one", name)
		}
		e.Args = append(e.Args, p.value(false))
	}
	if p.err == nil {
		p.err = checkCall(e)
	}
	return e
}

// isName says whether s can name a peer, a stream, a fixture or a capture. $i inside stands for a loop's value.
func isName(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		case c >= '0' && c <= '9' || c == '_' || c == '-':
			if i == 0 {
				return false
			}
		case c == '$' && i+1 < len(s):
		default:
			return false
		}
	}
	return true
}

// String prints the value as it would be written; parsing it gives the same value again.
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	switch e.Kind {
	case ExprString:
		return strconv.Quote(e.Text)
	case ExprHex:
		return "hex:" + e.Text
	case ExprFixture:
		return "@" + e.Text
	case ExprCapture:
		return "$" + e.Text
	case ExprCall:
		parts := printed(e.Args)
		sep := ","
		for _, f := range e.Fields {
			parts, sep = append(parts, f.String()), ", "
		}
		return e.Text + "(" + strings.Join(parts, sep) + ")"
	case ExprList:
		return "[" + strings.Join(printed(e.Args), ",") + "]"
	case ExprMessage, ExprEntry:
		parts := make([]string, len(e.Fields))
		for i, f := range e.Fields {
			parts[i] = f.String()
		}
		return e.Text + "{" + strings.Join(parts, " ") + "}"
	case ExprSelect:
		return e.X.String() + "." + e.Text
	case ExprSlice:
		return fmt.Sprintf("%s[%s:%s]", e.X, e.Lo, e.Hi)
	}
	return e.Text
}

func printed(list []*Expr) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e.String()
	}
	return out
}

// String is name=value.
func (f Field) String() string {
	if f.Value == nil {
		return f.Name
	}
	return f.Name + "=" + f.Value.String()
}

// Walk calls fn for the value and all values inside it.
func (e *Expr) Walk(fn func(*Expr)) {
	if e == nil {
		return
	}
	fn(e)
	e.X.Walk(fn)
	e.Lo.Walk(fn)
	e.Hi.Walk(fn)
	for _, a := range e.Args {
		a.Walk(fn)
	}
	for _, f := range e.Fields {
		f.Value.Walk(fn)
	}
}
