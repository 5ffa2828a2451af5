package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/record"
)

// The JUnit form that CI systems read: a suite for each target, a testcase for each case with the class name
// target.profile. Only the profile that decides the run is there, unless all are asked for: a CI system counts every
// failure it sees, and shall come to the verdict of the exit code. A warning passes, with its block as output; an
// expected failure, a case that is unsupported and one that was skipped are skipped, with the reason. What went wrong
// with the run itself is an error in a suite of its own, since a run whose target was lost has nothing but skipped cases.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string      `xml:"name,attr"`
		Class   string      `xml:"classname,attr"`
		Time    string      `xml:"time,attr"`
		Failure *junitNote  `xml:"failure"`
		Error   *junitNote  `xml:"error"`
		Skipped *junitNote  `xml:"skipped"`
		Output  *junitValue `xml:"system-out"`
	}
	junitNote struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",cdata"`
	}
	junitValue struct {
		Text string `xml:",cdata"`
	}
)

// JUnit writes the log as JUnit XML.
func JUnit(w io.Writer, l *Log, o Options) error {
	o = o.withDefaults(l)
	all := junitSuites{Name: "kadbench"}
	add := func(s junitSuite) {
		if s.Tests == 0 {
			return
		}
		all.Tests, all.Failures = all.Tests+s.Tests, all.Failures+s.Failures
		all.Errors, all.Skipped = all.Errors+s.Errors, all.Skipped+s.Skipped
		all.Suites = append(all.Suites, s)
	}
	for _, t := range l.Targets {
		for _, p := range l.Profiles() {
			if o.All || p == o.Profile {
				add(l.suite(t, p))
			}
		}
	}
	for _, s := range l.judged() {
		add(l.needSuite(s))
	}
	for _, part := range l.parts() {
		add(part.runSuite())
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("report: junit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// suite is one target in one profile.
func (l *Log) suite(t Target, profile string) junitSuite {
	counts := l.Count(t.Name, profile)
	s := junitSuite{
		Name: Clean(t.Name) + "." + profile, Tests: counts.Total(), Failures: counts.Failed, Errors: counts.Errors,
		Skipped:    counts.Expected + counts.Unsupported + counts.Skipped,
		Timestamp:  l.run(t).timestamp(),
		Properties: append(l.run(t).properties(), junitProperty{"version", Clean(t.Version)}),
	}
	var took time.Duration
	for _, r := range l.Results {
		if r.Target != t.Name || r.Profile != profile {
			continue
		}
		took += r.Detail.Took
		c := junitCase{Name: Clean(r.Case), Class: s.Name, Time: seconds(r.Detail.Took)}
		note := &junitNote{Message: Clean(r.Why)}
		switch r.Verdict {
		case record.Pass:
		case record.Warn:
			c.Output = &junitValue{Text: l.blockText(r)}
		case record.XFail, record.Unsupported, record.Skipped:
			note.Message = string(r.Verdict) + ": " + note.Message
			c.Skipped = note
		case record.Fail, record.XPass:
			note.Type, note.Text = r.Level, l.blockText(r)
			c.Failure = note
		default:
			note.Type, note.Text = "harness", l.blockText(r)
			c.Error = note
		}
		s.Cases = append(s.Cases, c)
	}
	s.Time = seconds(took)
	return s
}

// runSuite has one error where the run itself went wrong, and is empty otherwise.
func (l *Log) runSuite() junitSuite {
	what := ""
	switch s := l.Summary; {
	case s == nil:
		what = "the run did not end"
	case s.Exit == 130:
		what = "the run was interrupted"
	case s.Exit == 5 && s.Failed > 0: // needs that were missed say it
	case s.Exit > 1 && s.Errors == 0, s.Exit == 1 && s.Failed == 0: // else the cases say it
		what = fmt.Sprintf("the run ended with exit code %d", s.Exit)
	}
	if what == "" {
		return junitSuite{}
	}
	s := junitSuite{Name: "kadbench.run", Tests: 1, Errors: 1, Time: seconds(0), Timestamp: l.timestamp(), Properties: l.properties()}
	note := &junitNote{Message: what, Type: "run", Text: what}
	reasons := slices.Clone(l.Notes)
	for _, r := range l.Results { // a lost target is told by the cases that it did not run
		if r.Verdict == record.Skipped && !slices.Contains(reasons, r.Why) {
			reasons = append(reasons, r.Why)
		}
	}
	for _, reason := range reasons {
		note.Text += "\n" + Clean(reason)
	}
	s.Cases = []junitCase{{Name: "run", Class: s.Name, Time: s.Time, Error: note}}
	return s
}

func (l *Log) timestamp() string { return l.Run.Started.UTC().Format("2006-01-02T15:04:05") }

func (l *Log) properties() []junitProperty {
	return []junitProperty{{"seed", fmt.Sprint(l.Run.Seed)}, {"kadbench", l.Run.Version}}
}

// blockText is the block of the text report, for a log viewer.
func (l *Log) blockText(r Result) string {
	var b strings.Builder
	b.WriteByte('\n')
	block{Result: r, profiles: []string{r.Profile}, levels: []string{r.Level}}.write(&b, l, Options{Width: 120})
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
