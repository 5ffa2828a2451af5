package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/kadbench/kadbench/harness/network"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// benchCmd loads targets on real sockets, or makes networks of them.
type benchCmd struct {
	Plan    string   `arg:"" optional:"" help:"A plan file, a directory of them, or the id of a load or network carried in the binary. Default: list those."`
	Targets []string `arg:"" optional:"" name:"target" sep:"none" help:"What to load: ref:, echo:, addr:/ip4/…/p2p/…, cmd:./adapter or image:NAME, with a name before it: go=cmd:./adapter. In a network also go:. Default: ref:."`

	Rate        string         `placeholder:"N/s" help:"Requests a second of each line, in place of the plan's; a closed load becomes an open one."`
	For         *time.Duration `placeholder:"TIME" help:"How long each turn, or each load of a network, is measured, in place of the plan's."`
	Warmup      *time.Duration `placeholder:"TIME" help:"The same load before that, which is not measured, in place of the plan's."`
	Connections *int           `placeholder:"N" help:"Connections to a target, in place of the plan's."`
	Streams     *int           `placeholder:"N" help:"Streams of a connection, in place of the plan's."`
	Nodes       *int           `placeholder:"N" help:"Nodes of a network, in place of the plan's."`
	Rounds      *int           `placeholder:"N" help:"Turns of each target, in place of the plan's; targets take turns. Default: 1, or 5 of several targets."`
	Seed        *uint64        `placeholder:"N" help:"Seed of all chance, in place of the plan's."`
	Point       string         `placeholder:"'NAME=VALUE ...'" help:"Only the points of the sweep with these settings: 'transport=quic streams=8'."`
	FindMax     bool           `name:"find-max" help:"Seek the highest rate at which the needs of the plan hold."`
	Foreign     *float64       `placeholder:"PERCENT" help:"How much of the processors others may use in a turn that counts; 100: any. Default: 10."`
	Mixed       bool           `help:"One network of nodes of all targets, in place of one of each."`
	Unlimited   bool           `help:"Run ref: and echo: without go-libp2p's resource manager."`

	Out   string `placeholder:"DIR" help:"Write results.jsonl, report.html and the inputs there; a log of before is replaced. Default: ${out}."`
	JSON  bool   `help:"Print the log as JSON lines, the last of which are summaries, one for each target."`
	Quiet bool   `short:"q" help:"No progress on stderr."`
}

func (benchCmd) Help() string {
	return `A plan of a real world (docs/plan-language.md) either loads one target after the other with requests, or, if it says nodes=, makes a network of each target's implementation and asks its nodes. It says how fast, how long, and which figures must come out.

An open load (rate=) sends each request when it is due; latency counts from then, so a server that stalls shows it in every request that waited. What is sent late or never counts against the run. A closed load shows how much a target can do. Several targets have turns of their own in each round, and are compared round by round; a turn in which others kept the machine busy is done again.

ref: is the reference implementation and echo: a server that reads a frame and writes constant bytes: the floor that each implementation pays for the transport. Both run as processes of their own. go: is go-libp2p-kad-dht within this process, for networks. Load goes to this machine or a private network only.

Ctrl-C ends a run: what there is of it is reported. A second one ends the process at once.

Exit codes: 0 ok, 2 usage, 3 a target could not be reached or started, or died, 4 the harness itself, 5 a need was missed, 130 interrupted.

Examples:

    kadbench bench
    kadbench bench load/find-node
    kadbench bench load/find-node ref: echo: go=cmd:./bin/go-libp2p
    kadbench bench load/find-node js=cmd:'node harness/adapters/js-libp2p/main.mjs' --rate 500/s --for 30s
    kadbench bench load/find-node ref: --find-max
    kadbench bench load/quic --point transport=quic --json | tail -1
    kadbench bench network/closest-peers ref: go: --nodes 40
    kadbench bench my.plan addr:/ip4/127.0.0.1/tcp/4001/p2p/12D3…`
}

func (c *benchCmd) Run(a *app) error {
	if c.Plan == "" {
		return c.list(a)
	}
	cfg, err := c.config()
	if err == nil {
		err = cfg.Check() // nothing is written for what cannot begin
	}
	var log *record.Writer
	if err == nil || c.Out != "" { // asked for: then it is there even if nothing can run
		given := make(map[string]string)
		for _, f := range cfg.Targets {
			given[f.Name()] = f.String()
		}
		var opened error
		if log, opened = openLog(c.Out, record.Run{Seed: c.seed(cfg.Plans), Targets: given}); opened != nil {
			return usage("--out: %v", opened)
		}
	}
	if err == nil {
		err = errors.Join(savePlans(log, cfg.Plans), saveCommand(log, c.seed(cfg.Plans)))
	}
	if err != nil {
		return abandon(log, "", err)
	}
	cfg.Log = log
	return c.bench(a, cfg)
}

