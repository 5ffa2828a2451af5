package main

import (
	"fmt"

	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/plans"
)

// list shows the loads and networks carried in the binary.
func (c *benchCmd) list(a *app) error {
	rows, err := carriedPlans(plans.Real...)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, rows)
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
