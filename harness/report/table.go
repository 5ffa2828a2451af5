package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// writeTable prints a row for each target and profile. The profile that decides the exit code is marked.
func writeTable(w io.Writer, l *Log, o Options) {
	if len(l.Results) == 0 {
		return
	}
	nameWidth := len("target")
	for _, t := range l.Targets {
		nameWidth = max(nameWidth, width(Clean(t.Name)))
	}
	fmt.Fprintf(w, "%s\n", o.paint(dim, fmt.Sprintf("%-*s  %-8s  %5s %5s %5s %5s %5s %5s %5s",
		nameWidth, "target", "profile", "pass", "fail", "warn", "xfail", "unsup", "skip", "error")))
	for _, t := range l.Targets {
		for i, p := range l.Profiles() {
			s := l.Count(t.Name, p)
			name, version := "", ""
			if i == 0 {
				name, version = Clean(t.Name), Clean(t.Version)
			}
			mark := p
			if p == o.Profile {
				mark += "*"
			}
			row := fmt.Sprintf("%-*s  %-8s  %5d %s %s %5d %5d %5d %s", nameWidth, name, mark, s.Passed,
				o.count(s.Failed, red), o.count(s.Warned, yellow), s.Expected, s.Unsupported, s.Skipped, o.count(s.Errors, red))
			room := max(0, o.Width-nameWidth-55) // the row without its version has 53 columns beside the name
			fmt.Fprintln(w, strings.TrimRight(row+"  "+o.paint(dim, version[:cutAt(version, room)]), " "))
		}
	}
	if len(l.Profiles()) > 1 {
		fmt.Fprintln(w, o.paint(dim, "* the profile shown above and counted below; --profile chooses another"))
	}
}

// count is a number in a column of five, coloured where it is not zero.
func (o Options) count(n int, color string) string {
	s := fmt.Sprintf("%5d", n)
	if n == 0 {
		return s
	}
	return o.paint(color, s)
}

// writeObserved lists what cases of level may and info found: nothing there is right or wrong, but worth knowing to
// whoever asks for it. A line at which the first of several alternatives came is what most peers do; it stands in the
// log alone.
func writeObserved(w io.Writer, l *Log, o Options) {
	found := 0
	for _, r := range l.Results {
		if r.Profile != o.Profile || r.Verdict != record.Pass || r.Level != "may" && r.Level != "info" {
			continue
		}
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(r.Detail.Measured)) {
			value := r.Detail.Measured[name]
			if !strings.HasPrefix(name, "line ") || strings.Contains(value, " (") { // with the reason of an `or`
				parts = append(parts, Clean(name+"="+value))
			}
		}
		if r.Why != "" {
			parts = append(parts, Clean(r.Why))
		}
		if len(parts) == 0 {
			continue
		}
		found++
		if o.All {
			o.row(w, "observed", fmt.Sprintf("%s %s: %s", Clean(r.Target), r.Case, strings.Join(parts, ", ")))
		}
	}
	if found > 0 && !o.All {
		o.row(w, "observed", fmt.Sprintf("what came in %s of level may or info: report --all shows it", Plural(found, "case")))
	}
	if found > 0 {
		fmt.Fprintln(w)
	}
}

// row is a text under a name in a column of thirteen, wrapped.
func (o Options) row(w io.Writer, name, text string) {
	for i, line := range wrap(text, o.Width-13) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(w, "%s%s\n", o.paint(dim, fmt.Sprintf("%-13s", name)), line)
	}
}

// writeReasons sums up why cases were not judged: the reasons, the most frequent first.
func writeReasons(w io.Writer, l *Log, o Options) {
	any := false
	for _, v := range []record.Verdict{record.XFail, record.Unsupported, record.Skipped} {
		type reason struct{ target, why string }
		count := make(map[reason]int)
		for _, r := range l.Results {
			if r.Verdict == v && r.Profile == o.Profile {
				count[reason{r.Target, r.Why}]++
			}
		}
		reasons := slices.SortedFunc(maps.Keys(count), func(a, b reason) int {
			return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a.target, b.target), cmp.Compare(a.why, b.why))
		})
		shown := min(maxReasons, len(reasons))
		if o.All {
			shown = len(reasons)
		}
		for _, r := range reasons[:shown] {
			text := fmt.Sprintf("%s: %s (%s)", Clean(r.target), Clean(r.why), Plural(count[r], "case"))
			o.row(w, string(v), text)
		}
		if rest := len(reasons) - shown; rest > 0 {
			fmt.Fprintf(w, "%-13sand %s more: report --all shows them\n", "", Plural(rest, "reason"))
		}
		any = any || len(reasons) > 0
	}
	if any {
		fmt.Fprintln(w)
	}
}
