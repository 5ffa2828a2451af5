package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/plans"
)

// carried is a plan that the binary carries, as the lists of sim and bench have it.
type carried struct {
	Plan  string `json:"plan"`
	Nodes int    `json:"nodes"` // of the largest world; 0: it has none
	Runs  int    `json:"runs"`
	About string `json:"about"`
}

// carriedPlans lists the plans of some directories, in the order of their ids.
func carriedPlans(dirs ...string) (all []carried, err error) {
	for _, dir := range dirs {
		found, err := plan.LoadAll(plans.FS, dir, "plans/")
		if err != nil {
			return nil, fmt.Errorf("plans carried in the binary: %w", err)
		}
		for _, p := range found {
			c := carried{Plan: p.Header.ID, Runs: len(p.Simulations())}
			for _, s := range p.Simulations() {
				c.Nodes = max(c.Nodes, s.World.Nodes)
			}
			c.About, _, _ = strings.Cut(p.Prose, "\n")
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(x, y carried) int { return cmp.Compare(x.Plan, y.Plan) })
	return all, nil
}

// printJSON prints what a program reads and a person may: indented, and with < and > as they are.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
