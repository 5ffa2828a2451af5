package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/record"
)

// The JUnit form that CI systems read: a suite for each target and profile, a testcase for each case with the class
// name target.profile. A warning passes, with its block as output; an expected failure, a case that is unsupported and
// one that was skipped are skipped, with the reason.
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
func JUnit(w io.Writer, l *Log) error {
	all := junitSuites{Name: "kadbench"}
	for _, t := range l.Targets {
		for _, p := range l.Profiles() {
			if s := l.suite(t, p); s.Tests > 0 {
				all.Tests, all.Failures = all.Tests+s.Tests, all.Failures+s.Failures
				all.Errors, all.Skipped = all.Errors+s.Errors, all.Skipped+s.Skipped
				all.Suites = append(all.Suites, s)
			}
		}
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
		Skipped:   counts.Expected + counts.Unsupported + counts.Skipped,
		Timestamp: l.Run.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"seed", fmt.Sprint(l.Run.Seed)}, {"version", Clean(t.Version)}, {"kadbench", l.Run.Version},
		},
	}
	var took time.Duration
	for _, r := range l.Results {
		if r.Target != t.Name || r.Profile != profile {
			continue
		}
		took += r.Detail.Took
		c := junitCase{Name: r.Case, Class: s.Name, Time: seconds(r.Detail.Took)}
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

// blockText is the block of the text report, for a log viewer.
func (l *Log) blockText(r Result) string {
	var b strings.Builder
	b.WriteByte('\n')
	block{Result: r, profiles: []string{r.Profile}, levels: []string{r.Level}}.write(&b, l, Options{Width: 120})
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
