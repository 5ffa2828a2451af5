package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/record"
)

// Simulation is one run of a simulated world, as its log tells it.
type Simulation struct {
	record.Simulation
	Run     int             `json:"run,omitempty"` // which of the logs that were joined
	Samples []record.Sample `json:"samples"`
	Outcome *record.Outcome `json:"outcome"` // nil: the log was cut off before
}

// simulation takes in one line of a simulation.
func (l *Log) simulation(e record.Entry) error {
	at := func(number int) *Simulation { // most often the one that began last
		for i := len(l.Simulations) - 1; i >= 0; i-- {
			if l.Simulations[i].Number == number {
				return l.Simulations[i]
			}
		}
		return nil
	}
	if e.Type == record.TypeSimulation {
		if at(e.Simulation.Number) != nil {
			return fmt.Errorf("%s: %w: simulation %d begins twice", l.Path, record.ErrLog, e.Simulation.Number)
		}
		l.Simulations = append(l.Simulations, &Simulation{Simulation: *e.Simulation, Samples: []record.Sample{}})
		return nil
	}
	number := 0
	if e.Sample != nil {
		number = e.Sample.Number
	} else {
		number = e.Outcome.Number
	}
	s := at(number)
	switch {
	case s == nil:
		return fmt.Errorf("%s: %w: a line of type %s of simulation %d, which has not begun", l.Path, record.ErrLog, e.Type, number)
	case e.Sample != nil:
		s.Samples = append(s.Samples, *e.Sample)
	default:
		s.Outcome = e.Outcome
	}
	return nil
}

// Name is the plan with what its sweep chose: sim/sweep alpha=3 k=20.
func (s *Simulation) Name() string { return strings.TrimSpace(s.Plan + " " + settings(s.Point)) }

func settings(list []record.Setting) string {
	var parts []string
	for _, p := range list {
		parts = append(parts, p.Name+"="+p.Value)
	}
	return strings.Join(parts, " ")
}

// value of a sweep's word; empty where it chose none.
func (s *Simulation) value(name string) string { return chosen(s.Point, name) }

// kindOfTime is a word behind a time: that of a network on sockets is nobody's but the clock's.
func (s *Simulation) kindOfTime() string {
	if s.Target != "" {
		return ""
	}
	return " simulated"
}

// Broken says why and where a run did not come to its end; empty where it did.
func (s *Simulation) Broken() string {
	at := func(t time.Duration) string {
		text := span(t)
		if s.For > 0 {
			text += " of " + span(s.For)
		}
		return text + s.kindOfTime()
	}
	switch o := s.Outcome; {
	case o == nil && len(s.Samples) == 0:
		return "the log was cut off before its first sample"
	case o == nil:
		last := s.Samples[len(s.Samples)-1]
		text := fmt.Sprintf("the log was cut off; the last sample is of %s: %s nodes there, %s peers in a table, %s of them dead", at(last.At), count(uint64(last.Up)), figure(last.Entries), percent(last.Dead))
		if last.Expected > 0 {
			text += fmt.Sprintf(", %s of %s records alive", count(uint64(last.Records)), count(uint64(last.Expected)))
		}
		return text
	case o.Error != "":
		return "broken off at " + at(o.Until) + ": " + o.Error
	case o.Stopped:
		return "interrupted at " + at(o.Until) + "; the figures are of what had ended by then"
	}
	return ""
}

// figures of a kind of operation; nil where there are none.
func (s *Simulation) figures(kind string) *record.Figures {
	if s.Outcome == nil {
		return nil
	}
	for i := range s.Outcome.Figures {
		if s.Outcome.Figures[i].Kind == kind {
			return &s.Outcome.Figures[i]
		}
	}
	return nil
}

// experiment is all runs of a plan: the points of its sweep, in one log or several.
type experiment struct {
	Plan string
	Axes []string // the words of the sweep, those that change; then what else tells runs of the same point apart
	Runs []*Simulation
}

