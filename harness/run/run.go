package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/harness/record"
)

// Check runs the cases of a configuration against its targets, one target after the other. The report is there whatever
// the error: nil, ErrFailed when a case failed, ErrTarget, ErrHarness, or the context's when it was interrupted.
func Check(ctx context.Context, c Config) (*Report, error) {
	report := &Report{Versions: map[string]string{}}
	report.Summary.Profile = c.Profile.String()
	if err := c.Check(); err != nil {
		report.Summary.Exit = ExitCode(err)
		return report, err
	}
	plans := Select(&c)
	var lost []error
	stale := false
	for _, f := range c.Targets {
		r := &runner{config: &c, pool: newPool(f, c.Seed, c.Puppets), report: report}
		err := r.run(ctx, plans)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			lost = append(lost, err)
			report.Notes = append(report.Notes, err.Error())
		}
		stale = stale || r.stale
	}
	for _, res := range report.Results {
		if res.Profile == c.Profile.String() {
			report.Summary.Add(res.Verdict)
		}
	}
	err := verdict(ctx, &report.Summary, lost, stale)
	report.Summary.Log, report.Summary.Exit = c.Log.Path(), ExitCode(err)
	return report, err
}

// verdict is the error of a whole run: what could not be done weighs more than what failed.
func verdict(ctx context.Context, s *record.Summary, lost []error, stale bool) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", context.Canceled)
	case len(lost) > 0:
		return errors.Join(lost...)
	case s.Failed > 0:
		return fmt.Errorf("%w: %d of %d", ErrFailed, s.Failed, s.Total())
	case stale:
		return fmt.Errorf("%w: the known failures are stale", ErrFailed)
	case s.Errors > 0:
		return fmt.Errorf("%w: %d of %d cases ended in an error of the suite's own", ErrHarness, s.Errors, s.Total())
	}
	return nil
}
