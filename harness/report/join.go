package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// Join puts several runs side by side as one log: a matrix of cases and targets. A target of the same name in two runs
// is told apart by its version, else by the directory of its log, else by a number. The logs are used up: their results
// bear the new names.
func Join(logs ...*Log) *Log {
	if len(logs) == 1 {
		return logs[0]
	}
	all := &Log{Targets: []Target{}, Results: []Result{}, Notes: []string{}, Summary: &record.Summary{}, Runs: logs}
	var paths []string
	for i, l := range logs {
		paths = append(paths, l.Path)
		for _, t := range l.Targets {
			t.Run, t.As = i, t.Name
			all.Targets = append(all.Targets, t)
		}
		all.Summary = merged(all.Summary, l.Summary, i == 0)
	}
	all.Path = strings.Join(paths, ", ")
	if all.Summary != nil {
		all.Summary.Log = all.Path
	}
	all.distinguish()
	for i, l := range logs {
		for _, n := range l.Notes {
			all.Notes = append(all.Notes, l.Path+": "+n)
		}
		named := make(map[string]string)
		for _, t := range all.Targets {
			if t.Run == i {
				named[t.As] = t.Name
			}
		}
		for _, r := range l.Results {
			r.Target = named[r.Target]
			all.Results = append(all.Results, r)
		}
		for _, s := range l.Simulations {
			s.Run, s.Number = i, len(all.Simulations)
			all.Simulations = append(all.Simulations, s)
		}
		for _, b := range l.Benches {
			b.Run, b.Number = i, len(all.Benches)
			all.Benches = append(all.Benches, b)
		}
	}
	all.sort()
	return all
}

// distinguish gives each target a name of its own.
func (l *Log) distinguish() {
	taken := make(map[string]bool)
	for i, t := range l.Targets {
		var twins []Target
		for _, other := range l.Targets {
			if other.As == t.As {
				twins = append(twins, other)
			}
		}
		name := t.As
		if len(twins) > 1 {
			for _, mark := range []func(Target) string{version, l.directory} {
				marks := make(map[string]bool)
				for _, twin := range twins {
					marks[mark(twin)] = true
				}
				if len(marks) == len(twins) && !marks[""] {
					name += "@" + mark(t)
					break
				}
			}
		}
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s#%d", t.As, n)
		}
		taken[name] = true
		l.Targets[i].Name = name
	}
}

// version is the last word of what a target said of itself: v0.42.1 of "go-libp2p v0.42.1".
func version(t Target) string {
	words := strings.Fields(t.Version)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// directory is the name of the directory of a target's log.
func (l *Log) directory(t Target) string {
	return filepath.Base(filepath.Dir(l.Runs[t.Run].Path))
}

// merged adds the summary of one more run; it is nil where a run did not end. The profile is that of all of them, else
// none.
func merged(a, b *record.Summary, first bool) *record.Summary {
	if a == nil || b == nil {
		return nil
	}
	sum := record.Summary{
		Passed: a.Passed + b.Passed, Failed: a.Failed + b.Failed, Warned: a.Warned + b.Warned, Expected: a.Expected + b.Expected,
		Unsupported: a.Unsupported + b.Unsupported, Skipped: a.Skipped + b.Skipped, Errors: a.Errors + b.Errors,
		Exit: max(a.Exit, b.Exit),
	}
	if first || a.Profile == b.Profile {
		sum.Profile = b.Profile
	}
	return &sum
}

// parts are the runs of which the log consists: itself where it is one.
func (l *Log) parts() []*Log {
	if l.Runs != nil {
		return l.Runs
	}
	return []*Log{l}
}

// Directories are those in which the logs lie, with the inputs of the runs beside them.
func (l *Log) Directories() []string {
	var dirs []string
	for _, part := range l.parts() {
		dirs = append(dirs, filepath.Dir(part.Path))
	}
	return dirs
}

// run is the run of a target.
func (l *Log) run(t Target) *Log { return l.parts()[t.Run] }

// Cases are the ids of all cases with a verdict, sorted.
func (l *Log) Cases() []string {
	var ids []string
	for _, r := range l.Results { // sorted by case
		if len(ids) == 0 || ids[len(ids)-1] != r.Case {
			ids = append(ids, r.Case)
		}
	}
	return ids
}

// place is where a verdict stands in the matrix.
type place struct{ id, target, profile string }

// index finds verdicts by their place. The log is not to be changed any more.
func (l *Log) index() map[place]*Result {
	if l.at == nil {
		l.at = make(map[place]*Result, len(l.Results))
		for i := range l.Results {
			r := &l.Results[i]
			l.at[place{r.Case, r.Target, r.Profile}] = r
		}
	}
	return l.at
}

// rivals are the verdicts of one case in one profile, in the order of the targets; nil where there is none.
func (l *Log) rivals(at map[place]*Result, id, profile string) []*Result {
	row := make([]*Result, len(l.Targets))
	for i, t := range l.Targets {
		row[i] = at[place{id, t.Name, profile}]
	}
	return row
}

// telling says whether a row of the matrix is worth a look: something is wrong in it, or the targets differ.
func telling(row []*Result) bool {
	return slices.ContainsFunc(row, func(r *Result) bool { return r != nil && severity(r.Verdict) > 0 }) ||
		slices.ContainsFunc(row, func(r *Result) bool {
			return (r == nil) != (row[0] == nil) || r != nil && r.Verdict != row[0].Verdict
		})
}

// area is the part of a case's id before its first slash.
func area(id string) string {
	before, _, _ := strings.Cut(id, "/")
	return before
}
