package plan

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"
)

// change is one row of the table of what may be done to a frame once it is bytes.
type change struct{ Name, Usage, Meaning string }

// changes count bytes in the message, from 0: the length before it is none of them.
var changes = []change{
	{"patch", "patch 3 ff", "the bytes from this offset on are replaced by these"},
	{"cut", "cut 7", "so many bytes go from the end"},
	{"append", "append hex:00ff", "a value is added at the end"},
	{"length", "length 4194305", "the length which the frame declares; without it, the true one after the other changes"},
}

func isChange(w string) bool {
	return slices.ContainsFunc(changes, func(c change) bool { return c.Name == w })
}

// fixtures parses the files below the script.
func (p *parser) fixtures(ar *txtar.Archive) {
	line := 1 + strings.Count(string(ar.Comment), "\n")
	for i, f := range ar.Files {
		if i == maxFixtures {
			p.fail(line, "", "more than %d fixtures", maxFixtures)
			return
		}
		fx := &Fixture{Pos: Pos{File: p.file, Line: line}, Name: f.Name}
		what := "@" + f.Name
		if !isName(f.Name) || strings.Contains(f.Name, "$") {
			p.fail(line, what, "%q is no name for a fixture: letters, digits, _ and -, a letter first", f.Name)
		}
		if _, twice := p.plan.Fixtures[f.Name]; twice {
			p.fail(line, what, "a second fixture of this name")
		}
		if p.texts[f.Name] {
			fx.Text = string(f.Data)
			fx.Value = &Expr{Pos: fx.Pos, Kind: ExprString, Text: fx.Text}
		} else {
			p.fixture(fx, string(f.Data), line+1)
		}
		if p.texts[f.Name] && strings.TrimSpace(fx.Text) == "" {
			p.fail(line, what, "it is empty; a text was expected")
		}
		p.plan.Fixtures[f.Name] = fx
		line += 1 + strings.Count(string(f.Data), "\n")
	}
}

func (p *parser) fixture(fx *Fixture, text string, first int) {
	s := &scanner{file: p.file, errs: &p.errs, verb: isChange}
	c := &cursor{file: p.file, line: fx.Pos.Line, loops: p.scope(), label: p.label() + "@" + fx.Name}
	for _, r := range s.scan(text, first) {
		if r.kind == rowLine && p.bound {
			r = r.bind(p.bind, p.value)
		}
		for _, w := range r.words {
			w.text = strings.ReplaceAll(w.text, "\n", " ")
			c.words = append(c.words, w)
		}
	}
	switch {
	case len(c.words) == 0:
		c.fail(c.line, "it is empty; a value or a frame in words was expected")
	case isFrame(c.words):
		c.frameFixture(fx)
	default:
		fx.Value = c.expr(c.next("a value"))
		if c.err == nil && c.more() {
			c.fail(c.words[c.at].line, "%s stands after the value; a fixture is one value, or a frame in words", c.words[c.at].text)
		}
	}
	if c.err != nil {
		p.errs.add(c.errPos, false, "@"+fx.Name, "%v", c.err)
	}
}

// isFrame tells a frame in words from a value: it begins with a TYPE, and a number is a TYPE only before fields.
func isFrame(words []word) bool {
	w := words[0].text
	if slices.Contains(MessageTypes, w) || w == "-" {
		return true
	}
	if len(words) == 1 {
		return false
	}
	next := words[1].text
	return (isNumber(w) || w == strings.ToUpper(w) && strings.Contains(w, "_")) && (strings.Contains(next, "=") || isChange(next))
}

func (c *cursor) frameFixture(fx *Fixture) {
	end := slices.IndexFunc(c.words, func(w word) bool { return isChange(w.text) })
	all := c.words
	if end < 0 {
		end = len(all)
	}
	c.words = all[:end]
	frame := c.frame()
	fx.Frame = &frame
	for c.words = all; c.more(); {
		fx.Changes = append(fx.Changes, c.change())
	}
}

func (c *cursor) change() Change {
	w := c.next("a change")
	ch := Change{Pos: Pos{File: c.file, Line: w.line}, Verb: w.text}
	switch w.text {
	case "patch":
		ch.Offset = int(c.number("an offset"))
		ch.Value = c.bytesWord()
	case "append":
		ch.Value = c.bytesWord()
	case "cut", "length":
		ch.N = c.number("a number")
	default:
		c.fail(w.line, "%s", unknown("change", w.text, []string{"patch", "cut", "append", "length"}))
	}
	if ch.Verb == "patch" && (ch.Offset < 0 || ch.Offset > maxFrame) || ch.Verb == "cut" && ch.N > maxFrame {
		c.fail(w.line, "%s: no frame is that long", w.text)
	}
	return ch
}

func (c *cursor) number(what string) uint64 {
	w := c.next(what)
	n, err := strconv.ParseUint(c.loops.first(w.text), 10, 64)
	if c.err == nil && err != nil {
		c.fail(w.line, "%s was expected, not %q", what, w.text)
	}
	return n
}

// bytesWord reads bare hexadecimal, or any value.
func (c *cursor) bytesWord() *Expr {
	w := c.next("bytes")
	if _, err := hex.DecodeString(w.text); err == nil && w.text != "" {
		w.text = "hex:" + w.text
	}
	return c.expr(w)
}

// String is the frame in words.
func (f Frame) String() string {
	out := f.Type
	for _, x := range f.Fields {
		out += " " + x.String()
	}
	return out
}

// String is the change as written.
func (ch Change) String() string {
	switch ch.Verb {
	case "patch":
		return fmt.Sprintf("patch %d %s", ch.Offset, ch.Value)
	case "append":
		return "append " + ch.Value.String()
	}
	return fmt.Sprintf("%s %d", ch.Verb, ch.N)
}
