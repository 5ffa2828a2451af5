package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
)

// maxPlotted samples of a run are in the page: more than a plot has pixels. Of a longer series each n-th stands there,
// and the page says so.
const maxPlotted = 1000

// maxPageRuns of a plan are in the page: a run takes some 30 KiB, and a page of 20 MiB is as much as a browser opens at once.
const maxPageRuns = 600

// The page of simulations and loads: uPlot draws, and what it draws stands as a table too.
var (
	simulationScripts = []string{"html/dom.js", "assets/uplot.js", "html/quantity.js", "html/plot.js", "html/sweep.js", "html/run.js", "html/bench.js", "html/simulation.js"}
	simulationStyles  = []string{"html/style.css", "assets/uplot.css", "html/simulation.css"}
)

// simPage is what the template and the script know.
type simPage struct {
	Verdict     string          `json:"-"`
	Runs        []pageRun       `json:"-"`
	Simulated   bool            `json:"-"` // some times in it are
	Experiments []simExperiment `json:"experiments"`
	Trials      []pageTrial     `json:"trials"`
}

type simExperiment struct {
	ID       string    `json:"-"` // of its section
	Plan     string    `json:"plan"`
	What     string    `json:"-"` // Simulation or Network
	Prose    string    `json:"-"`
	Axes     []string  `json:"axes"`
	Kinds    []string  `json:"kinds"`
	Facts    []string  `json:"-"`
	Broken   []string  `json:"-"` // what is not whole, in sentences
	Needs    []simNeed `json:"-"`
	Held     int       `json:"-"`
	Outcomes grid      `json:"-"`
	Costs    grid      `json:"-"`
	Nodes    grid      `json:"-"` // of networks on sockets: what each took
	Ratios   grid      `json:"-"` // by which the first target's figures are to be multiplied
	Shares   []string  `json:"-"` // where their processor time went
	Runs     []simRun  `json:"runs"`
}

type simNeed struct {
	Run, Text, Got, Why, Word, Class, Repeat, Line string
}

type simRun struct {
	Name    string          `json:"name"` // of its point; of a single run that of its plan
	Target  string          `json:"target,omitempty"`
	Point   []string        `json:"point"`
	Seed    string          `json:"seed"`
	Nodes   int             `json:"nodes"`
	Repeat  string          `json:"repeat"`
	Each    int             `json:"each"` // so many samples there were for each that is here
	Samples []record.Sample `json:"samples"`
	Outcome *record.Outcome `json:"outcome"`
}

// measured writes the page of a log that has simulations, loads or both.
func measured(w io.Writer, l *Log) error {
	data := newSimPage(l)
	var chunks bytes.Buffer
	chunks.WriteString(`<script type="application/json" id="data">`)
	if err := json.NewEncoder(&chunks).Encode(data); err != nil { // escapes <, > and &
		return fmt.Errorf("report: html: %w", err)
	}
	chunks.WriteString("</script>\n")
	return frame(w, "simulation.html", simulationScripts, simulationStyles,
		framed{Title: "kadbench: " + data.Verdict, Page: data, Chunks: template.HTML(chunks.String())})
}

