package main

import (
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
)

// shrink prints the smallest plan that fails as the given one does.
func (c *simCmd) shrink(a *app, cfg run.SimConfig) error {
	if len(cfg.Plans) != 1 {
		return usage("--shrink: one plan was expected, not %d", len(cfg.Plans))
	}
	shrink := run.ShrinkConfig{SimConfig: cfg}
	if !c.Quiet {
		shrink.Told = func(try int, what string, fails bool) {
			verdict := "holds"
			if fails {
				verdict = "fails"
			}
			fmt.Fprintf(a.stderr, "try %d: %s: %s\n", try, report.Clean(what), verdict)
		}
	}
	small, err := run.Shrink(a.ctx, shrink)
	if errors.Is(err, run.ErrNothingFails) {
		fmt.Fprintf(a.stderr, "%s\n", err)
		return nil
	}
	if small == nil {
		return err
	}
	if _, err := a.stdout.Write(small.Source); err != nil {
		return err
	}
	more := ""
	if small.Cut {
		more = "; there may be a smaller one"
	}
	fmt.Fprintf(a.stderr, "%d tries: this plan fails in the same way%s: %s: %s\n", small.Tries, more, report.Clean(small.Fails), report.Clean(small.Why))
	if err == nil {
		err = &exitError{code: run.ExitCode(run.ErrNeed)}
	}
	return err
}
