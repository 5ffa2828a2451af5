package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/record"
)

// What CI systems read of simulations and loads: a suite for each run, a testcase for each need of its plan. A run that did
// not come to its end is an error, or skipped where whoever ran it interrupted it.

// judged is a run with what was needed of it.
type judged struct {
	Name       string
	Run        int // which of the logs
	Seed       uint64
	Took       time.Duration
	Needs      []record.NeedGot
	Broken     string
	Stopped    bool // interrupted
	Repeat     string
	Properties []junitProperty
}

// judged are the simulations, then the loads.
func (l *Log) judged() (list []judged) {
	for _, s := range l.Simulations {
		j := judged{Name: s.Name(), Run: s.Run, Seed: s.Seed, Broken: s.Broken(), Repeat: s.Repeat}
		if s.Target != "" && s.value("target") == "" {
			j.Name += ", " + s.Target
		}
		if o := s.Outcome; o != nil {
			j.Took, j.Needs, j.Stopped = o.Cost.Ready+o.Cost.Ran, o.Needs, o.Stopped
			j.Properties = []junitProperty{{"digest", Clean(o.Digest)}}
		}
		list = append(list, j)
	}
	for _, b := range l.Benches {
		j := judged{Name: b.Name(), Run: b.Run, Seed: b.Seed, Broken: b.Broken(), Repeat: b.Repeat, Took: b.total().Span}
		if b.Measured != nil {
			j.Needs = b.Measured.Needs
		}
		if b.Version != "" {
			j.Properties = []junitProperty{{"version", Clean(b.Version)}}
		}
		list = append(list, j)
	}
	return list
}

// needSuite is one run for JUnit.
func (l *Log) needSuite(s judged) junitSuite {
	suite := junitSuite{Name: Clean(s.Name), Time: seconds(s.Took), Timestamp: l.parts()[s.Run].timestamp(), Properties: append(l.parts()[s.Run].properties(), s.Properties...)}
	suite.Properties[0].Value = fmt.Sprint(s.Seed)
	add := func(c junitCase) {
		c.Class, c.Time = suite.Name, seconds(0)
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
	}
	for _, n := range s.Needs {
		note := &junitNote{Message: Clean(needText(n)), Type: "need", Text: needNote(s, n)}
		c := junitCase{Name: Clean(n.Text)}
		switch n.Verdict {
		case record.Pass:
			c.Output = &junitValue{Text: Clean(n.Got)}
		case record.Skipped:
			c.Skipped, note.Type, note.Text = note, "", ""
			suite.Skipped++
		default:
			c.Failure = note
			suite.Failures++
		}
		add(c)
	}
	if s.Broken != "" {
		c, note := junitCase{Name: "run"}, &junitNote{Message: Clean(s.Broken)}
		if s.Stopped {
			c.Skipped = note
			suite.Skipped++
		} else {
			note.Type, note.Text = "run", Clean(s.Broken)
			c.Error = note
			suite.Errors++
		}
		add(c)
	}
	if suite.Tests == 0 { // it had no needs: that it came to its end is what it shows
		add(junitCase{Name: "run"})
	}
	return suite
}

// needNote is what a log viewer shows of a need that was missed.
func needNote(s judged, n record.NeedGot) string {
	var b strings.Builder
	for _, row := range [][2]string{{"at", n.Line}, {"want", n.Text}, {"got", n.Got}, {"why", n.Why}, {"repeat", s.Repeat}} {
		if row[1] != "" {
			fmt.Fprintf(&b, "\n%-8s%s", row[0], Clean(row[1]))
		}
	}
	return b.String() + "\n"
}

// tapNeeds is one run as a subtest. It says whether all of it is ok.
func tapNeeds(w io.Writer, s judged) bool {
	n, good := 0, true
	point := func(ok bool, text string) {
		n++
		good = good && ok
		fmt.Fprintf(w, "    %s %d - %s\n", tapOK(ok), n, text)
	}
	for _, need := range s.Needs {
		switch need.Verdict {
		case record.Pass:
			point(true, tapText(need.Text))
		case record.Skipped:
			point(true, tapText(need.Text)+" # SKIP "+tapText(need.Why))
		default:
			point(false, tapText(need.Text))
			tapNote(w, "      ", [][2]string{{"at", need.Line}, {"want", need.Text}, {"got", need.Got}, {"message", need.Why}, {"repeat", s.Repeat}})
		}
	}
	switch {
	case s.Broken != "" && s.Stopped:
		point(true, "run # SKIP "+tapText(s.Broken))
	case s.Broken != "":
		point(false, "run "+tapText(s.Broken))
	case n == 0:
		point(true, "run")
	}
	fmt.Fprintf(w, "    1..%d\n", n)
	return good
}
