package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/stats"
)

// Write prints the comparison to read: the verdicts that changed, whether simulations took the same steps, and a table of
// the figures that both sides have.
func (c *Comparison) Write(w io.Writer, o Options) error {
	o = o.withDefaults(&Log{})
	bw := bufio.NewWriter(w)
	c.writeSide(bw, "A", c.A, o)
	c.writeSide(bw, "B", c.B, o)
	for _, n := range c.Notes {
		o.note(bw, n)
	}
	c.writeVerdicts(bw, o)
	c.writeDigests(bw, o)
	c.writeFigures(bw, o)
	fmt.Fprintln(bw, c.LastLine())
	return bw.Flush()
}

func (c *Comparison) writeSide(w io.Writer, name string, side []*Log, o Options) {
	for _, l := range side {
		fmt.Fprintf(w, "%s  %s\n", o.paint(bold, name), Clean(fmt.Sprintf("%s, %s, kadbench %s", l.Path, l.Run.Started.UTC().Format("2006-01-02 15:04 UTC"), l.Run.Version)))
	}
}

// maxChanges of each sort are listed.
const maxChanges = 20

func (c *Comparison) writeVerdicts(w io.Writer, o Options) {
	if len(c.Verdicts)+c.Alike == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", o.paint(bold, c.verdictLine()))
	listed := make(map[string]int)
	for _, v := range c.Verdicts {
		if listed[v.Change]++; listed[v.Change] > maxChanges && !o.All {
			continue
		}
		color := map[string]string{Worse: red, Better: green}[v.Change]
		text := v.text()
		for i, line := range wrap(Clean(text), o.Width-11) {
			head := o.paint(color, fmt.Sprintf("%-11s", v.Change))
			if i > 0 {
				head = strings.Repeat(" ", 11)
			}
			fmt.Fprintf(w, "%s%s\n", head, line)
		}
	}
	for _, change := range []string{Worse, Changed, Better, OnlyA, OnlyB} {
		if left := listed[change] - maxChanges; left > 0 && !o.All {
			fmt.Fprintf(w, "%-11sand %d more: --all lists them\n", change, left)
		}
	}
}

// text is the change in a line: ping/echo, ref in base: pass → fail: why.
func (v VerdictChange) text() string {
	name := v.Case
	if v.Plan != "" {
		name = v.Plan + " " + v.Case
	}
	if v.Target != "" {
		name += ", " + v.Target
	}
	if v.Profile != "" {
		name += " in " + v.Profile
	}
	switch v.Change {
	case OnlyA:
		return name + ": " + v.A
	case OnlyB:
		return name + ": " + v.B
	}
	text := fmt.Sprintf("%s: %s → %s", name, v.A, v.B)
	if v.Why != "" && v.Change != Better {
		text += " (" + v.Why + ")"
	}
	return text
}

func (c *Comparison) verdictLine() string {
	counts := make(map[string]int)
	for _, v := range c.Verdicts {
		counts[v.Change]++
	}
	parts := []string{fmt.Sprintf("verdicts: %d alike", c.Alike)}
	for _, change := range []string{Worse, Better, Changed, OnlyA, OnlyB} {
		if n := counts[change]; n > 0 || change == Worse {
			parts = append(parts, fmt.Sprintf("%d %s", n, change))
		}
	}
	return strings.Join(parts, ", ")
}

func (c *Comparison) writeDigests(w io.Writer, o Options) {
	if len(c.Digests) == 0 {
		return
	}
	same := 0
	fmt.Fprintln(w)
	for _, d := range c.Digests {
		if d.A == d.B {
			same++
		}
	}
	fmt.Fprintf(w, "%s\n", o.paint(bold, fmt.Sprintf("digests: %d of %s the same", same, Plural(len(c.Digests), "run"))))
	for _, d := range c.Digests {
		if d.A != d.B {
			o.row(w, "not", Clean(fmt.Sprintf("%s seed=%d: %s → %s", strings.TrimSpace(d.Plan+" "+d.Point), d.Seed, d.A, d.B)))
		}
	}
}

