package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// casesCmd lists cases.
type casesCmd struct {
	filters  `embed:""`
	Coverage bool `help:"Print each demand of the specifications and each entry of the catalogue with its cases, or the reason why it has none."`
	JSON     bool `help:"Print an array of {id, catalogue, area, level, profiles, spec, needs, title}; with --coverage an object {clauses, catalogue}."`
}

func (casesCmd) Help() string {
	return `The level is that of the chosen profile (where a case is not judged in it, of the first profile in which it is). needs is what a target must be able to do, or the case is unsupported for it.

Examples:

    kadbench cases
    kadbench cases --area find-node --level must
    kadbench cases --coverage
    kadbench cases --json | jq -r '.[] | select(.needs == []) | .id'`
}

// caseLine is a case as --json prints it.
type caseLine struct {
	ID        string   `json:"id"`
	Catalogue []string `json:"catalogue"`
	Area      string   `json:"area"`
	Level     string   `json:"level"`
	Profiles  []string `json:"profiles"`
	Spec      []string `json:"spec"`
	Needs     []string `json:"needs"`
	Title     string   `json:"title"`
}

func (c *casesCmd) Run(a *app) error {
	var cfg run.Config
	if err := c.filters.apply(&cfg); err != nil {
		return err
	}
	ref, err := target.Parse("ref:")
	if err != nil {
		return err
	}
	cfg.Targets = []target.Factory{ref} // the filters are judged as those of a run
	if err := cfg.Check(); err != nil {
		return err
	}
	chosen := slices.DeleteFunc(run.Select(&cfg), func(p *plan.Plan) bool { // a run counts these as skipped
		return slices.ContainsFunc(c.Skip, func(glob string) bool { return run.Match(glob, p.Header.ID) })
	})
	if len(chosen) == 0 {
		return fmt.Errorf("%w: --skip leaves none of %s", run.ErrNothing, report.Plural(len(cfg.Plans), "case"))
	}
	if c.Coverage {
		return c.coverage(a, chosen)
	}
	lines := make([]caseLine, 0, len(chosen))
	for _, p := range chosen {
		lines = append(lines, describe(p, cfg.Profile))
	}
	if c.JSON {
		return printJSON(a.stdout, lines)
	}
	widest := 0
	for _, l := range lines {
		widest = max(widest, len(l.ID))
	}
	room := math.MaxInt // of a title: all of it, unless a terminal would break the line
	if w := a.width(); w > 0 {
		room = max(20, w-widest-len("  should  "))
	}
	for _, l := range lines {
		text := []rune(l.Title)
		if len(text) > room {
			text = append(text[:room-1], '…')
		}
		fmt.Fprintf(a.stdout, "%-*s  %-6s  %s\n", widest, l.ID, l.Level, string(text))
	}
	fmt.Fprintln(a.stdout, report.Plural(len(lines), "case"))
	return nil
}

// describe is a plan's header as a line of the list.
func describe(p *plan.Plan, profile plan.Profile) caseLine {
	h := p.Header
	l := caseLine{
		ID: h.ID, Catalogue: list(h.Catalogue), Area: check.Area(h.ID), Spec: list(h.Spec), Needs: list(h.Needs),
		Profiles: []string{}, Title: title(p.Prose),
	}
	if judged := h.Profiles.List(); len(judged) > 0 && !h.Profiles.Has(profile) {
		profile = judged[0]
	}
	l.Level = h.Levels[profile].String()
	for _, in := range h.Profiles.List() {
		l.Profiles = append(l.Profiles, in.String())
	}
	return l
}

// title is the first sentence of a case's prose.
func title(prose string) string {
	prose = strings.Join(strings.Fields(prose), " ")
	if first, _, ok := strings.Cut(prose, ". "); ok {
		return first + "."
	}
	return prose
}

// list is never nil: JSON shows an empty list, not null.
func list(s []string) []string { return append([]string{}, s...) }
