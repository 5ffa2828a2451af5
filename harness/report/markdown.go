package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// Limits of a Markdown report. A step of a CI job may write 1 MiB of summary, and a page of more than some hundred
// folded blocks is slow to show.
const (
	maxMarkdown       = 900 << 10
	maxMarkdownBlocks = 200
)

// Markdown writes a summary for a CI job: the totals, the matrix where several targets differ, and a folded block for
// each failure and each warning of the profile that decides.
func Markdown(w io.Writer, l *Log, o Options) error {
	o = o.withDefaults(l)
	var b bytes.Buffer
	total := l.Count("", o.Profile)
	_, missed, _ := l.needs()
	mark := "✅"
	if total.Failed+total.Errors+missed > 0 || l.Summary == nil || l.Summary.Exit != 0 {
		mark = "❌"
	}
	if l.measures() {
		fmt.Fprintf(&b, "## %s kadbench: %s\n\n", mark, mdText(l.verdict()))
		l.markdownSimulations(&b, o)
		l.markdownBenches(&b, o)
	}
	if !l.measures() || len(l.Results) > 0 {
		fmt.Fprintf(&b, "## %s kadbench: %s (%s)\n\n", mark, total, mdText(o.Profile))
		l.markdownTotals(&b, o)
	}
	for _, part := range l.parts() {
		for _, c := range part.runSuite().Cases {
			fmt.Fprintf(&b, "> **%s**: %s\n\n", mdText(part.Path), mdText(c.Error.Message))
		}
	}
	l.markdownMatrix(&b, o)

	blocks := blocks(l, o.Profile)
	for i, one := range blocks {
		var next bytes.Buffer
		one.markdown(&next, l)
		if i == maxMarkdownBlocks || b.Len()+next.Len() > maxMarkdown {
			fmt.Fprintf(&b, "\n%s more: `kadbench report` shows them.\n", Plural(len(blocks)-i, "case"))
			break
		}
		b.Write(next.Bytes())
	}
	for _, n := range l.Notes {
		fmt.Fprintf(&b, "\n- note: %s", mdText(n))
	}
	fmt.Fprintln(&b)
	for _, part := range l.parts() {
		fmt.Fprintf(&b, "\n<sub>seed %d, kadbench %s, %s, %s, log %s</sub>\n", part.Run.Seed, mdText(part.Run.Version),
			mdText(part.Run.Go), mdText(part.Run.OS), mdText(part.Path))
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// markdownTotals is a row for each target and profile.
func (l *Log) markdownTotals(w io.Writer, o Options) {
	fmt.Fprint(w, "| target | version | profile | pass | fail | warn | xfail | unsupported | skipped | error |\n|---|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, t := range l.Targets {
		for _, p := range l.Profiles() {
			s, name := l.Count(t.Name, p), p
			if p == o.Profile {
				name = "**" + p + "**"
			}
			fmt.Fprintf(w, "| %s | %s | %s | %d | %d | %d | %d | %d | %d | %d |\n", mdText(t.Name), mdText(t.Version), name,
				s.Passed, s.Failed, s.Warned, s.Expected, s.Unsupported, s.Skipped, s.Errors)
		}
	}
	fmt.Fprintln(w)
}

// markdownMatrix is the matrix of what differs, folded, where there are several targets.
func (l *Log) markdownMatrix(w io.Writer, o Options) {
	if len(l.Targets) < 2 {
		return
	}
	at, rows := l.index(), 0
	var b strings.Builder
	for _, id := range l.Cases() {
		row := l.rivals(at, id, o.Profile)
		if !o.All && !telling(row) {
			continue
		}
		rows++
		fmt.Fprintf(&b, "| %s |", mdText(id))
		for _, r := range row {
			cell := word(r)
			if r != nil && severity(r.Verdict) > 0 {
				cell = "**" + cell + "**"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteByte('\n')
	}
	if rows == 0 {
		return
	}
	what := "in which something is wrong or the targets differ"
	if o.All {
		what = "in all"
	}
	fmt.Fprintf(w, "<details><summary>%s %s</summary>\n\n| case |", Plural(rows, "case"), what)
	for _, t := range l.Targets {
		fmt.Fprintf(w, " %s |", mdText(t.Name))
	}
	fmt.Fprintf(w, "\n|---|%s\n%s\n</details>\n\n", strings.Repeat("---|", len(l.Targets)), b.String())
}

// markdown is the block of one failure, folded.
func (b block) markdown(w io.Writer, l *Log) {
	f := b.Detail.Failure
	if f == nil {
		f = &record.Failure{}
	}
	fmt.Fprintf(w, "<details><summary><b>%s</b> %s, %s (%s)</summary>\n\n", strings.ToUpper(string(b.Verdict)),
		mdText(b.Case), mdText(b.Target), mdText(b.binding()))
	if f.Prose != "" {
		fmt.Fprintf(w, "%s\n\n", mdText(f.Prose))
	}
	var text strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-8s%s\n", name, Clean(value))
		}
	}
	row("at", f.Line)
	row("clause", f.Clause)
	row("want", f.Want)
	row("got", f.Got)
	row("diff", f.Diff)
	row("bytes", f.Bytes)
	row("where", f.Where)
	if f.Want == "" {
		row("why", b.Why)
	}
	for line := range strings.Lines(lastLines(f.Log)) {
		row("log", strings.TrimSuffix(line, "\n"))
	}
	row("others", b.others(l))
	row("repeat", f.Repeat)
	fence := "```"
	for strings.Contains(text.String(), fence) { // a peer's text must not end the block
		fence += "`"
	}
	fmt.Fprintf(w, "%stext\n%s%s\n\n</details>\n", fence, text.String(), fence)
}

// mdText is a text within a line of Markdown, with nothing in it that Markdown or HTML gives a meaning.
func mdText(s string) string {
	var b strings.Builder
	for _, r := range Clean(s) {
		if strings.ContainsRune("&<>\"'\\`*_[]|~#!@", r) { // an @ would call somebody by their name
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
