package exchange

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// Errors of this package.
var (
	ErrPlan      = errors.New("plan cannot be recorded")
	ErrRecording = errors.New("recording")
)

// DefaultTimeout bounds one run of a plan: twice what a case may take by default.
const DefaultTimeout = 60 * time.Second

// Config is how an exchange is run; its zero value is a seed of 0, the libp2p specification and a minute.
type Config struct {
	Seed    uint64
	Profile plan.Profile  // as which a target that knows profiles behaves
	Timeout time.Duration // of one run; 0: DefaultTimeout
	Remote  bool          // an address that is not private may be asked
}

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	if c.Timeout < 0 {
		return fmt.Errorf("timeout %s, expected a time above 0", c.Timeout)
	}
	if int(c.Profile) >= len(plan.Profiles) {
		return fmt.Errorf("profile %d, expected base, amino or defacto", c.Profile)
	}
	return nil
}

// Recording is a plan with what a target answered.
type Recording struct {
	Source  []byte
	Target  string   // name and version by hello
	Answers int      // want lines that were written
	Passed  []string // what stays as it was in the plan, a line each
}

// Record runs a plan's sends against a target and writes its answers into the plan. Errors are ErrPlan, ErrRecording, or
// those of a run.
func Record(ctx context.Context, c Config, file string, src []byte, f target.Factory) (*Recording, error) {
	p, err := plan.Parse(file, src)
	if err != nil {
		return nil, err
	}
	d, err := newDraft(p)
	if err != nil {
		return nil, err
	}
	// Where a frame of another type comes than was thought, the run ends: it begins again with that type.
	for range len(d.slots) + 1 {
		again, t, err := d.listen(ctx, c, f)
		if err != nil {
			return nil, err
		}
		if again {
			continue
		}
		out, err := plan.Format(file, d.source())
		if err != nil {
			return nil, fmt.Errorf("%w: what was written is no plan: %w", ErrRecording, err)
		}
		head := fmt.Sprintf("# Recorded from %s in profile %s with seed %d.\n", t.implementation, c.Profile, c.Seed)
		return &Recording{Source: append([]byte(head), out...), Target: t.implementation, Answers: len(d.slots), Passed: d.passed}, nil
	}
	return nil, fmt.Errorf("%w: %s: what comes differs from run to run", ErrRecording, file)
}

// listen runs the open plan once and writes down what came. again: a slot has another type now.
func (d *draft) listen(ctx context.Context, c Config, f target.Factory) (again bool, t *tape, err error) {
	src, lines := d.open()
	p, err := plan.Parse(d.file, src)
	if err != nil {
		return false, nil, fmt.Errorf("%w: %w", ErrPlan, err)
	}
	t, err = c.run(ctx, p, f)
	if err != nil {
		return false, nil, err
	}
	w := newWriter(p, t)
	asked := t.asked(p)
	next := map[string]int{} // frames of each stream that are written already
	for i, s := range d.slots {
		line := fmt.Sprintf("line %d", lines[i])
		taken := t.result.Measured[line]
		missed := t.result.Failure != nil && t.result.Failure.Line == fmt.Sprintf("%s:%d", d.file, lines[i])
		switch {
		case !missed && strings.HasPrefix(taken, "silence"):
			s.want = "want " + s.stream + " silence for=" + silence
			continue
		case !missed && strings.HasPrefix(taken, "ended"):
			s.want = "want " + s.stream + " ended"
			continue
		case !missed && strings.HasPrefix(taken, "refused"):
			s.want = "want " + s.stream + " refused"
			continue
		}
		frames := t.came[s.stream]
		if next[s.stream] >= len(frames) {
			return false, nil, fmt.Errorf("%w: %s", ErrRecording, t.why())
		}
		e := frames[next[s.stream]]
		next[s.stream]++
		m, err := check.NewMessage(body(e.Bytes))
		if err != nil {
			return false, nil, fmt.Errorf("%w: stream %s: what came is no message, so no want can say it: %w", ErrRecording, s.stream, err)
		}
		if missed {
			s.typ = check.TypeName(m.Type)
			return true, t, nil
		}
		s.want = w.want(s.stream, m, asked[s.stream])
	}
	if t.result.Verdict != record.Pass && t.result.Failure != nil {
		return false, nil, fmt.Errorf("%w: a line that is not recorded was not met: %s", ErrRecording, t.why())
	}
	return false, t, nil
}

// asked are the keys which streams ask for, for replies that do not repeat them.
func (t *tape) asked(p *plan.Plan) map[string][]byte {
	keys := map[string][]byte{}
	for _, l := range p.Script {
		frame := t.sent[l.Pos.String()]
		if _, ok := l.Stmt.(plan.Send); !ok || len(frame) == 0 {
			continue
		}
		if m, err := check.NewMessage(body(frame)); err == nil {
			for _, name := range streams(l) {
				keys[name] = m.Key
			}
		}
	}
	return keys
}

func (t *tape) why() string {
	if t.result.Failure != nil {
		return t.result.Failure.Line + ": " + t.result.Why
	}
	return string(t.result.Verdict) + ": " + t.result.Why
}

// run runs a plan once, in one profile, and reads the log of it.
func (c Config) run(ctx context.Context, p *plan.Plan, f target.Factory) (*tape, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", run.ErrUsage, err)
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: it took longer than %s", ErrRecording, timeout))
	defer cancel()
	dir, err := os.MkdirTemp("", "kadbench-exchange")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	log, err := record.Create(dir, record.Run{Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	p.Header.Profiles, p.Header.Repeat = 1<<c.Profile, 0
	report, err := run.Check(ctx, run.Config{
		Targets: []target.Factory{f}, Plans: []*plan.Plan{p}, Profile: c.Profile, Slow: true, Remote: c.Remote, Jobs: 1, Seed: c.Seed, Log: log,
	})
	if errors.Is(context.Cause(ctx), ErrRecording) {
		err = context.Cause(ctx)
	}
	if closed := log.Close(report.Summary); closed != nil {
		return nil, closed
	}
	if err != nil && !errors.Is(err, run.ErrFailed) && !errors.Is(err, run.ErrHarness) {
		return nil, err
	}
	if i := slices.IndexFunc(report.Results, func(r record.Result) bool { return r.Verdict != record.Pass && r.Failure == nil }); i >= 0 {
		return nil, fmt.Errorf("%w: %s: %s", ErrRecording, report.Results[i].Verdict, report.Results[i].Why)
	}
	return readTape(dir, p.Header.ID, c.Profile.String())
}
