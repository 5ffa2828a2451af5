package plan

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/tools/txtar"
)

// Columns of the canonical form: header values stand in one column, and so do the operands of the script, since most
// verbs have six letters at most; a longer word takes one blank. Inside a block the longest verb beside it decides.
const (
	headerColumn = 10
	verbColumn   = 7
	blockIndent  = 2
)

// Format prints a plan in its canonical form: spacing and indentation alone change, comments and the breaks of long lines
// stay. What it prints parses to the same plan, and formatting that changes nothing.
func Format(file string, src []byte) ([]byte, error) {
	p, err := Parse(file, src)
	if err != nil {
		return nil, err
	}
	var b printer
	ar := txtar.Parse(unixLines(src))
	var errs Errors
	s := &scanner{file: file, errs: &errs, verb: beginsLine}
	b.script(s.scan(string(ar.Comment), 1))
	for _, f := range ar.Files {
		fmt.Fprintf(&b.out, "-- %s --\n", f.Name)
		if fx := p.Fixtures[f.Name]; fx.Text != "" {
			b.out.Write(f.Data)
			continue
		}
		s := &scanner{file: file, errs: &errs, verb: isChange}
		b.fixture(s.scan(string(f.Data), 1), p.Fixtures[f.Name])
	}
	return b.out.Bytes(), errs.err()
}

type printer struct{ out bytes.Buffer }

func (b *printer) script(rows []*row) {
	header := true
	columnOf := blockColumns(rows)
	for _, r := range trim(rows) {
		if r.kind == rowBlank {
			b.out.WriteByte('\n')
			continue
		}
		indent := strings.Repeat(" ", blockIndent*r.depth)
		if r.kind == rowComment {
			b.out.WriteString(indent + r.text + "\n")
			continue
		}
		name := r.words[0].text
		column := verbColumn
		if header = header && isHeaderRow(r); header {
			column = headerColumn
		}
		if r.depth > 0 {
			column = columnOf[r]
		}
		b.line(indent+name, len(indent)+column, r.words[1:])
	}
}

// blockColumns gives each line of a block the column of its operands: behind the longest verb beside it.
func blockColumns(rows []*row) map[*row]int {
	out := map[*row]int{}
	for _, r := range rows {
		longest := 0
		for _, k := range r.kids {
			if n := len(k.words[0].text); n < verbColumn {
				longest = max(longest, n)
			}
		}
		for _, k := range r.kids {
			out[k] = longest + 1
		}
	}
	return out
}

// isHeaderRow tells a line of the header: each is one too, as long as it has no block.
func isHeaderRow(r *row) bool {
	_, ok := findHeader(r.words[0].text)
	return ok && len(r.kids) == 0
}

// trim takes the blank rows off both ends and makes two of them one.
func trim(rows []*row) []*row {
	out := rows[:0:0]
	for _, r := range rows {
		if r.kind == rowBlank && (len(out) == 0 || out[len(out)-1].kind == rowBlank) {
			continue
		}
		out = append(out, r)
	}
	for len(out) > 0 && out[len(out)-1].kind == rowBlank {
		out = out[:len(out)-1]
	}
	return out
}

// line prints a word, and in their column those that belong to it. A break between words, or inside one, stays.
func (b *printer) line(head string, column int, words []word) {
	b.out.WriteString(head)
	at := len(head)
	for i, w := range words {
		switch {
		case w.brk:
			b.out.WriteString("\n" + strings.Repeat(" ", column))
		case i == 0 && at < column:
			b.out.WriteString(strings.Repeat(" ", column-at))
		default:
			b.out.WriteByte(' ')
		}
		b.out.WriteString(b.word(w.text, column+blockIndent))
	}
	b.out.WriteByte('\n')
}

// word is tidied; where it goes on in another line, that stands at the column.
func (b *printer) word(text string, column int) string {
	parts := strings.Split(tidy(text), "\n")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " \t")
	}
	return strings.Join(parts, "\n"+strings.Repeat(" ", column))
}

// fixture prints a value, or a frame and each of its changes on a line of its own.
func (b *printer) fixture(rows []*row, fx *Fixture) {
	started := false
	for _, r := range trim(rows) {
		switch r.kind {
		case rowBlank:
			b.out.WriteByte('\n')
			continue
		case rowComment:
			b.out.WriteString(r.text + "\n")
			continue
		}
		var line []word
		flush := func() {
			if len(line) == 0 {
				return
			}
			if started && !isChange(line[0].text) {
				b.out.WriteString(strings.Repeat(" ", blockIndent))
			}
			line[0].brk = false
			b.line(b.word(line[0].text, blockIndent), 0, line[1:])
			started, line = true, nil
		}
		for _, w := range r.words {
			if fx.Frame != nil && isChange(w.text) || w.brk {
				flush()
			}
			line = append(line, w)
		}
		flush()
	}
}
