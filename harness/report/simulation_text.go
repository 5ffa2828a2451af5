package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// maxRuns of a sweep are listed in text; the page and the log have all.
const maxRuns = 200

// A grid is a table of texts: of the figures, or of what runs cost. Columns from Left on are numbers and stand right.
type grid struct {
	Head  []string
	Left  int
	Rows  [][]string
	Least []string // the columns that go first on a narrow screen, in this order
}

// leastOfSimulations are the columns that are asked for least.
var leastOfSimulations = []string{"bytes", "first p50", "late", "p90", "dead", "ready", "nodes", "events/s", "events/op", "events"}

// outcomes is the table of an experiment: a row for each kind of operation of each run. A column that has nothing in any
// row is left out.
func (e *experiment) outcomes() grid {
	g := grid{Head: cleaned(e.Axes), Left: len(e.Axes) + 1, Least: leastOfSimulations}
	g.Head = append(g.Head, "operation", "count", "success", "recall", "p50", "p90", "p99", "first p50", "hops", "rpcs", "dead", "bytes", "late")
	for _, s := range e.Runs {
		point := e.point(s)
		if s.Outcome == nil {
			if len(point) > 0 {
				g.Rows = append(g.Rows, append(point, "cut off"))
			}
			continue
		}
		for i := range s.Outcome.Figures {
			f := &s.Outcome.Figures[i]
			late := ""
			if n := f.TimedOut + f.Unfinished; n > 0 {
				late = count(n)
			}
			g.Rows = append(g.Rows, append(append([]string{}, point...), Clean(f.Kind), count(f.Count), ratio(f.Success, percent), ratio(f.Recall, recall),
				quantile(f.Took, 50, millis), quantile(f.Took, 90, millis), quantile(f.Took, 99, millis), quantile(f.First, 50, millis),
				mean(f.Hops, figure), mean(f.Requests, figure), mean(f.Failed, figure), mean(f.Bytes, size), late))
		}
	}
	return g.dense()
}

// costs is what the runs of an experiment took of the machine.
func (e *experiment) costs() grid {
	g := grid{Head: append(cleaned(e.Axes), "nodes", "events", "events/op", "events/s", "CPU/event", "bytes/node", "peak RSS", "ready", "ran", "digest"), Left: len(e.Axes), Least: leastOfSimulations}
	for _, s := range e.Runs {
		if s.Outcome == nil {
			continue
		}
		row := e.point(s)
		c, each, operations := s.Outcome.Cost, none, uint64(0)
		for _, f := range s.Outcome.Figures {
			operations += f.Count
		}
		if operations > 0 && c.Events > 0 {
			each = figure(float64(c.Events) / float64(operations))
		}
		g.Rows = append(g.Rows, append(row, count(uint64(s.Nodes)), known(float64(c.Events), whole), each, known(c.EventsPerSecond, figure), known(c.CPUPerEvent, micros), known(c.BytesPerNode, figure),
			known(float64(c.PeakRSS), size), millis(float64(c.Ready.Microseconds())/1000), millis(float64(c.Ran.Microseconds())/1000), Clean(s.Outcome.Digest)))
	}
	return g.dense()
}

// dense leaves out the columns in which nothing stands, and fills up the rows.
func (g grid) dense() grid {
	out := grid{Left: g.Left, Least: g.Least}
	for i := range g.Rows {
		for len(g.Rows[i]) < len(g.Head) {
			g.Rows[i] = append(g.Rows[i], "")
		}
	}
	keep := make([]bool, len(g.Head))
	for i := range g.Head {
		for _, row := range g.Rows {
			keep[i] = keep[i] || row[i] != "" && row[i] != none
		}
		if !keep[i] && i < g.Left {
			out.Left--
		}
	}
	pick := func(row []string) (kept []string) {
		for i, cell := range row {
			if keep[i] {
				kept = append(kept, cell)
			}
		}
		return kept
	}
	out.Head = pick(g.Head)
	for _, row := range g.Rows {
		out.Rows = append(out.Rows, pick(row))
	}
	return out
}

// without leaves out columns by their names.
func (g grid) without(names ...string) grid {
	for _, name := range names {
		for i, head := range g.Head {
			if head == name {
				for r := range g.Rows {
					g.Rows[r][i] = ""
				}
			}
		}
	}
	return g.dense()
}

// widths of the columns, and of the whole.
func (g grid) widths() (columns []int, all int) {
	columns = make([]int, len(g.Head))
	for i, h := range g.Head {
		columns[i] = width(h)
		for _, row := range g.Rows {
			columns[i] = max(columns[i], width(row[i]))
		}
		all += columns[i] + 2
	}
	return columns, all - 2
}

