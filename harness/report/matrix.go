package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// words of the verdicts, for a cell: those which need somebody to act are in capitals, so that they stand out without
// colours too.
var words = map[record.Verdict]string{
	record.Pass: "pass", record.Warn: "warn", record.Fail: "FAIL", record.XFail: "xfail", record.XPass: "XPASS",
	record.Unsupported: "unsup", record.Skipped: "skip", record.Errored: "ERROR",
}

// word is what a cell of the matrix says: "-" where there is no verdict.
func word(r *Result) string {
	if r == nil {
		return "-"
	}
	if w, ok := words[r.Verdict]; ok {
		return w
	}
	return Clean(string(r.Verdict))
}

// colorOf is the colour of a verdict.
func colorOf(r *Result) string {
	switch {
	case r == nil, r.Verdict == record.Unsupported, r.Verdict == record.Skipped:
		return dim
	case r.Verdict == record.Pass:
		return green
	case r.Verdict == record.Warn, r.Verdict == record.XFail:
		return yellow
	}
	return red
}

// Columns of the matrix: a name longer than maxName is cut, and a column is never narrower than a word of a verdict.
const (
	maxName = 16
	minName = 5
)

// writeMatrix prints cases against targets in one profile, grouped by area: the rows in which something is wrong or the
// targets differ, or all. Where the targets do not fit side by side, it is printed in parts.
func writeMatrix(w io.Writer, l *Log, o Options) {
	if len(l.Targets) < 2 && !o.All || len(l.Results) == 0 {
		return
	}
	at, left := l.index(), 0
	var ids []string
	room := len("case")
	for _, id := range l.Cases() {
		row := l.rivals(at, id, o.Profile)
		if !slices.ContainsFunc(row, func(r *Result) bool { return r != nil }) {
			continue // not judged in this profile
		}
		if !o.All && !telling(row) {
			left++
			continue
		}
		ids = append(ids, id)
		room = max(room, width(Clean(caseName(id)))+2)
	}
	for from := 0; len(ids) > 0 && from < len(l.Targets); {
		to, used := from, room
		for ; to < len(l.Targets); to++ {
			used += 2 + columnWidth(l.Targets[to])
			if used > o.Width && to > from {
				break
			}
		}
		l.matrixPart(w, o, at, ids, room, from, to)
		from = to
	}
	if left > 0 {
		fmt.Fprintln(w, o.paint(dim, fmt.Sprintf("the same for every target: %s (report --all shows them)", Plural(left, "case"))))
	}
	fmt.Fprintln(w)
}

// matrixPart prints the columns of some targets.
func (l *Log) matrixPart(w io.Writer, o Options, at map[place]*Result, ids []string, room, from, to int) {
	head := fmt.Sprintf("%-*s", room, o.Profile)
	for _, t := range l.Targets[from:to] {
		head += fmt.Sprintf("  %-*s", columnWidth(t), columnName(t))
	}
	fmt.Fprintln(w, o.paint(dim, strings.TrimRight(head, " ")))
	last := ""
	for _, id := range ids {
		if a := area(id); a != last {
			fmt.Fprintln(w, o.paint(bold, Clean(a)))
			last = a
		}
		line := fmt.Sprintf("  %-*s", room-2, Clean(caseName(id)))
		for i, t := range l.Targets[from:to] {
			r := at[place{id, t.Name, o.Profile}]
			cell := word(r)
			pad := strings.Repeat(" ", max(0, columnWidth(t)-width(cell)))
			if from+i == to-1 {
				pad = ""
			}
			line += "  " + o.paint(colorOf(r), cell) + pad
		}
		fmt.Fprintln(w, line)
	}
}

// caseName is a case's id without its area.
func caseName(id string) string { return strings.TrimPrefix(id, area(id)+"/") }

func columnName(t Target) string {
	name := Clean(t.Name)
	if width(name) > maxName {
		name = name[:cutAt(name, maxName-1)] + "…"
	}
	return name
}

func columnWidth(t Target) int { return max(minName, width(columnName(t))) }
