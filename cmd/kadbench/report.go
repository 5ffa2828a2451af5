package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
)

// reportCmd makes a report from a log.
type reportCmd struct {
	Log     string `arg:"" help:"The log, or the directory of its run."`
	Format  string `enum:"text,junit,json,log" default:"text" help:"One of ${enum}."`
	Profile string `placeholder:"PROFILE" help:"Whose verdicts text and junit show: base, amino or defacto. Default: the one which decided the run."`
	All     bool   `help:"In text, everything that was observed and every reason, instead of a count; in junit, every profile."`
	Output  string `short:"o" placeholder:"FILE" help:"Write to this file instead of stdout."`
	JSON    bool   `help:"The same as --format json."`
}

func (reportCmd) Help() string {
	return `Every report is made from the log of a run, afterwards. text is what check printed; junit is for CI systems, a suite for each target, in the profile that decided the run, so that it fails where the exit code does; json is the whole log without its frames as one object; log is the log itself, whole lines only.

Examples:

    kadbench report kadbench-out/2026-01-02T15-04-05
    kadbench report out --all
    kadbench report out --profile amino
    kadbench report out --format junit -o junit.xml`
}

func (r *reportCmd) Run(a *app) error {
	if r.Profile != "" {
		if _, err := plan.ParseProfile(r.Profile); err != nil {
			return usage("--profile: %v", err)
		}
	}
	l, err := report.Load(r.Log)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usage("report: %v (a log or the directory of its run was expected)", err)
	case err != nil:
		return usage("report: %v", err)
	}
	if r.JSON {
		r.Format = "json"
	}
	o := a.textOptions(r.Profile)
	o.All = r.All
	if r.Output != "" {
		o.Color = false
	}
	return a.write(r.Output, func(w io.Writer) error {
		switch r.Format {
		case "junit":
			return report.JUnit(w, l, o)
		case "json":
			return report.JSON(w, l)
		case "log":
			return report.Lines(w, r.Log)
		}
		return report.Text(w, l, o)
	})
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