// write prints the table. What does not fit loses the columns that are asked for least.
func (g grid) write(w io.Writer, o Options) {
	for _, name := range g.Least {
		if _, all := g.widths(); all > o.Width {
			g = g.without(name)
		}
	}
	columns, _ := g.widths()
	line := func(cells []string) string {
		var parts []string
		for i, c := range cells {
			pad := strings.Repeat(" ", columns[i]-width(c))
			if i < g.Left {
				c += pad
			} else {
				c = pad + c
			}
			parts = append(parts, c)
		}
		return strings.TrimRight(strings.Join(parts, "  "), " ")
	}
	fmt.Fprintln(w, o.paint(dim, line(g.Head)))
	for _, row := range g.Rows {
		fmt.Fprintln(w, line(row))
	}
}

// writeSimulations prints what an operator asks first: how long operations took and whether they found what there was.
// Then the needs, then what the run took of the machine.
func writeSimulations(w io.Writer, l *Log, o Options) {
	for _, e := range l.experiments() {
		e.write(w, o)
	}
}

func (e *experiment) write(w io.Writer, o Options) {
	first := e.Runs[0]
	facts := []string{first.Plan, count(uint64(first.Nodes)) + " nodes"}
	if len(e.Runs) > 1 {
		facts = append(facts, Plural(len(e.Runs), "run"))
	} else if first.Outcome != nil {
		facts = append(facts, span(first.Outcome.Until)+first.kindOfTime())
	}
	facts = append(facts, fmt.Sprintf("seed %d", first.Seed))
	if len(e.Runs) == 1 && first.Outcome != nil && first.Outcome.Digest != "" {
		facts = append(facts, "digest "+first.Outcome.Digest)
	}
	fmt.Fprintln(w, o.paint(bold, Clean(strings.Join(facts, ", "))))
	for _, line := range wrap(Clean(e.world()), o.Width) {
		if line != "" {
			fmt.Fprintln(w, o.paint(dim, line))
		}
	}
	for _, s := range e.Runs {
		if why := s.Broken(); why != "" {
			o.note(w, e.which(s)+why)
		}
	}
	g := e.outcomes()
	left := max(0, len(g.Rows)-maxRuns)
	if o.All {
		left = 0
	}
	g.Rows = g.Rows[:len(g.Rows)-left]
	if len(g.Rows) > 0 {
		g.write(w, o)
	}
	if left > 0 {
		fmt.Fprintf(w, "%s more: report --all shows them\n", Plural(left, "row"))
	}
	if len(e.Runs) == 1 || o.All {
		e.writeIntervals(w, o)
	}
	e.writeNetwork(w, o)
	e.writeNeeds(w, o)
	e.writeMisses(w, o)
	e.writeCost(w, o)
	fmt.Fprintln(w)
}

// which names a run among several: "alpha=3 k=20: ".
func (e *experiment) which(s *Simulation) string {
	if len(e.Runs) == 1 {
		return ""
	}
	return settings(s.Point) + ": "
}

func (e *experiment) writeIntervals(w io.Writer, o Options) {
	for _, s := range e.Runs {
		if s.Outcome == nil {
			continue
		}
		for i := range s.Outcome.Figures {
			f := &s.Outcome.Figures[i]
			if text := intervals(f); text != "" {
				o.row(w, "95 %", fmt.Sprintf("%s%s: %s", Clean(e.which(s)), Clean(f.Kind), text))
			}
		}
	}
}

// maxNeeds of several runs that were missed are listed.
const maxNeeds = 10

// writeNeeds lists the needs: of several runs the first that were not met, and how many were.
func (e *experiment) writeNeeds(w io.Writer, o Options) {
	brief := len(e.Runs) > 1 && !o.All
	held, left, shown := 0, 0, 0
	missed := false // by this run, or one before that the same command repeats
	for i, s := range e.Runs {
		var needs []record.NeedGot
		if s.Outcome != nil {
			needs = s.Outcome.Needs
		}
		for _, n := range needs {
			switch {
			case n.Verdict == record.Pass && brief:
				held++
				continue
			case brief && shown == maxNeeds:
				left++
				continue
			case n.Verdict != record.Pass && n.Verdict != record.Skipped:
				missed = true
			}
			shown++
			o.need(w, e.which(s), n)
		}
		if last := i == len(e.Runs)-1 || e.Runs[i+1].Repeat != s.Repeat; last && missed {
			o.repeat(w, s.Repeat)
			missed = false
		}
	}
	o.needsLeft(w, held, left)
}

