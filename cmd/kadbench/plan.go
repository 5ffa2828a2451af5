package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
)

// planCmd works on plans as texts. A plan is named by a path, or by the id of one carried in the binary.
type planCmd struct {
	Fmt     planFmtCmd     `cmd:"" help:"Print a plan in its canonical form, or write it so."`
	Lint    planLintCmd    `cmd:"" help:"Say what is wrong with plans, and what could be better."`
	Explain planExplainCmd `cmd:"" help:"Tell in prose what a plan does."`
	Verbs   planVerbsCmd   `cmd:"" help:"The tables of the language: verbs, header, peers, functions."`
}

func (planCmd) Help() string {
	return `Examples:

    kadbench plan explain find-node/asker-left-out
    kadbench plan lint my-case.plan
    kadbench plan fmt -w my-case.plan
    kadbench plan verbs`
}

// planFmtCmd is gofmt for plans.
type planFmtCmd struct {
	Plans []string `arg:"" name:"plan" help:"A path, or the id of one carried in the binary."`
	Write bool     `short:"w" help:"Write the file instead of printing it."`
	List  bool     `short:"l" help:"Print the names of the files whose form is not canonical; exit code 1 if there are any."`
}

func (planFmtCmd) Help() string {
	return `Spacing and indentation change, nothing else: the plan stays the same, and formatting twice changes nothing more.

Examples:

    kadbench plan fmt my-case.plan
    kadbench plan fmt -w my-case.plan
    kadbench plan fmt -l plans/conformance/*/*.plan`
}

func (c *planFmtCmd) Run(a *app) error {
	differ := false
	for _, name := range c.Plans {
		file, src, err := findPlan(name)
		if err != nil {
			return err
		}
		formatted, err := plan.Format(file, src)
		if err != nil {
			return usage("%v", planError(name, err))
		}
		same := bytes.Equal(src, formatted)
		switch {
		case c.List:
			if !same {
				differ = true
				fmt.Fprintln(a.stdout, file)
			}
		case c.Write:
			if _, err := os.Stat(name); err != nil {
				return usage("plan %s: it is carried in the binary and cannot be written", name)
			}
			if !same {
				if err := os.WriteFile(name, formatted, 0o644); err != nil {
					return fmt.Errorf("%w: %w", run.ErrHarness, err)
				}
			}
		default:
			if _, err := a.stdout.Write(formatted); err != nil {
				return err
			}
		}
	}
	if differ {
		return &exitError{code: 1}
	}
	return nil
}

// planLintCmd prints every complaint about the plans.
type planLintCmd struct {
	Plans []string `arg:"" optional:"" name:"plan" help:"A path, or the id of one carried in the binary. Default: all cases carried there."`
	JSON  bool     `help:"Print an array of {file, line, what, message, warning}."`
}

func (planLintCmd) Help() string {
	return `Each complaint is one line on stdout, file:line: what: what was expected. Warnings are advice; with anything else the exit code is 1.

Examples:

    kadbench plan lint
    kadbench plan lint my-case.plan`
}

func (c *planLintCmd) Run(a *app) error {
	if len(c.Plans) == 0 {
		ids, err := carriedIDs()
		if err != nil {
			return err
		}
		c.Plans = ids
	}
	var all plan.Errors
	for _, name := range c.Plans {
		file, src, err := findPlan(name)
		if err != nil {
			return err
		}
		p, err := plan.Parse(file, src)
		var complaints plan.Errors
		switch {
		case errors.As(err, &complaints):
			all = append(all, complaints...)
		case err != nil:
			return usage("%v", planError(name, err))
		default:
			all = append(all, plan.Lint(p)...)
		}
	}
	if err := c.print(a.stdout, all); err != nil {
		return err
	}
	if !c.JSON && len(all) == 0 {
		fmt.Fprintf(a.stdout, "%s, nothing to complain of\n", report.Plural(len(c.Plans), "plan"))
	}
	if len(all.Fatal()) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

func (c *planLintCmd) print(w io.Writer, all plan.Errors) error {
	if !c.JSON {
		for _, e := range all {
			fmt.Fprintln(w, e)
		}
		return nil
	}
	type complaint struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		What    string `json:"what"`
		Message string `json:"message"`
		Warning bool   `json:"warning"`
	}
	list := make([]complaint, 0, len(all))
	for _, e := range all {
		list = append(list, complaint{e.Pos.File, e.Pos.Line, e.What, e.Msg, e.Warning})
	}
	return printJSON(w, list)
}

// planExplainCmd tells a plan in prose.
type planExplainCmd struct {
	Plan string `arg:"" help:"A path, or the id of one carried in the binary."`
}

func (planExplainCmd) Help() string {
	return `Examples:

    kadbench plan explain find-node/nearest-twenty
    kadbench plan explain sim/churn-3h
    kadbench plan explain my-case.plan`
}

func (c *planExplainCmd) Run(a *app) error {
	file, src, err := findPlan(c.Plan)
	if err != nil {
		return err
	}
	p, err := plan.Parse(file, src)
	if err != nil {
		return usage("%v", planError(c.Plan, err))
	}
	_, err = fmt.Fprintln(a.stdout, strings.TrimRight(plan.Explain(p), "\n"))
	return err
}

// planVerbsCmd prints the tables from which the language is made.
type planVerbsCmd struct {
	JSON bool `help:"Print an object of arrays of {name, usage, meaning}."`
}

func (planVerbsCmd) Help() string {
	return `docs/plan-language.md explains them.

Examples:

    kadbench plan verbs | less
    kadbench plan verbs --json | jq -r '.functions[].usage'`
}

func (c *planVerbsCmd) Run(a *app) error {
	tables := []struct {
		name string
		rows []plan.Row
	}{
		{"verbs", plan.Verbs()},
		{"header", plan.HeaderLines()},
		{"target parameters", plan.PeerWords(true)},
		{"puppet parameters", plan.PeerWords(false)},
		{"functions", plan.Functions()},
		{"changes of a frame", plan.Changes()},
		{"words of world", plan.Words("world", plan.SimWorld)},
		{"words of link", plan.Words("link", plan.SimWorld)},
		{"words of churn", plan.Words("churn", plan.SimWorld)},
		{"words of faults", plan.Words("faults", plan.SimWorld)},
		{"words of load", plan.Words("load", plan.SimWorld)},
		{"figures of need", plan.Words("need", plan.SimWorld)},
		{"words of world of a load", plan.Words("world", plan.LoadWorld)},
		{"words of load of a load", plan.Words("load", plan.LoadWorld)},
		{"figures of need of a load", plan.Words("need", plan.LoadWorld)},
		{"words of world of a network", plan.Words("world", plan.NetworkWorld)},
		{"figures of need of a network", plan.Words("need", plan.NetworkWorld)},
	}
	if c.JSON {
		type row struct {
			Name    string `json:"name"`
			Usage   string `json:"usage"`
			Meaning string `json:"meaning"`
		}
		object := make(map[string][]row)
		for _, t := range tables {
			for _, r := range t.rows {
				object[t.name] = append(object[t.name], row(r))
			}
		}
		return printJSON(a.stdout, object)
	}
	for i, t := range tables {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprintf(a.stdout, "%s\n", t.name)
		for _, r := range t.rows {
			fmt.Fprintf(a.stdout, "  %s\n      %s\n", strings.ReplaceAll(r.Usage, "\n", "\n  "), r.Meaning)
		}
	}
	return nil
}
