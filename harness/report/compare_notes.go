package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// notes say what else differs between the sides than what is to be compared, and what else spoils the comparison.
func (c *Comparison) notes() {
	for _, n := range []struct {
		what string
		of   func(*Log) []string
	}{
		{"the machines differ", func(l *Log) []string {
			return []string{fmt.Sprintf("%s, %s, %s", l.Run.OS, Plural(l.Run.CPUs, "CPU"), l.Run.Go)}
		}},
		{"the versions differ", (*Log).versions},
		{"the seeds differ", func(l *Log) []string { return []string{fmt.Sprint(l.Run.Seed)} }},
		{"what was asked differs", c.asked()},
	} {
		if a, b := onlyOf(c.A, c.B, n.of), onlyOf(c.B, c.A, n.of); a != b {
			c.Notes = append(c.Notes, fmt.Sprintf("%s: %s in A, %s in B", n.what, a, b))
		}
	}
	if a, b := foreign(c.A), foreign(c.B); max(a, b) > muchForeign {
		c.Notes = append(c.Notes, fmt.Sprintf("others kept up to %s of the processors busy in A, and %s in B: a part of the differences may be theirs", percentOf(a), percentOf(b)))
	}
}

// onlyOf is what one side has of something and the other has not.
func onlyOf(side, other []*Log, what func(*Log) []string) string {
	var found, theirs []string
	for _, l := range other {
		theirs = append(theirs, what(l)...)
	}
	for _, l := range side {
		for _, s := range what(l) {
			if !slices.Contains(found, s) && !slices.Contains(theirs, s) {
				found = append(found, s)
			}
		}
	}
	slices.Sort(found)
	return cmp.Or(strings.Join(found, ", "), "none of it")
}

// versions of kadbench and of the targets.
func (l *Log) versions() []string {
	return append([]string{"kadbench " + l.Run.Version}, l.targetVersions()...)
}

// targetVersions are those of targets that were held to cases, and of those under load.
func (l *Log) targetVersions() (list []string) {
	add := func(name, version string) {
		if text := name + " " + version; version != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, t := range l.Targets {
		add(t.Name, t.Version)
	}
	for _, b := range l.Benches {
		add(b.Target, b.Version)
	}
	return list
}

// asked are the settings with which a log asked what both sides asked: a figure of another rate is another figure.
func (c *Comparison) asked() func(*Log) []string {
	var of [2][]string
	for i, side := range [][]*Log{c.A, c.B} {
		for _, l := range side {
			l.eachAsked(func(name string, _ []record.Setting) { of[i] = append(of[i], name) })
		}
	}
	return func(l *Log) (list []string) {
		l.eachAsked(func(name string, world []record.Setting) {
			if !slices.Contains(of[0], name) || !slices.Contains(of[1], name) {
				return
			}
			for _, s := range world {
				list = append(list, name+": "+s.Name+" "+s.Value)
			}
		})
		return list
	}
}

// eachAsked calls f with each plan and point of a log and its settings.
func (l *Log) eachAsked(f func(name string, world []record.Setting)) {
	name := func(plan string, point []record.Setting) string {
		return strings.TrimSpace(plan + " " + pointOf(point))
	}
	for _, b := range l.Benches {
		f(name(b.Plan, b.Point), b.World)
	}
	for _, s := range l.Simulations {
		f(name(s.Plan, s.Point), s.World)
	}
}

// foreign is the most that others kept busy of the processors in a turn of a load that counts.
func foreign(side []*Log) (most float64) {
	for _, l := range side {
		for _, b := range l.Benches {
			for _, t := range b.counted() {
				if t.Foreign != nil {
					most = max(most, *t.Foreign)
				}
			}
		}
	}
	return most
}
