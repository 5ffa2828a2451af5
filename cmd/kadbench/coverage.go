package main

import (
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
)

// demandLine is a normative sentence as --coverage --json prints it.
type demandLine struct {
	At      string   `json:"at"`
	Keyword string   `json:"keyword"`
	Says    string   `json:"says"`
	Cases   []string `json:"cases"`
	Reason  string   `json:"reason,omitempty"`
	Link    string   `json:"link"`
}

// entryLine is an entry of the catalogue.
type entryLine struct {
	ID     string   `json:"id"`
	Group  string   `json:"group"`
	Cases  []string `json:"cases"`
	Reason string   `json:"reason,omitempty"`
}

// coverage prints each normative sentence of the specifications and each entry of the catalogue with its cases, or the
// reason why it has none.
func (c *casesCmd) coverage(a *app, chosen []*plan.Plan) error {
	cover := plan.Cover(chosen)
	if c.JSON {
		demands, entries := []demandLine{}, []entryLine{}
		for _, d := range cover.Demands {
			demands = append(demands, demandLine{d.At(), d.Keyword, d.Text, list(d.Cases), d.Reason, plan.Link(d.At())})
		}
		for _, e := range cover.Catalogue {
			entries = append(entries, entryLine{e.ID, e.Group, list(e.Cases), e.Reason})
		}
		return printJSON(a.stdout, map[string]any{"clauses": demands, "catalogue": entries})
	}
	width := a.width()
	if width <= 0 {
		width = 100
	}
	covered, reasons, document := 0, 0, ""
	for _, d := range cover.Demands {
		if d.Document != document {
			document = d.Document
			fmt.Fprintf(a.stdout, "%s\n", document)
		}
		lines := strings.TrimPrefix(d.At(), d.Document+" ")
		fmt.Fprintf(a.stdout, "  %-10s %-6s  %s\n", lines, d.Keyword, d.Text)
		switch {
		case len(d.Cases) > 0:
			covered++
		case d.Reason != "":
			reasons++
		}
		covers(a, d.Cases, d.Reason, width)
	}
	run, group := 0, ""
	for _, e := range cover.Catalogue {
		if e.Group != group {
			group = e.Group
			fmt.Fprintf(a.stdout, "catalogue: %s\n", group)
		}
		fmt.Fprintf(a.stdout, "  %s\n", e.ID)
		covers(a, e.Cases, e.Reason, width)
		if len(e.Cases) > 0 {
			run++
		}
	}
	fmt.Fprintf(a.stdout, "clauses: %d of %d with cases, %d with a reason why not; catalogue: %d of %d entries run\n",
		covered, len(cover.Demands), reasons, run, len(cover.Catalogue))
	return nil
}

// covers prints what covers the line above, in the column of its text.
func covers(a *app, cases []string, reason string, width int) {
	const indent = 21
	text := strings.Join(cases, " ")
	if len(cases) == 0 {
		text = "no case"
		if reason != "" {
			text += ": " + reason
		}
	}
	line := ""
	flush := func() {
		if line != "" {
			fmt.Fprintf(a.stdout, "%*s%s\n", indent, "", line)
		}
		line = ""
	}
	for _, w := range strings.Fields(text) {
		if line != "" && indent+len(line)+1+len(w) > width {
			flush()
		}
		line = strings.TrimPrefix(line+" "+w, " ")
	}
	flush()
}

// clauses are the normative sentences for the page of a report.
func clauses(plans []*plan.Plan) (all []report.Clause) {
	for _, d := range plan.Cover(plans).Demands {
		all = append(all, report.Clause{Citation: report.Citation{At: d.At(), Demand: d.Text, Link: plan.Link(d.At())},
			Level: d.Keyword, Cases: d.Cases, Reason: d.Reason})
	}
	return all
}
