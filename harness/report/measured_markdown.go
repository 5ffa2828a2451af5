package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

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
		for _, g := range []grid{e.nodes(), e.ratios()} {
			if len(g.Rows) > 0 {
				g.markdown(w)
			}
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
	var list []whoseNeed
	for _, s := range e.Runs {
		if s.Outcome != nil {
			for _, n := range s.Outcome.Needs {
				list = append(list, whoseNeed{e.which(s), n})
			}
		}
	}
	markdownNeeds(w, list, len(e.Runs) == 1 || o.All)
}

// whoseNeed is a need with the run that had it.
type whoseNeed struct {
	whose string
	record.NeedGot
}

func markdownNeeds(w io.Writer, list []whoseNeed, all bool) {
	held, shown, left := 0, 0, 0
	for _, n := range list {
		if n.Verdict == record.Pass && !all {
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
		fmt.Fprintf(w, "- %s %s **%s** %s\n", mark, word, mdText(n.Text), mdText(n.whose+strings.TrimLeft(strings.TrimPrefix(needText(n.NeedGot), n.Text), ",: ")))
	}
	if left > 0 {
		fmt.Fprintf(w, "- %s more: `kadbench report` shows them\n", Plural(left, "need"))
	}
	if held > 0 {
		fmt.Fprintf(w, "- ✅ %s held\n", Plural(held, "need"))
	}
	fmt.Fprintln(w)
}

// markdownBenches are the three tables of each plan, what makes them less than they look, and the needs.
func (l *Log) markdownBenches(w io.Writer, o Options) {
	for _, t := range l.trials() {
		first := t.Runs[0]
		fmt.Fprintf(w, "### %s\n\n%s, %s, seed %d", mdText(t.Plan), Plural(len(t.targets()), "target"), Plural(first.Rounds, "round"), first.Seed)
		if text := t.world(); text != "" {
			fmt.Fprintf(w, ", %s", mdText(text))
		}
		fmt.Fprint(w, "\n\n")
		for _, b := range t.Runs {
			if why := b.Broken(); why != "" {
				fmt.Fprintf(w, "> %s\n\n", mdText(t.which(b)+why))
			}
		}
		for _, g := range t.tables() {
			if len(g.Rows) > 0 && len(g.Rows) <= maxRuns {
				g.markdown(w)
			}
		}
		var list []whoseNeed
		for _, b := range t.Runs {
			for _, line := range t.remarks(b) {
				fmt.Fprintf(w, "- %s: %s\n", line[0], mdText(t.which(b)+line[1]))
			}
			if b.Measured != nil {
				for _, n := range b.Measured.Needs {
					list = append(list, whoseNeed{t.which(b), n})
				}
			}
		}
		for _, text := range t.doubts(l) {
			fmt.Fprintf(w, "- note: %s\n", mdText(text))
		}
		fmt.Fprintln(w)
		markdownNeeds(w, list, len(t.Runs) == 1 || o.All)
		if first.Repeat != "" {
			fmt.Fprintf(w, "Repeat: <code>%s</code>\n\n", mdText(first.Repeat))
		}
	}
}
