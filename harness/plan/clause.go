package plan

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// clauses.txt pins the revision of each specification, so that a line number means the same next year.
//
//go:embed clauses.txt
var clausesFile string

// specification is a document at one revision.
type specification struct {
	name, url string
	lines     int
	clauses   []clause
}

// clause is a range of lines with what it demands.
type clause struct {
	from, to int
	text     string
}

// specifications reads the file when it is first asked: most runs never fail.
var specifications = sync.OnceValue(func() []specification { return readClauses(clausesFile) })

// readClauses reads the file which is compiled in: a mistake in it is ours.
func readClauses(text string) (docs []specification) {
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] == "document" {
			lines, err := strconv.Atoi(words[3])
			if err != nil {
				panic(fmt.Sprintf("clauses.txt:%d: %v", n+1, err))
			}
			docs = append(docs, specification{name: words[1], url: words[2], lines: lines})
			continue
		}
		from, to, ok := lineRange(words[0])
		if !ok || len(docs) == 0 {
			panic(fmt.Sprintf("clauses.txt:%d: expected lines, as 490-492", n+1))
		}
		d := &docs[len(docs)-1]
		d.clauses = append(d.clauses, clause{from, to, strings.Join(words[1:], " ")})
	}
	return docs
}

// lineRange reads "490-492", "L490-L492" or "L490".
func lineRange(s string) (from, to int, ok bool) {
	s = strings.ReplaceAll(s, "L", "")
	first, last, two := strings.Cut(s, "-")
	from, err := strconv.Atoi(first)
	if to = from; two && err == nil {
		to, err = strconv.Atoi(last)
	}
	return from, to, err == nil && from > 0 && from <= to
}

// errUnknownDocument: a plan may cite a document of its own, of which nothing is known here.
var errUnknownDocument = errors.New("unknown document")

// find is the document and the first lines which a citation names, as "ipfs-kad L357-L360".
func find(citation string) (d *specification, from, to int, err error) {
	words := strings.Fields(citation)
	if len(words) < 2 {
		return nil, 0, 0, fmt.Errorf("a document and its lines were expected, not %q", citation)
	}
	name, first := words[0], strings.TrimSuffix(words[1], ",")
	var names []string
	for i, s := range specifications() {
		names = append(names, s.name)
		if s.name == name {
			d = &specifications()[i]
		}
	}
	if d == nil {
		return nil, 0, 0, fmt.Errorf("%w %q; those known are %s", errUnknownDocument, name, strings.Join(names, ", "))
	}
	from, to, ok := lineRange(first)
	if !ok || to > d.lines {
		return nil, 0, 0, fmt.Errorf("%s has the lines L1 to L%d, not %q", name, d.lines, first)
	}
	return d, from, to, nil
}

// Requirement says in a sentence what the cited lines demand, or "" if clauses.txt has nothing on them. Of several
// clauses it takes the one that covers most of the lines; of equals the shortest.
func Requirement(citation string) string {
	d, from, to, err := find(citation)
	if err != nil {
		return ""
	}
	best, covered, length := "", 0, 0
	for _, c := range d.clauses {
		n, l := min(to, c.to)-max(from, c.from)+1, c.to-c.from
		if n > covered || n == covered && n > 0 && l < length {
			best, covered, length = c.text, n, l
		}
	}
	return best
}

// Link is where the cited lines can be read, or "".
func Link(citation string) string {
	d, from, to, err := find(citation)
	if err != nil {
		return ""
	}
	if from == to {
		return fmt.Sprintf("%s?plain=1#L%d", d.url, from)
	}
	return fmt.Sprintf("%s?plain=1#L%d-L%d", d.url, from, to)
}

// Clauses are the citations of a case, each with what it demands: "ipfs-kad L494: providers that are not …".
func (h *Header) Clauses() []string {
	var out []string
	for _, citation := range h.Spec {
		if demand := Requirement(citation); demand != "" {
			citation += ": " + demand
		}
		out = append(out, citation)
	}
	return out
}