// repeat is the command that repeats a run. It is never broken into lines: it is there to be copied.
func (o Options) repeat(w io.Writer, command string) {
	if command != "" {
		fmt.Fprintf(w, "%s%s\n", o.paint(dim, "  repeat     "), Clean(command))
	}
}

// needsLeft says how many needs are not listed.
func (o Options) needsLeft(w io.Writer, held, left int) {
	if left > 0 {
		fmt.Fprintf(w, "need %-8s%s, report --all lists them\n", "", count(uint64(left))+" more")
	}
	if held > 0 {
		fmt.Fprintf(w, "need %-8s%s\n", "held", count(uint64(held)))
	}
}

// need is one of them, with whose it is.
func (o Options) need(w io.Writer, whose string, n record.NeedGot) {
	word, color := needWord(n.Verdict)
	for i, line := range wrap(Clean(whose+needText(n)), o.Width-13) {
		head := o.paint(color, fmt.Sprintf("need %-8s", word))
		if i > 0 {
			head = strings.Repeat(" ", 13)
		}
		fmt.Fprintf(w, "%s%s\n", head, line)
	}
}

// needText is a need with what came, and why that is not enough.
func needText(n record.NeedGot) string {
	text := n.Text
	if n.Got != "" {
		text += ", got " + n.Got
	}
	if n.Why != "" {
		text += ": " + n.Why
	}
	return text
}

// needWord is a verdict on a need, with its colour.
func needWord(v record.Verdict) (word, color string) {
	switch v {
	case record.Pass:
		return "held", green
	case record.Skipped:
		return "open", yellow
	}
	return "MISSED", red
}

// writeMisses says how many operations did not find what there was, and lists the first few.
func (e *experiment) writeMisses(w io.Writer, o Options) {
	for _, s := range e.Runs {
		for _, kind := range e.kinds() {
			f := s.figures(kind)
			if f == nil || f.Missed == 0 || len(e.Runs) > 1 && !o.All {
				continue
			}
			shown := f.Misses
			if !o.All {
				shown = shown[:min(3, len(shown))]
			}
			text := fmt.Sprintf("%s%s of %s %s", e.which(s), count(f.Missed), count(f.Count), Plural(2, f.Kind)[2:])
			for i, m := range shown {
				text += map[bool]string{true: ": ", false: "; "}[i == 0] + miss(m)
			}
			if n := f.Missed - uint64(len(shown)); n > 0 && len(shown) > 0 {
				text += "; and " + count(n) + " more"
			}
			o.row(w, "misses", Clean(text))
		}
	}
}

// miss is one of them in words: key 77 by node 812 at 13h, 19 of 20.
func miss(m record.Miss) string {
	text := fmt.Sprintf("key %d by node %d at %s", m.Key, m.Node, span(m.At))
	if m.Sought > 0 {
		text += fmt.Sprintf(", %d of %d", m.True, m.Sought)
	}
	if m.Why != "" {
		text += ", " + m.Why
	}
	return text
}

// writeCost is a line for one simulation, a table for several where all is asked for, else the sum.
func (e *experiment) writeCost(w io.Writer, o Options) {
	if len(e.Runs) > 1 && o.All {
		e.costs().write(w, o)
		return
	}
	var sum record.Cost
	ended := 0
	for _, s := range e.Runs {
		if s.Outcome == nil || s.Outcome.Cost.Nodes != nil { // a network has told it for each of its nodes
			continue
		}
		ended++
		c := s.Outcome.Cost
		sum.Events, sum.Ran, sum.Ready, sum.CPU = sum.Events+c.Events, sum.Ran+c.Ran, sum.Ready+c.Ready, sum.CPU+c.CPU
		sum.BytesPerNode, sum.PeakRSS = max(sum.BytesPerNode, c.BytesPerNode), max(sum.PeakRSS, c.PeakRSS)
	}
	if ended == 0 || sum.Events == 0 {
		return
	}
	text := fmt.Sprintf("%s events, %s/s, %s µs of CPU each; ", count(sum.Events), figure(float64(sum.Events)/max(sum.Ran.Seconds(), 1e-9)), figure(float64(sum.CPU.Microseconds())/float64(sum.Events)))
	if ended == 1 {
		text += Plural(e.Runs[0].Shards, "shard") + ", "
	}
	text += fmt.Sprintf("%s bytes a node, peak %s; ready in %s, ran %s", figure(sum.BytesPerNode), size(float64(sum.PeakRSS)),
		millis(float64(sum.Ready.Milliseconds())), millis(float64(sum.Ran.Milliseconds())))
	o.row(w, "cost", text)
}