func newSimPage(l *Log) *simPage {
	p := &simPage{Runs: l.pageRuns(), Verdict: l.verdict(), Experiments: []simExperiment{}, Trials: l.pageTrials()}
	for i, e := range l.experiments() {
		first := e.Runs[0]
		var left string
		if all := len(e.Runs); all > maxPageRuns {
			e.Runs, left = e.Runs[:maxPageRuns], fmt.Sprintf("The first %d of %d runs are shown; the log has all.", maxPageRuns, all)
		}
		x := simExperiment{ID: fmt.Sprintf("plan-%d", i), Plan: Clean(e.Plan), Prose: Clean(first.Prose), Axes: []string{}, Kinds: []string{}, Outcomes: e.outcomes(), Costs: e.costs(),
			What: "Network", Nodes: e.nodes(), Ratios: e.ratios()}
		if first.Target == "" {
			x.What, p.Simulated = "Simulation", true
		}
		if left != "" {
			x.Broken = append(x.Broken, left)
		}
		for _, a := range e.Axes {
			x.Axes = append(x.Axes, Clean(a))
		}
		for _, k := range e.kinds() {
			x.Kinds = append(x.Kinds, Clean(k))
		}
		x.Facts = append(x.Facts, count(uint64(first.Nodes))+" nodes", fmt.Sprintf("seed %d", first.Seed))
		if first.Target != "" && !slices.Contains(e.Axes, "target") {
			x.Facts = append(x.Facts, Clean(first.Target))
		}
		if first.For > 0 {
			x.Facts = append(x.Facts, "for "+span(first.For))
		}
		for _, s := range e.facts() {
			if fact := Clean(s.Name + " " + s.Value); !slices.Contains(x.Facts, fact) {
				x.Facts = append(x.Facts, fact)
			}
		}
		for _, s := range e.Runs {
			if why := s.Broken(); why != "" {
				x.Broken = append(x.Broken, Clean(e.which(s)+why))
			}
			if n := s.nodeCost(); n != nil && len(n.Shares) > 0 {
				x.Shares = append(x.Shares, Clean(e.which(s))+shares(n))
			}
			x.needs(e, s)
			x.Runs = append(x.Runs, newSimRun(e, s))
		}
		p.Experiments = append(p.Experiments, x)
	}
	return p
}

// needs takes in those of a run: of several runs, only what was not met.
func (x *simExperiment) needs(e *experiment, s *Simulation) {
	if s.Outcome == nil {
		return
	}
	for _, n := range s.Outcome.Needs {
		if n.Verdict == record.Pass {
			x.Held++
			if len(e.Runs) > 1 {
				continue
			}
		}
		x.Needs = append(x.Needs, pageNeed(Clean(settings(s.Point)), n, s.Repeat))
	}
}

// newSimRun is a run with its texts cleaned and its samples thinned out.
func newSimRun(e *experiment, s *Simulation) simRun {
	r := simRun{Name: Clean(settings(s.Point)), Target: Clean(s.Target), Point: []string{}, Seed: fmt.Sprint(s.Seed), Nodes: s.Nodes, Repeat: Clean(s.Repeat), Samples: []record.Sample{}}
	if r.Name == "" {
		r.Name = Clean(s.Plan)
	}
	for _, a := range e.Axes {
		r.Point = append(r.Point, Clean(s.value(a)))
	}
	r.Each = 1 + (len(s.Samples)-1)/maxPlotted
	for i := 0; i < len(s.Samples); i += r.Each {
		sample := s.Samples[i]
		sample.Since = nil
		for _, since := range s.Samples[i].Since {
			since.Kind = Clean(since.Kind)
			sample.Since = append(sample.Since, since)
		}
		r.Samples = append(r.Samples, sample)
	}
	if s.Outcome == nil {
		return r
	}
	o := *s.Outcome
	o.Needs, o.Figures, o.Digest, o.Error = nil, nil, Clean(o.Digest), Clean(o.Error)
	if o.Cost.Nodes != nil {
		n := *o.Cost.Nodes
		n.Shares = nil // a table shows them
		o.Cost.Nodes = &n
	}
	for _, f := range s.Outcome.Figures {
		f.Kind = Clean(f.Kind)
		misses := f.Misses
		f.Misses = nil
		for _, m := range misses {
			m.Why = Clean(m.Why)
			f.Misses = append(f.Misses, m)
		}
		o.Figures = append(o.Figures, f)
	}
	r.Outcome = &o
	return r
}

// pageRuns are the logs, each with what a page says of it.
func (l *Log) pageRuns() (runs []pageRun) {
	for _, part := range l.parts() {
		run := pageRun{Path: Clean(part.Path), Version: Clean(part.Run.Version), Command: Clean(strings.Join(part.Run.Command, " ")),
			Seed: fmt.Sprint(part.Run.Seed), Started: part.Run.Started.UTC().Format("2006-01-02 15:04:05 UTC"),
			Machine: Clean(fmt.Sprintf("%s, %s, %s", part.Run.Go, part.Run.OS, Plural(part.Run.CPUs, "CPU")))}
		for _, c := range part.runSuite().Cases {
			run.Notes = append(run.Notes, Clean(c.Error.Message))
		}
		for _, n := range part.Notes {
			run.Notes = append(run.Notes, Clean(n))
		}
		runs = append(runs, run)
	}
	return runs
}
