package plan

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/tools/txtar"
)

// Limits of a plan. The largest written by hand has some 300 lines; megabytes on the wire are made by rand() and
// repeat(), they do not stand in the file.
const (
	maxFile     = 1 << 20
	maxRows     = 5_000
	maxFixtures = 500
	maxSides    = 50_000 // statements in all, with each name of a range counted: a range of 1,000 on fifty lines
)

// Load reads and parses one plan and holds it against lint; what lint merely advises does not count. The file's name in
// errors is prefix followed by path.
func Load(fsys fs.FS, path, prefix string) (*Plan, error) {
	src, err := fs.ReadFile(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p, err := Parse(prefix+path, src)
	if err != nil {
		return nil, err
	}
	return p, Lint(p).Fatal().err()
}

// LoadAll loads the plan at root, or all below it in the order of their paths.
func LoadAll(fsys fs.FS, root, prefix string) (found []*Plan, err error) {
	err = fs.WalkDir(fsys, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || p != root && !strings.HasSuffix(p, ".plan") {
			return nil
		}
		one, err := Load(fsys, p, prefix)
		if err == nil {
			found = append(found, one)
		}
		return err
	})
	return found, err
}

// Parse reads one plan. file is its name in errors, and its end must be the plan's id. The error is of type Errors and
// holds every mistake that was found, in the order of the lines.
func Parse(file string, src []byte) (*Plan, error) {
	p := &parser{file: file}
	return p.parse(src)
}

// Bound returns the plan for one value of its header's `each`: $i is replaced wherever it stands.
func (p *Plan) Bound(i int) (*Plan, error) {
	if p.Header.Each == nil {
		return p, nil
	}
	ps := &parser{file: p.File, bind: p.Header.Each.Name, value: i, bound: true}
	return ps.parse(p.Source)
}

// Iterate returns an each line's block for one value: $i is replaced in names, values, texts and numbers, and each rand()
// gets a label of its own.
func (l *Line) Iterate(i int) ([]*Line, error) {
	loop, ok := l.Stmt.(EachLoop)
	if !ok {
		return l.Block, nil
	}
	p := &parser{file: l.Pos.File}
	kids := make([]*row, len(l.row.kids))
	for k, r := range l.row.kids {
		kids[k] = r.bind(loop.Each.Name, i)
	}
	block := p.lines(kids, l.loop, fmt.Sprintf("%s#%d", l.label, i))
	return block, p.errs.err()
}

type parser struct {
	file  string
	errs  Errors
	plan  *Plan
	bound bool // the header's loop has its value
	bind  string
	value int
	world WorldKind       // of the script
	sides int             // statements so far
	texts map[string]bool // fixtures that hold plain text
}

func (p *parser) fail(line int, what, format string, args ...any) {
	p.errs.add(Pos{File: p.file, Line: line}, false, what, format, args...)
}

func (p *parser) parse(src []byte) (*Plan, error) {
	p.plan, p.texts = &Plan{File: p.file, Fixtures: map[string]*Fixture{}, Source: src}, map[string]bool{}
	if len(src) > maxFile {
		p.fail(1, "", "the file has %d bytes, %d at most: make large values with rand() or repeat()", len(src), maxFile)
		return nil, p.errs.err()
	}
	src = unixLines(src)
	if at := foreign(src); at >= 0 {
		p.fail(1+bytes.Count(src[:at], []byte("\n")), "", "byte %#02x: a plan is UTF-8 text without control characters; write such bytes as \"\\x%02x\" or hex:%02x", src[at], src[at], src[at])
		return nil, p.errs.err()
	}
	ar := txtar.Parse(src)
	s := &scanner{file: p.file, errs: &p.errs, verb: beginsLine}
	rows := s.scan(string(ar.Comment), 1)
	if len(rows) > maxRows {
		p.fail(rows[maxRows].line, "", "more than %d lines", maxRows)
		return nil, p.errs.err()
	}
	p.plan.Prose = prose(rows)
	p.script(rows)
	p.fixtures(ar)
	p.simulation()
	if len(p.errs) == 0 {
		deriveNeeds(p.plan)
	}
	p.errs.sort()
	if err := p.errs.err(); err != nil {
		return nil, err
	}
	return p.plan, nil
}