// bench runs the plans and shows the result.
func (c *benchCmd) bench(a *app, cfg run.BenchConfig) error {
	log := cfg.Log
	progress := a.benchProgress(c.Quiet)
	cfg.Progress = progress.event
	result, err := run.Bench(a.ctx, cfg)
	progress.close()
	if len(result.Benches)+len(result.Networks) == 0 {
		return abandon(log, "", err)
	}
	if code := run.ExitCode(err); code == 3 || code == 4 {
		log.Write(record.Entry{Type: record.TypeNote, Text: err.Error()})
	}
	if closed := log.Close(result.Summary); closed != nil {
		return fmt.Errorf("%w: %w", run.ErrHarness, closed)
	}
	if err := c.show(a, log.Path(), result); err != nil {
		return err
	}
	a.writePage(log.Path())
	if errors.Is(err, run.ErrNeed) {
		return &exitError{code: run.ExitCode(err)} // the report has said it
	}
	return err
}

// show prints the report, or the log with a summary of each target as its last lines.
func (c *benchCmd) show(a *app, path string, result *run.BenchReport) error {
	if !c.JSON {
		return a.printLog(path, "")
	}
	var last []any
	for _, s := range result.Summaries() {
		last = append(last, s)
	}
	for _, n := range result.Networks {
		last = append(last, n.Summary())
	}
	return a.printLines(path, last)
}

// config reads what the command names.
func (c *benchCmd) config() (cfg run.BenchConfig, err error) {
	if err := c.check(); err != nil {
		return cfg, err
	}
	cfg = run.BenchConfig{Unlimited: c.Unlimited, Seed: c.Seed, Point: c.Point, FindMax: c.FindMax, Mixed: c.Mixed, Command: c.repeatCommand,
		Connections: value(c.Connections), Streams: value(c.Streams), Nodes: value(c.Nodes), Rounds: value(c.Rounds), For: value(c.For), Warmup: value(c.Warmup)}
	if c.Rate != "" {
		if cfg.Rate, err = plan.ParseRate(c.Rate); err != nil {
			return cfg, usage("--rate %s: %v", c.Rate, err)
		}
	}
	switch {
	case c.Foreign == nil:
	case *c.Foreign == 100:
		cfg.Foreign = -1
	default:
		cfg.Foreign = math.Max(*c.Foreign/100, math.SmallestNonzeroFloat64) // 0 is none here, and the default there
	}
	self, err := os.Executable()
	if err != nil {
		return cfg, fmt.Errorf("%w: this program's own file, to run ref: and echo: as processes: %w", run.ErrHarness, err)
	}
	cfg.Self = []string{self, "node"}
	if cfg.Plans, err = loadWorlds([]string{c.Plan}, (*plan.Plan).Real, "load or network", "bench"); err != nil {
		return cfg, err
	}
	if err := c.fits(cfg.Plans); err != nil {
		return cfg, err
	}
	cfg.Targets, err = c.targets()
	return cfg, err
}

// fits refuses flags that no plan of the run has a use for.
func (c *benchCmd) fits(found []*plan.Plan) error {
	var kinds plan.WorldKind
	for _, p := range found {
		kinds |= p.Kind()
	}
	for _, f := range []struct {
		flag  string
		given bool
		of    plan.WorldKind
	}{
		{"--connections", c.Connections != nil, plan.LoadWorld}, {"--streams", c.Streams != nil, plan.LoadWorld}, {"--warmup", c.Warmup != nil, plan.LoadWorld},
		{"--find-max", c.FindMax, plan.LoadWorld}, {"--foreign", c.Foreign != nil, plan.LoadWorld}, {"--unlimited", c.Unlimited, plan.LoadWorld},
		{"--nodes", c.Nodes != nil, plan.NetworkWorld}, {"--mixed", c.Mixed, plan.NetworkWorld},
	} {
		switch {
		case !f.given || kinds&f.of != 0:
		case f.of == plan.LoadWorld:
			return usage("%s: it is about a load of requests, and plan %s is a network", f.flag, c.Plan)
		default:
			return usage("%s: it is about a network, and plan %s is a load of requests", f.flag, c.Plan)
		}
	}
	return nil
}