// writeFigures prints a table for each plan. What a line has in common with the one before is left out.
func (c *Comparison) writeFigures(w io.Writer, o Options) {
	short, equal := false, 0
	for i := 0; i < len(c.Figures); {
		plan := c.Figures[i].Plan
		g := grid{Head: []string{"point", "target", "operation", "figure", "A", "B", "change", "p", ""}, Left: 4, Least: []string{"p"}}
		for before := (whose{}); i < len(c.Figures) && c.Figures[i].Plan == plan; i++ {
			f := c.Figures[i]
			if !o.All && f.A.Value == f.B.Value && !f.Significant {
				equal++
				continue
			}
			kind := Clean(f.Kind)
			if f.of.run != nil {
				kind = "run"
			}
			row := []string{Clean(f.Point), Clean(f.Target), kind, f.Figure}
			if f.whose == before {
				row = []string{"", "", "", f.Figure}
			}
			before = f.whose
			g.Rows = append(g.Rows, append(row, f.middle(f.A), f.middle(f.B), f.change(), f.chance(), f.verdict(c.Threshold)))
			short = short || f.A.Short && f.A.N > 1 || f.B.Short && f.B.N > 1
		}
		if len(g.Rows) > 0 {
			fmt.Fprintf(w, "\n%s\n", o.paint(bold, Clean(plan)))
			g.dense().write(w, o)
		}
	}
	if len(c.Figures) == 0 {
		fmt.Fprintln(w)
		return
	}
	fmt.Fprintln(w)
	text := "A and B are medians of turns or runs, with how far a 95 % interval reaches; ~: the difference is no more than chance (Mann-Whitney, p > 0.05)"
	if short {
		text += "; ± of fewer than six turns is that of the least and the most"
	}
	for _, f := range c.Figures {
		if f.Few {
			text += "; “few” and “one”: so few samples that no test is possible, more runs or rounds would tell"
			break
		}
	}
	if c.oneRun() {
		text += "; turns of one run are less far apart than runs are, and p knows of turns alone: several runs a side tell more, and most of all both sides as targets of one run"
	}
	if tested := c.tested(); tested > 1 {
		text += fmt.Sprintf("; of %d figures that are tested, about %.*f would differ by chance alone", tested, map[bool]int{true: 1}[tested < 100], float64(tested)*stats.Alpha)
	}
	if equal == len(c.Figures) {
		text = ""
	}
	if equal > 0 {
		text += fmt.Sprintf("; %s exactly the same: --all lists them", Plural(equal, "figure"))
	}
	for _, line := range wrap(strings.TrimPrefix(text, "; "), o.Width) {
		fmt.Fprintln(w, o.paint(dim, line))
	}
}

// oneRun says whether a figure of turns is tested of which a side has one run.
func (c *Comparison) oneRun() bool {
	return min(len(c.A), len(c.B)) == 1 && slices.ContainsFunc(c.Figures, func(f FigureChange) bool { return f.of.turn != nil && !f.Few })
}

// tested counts the figures that have samples enough.
func (c *Comparison) tested() (n int) {
	for _, f := range c.Figures {
		if !f.Few {
			n++
		}
	}
	return n
}

// middle is a median with its interval: 127,604 ± 1 %.
func (f FigureChange) middle(m stats.Middle) string {
	text := f.of.show(m.Value)
	if m.N < 2 || m.Low == m.High || m.Value == 0 {
		return text
	}
	off := max(m.High/m.Value-1, 1-m.Low/m.Value) * 100
	digits := 0
	if off < 0.95 {
		digits = 1
	}
	return fmt.Sprintf("%s ± %.*f %%", text, digits, off)
}

// change of the median; ~ where it is no more than chance.
func (f FigureChange) change() string {
	switch {
	case f.A.Value == f.B.Value:
		return "="
	case !f.Few && !f.Significant:
		return "~"
	case math.IsNaN(f.Change):
		return "from 0"
	}
	return fmt.Sprintf("%+.1f %%", f.Change*100)
}

