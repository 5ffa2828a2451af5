package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// scope holds the loops around a line: their variables with their first values.
type scope []Each

func (s scope) has(name string) bool {
	for _, e := range s {
		if e.Name == name {
			return true
		}
	}
	return false
}

// first puts the first values in. It serves numbers alone (times=$i), which must be read to be checked; the values that
// count are put in by Iterate, before a block is read again.
func (s scope) first(text string) string {
	for _, e := range s {
		text = substitute(text, e.Name, e.From)
	}
	return text
}

// substitute puts a loop's value in the place of $name.
func substitute(text, name string, value int) string {
	mark := "$" + name
	var b strings.Builder
	for {
		i := strings.Index(text, mark)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		text = text[i+len(mark):]
		if text != "" && isLetter(text[0]) { // $i in $index
			b.WriteString(mark)
			continue
		}
		b.WriteString(strconv.Itoa(value))
	}
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// cursor walks the words of a line while a verb reads it. The first mistake stays; what is read after it is void.
type cursor struct {
	file   string
	line   int
	words  []word
	at     int
	params map[string]word // the verb's own name=value words, by name
	loops  scope
	world  WorldKind
	label  string // where the line stands, for rand()
	side   int    // which name of a range is being read
	sides  int    // how many names the line's ranges have
	names  []string
	texts  []string            // fixtures that hold plain text
	ranges map[string][]string // expanded for an earlier side of the line
	errPos Pos
	err    error
}

func (c *cursor) fail(line int, format string, args ...any) {
	if c.err == nil {
		c.err, c.errPos = fmt.Errorf(format, args...), Pos{File: c.file, Line: line}
	}
}

func (c *cursor) more() bool { return c.err == nil && c.at < len(c.words) }

// next is the next word, or "" with a complaint about what is missing.
func (c *cursor) next(what string) word {
	if !c.more() {
		c.fail(c.line, "%s is missing", what)
		return word{line: c.line}
	}
	c.at++
	return c.words[c.at-1]
}

// expect takes a fixed word: ->, in.
func (c *cursor) expect(text string) {
	if w := c.next(text); c.err == nil && w.text != text {
		c.fail(w.line, "%q was expected before %q", text, w.text)
	}
}

// optional takes a fixed word if it comes next.
func (c *cursor) optional(text string) bool {
	if c.more() && c.words[c.at].text == text {
		c.at++
		return true
	}
	return false
}

// end complains about words that are left.
func (c *cursor) end() {
	if c.more() {
		c.fail(c.words[c.at].line, "%q was not expected here", c.words[c.at].text)
	}
}

// name takes a name, or the range which makes the line stand for several.
func (c *cursor) name(what string) string {
	w := c.next(what)
	if c.err != nil {
		return ""
	}
	if w.text == "any" {
		c.fail(w.line, `"any" counts what several puppets got; this verb is about one at a time`)
		return ""
	}
	list, done := c.ranges[w.text]
	if !done {
		var err error
		if list, err = Range(c.bound(w.text)); err != nil {
			c.fail(w.line, "%s: %w", what, err)
			return ""
		}
		c.ranges[w.text] = list
	}
	if len(list) == 1 {
		if strings.Contains(w.text, "$") {
			return w.text
		}
		return list[0]
	}
	if c.sides > 1 && c.sides != len(list) {
		c.fail(w.line, "%s: %q has %d names beside a range of %d", what, w.text, len(list), c.sides)
		return ""
	}
	c.sides = len(list)
	return list[c.side]
}

// bound puts first values into a range (S1..S$i), which is read now; a single name keeps its $i.
func (c *cursor) bound(w string) string {
	if strings.Contains(w, "..") {
		return c.loops.first(w)
	}
	return w
}

// list takes names and ranges, all together, until the word end or the line's end.
func (c *cursor) list(what, end string) []string {
	var out []string
	for c.more() && (end == "" || c.words[c.at].text != end) {
		w := c.next(what)
		names, err := Range(c.bound(w.text))
		if err != nil {
			c.fail(w.line, "%s: %w", what, err)
			return nil
		}
		out = append(out, names...)
	}
	if len(out) == 0 {
		c.fail(c.line, "%s is missing", what)
	}
	return out
}

// takeParams moves the verb's own name=value words, wherever they stand, out of the way of the others.
func (c *cursor) takeParams(names []string) {
	c.params = map[string]word{}
	rest := c.words[:0:0]
	for _, w := range c.words {
		name, _, ok := strings.Cut(w.text, "=")
		if !ok || !contains(names, name) {
			rest = append(rest, w)
			continue
		}
		if _, twice := c.params[name]; twice {
			c.fail(w.line, "%s stands twice", name)
		}
		c.params[name] = word{text: w.text[len(name)+1:], line: w.line}
	}
	c.words = rest
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// maxWait bounds every time that a line names: the longest case lasts minutes, and a slip (5h for 5s) should not hang a run.
const maxWait = 10 * time.Minute

// duration reads the parameter name=5s; 0 if it is not there.
func (c *cursor) duration(name string) time.Duration {
	w, ok := c.params[name]
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(c.loops.first(w.text))
	if err != nil || d <= 0 || d > maxWait {
		c.fail(w.line, "%s=%s: a time above 0 and at most %s was expected, as 5s or 200ms", name, w.text, ShortTime(maxWait))
	}
	return d
}

// maxTimes bounds times=n: a hundred thousand small frames are a second's traffic on loopback.
const maxTimes = 100_000

// times reads the parameter times=n; 0 if it is not there.
func (c *cursor) times() int { return c.count("times") }

// count reads a parameter that counts; 0 if it is not there.
func (c *cursor) count(name string) int {
	w, ok := c.params[name]
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(c.loops.first(w.text))
	if err != nil || n < 1 || n > maxTimes {
		c.fail(w.line, "%s=%s: a number from 1 to %d was expected", name, w.text, maxTimes)
	}
	return n
}

// expr reads a word as a value.
func (c *cursor) expr(w word) *Expr {
	if c.err != nil {
		return nil
	}
	e, err := parseExpr(w.text, Pos{File: c.file, Line: w.line}, c.labelAt(w))
	if err != nil {
		c.fail(w.line, "%w", err)
	}
	return e
}

func (c *cursor) labelAt(w word) string {
	return fmt.Sprintf("%s.%d.%d", c.label, c.at, c.side)
}

// frame reads TYPE field=v … to the end of the words.
func (c *cursor) frame() Frame {
	var f Frame
	w := c.next("the TYPE of the frame")
	if c.err != nil {
		return f
	}
	if err := checkType(w.text); err != nil {
		c.fail(w.line, "%w", err)
	}
	f.Type = w.text
	for c.more() {
		f.Fields = append(f.Fields, c.field(messageFields))
	}
	return f
}

// field reads name=value against the table of a message.
func (c *cursor) field(table []field) Field {
	w := c.next("a field")
	pos := Pos{File: c.file, Line: w.line}
	name, val, ok := strings.Cut(w.text, "=")
	if !ok || strings.ContainsAny(name, `"([{`) {
		msg := fmt.Sprintf("%q is no field: name=value was expected", w.text)
		if s := suggest(w.text, verbNames()); s != "" && w.brk {
			msg += " (the verb " + s + "?)"
		}
		c.fail(w.line, "%s", msg)
		return Field{}
	}
	f := Field{Pos: pos, Name: name, Value: c.expr(word{text: val, line: w.line})}
	if c.err == nil {
		if err := checkFields(table, []Field{f}); err != nil {
			c.fail(w.line, "%w", err)
		}
	}
	return f
}

// matchers reads conditions to the end of the words.
func (c *cursor) matchers(table []field) []Matcher {
	var out []Matcher
	for c.more() {
		w := c.next("a condition")
		m, err := parseMatcher(w, Pos{File: c.file, Line: w.line}, table, c.labelAt(w), c.loops)
		if err != nil {
			c.fail(w.line, "%w", err)
		}
		out = append(out, m)
	}
	return out
}

// ShortTime prints a time without its empty parts: 10m, not 10m0s.
func ShortTime(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
