package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/kadbench/kadbench/harness/ground"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
)

// groundProgress tells how far a run is: on a terminal in a line that changes, elsewhere in a line now and then.
type groundProgress struct {
	err      io.Writer
	terminal bool
	seconds  int
}

// tellEach is how many seconds lie between two lines where nobody looks at a terminal: a job that prints nothing looks hung.
const tellEach = 10

func (c *testgroundCmd) progress(a *app) *groundProgress {
	p := &groundProgress{err: a.stderr}
	_, p.terminal = terminal(a.stderr)
	if c.Quiet {
		p.err, p.terminal = io.Discard, false
	}
	return p
}

func (p *groundProgress) tell(now ground.Progress) {
	p.seconds++
	switch {
	case p.terminal:
		fmt.Fprintf(p.err, "\r\x1b[K%d s: %s", p.seconds, report.Clean(now.String()))
	case p.seconds%tellEach == 0:
		fmt.Fprintf(p.err, "%d s: %s\n", p.seconds, report.Clean(now.String()))
	}
}

// close clears the line.
func (p *groundProgress) close() {
	if p.terminal && p.seconds > 0 {
		fmt.Fprint(p.err, "\r\x1b[K")
	}
}

// The columns of instances, by how they ended.
var groundStates = []ground.State{ground.OK, ground.Failed, ground.Crashed, ground.Incomplete, ground.Aborted}

// show prints what came of a run of a test case; err is how it ended.
func (c *testgroundCmd) show(a *app, r *ground.Run, by, log string, err error) error {
	if c.JSON {
		return c.showJSON(a, r, by, log, err)
	}
	name := r.Case
	if r.Plan != ground.Plan && r.Plan != "" { // somebody else's, whose outputs have the same form
		name = r.Plan + "/" + name
	}
	fmt.Fprintf(a.stdout, "%s, %s as %s, %s\n\n", report.Clean(name), report.Plural(len(r.Instances), "instance"), by, r.Took("").Round(time.Millisecond))
	metrics, wide := r.Metrics(""), len("group")
	for _, name := range r.Groups() {
		wide = max(wide, len(name))
	}
	for _, m := range metrics {
		wide = max(wide, len(m.Name))
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-*s\t", wide, "group")
	for _, s := range groundStates {
		fmt.Fprintf(w, "%s\t", s)
	}
	fmt.Fprintln(w)
	for _, g := range r.Groups() {
		fmt.Fprintf(w, "%-*s\t", wide, report.Clean(g))
		counts := r.Count(g)
		for _, s := range groundStates {
			fmt.Fprintf(w, "%d\t", counts[s])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	if len(metrics) > 0 {
		fmt.Fprintf(w, "\n%-*s\tn\tp50\tp99\tmax\t\n", wide, "point")
		for _, m := range metrics {
			fmt.Fprintf(w, "%-*s\t%d\t%s\t%s\t%s\t\n", wide, report.Clean(m.Name), m.N, figure(m.P50), figure(m.P99), figure(m.Max))
		}
		w.Flush()
	}
	if log != "" {
		log = "; log " + log
	}
	_, failed := fmt.Fprintf(a.stdout, "\noutputs %s%s\n", r.Dir, log)
	return failed
}

// figure is a number in four digits; a percentile of too few points is none.
func figure(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	if v == math.Trunc(v) || math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// groundSummary is the line of --json. It has exactly these keys, all of them always.
type groundSummary struct {
	Type      string               `json:"type"` // summary
	Case      string               `json:"case"`
	Run       string               `json:"run"`
	Runner    string               `json:"runner"` // goroutines, processes, Testground's
	Instances map[ground.State]int `json:"instances"`
	TookMS    float64              `json:"took_ms"`
	Points    []groundPoint        `json:"points"`
	Error     string               `json:"error"`
	Outputs   string               `json:"outputs"`
	Log       string               `json:"log"`
	Exit      int                  `json:"exit"`
}

// groundPoint is a metric of all instances. A percentile of too few points is null.
type groundPoint struct {
	Name string   `json:"name"`
	N    int      `json:"n"`
	P50  *float64 `json:"p50"`
	P99  *float64 `json:"p99"`
	Max  float64  `json:"max"`
}

func (c *testgroundCmd) showJSON(a *app, r *ground.Run, by, log string, err error) error {
	s := groundSummary{Type: "summary", Case: r.Case, Run: r.ID, Runner: by, Instances: map[ground.State]int{}, Points: []groundPoint{},
		TookMS: float64(r.Took("").Microseconds()) / 1000, Outputs: r.Dir, Log: log, Exit: run.ExitCode(err)}
	for _, state := range groundStates {
		s.Instances[state] = r.Count("")[state]
	}
	if err != nil {
		s.Error = err.Error()
	}
	told := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	for _, m := range r.Metrics("") {
		s.Points = append(s.Points, groundPoint{m.Name, m.N, told(m.P50), told(m.P99), m.Max})
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(s)
}
