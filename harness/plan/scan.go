package plan

import (
	"strings"
)

// The scanner's rule: it knows lines, words and depth, and of the verbs only that they begin a line. Parser and printer
// both work on its rows, so what fmt prints is what parse reads.

type rowKind uint8

const (
	rowLine rowKind = iota
	rowComment
	rowBlank
)

// row is a logical line with the physical lines that continue it, a comment, or a blank line.
type row struct {
	kind   rowKind
	line   int // physical, from 1
	nth    int // among the logical lines of its text
	indent int
	depth  int // how many blocks it stands in
	text   string
	words  []word
	kids   []*row
}

// word is a run without blanks outside "", (), [] and {}. One that spans lines keeps its line breaks.
type word struct {
	text string
	line int
	brk  bool // the first word of a continuing line
}

// scanner splits the text of a script or of a fixture.
type scanner struct {
	file string
	errs *Errors
	verb func(string) bool // whether a word begins a line of its own
}

// scan splits text whose first line is number first. Rows come in order, flat; kids hold the tree.
func (s *scanner) scan(text string, first int) []*row {
	var rows []*row
	var cur *row
	var open []byte // brackets that wait for their end
	nth := 0
	var stack []*row
	if text == "" {
		return nil
	}
	for n, raw := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		pos := Pos{File: s.file, Line: first + n}
		body := strings.TrimLeft(raw, " ")
		indent := len(raw) - len(body)
		body = strings.TrimRight(body, " \t\r")
		switch {
		case strings.HasPrefix(body, "\t"):
			s.errs.add(pos, false, "", "a tab at the start of a line: indent with blanks")
			body = strings.TrimLeft(body, " \t")
		case body == "" && len(open) == 0:
			rows, cur = append(rows, &row{kind: rowBlank, line: pos.Line}), nil
			continue
		case strings.HasPrefix(body, "#") && len(open) == 0:
			rows, cur = append(rows, &row{kind: rowComment, line: pos.Line, indent: indent, text: body, depth: len(stack)}), nil
			continue
		case body == "":
			continue
		}
		if cur != nil && (len(open) > 0 || indent > cur.indent && !s.verb(firstWord(body))) {
			open = s.split(cur, body, pos, open)
			continue
		}
		for len(stack) > 0 && stack[len(stack)-1].indent >= indent {
			stack = stack[:len(stack)-1]
		}
		nth++
		cur = &row{kind: rowLine, line: pos.Line, nth: nth, indent: indent, depth: len(stack)}
		if len(stack) > 0 {
			up := stack[len(stack)-1]
			up.kids = append(up.kids, cur)
		}
		stack = append(stack, cur)
		rows = append(rows, cur)
		open = s.split(cur, body, pos, nil)
	}
	if len(open) > 0 {
		s.errs.add(Pos{File: s.file, Line: cur.words[len(cur.words)-1].line}, false, "", "%q is never closed", string(open[len(open)-1]))
	}
	depthOfComments(rows)
	return rows
}

// depthOfComments gives a comment the depth of the line that follows it, which it is about.
func depthOfComments(rows []*row) {
	depth := 0
	for i := len(rows) - 1; i >= 0; i-- {
		switch rows[i].kind {
		case rowLine:
			depth = rows[i].depth
		case rowComment:
			rows[i].depth = depth
		}
	}
}

// split adds the words of one physical line to r and returns the brackets still open at its end.
func (s *scanner) split(r *row, body string, pos Pos, open []byte) []byte {
	start, joined := -1, len(open) > 0
	if joined {
		start = 0
	}
	brk := len(r.words) > 0
	flush := func(end int) {
		if start < 0 {
			return
		}
		if joined {
			r.words[len(r.words)-1].text += "\n" + body[start:end]
			brk = false
		} else {
			r.words = append(r.words, word{text: body[start:end], line: pos.Line, brk: brk})
			brk = false
		}
		start, joined = -1, false
	}
	for i := 0; i < len(body); i++ {
		c := body[i]
		if (c == ' ' || c == '\t') && len(open) == 0 {
			flush(i)
			continue
		}
		if start < 0 {
			start = i
		}
		switch c {
		case '"':
			end := closingQuote(body, i)
			if end < 0 {
				s.errs.add(pos, false, "", `a text without its closing "`)
				i = len(body)
				continue
			}
			i = end
		case '(', '[', '{':
			open = append(open, closer(c))
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != c {
				s.errs.add(pos, false, "", "%q closes nothing", string(c))
				continue
			}
			open = open[:len(open)-1]
		}
	}
	flush(len(body))
	return open
}

func closer(c byte) byte {
	switch c {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}

// closingQuote returns where the text that begins at i ends, or -1.
func closingQuote(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i]
	}
	return s
}

// bind returns a copy of the row in which a loop's value stands for $name.
func (r *row) bind(name string, value int) *row {
	out := *r
	out.words, out.kids = nil, nil
	for _, w := range r.words {
		w.text = substitute(w.text, name, value)
		out.words = append(out.words, w)
	}
	for _, k := range r.kids {
		out.kids = append(out.kids, k.bind(name, value))
	}
	return &out
}

// written is the row's text with one blank between its words.
func (r *row) written() string {
	parts := make([]string, len(r.words))
	for i, w := range r.words {
		parts[i] = tidy(strings.ReplaceAll(w.text, "\n", " "))
	}
	return strings.Join(parts, " ")
}

// tidy takes the needless blanks out of a word: those beside brackets and before commas, and the second of two. A text
// keeps its blanks, and a word over several lines its breaks.
func tidy(w string) string {
	var b strings.Builder
	for i := 0; i < len(w); i++ {
		c := w[i]
		if c == '"' {
			end := closingQuote(w, i)
			if end < 0 {
				return w
			}
			b.WriteString(w[i : end+1])
			i = end
			continue
		}
		if c != ' ' && c != '\t' {
			b.WriteByte(c)
			continue
		}
		j := i
		for j < len(w) && (w[j] == ' ' || w[j] == '\t') {
			j++
		}
		so := b.String()
		if so != "" && j < len(w) && strings.IndexByte("([{\n", so[len(so)-1]) < 0 && strings.IndexByte(")]},\n", w[j]) < 0 {
			b.WriteByte(' ')
		}
		i = j - 1
	}
	return b.String()
}
