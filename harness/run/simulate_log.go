package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
)

// What a run leaves in the log: a line when it begins, one for each sample, and its outcome, also when it was broken off.

func (c *SimConfig) began(r *SimRun) error {
	return c.Log.Write(record.Entry{Type: record.TypeSimulation, Simulation: &record.Simulation{
		Number: r.number, Plan: r.Plan.Header.ID, File: r.Plan.File, Prose: r.Plan.Prose, Point: settings(r.Point), World: c.worldSettings(r),
		Repeat: r.Repeat, Seed: r.config.Seed, Nodes: r.config.Nodes, Shards: r.config.Shards, For: time.Duration(r.config.For),
	}})
}

func (c *SimConfig) sampled(r *SimRun, s record.Sample) error {
	s.Number = r.number
	return c.Log.Write(record.Entry{Type: record.TypeSample, Sample: &s})
}

// ended makes the outcome of a run and writes it: what there is of it, whatever ended it.
func (c *SimConfig) ended(r *SimRun, result *sim.Result, err error) error {
	o := r.figures.line()
	o.Number, o.Digest, o.Needs = r.number, r.Digest, r.Needs
	if result != nil {
		o.Until, o.Cost = time.Duration(result.Until), costOf(result)
	}
	if o.Stopped = errors.Is(err, context.Canceled); err != nil && !o.Stopped {
		o.Error = err.Error()
	}
	r.Outcome = &o
	return c.Log.Write(record.Entry{Type: record.TypeOutcome, Outcome: &o})
}

func settings(p []plan.Setting) (out []record.Setting) {
	for _, s := range p {
		out = append(out, record.Setting{Name: s.Name, Value: s.Value})
	}
	return out
}

// worldSettings tell a reader what is simulated: the words of the world line one by one, the other lines as they stand,
// without what the sweep or the command chose, and that time.
func (c *SimConfig) worldSettings(r *SimRun) []record.Setting {
	return worldSettings(r.Plan, r.Point, c.For, "nodes", "seed", "shards")
}

func worldSettings(p *plan.Plan, point []plan.Setting, lasting time.Duration, chosen ...string) (out []record.Setting) {
	for _, s := range point {
		chosen = append(chosen, s.Name)
	}
	for _, l := range p.Script {
		words := strings.Fields(l.Text)
		if len(words) < 2 || l.Verb == "need" || l.Verb == "sweep" {
			continue
		}
		kind := words[1]
		words = slices.DeleteFunc(words[1:], func(w string) bool {
			name, _, given := strings.Cut(w, "=")
			return given && (slices.Contains(chosen, name) && l.Verb != "faults" && l.Verb != "load" || slices.Contains(chosen, kind+"."+name) ||
				name == "for" && lasting != 0)
		})
		if l.Verb != "world" {
			out = append(out, record.Setting{Name: l.Verb, Value: strings.Join(words, " ")})
			continue
		}
		for _, w := range words[1:] {
			if name, value, ok := strings.Cut(w, "="); ok {
				out = append(out, record.Setting{Name: name, Value: value})
			}
		}
	}
	if lasting != 0 {
		out = append(out, record.Setting{Name: "for", Value: plan.ShortTime(lasting)})
	}
	return out
}

func costOf(r *sim.Result) record.Cost {
	cost := record.Cost{
		Events: r.Events, Steps: r.Steps, Sent: r.Sent, Lost: r.Lost, Bytes: r.Bytes, Entries: r.Entries,
		Ready: r.Ready, Ran: r.Ran, CPU: r.CPU, PeakRSS: r.PeakRSS,
	}
	if s := r.Ran.Seconds(); s > 0 {
		cost.EventsPerSecond = float64(r.Events) / s
	}
	if r.Events > 0 {
		cost.CPUPerEvent = float64(r.CPU.Microseconds()) / float64(r.Events)
	}
	if r.Nodes > 0 {
		cost.BytesPerNode = float64(r.Heap) / float64(r.Nodes)
	}
	return cost
}

// Summary is the line that `kadbench sim --json` ends with.
func (r *SimRun) Summary() record.SimulationSummary {
	s := record.SimulationSummary{Type: record.TypeSummary, Plan: r.Plan.Header.ID, Seed: r.config.Seed, Nodes: r.config.Nodes, Shards: r.config.Shards, Digest: r.Digest}
	if r.shards != 0 {
		s.Shards = r.shards
	}
	o := r.Outcome
	if o == nil {
		return s
	}
	s.Events, s.EventsPerSecond, s.BytesPerNode, s.PeakRSS = o.Cost.Events, o.Cost.EventsPerSecond, o.Cost.BytesPerNode, o.Cost.PeakRSS
	for _, f := range o.Figures {
		if f.Kind != "lookup" {
			continue
		}
		s.Lookups = f.Count
		if f.Recall != nil && f.Recall.Of > 0 {
			recall := f.Recall.Value()
			s.Recall = &recall
		}
		for p, to := range map[float64]**float64{50: &s.Latency.P50, 90: &s.Latency.P90, 99: &s.Latency.P99} {
			if q := f.Took.Quantile(p); q != nil && !q.Few {
				*to = &q.V
			}
		}
	}
	return s
}

// String says in one line where a run is in its plan: the plan, and the point of its sweep.
func (r *SimRun) String() string {
	return strings.TrimSpace(r.Plan.Header.ID + " " + r.world.At())
}
