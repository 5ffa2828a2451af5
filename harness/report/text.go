package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// Limits of a text report: what a person reads.
const (
	maxLogLines = 10 // of a target's stderr, the last ones
	maxReasons  = 8  // of unsupported and skipped cases, the most frequent ones
)

// Text writes a report to read: one block for each case that did not pass, then a table of counts, then the counts in
// one line with the path of the log.
func Text(w io.Writer, l *Log, o Options) error {
	o = o.withDefaults(l)
	bw := bufio.NewWriter(w)
	for _, b := range blocks(l, o.Profile) {
		b.write(bw, l, o)
	}
	writeObserved(bw, l, o)
	writeReasons(bw, l, o)
	writeMatrix(bw, l, o)
	writeTable(bw, l, o)
	writeSimulations(bw, l, o)
	writeBenches(bw, l, o)
	for _, part := range l.parts() {
		line := fmt.Sprintf("seed %d, kadbench %s, %s, %s", part.Run.Seed, Clean(part.Run.Version), Clean(part.Run.Go), Clean(part.Run.OS))
		if l.Runs != nil {
			line = Clean(part.Path) + ": " + line
		}
		fmt.Fprintln(bw, o.paint(dim, line))
	}
	for _, n := range l.Notes {
		fmt.Fprintf(bw, "note: %s\n", Clean(n))
	}
	for _, part := range l.parts() {
		of := ""
		if l.Runs != nil {
			of = Clean(part.Path) + ": "
		}
		switch {
		case part.Summary == nil:
			fmt.Fprintf(bw, "note: %sthe run did not end; what is here is what there was until then\n", of)
		case part.Summary.Exit == 130:
			fmt.Fprintf(bw, "note: %sthe run was interrupted; what is here is what there was until then\n", of)
		}
	}
	if l.measures() {
		fmt.Fprintln(bw, NeedsLine(l))
	}
	if !l.measures() || len(l.Results) > 0 {
		fmt.Fprintln(bw, LastLine(l.Count("", o.Profile)))
	}
	return bw.Flush()
}

// LastLine is the counts and the path of the log, the form which scripts read.
func LastLine(s record.Summary) string { return s.String() + "; log " + Clean(s.Log) }

// Block is the block of one result that did not pass, as the text report has it, without the verdicts of others.
func Block(r record.Result) string {
	return strings.Trim((&Log{}).blockText(Result{Result: r, Detail: r.Detail}), "\n")
}

// block is a failure of one case for one target, with every profile in which it failed in just this way.
type block struct {
	Result
	profiles []string
	levels   []string // by profile
}

// blocks finds what a profile's report shows, the failures before the warnings, else in the order of the log.
func blocks(l *Log, profile string) []block {
	var found []block
	for _, r := range l.Results {
		if r.Profile == profile && severity(r.Verdict) > 0 {
			found = append(found, block{Result: r})
		}
	}
	slices.SortStableFunc(found, func(a, b block) int { return cmp.Compare(severity(b.Verdict), severity(a.Verdict)) })
	for i := range found {
		b := &found[i]
		for _, r := range l.Results {
			if r.Case == b.Case && r.Target == b.Target && severity(r.Verdict) > 0 && r.Why == b.Why &&
				reflect.DeepEqual(r.Detail.Failure, b.Detail.Failure) {
				b.profiles, b.levels = append(b.profiles, r.Profile), append(b.levels, r.Level)
			}
		}
	}
	return found
}

// severity orders the verdicts that a report shows; 0 is not shown.
func severity(v record.Verdict) int {
	switch v {
	case record.Warn:
		return 1
	case record.Fail, record.XPass, record.Errored:
		return 2
	}
	return 0
}

// binding is how the clause binds in which profile: "should: amino", or "must: base amino, should: defacto".
func (b block) binding() string {
	var parts []string
	for _, level := range slices.Compact(slices.Sorted(slices.Values(b.levels))) {
		var in []string
		for i, p := range b.profiles {
			if b.levels[i] == level {
				in = append(in, p)
			}
		}
		parts = append(parts, level+": "+strings.Join(in, " "))
	}
	return strings.Join(parts, ", ")
}

