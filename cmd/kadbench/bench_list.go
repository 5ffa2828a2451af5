package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/plans"
)

// list shows the loads and networks carried in the binary.
func (c *benchCmd) list(a *app) error {
	type row struct {
		Plan  string `json:"plan"`
		Nodes int    `json:"nodes"` // of the largest network; 0: a load
		Runs  int    `json:"runs"`
		About string `json:"about"`
	}
	var rows []row
	for _, dir := range plans.Real {
		found, err := plan.LoadAll(plans.FS, dir, "plans/")
		if err != nil {
			return fmt.Errorf("plans carried in the binary: %w", err)
		}
		for _, p := range found {
			r := row{Plan: p.Header.ID, Runs: len(p.Simulations())}
			for _, s := range p.Simulations() {
				r.Nodes = max(r.Nodes, s.World.Nodes)
			}
			r.About, _, _ = strings.Cut(p.Prose, "\n")
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(x, y row) int { return cmp.Compare(x.Plan, y.Plan) })
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	}
	for _, r := range rows {
		nodes, times := "", ""
		if r.Nodes > 0 {
			nodes = fmt.Sprint(r.Nodes)
		}
		if r.Runs > 1 {
			times = fmt.Sprintf(" x %d", r.Runs)
		}
		fmt.Fprintf(a.stdout, "%-22s %5s%-5s %s\n", r.Plan, nodes, times, report.Clean(r.About))
	}
	fmt.Fprintf(a.stdout, "\n%d plans: id, nodes of a network (x runs of the sweep), question. kadbench bench ID TARGET… runs one, kadbench plan explain ID tells it.\n", len(rows))
	return nil
}
