package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// What CI systems read of simulations: a suite for each run, a testcase for each need of its plan. A run that did not come
// to its end is an error, or skipped where whoever ran it interrupted it.

// needSuite is one run for JUnit.
func (l *Log) needSuite(s *Simulation) junitSuite {
	suite := junitSuite{Name: Clean(s.Name()), Time: seconds(0), Timestamp: l.parts()[s.Run].timestamp(), Properties: l.parts()[s.Run].properties()}
	suite.Properties[0].Value = fmt.Sprint(s.Seed)
	add := func(c junitCase) {
		c.Class, c.Time = suite.Name, seconds(0)
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
	}
	if o := s.Outcome; o != nil {
		suite.Time = seconds(o.Cost.Ready + o.Cost.Ran)
		suite.Properties = append(suite.Properties, junitProperty{"digest", Clean(o.Digest)})
		for _, n := range o.Needs {
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
	}
	if why := s.Broken(); why != "" {
		c, note := junitCase{Name: "run"}, &junitNote{Message: Clean(why)}
		if s.Outcome != nil && s.Outcome.Stopped {
			c.Skipped = note
			suite.Skipped++
		} else {
			note.Type, note.Text = "run", Clean(why)
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
func needNote(s *Simulation, n record.NeedGot) string {
	var b strings.Builder
	for _, row := range [][2]string{{"at", n.Line}, {"want", n.Text}, {"got", n.Got}, {"why", n.Why}, {"repeat", s.Repeat}} {
		if row[1] != "" {
			fmt.Fprintf(&b, "\n%-8s%s", row[0], Clean(row[1]))
		}
	}
	return b.String() + "\n"
}

// tapNeeds is one run as a subtest. It says whether all of it is ok.
func tapNeeds(w io.Writer, s *Simulation) bool {
	n, good := 0, true
	point := func(ok bool, text string) {
		n++
		good = good && ok
		fmt.Fprintf(w, "    %s %d - %s\n", tapOK(ok), n, text)
	}
	if s.Outcome != nil {
		for _, need := range s.Outcome.Needs {
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
	}
	switch why := s.Broken(); {
	case why != "" && s.Outcome != nil && s.Outcome.Stopped:
		point(true, "run # SKIP "+tapText(why))
	case why != "":
		point(false, "run "+tapText(why))
	case n == 0:
		point(true, "run")
	}
	fmt.Fprintf(w, "    1..%d\n", n)
	return good
}

// markdownSimulations is a table of figures for each plan, its needs, and the cost folded.
func (l *Log) markdownSimulations(w io.Writer, o Options) {
	for _, e := range l.experiments() {
		first := e.Runs[0]
		fmt.Fprintf(w, "### %s\n\n%s nodes, seed %d", mdText(e.Plan), count(uint64(first.Nodes)), first.Seed)
		if text := e.world(); text != "" {
			fmt.Fprintf(w, ", %s", mdText(text))
		}
		fmt.Fprint(w, "\n\n")
		for _, s := range e.Runs {
			if why := s.Broken(); why != "" {
				fmt.Fprintf(w, "> %s%s\n\n", mdText(e.which(s)), mdText(why))
			}
		}
		g := e.outcomes()
		if len(g.Rows) > maxRuns {
			fmt.Fprintf(w, "The first %d of %d rows:\n\n", maxRuns, len(g.Rows))
			g.Rows = g.Rows[:maxRuns]
		}
		if len(g.Rows) > 0 {
			g.markdown(w)
		}
		e.markdownNeeds(w, o)
		if costs := e.costs(); len(costs.Rows) > 0 && len(costs.Rows) <= maxRuns {
			fmt.Fprint(w, "<details><summary>what it cost</summary>\n\n")
			costs.markdown(w)
			fmt.Fprint(w, "</details>\n\n")
		}
	}
}

func (g grid) markdown(w io.Writer) {
	line := func(cells []string) {
		for _, c := range cells {
			fmt.Fprintf(w, "| %s ", mdText(c))
		}
		fmt.Fprint(w, "|\n")
	}
	line(g.Head)
	for i := range g.Head {
		fmt.Fprint(w, map[bool]string{true: "|---", false: "|--:"}[i < g.Left])
	}
	fmt.Fprint(w, "|\n")
	for _, row := range g.Rows {
		line(row)
	}
	fmt.Fprintln(w)
}

// markdownNeeds lists the needs that were not met, of a single run all.
func (e *experiment) markdownNeeds(w io.Writer, o Options) {
	held, shown, left := 0, 0, 0
	for _, s := range e.Runs {
		if s.Outcome == nil {
			continue
		}
		for _, n := range s.Outcome.Needs {
			if n.Verdict == record.Pass && len(e.Runs) > 1 && !o.All {
				held++
				continue
			}
			if shown == maxMarkdownBlocks {
				left++
				continue
			}
			shown++
			word, _ := needWord(n.Verdict)
			mark := map[string]string{"held": "✅", "open": "⚪"}[word]
			if mark == "" {
				mark = "❌"
			}
			fmt.Fprintf(w, "- %s %s **%s** %s\n", mark, word, mdText(n.Text), mdText(e.which(s)+strings.TrimLeft(strings.TrimPrefix(needText(n), n.Text), ",: ")))
		}
	}
	if left > 0 {
		fmt.Fprintf(w, "- %s more: `kadbench report` shows them\n", Plural(left, "need"))
	}
	if held > 0 {
		fmt.Fprintf(w, "- ✅ %s held\n", Plural(held, "need"))
	}
	fmt.Fprintln(w)
}
