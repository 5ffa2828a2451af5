package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
)

// reportCmd makes a report from one log or several.
type reportCmd struct {
	Logs    []string `arg:"" name:"log" help:"A log, or the directory of its run. Several are put side by side."`
	Format  string   `enum:"text,md,markdown,html,junit,tap,json,log" default:"text" help:"One of text, md, html, junit, tap, json, log."`
	Profile string   `placeholder:"PROFILE" help:"Whose verdicts are shown: base, amino or defacto. Default: the one which decided the run."`
	All     bool     `help:"In text and md, every case, everything that was observed and every reason; in junit and tap, every profile."`
	Output  string   `short:"o" placeholder:"FILE" help:"Write to this file instead of stdout."`
	JSON    bool     `help:"The same as --format json."`
}

func (reportCmd) Help() string {
	return `Every report is made from the logs of runs, afterwards. Several logs make one matrix: a run with several targets, or a run for each of them. A target of the same name in two logs is called NAME@VERSION there, or NAME@DIRECTORY.

text is what check printed: what failed, then cases against targets where these differ. md is for the summary of a CI job: totals, and what failed, folded. html is one page that needs no network: the matrix in each profile, a view of each case with its clauses, its plan and what went over its streams, and the clauses with their cases. junit and tap are for CI systems, a suite for each target, in the profile that decided the run, so that they fail where the exit code does. json is the whole log without its frames as one object; log is the log itself, whole lines only.

A log of simulations (kadbench sim) has the same forms: figures with needs and costs; in html also plots, of a sweep a panel for each figure; in junit and tap a test case for each need. Logs of the same plan are put side by side as points of a sweep are.

A log of loads on sockets (kadbench bench) has them too: rates, latencies from when requests were due and from when they were sent, costs and what became of the requests, beside the first target; in html latency by percentile, what happened over time, and round by round. kadbench compare says which differences between two logs are more than chance.

Examples:

    kadbench report kadbench-out/2026-01-02T15-04-05
    kadbench report out --all
    kadbench report out --profile amino
    kadbench report out-go out-js out-py --format html -o report.html
    kadbench report out --format md >> "$GITHUB_STEP_SUMMARY"
    kadbench report out --format junit -o junit.xml`
}

func (r *reportCmd) Run(a *app) error {
	if r.Profile != "" {
		if _, err := plan.ParseProfile(r.Profile); err != nil {
			return usage("--profile: %v", err)
		}
	}
	if r.JSON {
		r.Format = "json"
	}
	if r.Format == "log" && len(r.Logs) > 1 {
		return usage("--format log: one log was expected, not %d", len(r.Logs))
	}
	var logs []*report.Log
	for _, path := range r.Logs {
		l, err := report.Load(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return usage("report: %v (a log or the directory of its run was expected)", err)
		case err != nil:
			return usage("report: %v", err)
		}
		logs = append(logs, l)
	}
	l := report.Join(logs...)
	o := a.textOptions(r.Profile)
	o.All = r.All
	if r.Output != "" {
		o.Color = false
	}
	return a.write(r.Output, func(w io.Writer) error {
		switch r.Format {
		case "md", "markdown":
			return report.Markdown(w, l, o)
		case "html":
			return report.HTML(w, l, describeCases(l, o))
		case "junit":
			return report.JUnit(w, l, o)
		case "tap":
			return report.TAP(w, l, o)
		case "json":
			return report.JSON(w, l)
		case "log":
			return report.Lines(w, r.Logs[0])
		}
		return report.Text(w, l, o)
	})
}

// writePage puts the HTML report beside a log that was just written, and says where it is. A run whose verdicts are known
// does not fail for want of it.
func (a *app) writePage(log string) {
	path := filepath.Join(filepath.Dir(log), "report.html")
	l, err := report.Load(log)
	if err == nil {
		err = a.write(path, func(w io.Writer) error { return report.HTML(w, l, describeCases(l, report.Options{})) })
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "note: no report.html: %s\n", report.Clean(err.Error()))
		return
	}
	fmt.Fprintf(a.stderr, "report: %s\n", path)
}

// write writes to stdout, or to the file of --output, which appears only when all of it could be made.
func (a *app) write(path string, make func(io.Writer) error) error {
	if path == "" {
		return make(a.stdout)
	}
	var b bytes.Buffer
	if err := make(&b); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return usage("--output: %v", err)
	}
	return nil
}
