package report

import (
	"path/filepath"
	"slices"

	"github.com/kadbench/kadbench/harness/record"
)

// A mark is what may tell runs of equal settings apart.
type mark[R any] struct {
	name string
	of   func(R) string
}

// tellApart gives runs of equal names, as joined logs have them, one setting more: the first mark that differs between
// all of the same name.
func tellApart[R any](runs []R, name func(R) string, point func(R) *[]record.Setting, marks ...mark[R]) {
	named := make(map[string]int)
	for _, r := range runs {
		named[name(r)]++
	}
	if len(named) == len(runs) {
		return
	}
	for _, m := range marks {
		clear(named)
		for _, r := range runs {
			named[name(r)+" "+m.of(r)]++
		}
		if len(named) < len(runs) {
			continue
		}
		for _, r := range runs {
			p := point(r)
			*p = append(slices.Clone(*p), record.Setting{Name: m.name, Value: m.of(r)})
		}
		return
	}
}

// axes are the names of settings, in the order in which runs have them.
func axes(points ...[]record.Setting) (names []string) {
	for _, p := range points {
		for _, s := range p {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// cleaned are names for the head of a table.
func cleaned(names []string) (clean []string) {
	for _, n := range names {
		clean = append(clean, Clean(n))
	}
	return clean
}

// chosen is the value of a name; empty where there is none.
func chosen(point []record.Setting, name string) string {
	for _, p := range point {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// alike are the settings that all of several lists have.
func alike(lists ...[]record.Setting) (same []record.Setting) {
	for _, s := range lists[0] {
		if !slices.ContainsFunc(lists, func(l []record.Setting) bool { return !slices.Contains(l, s) }) {
			same = append(same, s)
		}
	}
	return same
}

// folder names the directory of one of the logs.
func (l *Log) folder(run int) string { return filepath.Base(filepath.Dir(l.parts()[run].Path)) }