// unixLines takes the carriage returns off the ends of lines.
func unixLines(src []byte) []byte { return bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n")) }

// foreign finds the first byte that no plan holds, or -1.
func foreign(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return i
		}
		i += n
	}
	return -1
}

// prose is the text of the comments before the first word. Any number of lines without text part two paragraphs.
func prose(rows []*row) string {
	var out []string
	for _, r := range rows {
		if r.kind == rowLine {
			break
		}
		text := strings.TrimSpace(strings.TrimPrefix(r.text, "#"))
		if text == "" && len(out) > 0 && out[len(out)-1] == "" {
			continue
		}
		out = append(out, text)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

// script reads the rows in their three parts: header, peers, and what happens.
func (p *parser) script(rows []*row) {
	var script []*row
	seen := map[string]bool{}
	header := true
	for _, r := range rows {
		if r.kind != rowLine || r.depth > 0 {
			continue
		}
		if p.bound {
			r = r.bind(p.bind, p.value)
		}
		word := r.words[0]
		if header && word.text != "peer" && !(beginsLine(word.text) && word.text != "each") {
			p.header(r, seen)
			continue
		}
		if header && word.text == "each" && len(r.kids) == 0 {
			p.header(r, seen)
			continue
		}
		header = false
		switch _, isKey := findHeader(word.text); {
		case word.text == "peer":
			p.peer(r)
		case isKey && word.text != "each":
			p.fail(r.line, word.text, "the header ends where the peers and the script begin; this line belongs above them")
		default:
			script = append(script, r)
		}
	}
	p.world = worldOf(script)
	p.plan.Script = p.lines(script, p.scope(), p.label())
	for _, l := range p.plan.Script {
		if l.Verb == "answer" {
			p.misplaced(l, "")
		}
	}
}

// scope is the header's loop, unless its value is already in the text.
func (p *parser) scope() scope {
	if p.plan != nil && p.plan.Header.Each != nil && !p.bound {
		return scope{*p.plan.Header.Each}
	}
	return nil
}

func (p *parser) label() string {
	if p.bound {
		return fmt.Sprintf("#%d", p.value)
	}
	return ""
}

func (p *parser) header(r *row, seen map[string]bool) {
	name := r.words[0].text
	key, ok := findHeader(name)
	if !ok {
		p.fail(r.line, "", "%s", unknown("word", name, append(headerNames(), verbNames()...)))
		return
	}
	if seen[name] {
		p.fail(r.line, name, "stands twice")
		return
	}
	seen[name] = true
	if len(r.kids) > 0 {
		p.fail(r.kids[0].line, name, "a line of the header has no block; indent no line of the header")
	}
	var words []string
	for _, w := range r.words[1:] {
		words = append(words, w.text)
	}
	if err := key.parse(&p.plan.Header, words); err != nil {
		p.fail(r.line, name, "%v", err)
	}
}

func (p *parser) peer(r *row) {
	c := &cursor{file: p.file, line: r.line, words: r.words[1:], loops: p.scope(), label: fmt.Sprintf("%s/%d", p.label(), r.nth)}
	decls := parsePeer(c)
	if len(r.kids) > 0 {
		c.fail(r.kids[0].line, "a peer has no block")
	}
	if c.err != nil {
		p.errs.add(c.errPos, false, "peer", "%v", c.err)
		return
	}
	for _, d := range decls {
		for _, o := range p.plan.Peers {
			if o.Name == d.Name {
				p.fail(r.line, "peer", "%s was declared in line %d already", d.Name, o.Pos.Line)
			} else if o.Target && d.Target {
				p.fail(r.line, "peer", "a second target; %s is the target of this plan", o.Name)
			}
		}
		p.plan.Peers = append(p.plan.Peers, d)
	}
	if len(p.plan.Peers) > maxRange {
		p.fail(r.line, "peer", "more than %d peers", maxRange)
	}
}

// lines parses rows of one depth; an or goes to the line above it.
func (p *parser) lines(rows []*row, loops scope, label string) []*Line {
	var out []*Line
	for _, r := range rows {
		var above *Line
		if len(out) > 0 {
			above = out[len(out)-1]
		}
		l := p.line(r, above, loops, label)
		if l == nil {
			continue
		}
		if l.Verb != "or" {
			out = append(out, l)
			continue
		}
		if above == nil {
			p.fail(r.line, "or", "it follows no want, result or saw")
			continue
		}
		p.alternative(above, l)
	}
	return out
}

func (p *parser) alternative(to, l *Line) {
	v, _ := findVerb(to.Verb)
	switch {
	case !v.Or:
		p.fail(l.Pos.Line, "or", "it follows %s, which has no alternatives; want, result and saw have", to.Verb)
	case !slices.Equal(to.Names, l.Names):
		p.fail(l.Pos.Line, "or", "it is about %s, the %s above about %s", strings.Join(l.Names, " "), to.Verb, strings.Join(to.Names, " "))
	default:
		to.Alts = append(to.Alts, l)
	}
}

// allParams are the name=value words that any verb takes.
var allParams = []string{"after", "within", "times", "for", "every", "nth", "why", "profile"}

// line parses one row with its block; an or is read as the line above it is.
func (p *parser) line(r *row, above *Line, loops scope, label string) *Line {
	name := r.words[0].text
	v, ok := findVerb(name)
	if !ok {
		p.fail(r.line, "", "%s", unknown("verb", name, append(verbNames(), headerNames()...)))
		return nil
	}
	if judge, _ := findVerb(verbOf(above)); name == "or" && judge.Or {
		v.parse, v.Params = judge.parse, judge.Params
	}
	l := &Line{Pos: Pos{File: p.file, Line: r.line}, Verb: name, Text: r.written(), row: r, loop: loops}
	l.label = fmt.Sprintf("%s/%d", label, r.nth)
	ranges := map[string][]string{}
	for sides := 1; len(l.Sides) < sides; {
		c := &cursor{ranges: ranges, file: p.file, world: p.world, line: r.line, words: r.words[1:], loops: loops, label: l.label, side: len(l.Sides), sides: sides}
		if !v.own {
			c.takeParams(append([]string{"after"}, v.Params...))
			c.foreignParams(v)
		}
		if w := c.params["after"]; name != "answer" || startsWithDigit(w.text) {
			l.After = c.duration("after")
		}
		stmt := v.parse(c)
		c.end()
		if c.err != nil {
			p.errs.add(c.errPos, false, name, "%v", c.err)
			return nil
		}
		sides = max(1, c.sides)
		if p.sides++; p.sides > maxSides {
			p.fail(r.line, name, "the ranges of this plan stand for more than %d statements", maxSides)
			return nil
		}
		l.Sides = append(l.Sides, stmt)
		l.Names = append(l.Names, c.names...)
		for _, name := range c.texts {
			p.texts[name] = true
		}
	}
	l.Stmt = l.Sides[0]
	p.block(l, v)
	return l
}

// foreignParams complains about the words of other verbs.
func (c *cursor) foreignParams(v verb) {
	for _, w := range c.words {
		if n, _, has := strings.Cut(w.text, "="); has && contains(allParams, n) {
			c.fail(w.line, "it takes no %s=; it is written %s", n, strings.Join(strings.Split(v.Usage, "\n"), ", or "))
		}
	}
}

func verbOf(l *Line) string {
	if l == nil {
		return ""
	}
	return l.Verb
}

func (p *parser) block(l *Line, v verb) {
	inner := l.loop
	loop, isLoop := l.Stmt.(EachLoop)
	if isLoop {
		inner = append(slices.Clone(inner), loop.Each)
	}
	if len(l.row.kids) > 0 && !v.Block {
		p.fail(l.row.kids[0].line, v.Name, "it has no block; want, or, result, saw, when, retry and each have, so this line is indented too deep")
		return
	}
	if _, isRetry := l.Stmt.(Retry); (isLoop || isRetry || l.Verb == "when") && len(l.row.kids) == 0 {
		p.fail(l.Pos.Line, v.Name, "its block is missing: the lines that it is about, indented deeper")
	}
	l.Block = p.lines(l.row.kids, inner, l.label)
	for _, k := range l.Block {
		if answers := k.Verb == "answer"; answers != (l.Verb == "when") {
			p.misplaced(k, l.Verb)
		}
	}
}

// misplaced refuses an answer that belongs to no when, and what is none in the block of one.
func (p *parser) misplaced(l *Line, above string) {
	if l.Verb == "answer" {
		p.fail(l.Pos.Line, l.Verb, "it belongs into the block of a when")
		return
	}
	p.fail(l.Pos.Line, l.Verb, "the block of a %s holds answers alone", above)
}