// value is what a flag says, or zero.
func value[T any](flag *T) (v T) {
	if flag != nil {
		v = *flag
	}
	return v
}

// targets reads those named; ref: if there are none.
func (c *benchCmd) targets() (all []target.Factory, err error) {
	for _, text := range c.given() {
		var f target.Factory
		switch _, form, _ := strings.Cut(text, ":"); {
		case strings.HasSuffix(text, ".plan") && form == "":
			return nil, usage("target %q: this is a plan; one plan was expected, before the targets", text)
		case text == "go:":
			f, err = network.InProcess("go")
		default:
			f, err = target.Parse(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", run.ErrUsage, err)
		}
		if slices.ContainsFunc(all, func(o target.Factory) bool { return o.Name() == f.Name() }) {
			return nil, usage("target %s: a second one of the name %s; a name before it tells them apart: other=%s", text, f.Name(), text)
		}
		all = append(all, f)
	}
	return all, nil
}

func (c *benchCmd) given() []string {
	if len(c.Targets) == 0 {
		return []string{"ref:"}
	}
	return c.Targets
}

// check says what is wrong with the flags.
func (c *benchCmd) check() error {
	for _, n := range []struct {
		flag  string
		value *int
	}{{"--connections", c.Connections}, {"--streams", c.Streams}, {"--nodes", c.Nodes}, {"--rounds", c.Rounds}} {
		if n.value != nil && *n.value < 1 {
			return usage("%s %d: a number from 1 on was expected", n.flag, *n.value)
		}
	}
	own := func(text string) bool {
		_, form, _ := target.Split(text)
		return strings.HasPrefix(form, "ref:") || strings.HasPrefix(form, "echo:")
	}
	switch {
	case c.Mixed && len(c.given()) == 1:
		return usage("--mixed with the target %s alone: several were expected", c.given()[0])
	case c.Unlimited && !slices.ContainsFunc(c.given(), own):
		return usage("--unlimited: it is about ref: and echo:, and neither is a target here")
	case c.FindMax && c.Rounds != nil:
		return usage("--rounds %d with --find-max: a search has as many turns as it needs; one of the two was expected", *c.Rounds)
	case c.For != nil && *c.For <= 0:
		return usage("--for %s: a time above 0 was expected", *c.For)
	case c.Warmup != nil && *c.Warmup <= 0:
		return usage("--warmup %s: a time above 0 was expected", *c.Warmup)
	case c.Foreign != nil && (*c.Foreign < 0 || *c.Foreign > 100):
		return usage("--foreign %v: a percentage from 0 to 100 was expected", *c.Foreign)
	case strings.HasSuffix(c.Plan, ":") || strings.Contains(c.Plan, "addr:/") || strings.Contains(c.Plan, "cmd:"):
		return usage("plan %s: this is a target; a plan was expected before it, as load/find-node (kadbench bench lists them)", c.Plan)
	}
	return nil
}

// seed is the command's, or else that of the first plan.
func (c *benchCmd) seed(found []*plan.Plan) uint64 {
	switch {
	case c.Seed != nil:
		return *c.Seed
	case len(found) > 0 && len(found[0].Simulations()) > 0:
		return found[0].Simulations()[0].World.Seed
	}
	return 0
}

// repeatCommand is the command that runs one point of a plan again, against the same targets, ready for a shell.
func (c *benchCmd) repeatCommand(p *plan.Plan, at string, seed uint64) string {
	name := p.File
	if c.Plan == p.Header.ID { // carried in the binary
		name = p.Header.ID
	}
	args := append([]string{"bench", name}, c.given()...)
	add := func(flag, value string) {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	if !strings.Contains(" "+at, " seed=") { // else the sweep chooses it
		add("--seed", fmt.Sprint(seed))
	}
	add("--point", at)
	add("--rate", c.Rate)
	add("--for", text(c.For))
	add("--warmup", text(c.Warmup))
	add("--connections", text(c.Connections))
	add("--streams", text(c.Streams))
	add("--nodes", text(c.Nodes))
	add("--rounds", text(c.Rounds))
	add("--foreign", text(c.Foreign))
	for _, f := range []struct {
		flag string
		on   bool
	}{{"--find-max", c.FindMax}, {"--mixed", c.Mixed}, {"--unlimited", c.Unlimited}} {
		if f.on {
			args = append(args, f.flag)
		}
	}
	return self() + " " + shellquote.Join(args...)
}

// text is a flag as it was given; "" if it was not.
func text[T any](flag *T) string {
	if flag == nil {
		return ""
	}
	return fmt.Sprint(*flag)
}
