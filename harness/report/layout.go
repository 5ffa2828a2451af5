package report

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Options of a report.
type Options struct {
	Profile string // whose verdicts are counted and shown; empty: the one which decided the run, or base
	Width   int    // text: columns; 0: 100
	Color   bool   // text
	// All asks for everything: of text and Markdown each case, what was observed and each reason, not a count of them;
	// of JUnit and TAP every profile.
	All bool

	// HTML: what a log does not hold, from whoever can read plans and messages. All of it may be missing.
	Cases    []Case
	Clauses  []Clause // of the specifications, in their order
	Annotate func(frame []byte) []Field
}

// Case is what its plan says of a case.
type Case struct {
	ID        string            `json:"id"`
	Prose     string            `json:"prose,omitempty"`  // what the peer must do
	Levels    map[string]string `json:"levels,omitempty"` // by profile
	Catalogue []string          `json:"catalogue,omitempty"`
	Needs     []string          `json:"needs,omitempty"`
	Clauses   []Citation        `json:"clauses,omitempty"`
	File      string            `json:"file,omitempty"`
	Source    string            `json:"-"`              // the plan
	Words     string            `json:"-"`              // the plan in prose
	Note      string            `json:"note,omitempty"` // of the plan: that it may be another than the one that was run
}

// Citation is a place of a specification that a case rests on.
type Citation struct {
	At     string `json:"at"`               // ipfs-kad L357-L360
	Demand string `json:"demand,omitempty"` // in a sentence
	Link   string `json:"link,omitempty"`
}

// Clause is a demand of a specification, with its cases or the reason why it has none.
type Clause struct {
	Citation
	Level  string   `json:"level,omitempty"` // must, should, …
	Cases  []string `json:"cases,omitempty"` // ids
	Reason string   `json:"reason,omitempty"`
}

// Field is one field of a message as it stands in a frame.
type Field struct {
	Offset, Len, Head, Depth int
	Path, Text, Err          string
	Nested                   bool // its content are the fields which follow, one deeper
}

// withDefaults fills in what the log knows.
func (o Options) withDefaults(l *Log) Options {
	if o.Profile == "" && l.Summary != nil {
		o.Profile = l.Summary.Profile
	}
	o.Profile = cmp.Or(o.Profile, "base")
	o.Width = cmp.Or(o.Width, 100)
	return o
}

// The colours: few, and never the only bearer of a meaning.
const (
	red, yellow, green, dim, bold = "31", "33", "32", "2", "1"
)

func (o Options) paint(code, s string) string {
	if !o.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// width counts columns. Our texts hold no wide characters but what peers send, where being off by one does no harm.
func width(s string) int { return utf8.RuneCountInString(s) }

// Clean escapes what could move a terminal's cursor, change its colours or reorder a line: control characters, and
// everything that does not print. Line ends and tabs within a text become a blank.
func Clean(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// wrap breaks a text at blanks into lines of at most w columns. A word longer than a line is broken: nothing is lost,
// and nothing runs over the edge.
func wrap(s string, w int) []string {
	w = max(w, 20)
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		for width(word) > w {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			cut := cutAt(word, w)
			lines, word = append(lines, word[:cut]), word[cut:]
		}
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= w:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// cutAt is the byte index after n runes.
func cutAt(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// Plural is n with its noun.
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
