package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// simCmd simulates networks.
type simCmd struct {
	Plans []string `arg:"" optional:"" name:"plan" help:"A plan file, a directory of them, or the id of a simulation carried in the binary. Default: list those."`

	Nodes  *int           `placeholder:"N" help:"Nodes of the world, in place of the plan's."`
	Seed   *uint64        `placeholder:"N" help:"Seed of all chance, in place of the plan's."`
	For    *time.Duration `placeholder:"TIME" help:"Simulated time in which operations begin, in place of the plan's."`
	Point  string         `placeholder:"'NAME=VALUE ...'" help:"Only the points of the sweep with these settings: 'alpha=3 k=20'."`
	Shards *int           `placeholder:"N" help:"Goroutines that share the nodes; it never changes a result. Default: one for each processor."`
	Wire   bool           `help:"Encode and decode every message; the result is the same, it takes longer."`
	Trace  []kad.Peer     `placeholder:"NODE" help:"Print what comes into and out of this node, a number from 1 on (repeatable)."`
	Rows   string         `placeholder:"FILE" help:"Write each operation there, as a line of CSV."`
	Shrink bool           `help:"If the plan fails, print the smallest plan that fails in the same way."`
	Out    string         `placeholder:"DIR" help:"Write results.jsonl, report.html and the inputs there; a log of before is replaced. Default: ${out}."`
	JSON   bool           `help:"Print the log as JSON lines, the last of which is the summary of the last run."`
	Quiet  bool           `short:"q" help:"No progress on stderr."`

	UpdateDigests string `hidden:"" placeholder:"FILE" help:"Write the digests of plans that need digest=@fixtures into this list."`
}

func (simCmd) Help() string {
	return `A plan says who is there, how messages travel, who comes and goes, who does harm, what the nodes are asked, and which figures must come out (docs/plan-language.md). Each node is the reference implementation itself, in simulated time; the same plan and seed give the same digest on every machine and with any number of shards. A plan with a sweep runs once for each of its points.

The report has the figures with their confidence intervals, the needs that were missed, and what the run itself cost; beside the log stands report.html with plots. Progress goes to stderr. A plan that needs more memory than there is is refused before it starts.

--trace prints a step of a node as the time, the node and its input, and below what it sent (>) and told its application (!). --rows has times in nanoseconds. --shrink leaves out lines and halves numbers while the same need is missed with the same seed, and prints the smallest plan that it found, ready to be saved and run.

Ctrl-C stops a run between two windows: its log says where, and what there is of it is reported. A second one ends the process at once.

Exit codes: 0 ok, 2 usage, 4 the simulator itself, 5 a need was missed, 130 interrupted.

Examples:

    kadbench sim
    kadbench sim sim/static-1k
    kadbench sim sim/static-1m --nodes 200000 --seed 7
    kadbench sim my.plan --trace 17 | less
    kadbench sim my.plan --shrink > small.plan
    kadbench sim sim/parameters --point 'alpha=3 k=20' --rows lookups.csv --json | tail -1`
}

func (c *simCmd) Run(a *app) error {
	if len(c.Plans) == 0 {
		return c.list(a)
	}
	if err := c.check(); err != nil {
		return err
	}
	tuneCollector()
	found, err := loadWorlds(c.Plans, (*plan.Plan).Simulated, "simulation", "sim")
	cfg := c.config(found)
	if err == nil {
		err = cfg.Check() // nothing is written for what cannot begin
	}
	if err == nil && c.Shrink {
		return c.shrink(a, cfg)
	}
	var log *record.Writer
	if err == nil || c.Out != "" { // asked for: then it is there even if nothing can run
		var opened error
		if log, opened = openLog(c.Out, record.Run{Seed: c.seed(found)}); opened != nil {
			return usage("--out: %v", opened)
		}
	}
	if err == nil {
		err = errors.Join(savePlans(log, found), saveCommand(log, c.seed(found)))
	}
	if err != nil {
		return abandon(log, "", err)
	}
	cfg.Log = log
	return c.simulate(a, cfg)
}

// tuneCollector, unless GOGC or GOMEMLIMIT say otherwise. A world lives from its beginning to its end, so the collector finds
// little to free in it: at the usual 100 % the heap of a million nodes would double before it looks; at 50 it costs a few
// percent of the time and spares gigabytes. The limit makes it look oftener before memory runs out.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if have := run.AvailableMemory(); have > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(have / 10 * 9))
	}
}

// simulate runs the plans and shows the result.
func (c *simCmd) simulate(a *app, cfg run.SimConfig) error {
	log := cfg.Log
	done, err := c.files(a, &cfg)
	if err != nil {
		return abandon(log, "", err)
	}
	progress := a.simProgress(c.Quiet)
	cfg.Progress = progress.event
	result, err := run.Simulate(a.ctx, cfg)
	progress.close()
	if closed := done(); err == nil {
		err = closed
	}
	if len(result.Runs) == 0 {
		return abandon(log, "", err)
	}
	result.Summary.Exit = run.ExitCode(err)
	if err != nil && run.ExitCode(err) == 4 {
		log.Write(record.Entry{Type: record.TypeNote, Text: err.Error()})
	}
	if closed := log.Close(result.Summary); closed != nil {
		return fmt.Errorf("%w: %w", run.ErrHarness, closed)
	}
	if err := c.show(a, log.Path(), result); err != nil {
		return err
	}
	a.writePage(log.Path())
	if last := result.Runs[len(result.Runs)-1]; errors.Is(err, sim.ErrPanic) {
		fmt.Fprintf(a.stderr, "repeat: %s\n", last.Repeat)
	}
	if errors.Is(err, run.ErrNeed) {
		return &exitError{code: run.ExitCode(err)} // the report has said it
	}
	return err
}