// experiments groups the runs by plan, in the order of the log.
func (l *Log) experiments() (list []*experiment) {
	for _, s := range l.Simulations {
		i := slices.IndexFunc(list, func(e *experiment) bool { return e.Plan == s.Plan })
		if i < 0 {
			i, list = len(list), append(list, &experiment{Plan: s.Plan})
		}
		list[i].Runs = append(list[i].Runs, s)
	}
	for _, e := range list {
		e.distinguish(l)
		var points [][]record.Setting
		for _, s := range e.Runs {
			points = append(points, s.Point)
		}
		e.Axes = axes(points...)
	}
	return list
}

// distinguish gives runs of equal points, as joined logs have them, one setting more: what tells them apart. Networks of
// several targets are told apart by these first.
func (e *experiment) distinguish(l *Log) {
	targets := make(map[string]bool)
	for _, s := range e.Runs {
		targets[s.Target] = true
	}
	for _, s := range e.Runs {
		if len(targets) > 1 && chosen(s.Point, "target") == "" {
			s.Point = append(slices.Clone(s.Point), record.Setting{Name: "target", Value: s.Target})
		}
	}
	tellApart(e.Runs, func(s *Simulation) string { return settings(s.Point) }, func(s *Simulation) *[]record.Setting { return &s.Point },
		mark[*Simulation]{"seed", func(s *Simulation) string { return fmt.Sprint(s.Seed) }},
		mark[*Simulation]{"log", func(s *Simulation) string { return l.folder(s.Run) }},
		mark[*Simulation]{"run", func(s *Simulation) string { return fmt.Sprint(s.Number + 1) }})
}

// facts are what is told of the world and alike in all runs.
func (e *experiment) facts() []record.Setting {
	var lists [][]record.Setting
	for _, s := range e.Runs {
		lists = append(lists, s.World)
	}
	return alike(lists...)
}

// world is that in one line: tables ideal · k 20 · churn lognormal median=3h.
func (e *experiment) world() string {
	var parts []string
	for _, p := range e.facts() {
		parts = append(parts, p.Name+" "+p.Value)
	}
	return strings.Join(parts, " · ")
}

// kinds of operations of any of the runs, in the order of the log.
func (e *experiment) kinds() (kinds []string) {
	for _, s := range e.Runs {
		if s.Outcome == nil {
			continue
		}
		for _, f := range s.Outcome.Figures {
			if !slices.Contains(kinds, f.Kind) {
				kinds = append(kinds, f.Kind)
			}
		}
	}
	return kinds
}

// needs counts what the plans asked for, over all runs: held, missed, and not judged.
func (l *Log) needs() (held, missed, open int) {
	add := func(needs []record.NeedGot) {
		for _, n := range needs {
			switch n.Verdict {
			case record.Pass:
				held++
			case record.Skipped:
				open++
			default:
				missed++
			}
		}
	}
	for _, s := range l.Simulations {
		if s.Outcome != nil {
			add(s.Outcome.Needs)
		}
	}
	for _, b := range l.Benches {
		if b.Measured != nil {
			add(b.Measured.Needs)
		}
	}
	return held, missed, open
}

// closing is the summary of a log whose last line is that of stdout of a simulation or a load, which counts no needs.
func (l *Log) closing() *record.Summary {
	held, missed, open := l.needs()
	s := &record.Summary{Passed: held, Failed: missed, Skipped: open, Log: l.Path}
	if missed > 0 {
		s.Exit = 1
	}
	return s
}

// NeedsLine is the last line of a report of simulations and loads, the form which scripts read.
func NeedsLine(l *Log) string {
	return l.verdict() + "; log " + Clean(l.Path)
}

// verdict is how many needs held, and what did not end.
func (l *Log) verdict() string {
	held, missed, open := l.needs()
	broken := 0
	for _, s := range l.Simulations {
		if s.Broken() != "" {
			broken++
		}
	}
	for _, b := range l.Benches {
		if b.Broken() != "" {
			broken++
		}
	}
	line := fmt.Sprintf("%s, %d held, %d missed, %d not judged", Plural(held+missed+open, "need"), held, missed, open)
	if broken > 0 {
		line += fmt.Sprintf("; %s did not end", Plural(broken, "run"))
	}
	return line
}
