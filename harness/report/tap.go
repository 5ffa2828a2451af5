package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// TAP writes the log as TAP version 14: a subtest for each target in the profile that decides (with All, in each), a
// test point for each case, and one more where the run itself went wrong. What is known to fail is "todo", what was not
// judged a SKIP with the reason; a warning is ok, and says what it warns of.
func TAP(w io.Writer, l *Log, o Options) error {
	o = o.withDefaults(l)
	bw := bufio.NewWriter(w)
	fmt.Fprintln(bw, "TAP version 14")
	n := 0
	for _, t := range l.Targets {
		for _, p := range l.Profiles() {
			if !o.All && p != o.Profile {
				continue
			}
			count := l.Count(t.Name, p)
			if count.Total() == 0 {
				continue
			}
			n++
			name := tapText(t.Name + " " + p)
			fmt.Fprintf(bw, "# Subtest: %s\n", name)
			l.tapSuite(bw, t, p)
			fmt.Fprintf(bw, "%s %d - %s\n", tapOK(count.Failed+count.Errors == 0), n, name)
		}
	}
	for _, s := range l.judged() {
		n++
		fmt.Fprintf(bw, "# Subtest: %s\n", tapText(s.Name))
		ok := tapNeeds(bw, s)
		fmt.Fprintf(bw, "%s %d - %s\n", tapOK(ok), n, tapText(s.Name))
	}
	for _, part := range l.parts() {
		for _, c := range part.runSuite().Cases {
			n++
			fmt.Fprintf(bw, "not ok %d - run %s\n", n, tapText(part.Path))
			tapNote(bw, "  ", [][2]string{{"message", c.Error.Text}})
		}
	}
	fmt.Fprintf(bw, "1..%d\n", n)
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// tapSuite is the cases of one target in one profile, four blanks in, as TAP has its subtests.
func (l *Log) tapSuite(w io.Writer, t Target, profile string) {
	n := 0
	for _, r := range l.Results {
		if r.Target != t.Name || r.Profile != profile {
			continue
		}
		n++
		ok, directive := true, ""
		switch r.Verdict {
		case record.Pass, record.Warn:
		case record.Unsupported, record.Skipped:
			directive = " # SKIP " + string(r.Verdict) + ": " + tapText(r.Why)
		case record.XFail:
			ok, directive = false, " # todo "+tapText(r.Why)
		default:
			ok = false
		}
		fmt.Fprintf(w, "    %s %d - %s%s\n", tapOK(ok), n, tapText(r.Case), directive)
		if severity(r.Verdict) == 0 {
			continue
		}
		rows := [][2]string{{"verdict", string(r.Verdict)}, {"level", r.Level}, {"message", r.Why}}
		if f := r.Detail.Failure; f != nil {
			rows = append(rows, [][2]string{{"at", f.Line}, {"clause", f.Clause}, {"want", f.Want}, {"got", f.Got}, {"diff", f.Diff},
				{"bytes", f.Bytes}, {"where", f.Where}, {"repeat", f.Repeat}}...)
		}
		tapNote(w, "      ", rows)
	}
	fmt.Fprintf(w, "    1..%d\n", n)
}

// tapNote is a block of YAML below a test point. Its values are JSON strings, which are YAML too.
func tapNote(w io.Writer, indent string, rows [][2]string) {
	fmt.Fprintf(w, "%s---\n", indent)
	for _, row := range rows {
		if row[1] == "" {
			continue
		}
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.Encode(Clean(row[1])) // a string always encodes
		fmt.Fprintf(w, "%s%s: %s", indent, row[0], b.String())
	}
	fmt.Fprintf(w, "%s...\n", indent)
}

func tapOK(ok bool) string {
	if ok {
		return "ok"
	}
	return "not ok"
}

// tapText escapes what TAP gives a meaning within a line: a backslash, and the hash that begins a directive.
func tapText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "#", `\#`).Replace(Clean(s))
}