// chance is the p-value with the numbers of turns.
func (f FigureChange) chance() string {
	n := fmt.Sprintf("n=%d", f.A.N)
	if f.A.N != f.B.N {
		n = fmt.Sprintf("n=%d+%d", f.A.N, f.B.N)
	}
	switch {
	case f.A.N == 1 && f.B.N == 1:
		return "one"
	case f.Few:
		return "few " + n
	}
	return fmt.Sprintf("%.3f %s", f.P, n)
}

func (f FigureChange) verdict(threshold float64) string {
	if f.Verdict != "" && !f.Beyond {
		return f.Verdict + fmt.Sprintf(", within %g %%", threshold*100)
	}
	return f.Verdict
}

// LastLine is the counts, the form which scripts read.
func (c *Comparison) LastLine() string {
	verdicts, figures := c.Worse()
	return fmt.Sprintf("%s worse, %s worse by more than %g %%, %s compared", Plural(verdicts, "verdict"), Plural(figures, "figure"), c.Threshold*100, Plural(len(c.Figures), "figure"))
}

// JSON writes the comparison, one object a line: verdict for each that changed, digest, figure, and at the end summary.
func (c *Comparison) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	var failed error
	line := func(v any) {
		if err := enc.Encode(v); err != nil && failed == nil {
			failed = fmt.Errorf("report: %w", err)
		}
	}
	for _, v := range c.Verdicts {
		line(struct {
			Type    string `json:"type"`
			Case    string `json:"case"`
			Plan    string `json:"plan,omitempty"`
			Target  string `json:"target"`
			Profile string `json:"profile,omitempty"`
			A       string `json:"a"`
			B       string `json:"b"`
			Change  string `json:"change"`
			Why     string `json:"why,omitempty"`
		}{"verdict", v.Case, v.Plan, v.Target, v.Profile, v.A, v.B, v.Change, v.Why})
	}
	for _, d := range c.Digests {
		line(struct {
			Type  string `json:"type"`
			Plan  string `json:"plan"`
			Point string `json:"point,omitempty"`
			Seed  uint64 `json:"seed"`
			A     string `json:"a"`
			B     string `json:"b"`
			Same  bool   `json:"same"`
		}{"digest", d.Plan, d.Point, d.Seed, d.A, d.B, d.A == d.B})
	}
	type middle struct {
		Median float64 `json:"median"`
		Low    float64 `json:"low"`
		High   float64 `json:"high"`
		N      int     `json:"n"`
	}
	of := func(m stats.Middle, scale float64) middle {
		return middle{m.Value * scale, m.Low * scale, m.High * scale, m.N}
	}
	for _, f := range c.Figures {
		line(struct {
			Type        string   `json:"type"`
			Plan        string   `json:"plan"`
			Point       string   `json:"point,omitempty"`
			Target      string   `json:"target,omitempty"`
			Operation   string   `json:"operation,omitempty"`
			Figure      string   `json:"figure"`
			Unit        string   `json:"unit"`
			A           middle   `json:"a"`
			B           middle   `json:"b"`
			Change      *float64 `json:"change"` // a share of A; null where A is 0
			P           *float64 `json:"p"`      // null where there are too few samples to test
			Significant bool     `json:"significant"`
			Verdict     string   `json:"verdict,omitempty"`
			Beyond      bool     `json:"beyond_threshold"`
		}{"figure", f.Plan, f.Point, f.Target, f.Kind, f.Figure, f.Unit, of(f.A, f.of.Scale), of(f.B, f.of.Scale),
			finite(f.Change, true), finite(f.P, !f.Few), f.Significant, f.Verdict, f.Beyond})
	}
	verdicts, figures := c.Worse()
	line(struct {
		Type      string  `json:"type"`
		Verdicts  int     `json:"verdicts_worse"`
		Figures   int     `json:"figures_worse"`
		Compared  int     `json:"figures"`
		Alike     int     `json:"verdicts_alike"`
		Threshold float64 `json:"threshold"`
	}{"summary", verdicts, figures, len(c.Figures), c.Alike, c.Threshold})
	return failed
}

// finite is a number that JSON can hold; nil where there is none, or none that counts.
func finite(v float64, counts bool) *float64 {
	if !counts || math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