// write prints the block: its first line names verdict, case, target and place; the rest is indented, each row with
// its name in a column of eight.
func (b block) write(w io.Writer, l *Log, o Options) {
	f := b.Detail.Failure
	if f == nil {
		f = &record.Failure{}
	}
	verdict := strings.ToUpper(string(b.Verdict))
	color := red
	if b.Verdict == record.Warn {
		color = yellow
	}
	rest := fmt.Sprintf("%s  (%s)", Clean(b.Target), b.binding())
	id := Clean(b.Case)
	head := fmt.Sprintf("%-5s %s  %s", verdict, id, rest)
	place := Clean(f.Line)
	fmt.Fprintf(w, "%s %s  %s", o.paint(color, fmt.Sprintf("%-5s", verdict)), o.paint(bold, id), rest)
	if gap := o.Width - width(head) - width(place); place != "" && gap >= 2 {
		fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", gap), o.paint(dim, place))
	} else if fmt.Fprintln(w); place != "" {
		fmt.Fprintf(w, "  %s\n", o.paint(dim, place))
	}
	for _, line := range wrap(Clean(f.Prose), o.Width-2) {
		if line != "" {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	row := func(name, text string) {
		if text == "" {
			return
		}
		for i, line := range wrap(text, o.Width-10) {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(w, "  %s%s\n", o.paint(dim, fmt.Sprintf("%-8s", name)), line)
		}
	}
	row("clause", Clean(f.Clause))
	row("want", Clean(f.Want))
	got, diff := Clean(f.Got), Clean(f.Diff)
	if gap := o.Width - 10 - width(got) - width(diff); got != "" && diff != "" && gap >= 2 {
		fmt.Fprintf(w, "  %s%s%s%s\n", o.paint(dim, "got     "), got, strings.Repeat(" ", min(gap, 6)), o.paint(color, diff))
	} else {
		row("got", got)
		for _, line := range wrap(diff, o.Width-10) {
			if line != "" {
				fmt.Fprintf(w, "%10s%s\n", "", o.paint(color, line))
			}
		}
	}
	if f.Bytes != "" {
		where := Clean(f.Where)
		if where != "" {
			where = "   (" + where + ")"
		}
		row("", Clean(f.Bytes)+where)
	}
	if b.Why != "" && (b.Detail.Failure == nil || f.Want == "") { // else want and got say it
		row("why", Clean(b.Why))
	}
	b.writeLog(w, f.Log, o)
	if others := b.others(l); others != "" {
		row("others", others)
	}
	if f.Repeat != "" { // never broken into lines: it is there to be copied
		fmt.Fprintf(w, "  %s%s\n", o.paint(dim, "repeat  "), Clean(f.Repeat))
	}
	fmt.Fprintln(w)
}

// writeLog prints the last lines of what the target wrote to its stderr.
func (b block) writeLog(w io.Writer, log string, o Options) {
	name := "log"
	for line := range strings.Lines(lastLines(log)) {
		line = Clean(strings.TrimSuffix(line, "\n"))
		fmt.Fprintf(w, "  %s%s\n", o.paint(dim, fmt.Sprintf("%-8s", name)), line[:cutAt(line, o.Width-10)])
		name = ""
	}
}

// lastLines is the end of what a target wrote to its stderr: as much as a report shows.
func lastLines(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-maxLogLines):], "\n")
}

// others are the verdicts of the other targets on this case, where the run had several.
func (b block) others(l *Log) string {
	var parts []string
	for _, t := range l.Targets {
		for _, r := range l.Results {
			if r.Target == t.Name && t.Name != b.Target && r.Case == b.Case && r.Profile == b.Profile {
				parts = append(parts, Clean(t.Name)+" "+string(r.Verdict))
				break
			}
		}
	}
	return strings.Join(parts, " · ")
}
