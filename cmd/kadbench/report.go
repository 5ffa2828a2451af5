package main

import (
	"bytes"
	"io"
	"os"

	"github.com/kadbench/kadbench/harness/report"
)

// reportCmd makes a report from a log.
type reportCmd struct {
	Log     string `arg:"" help:"The log, or the directory of its run."`
	Format  string `enum:"text,junit,json,log" default:"text" help:"One of ${enum}."`
	Profile string `enum:",base,amino,defacto" default:"" help:"Whose verdicts the text shows; as the run chose, else."`
	Output  string `short:"o" help:"Write to this file instead of stdout."`
	JSON    bool   `help:"The same as --format json."`
}

func (reportCmd) Help() string {
	return `Every report is made from the log of a run, afterwards. text is what check printed; junit is for CI systems, a suite for each target and profile; json is the whole log without its frames as one object; log is the log itself, whole lines only.

Examples:

    kadbench report kadbench-out/2026-01-02T15-04-05
    kadbench report out --profile amino
    kadbench report out --format junit -o junit.xml`
}

func (r *reportCmd) Run(a *app) error {
	l, err := report.Load(r.Log)
	if err != nil {
		return usage("report: %v", err)
	}
	if r.JSON {
		r.Format = "json"
	}
	o := a.textOptions(r.Profile)
	if r.Output != "" {
		o.Color = false
	}
	return a.write(r.Output, func(w io.Writer) error {
		switch r.Format {
		case "junit":
			return report.JUnit(w, l)
		case "json":
			return report.JSON(w, l)
		case "log":
			return report.Lines(w, r.Log)
		}
		return report.Text(w, l, o)
	})
}

// write writes to stdout, or to a file which appears only when all of it could be made.
func (a *app) write(path string, make func(io.Writer) error) error {
	if path == "" {
		return make(a.stdout)
	}
	var b bytes.Buffer
	if err := make(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