// show prints the report, or the log with the summary of the last run as its last line.
func (c *simCmd) show(a *app, path string, result *run.SimReport) error {
	if !c.JSON {
		return a.printLog(path, "")
	}
	return a.printLines(path, []any{result.Runs[len(result.Runs)-1].Summary()})
}

// files opens what is written beside the log. done closes it.
func (c *simCmd) files(a *app, cfg *run.SimConfig) (done func() error, err error) {
	var close []func() error
	done = func() error {
		var errs []error
		for _, f := range close {
			errs = append(errs, f())
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("%w: %w", run.ErrHarness, err)
		}
		return nil
	}
	if c.Rows != "" {
		f, err := os.Create(c.Rows)
		if err != nil {
			return done, usage("--rows: %v", err)
		}
		cfg.Rows = f
		close = append(close, f.Close)
	}
	if len(c.Trace) > 0 {
		steps := bufio.NewWriter(a.stdout)
		cfg.Steps = steps
		close = append(close, steps.Flush)
	}
	if c.UpdateDigests != "" {
		text, err := os.ReadFile(c.UpdateDigests)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return done, usage("--update-digests: %v", err)
		}
		digests, err := run.ReadDigests(c.UpdateDigests, text)
		if err != nil {
			return done, usage("--update-digests: %v", err)
		}
		cfg.Digests, cfg.Record = digests, true
		close = append(close, func() error { return os.WriteFile(c.UpdateDigests, digests.Text(), 0o644) })
	}
	return done, nil
}

// check says what is wrong with the flags.
func (c *simCmd) check() error {
	switch {
	case c.Nodes != nil && *c.Nodes < 1:
		return usage("--nodes %d: a number from 1 on was expected", *c.Nodes)
	case c.Shards != nil && *c.Shards < 1:
		return usage("--shards %d: a number from 1 on was expected", *c.Shards)
	case c.For != nil && *c.For <= 0:
		return usage("--for %s: a time above 0 was expected", *c.For)
	case c.JSON && len(c.Trace) > 0:
		return usage("--trace prints text on stdout and --json JSON: one of the two was expected")
	case c.Shrink && (c.For != nil || c.JSON || len(c.Trace) > 0 || c.Rows != ""):
		return usage("--shrink runs many plans and prints one: none of --for, --json, --trace and --rows was expected with it")
	}
	return nil
}

func (c *simCmd) config(found []*plan.Plan) run.SimConfig {
	cfg := run.SimConfig{Plans: found, Seed: c.Seed, Point: c.Point, Wire: c.Wire, Trace: c.Trace, Command: c.repeatCommand}
	if c.Nodes != nil {
		cfg.Nodes = *c.Nodes
	}
	if c.Shards != nil {
		cfg.Shards = *c.Shards
	}
	if c.For != nil {
		cfg.For = *c.For
	}
	return cfg
}

// seed is the command's, or else that of the first plan: what the log calls its seed. Each run's stands with it.
func (c *simCmd) seed(found []*plan.Plan) uint64 {
	switch {
	case c.Seed != nil:
		return *c.Seed
	case len(found) > 0 && found[0].Simulated():
		return found[0].Simulations()[0].World.Seed
	}
	return 0
}

// repeatCommand is the command that runs one point of a plan again, ready for a shell.
func (c *simCmd) repeatCommand(p *plan.Plan, at string, seed uint64) string {
	name := p.File
	if slices.Contains(c.Plans, p.Header.ID) { // carried in the binary
		name = p.Header.ID
	}
	args := []string{"sim", name, "--seed", fmt.Sprint(seed)}
	for _, s := range strings.Fields(at) {
		if strings.HasPrefix(s, "seed=") { // the sweep chooses it
			args = args[:2]
		}
	}
	if at != "" {
		args = append(args, "--point", at)
	}
	if c.Nodes != nil {
		args = append(args, "--nodes", fmt.Sprint(*c.Nodes))
	}
	if c.For != nil {
		args = append(args, "--for", plan.ShortTime(*c.For))
	}
	if c.Wire {
		args = append(args, "--wire")
	}
	return self() + " " + shellquote.Join(args...)
}

// list shows the simulations carried in the binary.
func (c *simCmd) list(a *app) error {
	rows, err := carriedPlans("sim")
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, rows)
	}
	for _, r := range rows {
		times := ""
		if r.Runs > 1 {
			times = fmt.Sprintf(" x %d", r.Runs)
		}
		fmt.Fprintf(a.stdout, "%-22s %9d%-5s %s\n", r.Plan, r.Nodes, times, report.Clean(r.About))
	}
	fmt.Fprintf(a.stdout, "\n%d simulations: id, nodes (x runs of the sweep), question. kadbench sim ID runs one, kadbench plan explain ID tells it.\n", len(rows))
	return nil
}
