package run

import (
	"context"
	"errors"
	"time"

	"github.com/kadbench/kadbench/harness/network"
	"github.com/kadbench/kadbench/harness/record"
)

// What a network leaves in the log has the form of a simulation, with its target and what a node cost.

func (c *BenchConfig) networkBegan(r *SimRun, t team, cfg network.Config) error {
	settled := c.settled((&SimConfig{For: c.For}).worldSettings(r))
	for _, k := range t.kinds {
		settled = append(settled, record.Setting{Name: "version", Value: k.Version()})
	}
	return c.Log.Write(record.Entry{Type: record.TypeSimulation, Simulation: &record.Simulation{
		Number: r.number, Plan: r.Plan.Header.ID, File: r.Plan.File, Prose: r.Plan.Prose, Point: settings(r.Point), World: settled,
		Repeat: r.Repeat, Target: t.name, Seed: cfg.Seed, Nodes: cfg.Nodes, Shards: 1, For: cfg.For,
	}})
}

// networkEnded writes what there is of a network, whatever ended it.
func (c *BenchConfig) networkEnded(r *SimRun, result *network.Result, err error) error {
	o := r.figures.line()
	o.Number, o.Needs = r.number, r.Needs
	if result != nil {
		cost := result.Cost
		o.Until, o.Cost = time.Duration(result.Until), costOf(&result.Result)
		o.Cost.Nodes = &cost
	}
	if o.Stopped = errors.Is(err, context.Canceled); err != nil && !o.Stopped {
		o.Error = err.Error()
	}
	r.Outcome = &o
	return c.Log.Write(record.Entry{Type: record.TypeOutcome, Outcome: &o})
}
