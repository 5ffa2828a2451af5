package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/kadbench/kadbench/harness/record"
)

// Log is a run as its log tells it, without the frames; or several runs side by side, as Join makes them.
type Log struct {
	Path    string          `json:"path"`
	Run     record.Run      `json:"run"`     // of several runs: see Runs
	Targets []Target        `json:"targets"` // in the order of the log
	Results []Result        `json:"results"`
	Notes   []string        `json:"notes"`
	Summary *record.Summary `json:"summary"` // nil: the run did not end
	Runs    []*Log          `json:"-"`       // those that were joined; nil where it is one

	Simulations []*Simulation `json:"simulations,omitempty"`
	Benches     []*Bench      `json:"benches,omitempty"`

	at map[place]*Result // of index, once it was asked for
}

// Target is one peer under test.
type Target struct {
	Name    string `json:"name"`
	Version string `json:"version"`       // as it said in its hello; empty where it never did
	Run     int    `json:"run,omitempty"` // which of the runs that were joined
	As      string `json:"as,omitempty"`  // its name in that run
}

// Result is a verdict with its detail, as one JSON object.
type Result struct {
	record.Result
	Detail record.Detail `json:"detail"`
}

// Load reads a log, named by its file or by the directory of its run.
func Load(path string) (*Log, error) {
	r, err := record.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	l := &Log{Path: r.Path(), Targets: []Target{}, Results: []Result{}, Notes: []string{}}
	for e, err := range r.Entries() {
		if err != nil {
			return nil, err
		}
		switch e.Type {
		case record.TypeRun:
			l.Run = *e.Run
		case record.TypeTarget:
			l.target(e.Target).Version = e.Text
		case record.TypeNote:
			l.Notes = append(l.Notes, e.Text)
		case record.TypeResult:
			l.target(e.Target)
			l.Results = append(l.Results, Result{Result: *e.Result, Detail: e.Result.Detail})
		case record.TypeSummary:
			l.Summary = e.Summary
			if e.Closing != nil || e.Total != nil {
				l.Summary = l.closing()
			}
		case record.TypeSimulation, record.TypeSample, record.TypeOutcome:
			if err := l.simulation(e); err != nil {
				return nil, err
			}
		case record.TypeBench, record.TypeTurn, record.TypeMeasured:
			if err := l.bench(e); err != nil {
				return nil, err
			}
		}
	}
	l.sort()
	return l, nil
}

// sort brings the results into an order which does not depend on what happened to end first.
func (l *Log) sort() {
	target := func(r Result) int {
		return slices.IndexFunc(l.Targets, func(t Target) bool { return t.Name == r.Target })
	}
	slices.SortStableFunc(l.Results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Case, b.Case), cmp.Compare(target(a), target(b)),
			cmp.Compare(slices.Index(profiles, a.Profile), slices.Index(profiles, b.Profile)))
	})
}

// target is the entry of a name, made where there is none.
func (l *Log) target(name string) *Target {
	i := slices.IndexFunc(l.Targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		i = len(l.Targets)
		l.Targets = append(l.Targets, Target{Name: name})
	}
	return &l.Targets[i]
}

// Count sums the verdicts of one target (empty: of all) in one profile.
func (l *Log) Count(target, profile string) record.Summary {
	s := record.Summary{Profile: profile, Log: l.Path}
	for _, r := range l.Results {
		if (target == "" || r.Target == target) && r.Profile == profile {
			s.Add(r.Verdict)
		}
	}
	return s
}

// profiles in the order of every report.
var profiles = []string{"base", "amino", "defacto"}

// Profiles are those with a verdict in the log, in the order base, amino, defacto.
func (l *Log) Profiles() []string {
	var found []string
	for _, p := range profiles {
		if slices.ContainsFunc(l.Results, func(r Result) bool { return r.Profile == p }) {
			found = append(found, p)
		}
	}
	return found
}

// Lines copies the log itself to w: whole lines only.
func Lines(w io.Writer, path string) error {
	l, err := Load(path) // says what is wrong with it, and where
	if err != nil {
		return err
	}
	f, err := os.Open(l.Path)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	br := bufio.NewReader(f)
	for {
		line, err := br.ReadBytes('\n') // Load has seen that none is longer than record.MaxLine
		if err == io.EOF {
			return nil // what stands after the last line end is torn
		}
		if err == nil {
			_, err = w.Write(line)
		}
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
}

// JSON writes the log, without the frames, as one object. One of several runs has them as runs in the place of run.
func JSON(w io.Writer, l *Log) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if l.Runs == nil {
		return enc.Encode(l)
	}
	type run struct {
		Path    string          `json:"path"`
		Run     record.Run      `json:"run"`
		Notes   []string        `json:"notes"`
		Summary *record.Summary `json:"summary"`
	}
	var runs []run
	for _, one := range l.Runs {
		runs = append(runs, run{one.Path, one.Run, one.Notes, one.Summary})
	}
	return enc.Encode(struct {
		Runs    []run           `json:"runs"`
		Targets []Target        `json:"targets"`
		Results []Result        `json:"results"`
		Summary *record.Summary `json:"summary"`

		Simulations []*Simulation `json:"simulations,omitempty"`
		Benches     []*Bench      `json:"benches,omitempty"`
	}{runs, l.Targets, l.Results, l.Summary, l.Simulations, l.Benches})
}
