package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// filters choose cases; check and cases share them.
type filters struct {
	Case    []string `placeholder:"GLOB" help:"Only cases whose id matches: find-node/*, **/empty-* (repeatable)."`
	Skip    []string `placeholder:"GLOB" help:"Leave out cases whose id matches (repeatable)."`
	Area    []string `placeholder:"AREA" help:"Only cases of this area: find-node, put-value, ... (repeatable)."`
	Level   []string `enum:"must,should,may,info" placeholder:"LEVEL" help:"Only cases of this level in the profile: ${enum} (repeatable)."`
	Profile string   `enum:"base,amino,defacto" default:"base" help:"Whose rules decide: ${enum}."`
	Plan    []string `sep:"none" placeholder:"PATH" help:"Use this plan file, or all of a directory, instead of the plans carried in the binary (repeatable)."`
}

// checkCmd runs the conformance suite.
type checkCmd struct {
	Targets []string `arg:"" optional:"" name:"target" help:"What to check: [NAME=]ref: | addr:MULTIADDR | cmd:PROGRAM | image:IMAGE. Default: ref:."`
	filters `embed:""`

	Strict  bool     `help:"A should that is missed fails."`
	Slow    bool     `help:"Run the slow cases too."`
	Remote  bool     `help:"Allow an address that is not private. No floods, huge frames or load go there."`
	Known   []string `sep:"none" placeholder:"FILE" help:"Expected failures, a toml file (repeatable)."`
	Shard   string   `placeholder:"I/N" help:"Run the I-th of N equal parts of the cases."`
	Repeat  int      `default:"1" placeholder:"N" help:"Run each case N times."`
	Engine  string   `env:"KADBENCH_ENGINE" placeholder:"COMMAND" help:"Container engine of image: targets. Default: docker, else podman."`
	Puppets string   `placeholder:"IP" help:"Where the peers of the harness listen, so that a container on a network of its own reaches them. Default: loopback, and containers share the host's network."`
	Jobs    int      `short:"j" default:"${jobs}" placeholder:"N" help:"Cases side by side. Default: ${jobs}."`
	Seed    *uint64  `placeholder:"N" help:"Seed of every identity and random byte. Default: a new one, which is printed."`
	Out     string   `placeholder:"DIR" help:"Write results.jsonl, report.html and the inputs there; a log of before is replaced. Default: ${out}."`
	JSON    bool     `help:"Print the summary as an object, and nothing else, on stdout."`
}

func (checkCmd) Help() string {
	return `A target is ref: (the reference implementation, in this process), addr:/ip4/…/p2p/… (anything that listens; the cases that need no control of it run), cmd:PROGRAM (an adapter, which speaks the control protocol), or image:IMAGE (a container that does). ref:mutant=NAME is the reference with one mistake, to see a case fail; a wrong name lists them. A name before it, as in go=cmd:…, is what reports call it.

The cases carried in the binary are chosen by --case, --area and --level; with --plan your own files run in their place. Each case is judged in all three profiles; --profile decides the summary and the exit code.

The last line on stdout has the counts and the path of the log; progress goes to stderr. Beside the log stands report.html, a page with all that was said; kadbench report makes the others.

Exit codes: 0 ok, 1 a case failed, 2 usage or nothing matched, 3 a target could not be reached or started, or kept crashing, 4 the harness itself, 130 interrupted.

Examples:

    kadbench check ref: --profile amino
    kadbench check addr:/ip4/127.0.0.1/tcp/4001/p2p/12D3…
    kadbench check ref: go=cmd:./bin/go-libp2p --out out
    kadbench check go=cmd:./bin/go-libp2p --case 'find-node/*' --seed 7
    kadbench check addr:… --plan my-case.plan`
}

func (c *checkCmd) Run(a *app) error { return c.check(a, nil) }

// check runs the suite and shows the result. Whatever goes wrong once the log is open is noted in it, and the log is
// ended, so that it is whole. after is called once the report is printed.
func (c *checkCmd) check(a *app, after func()) error {
	if len(c.Targets) == 0 {
		c.Targets = []string{"ref:"}
	}
	if c.Seed == nil {
		seed := uint64(rand.Uint32()) // short, since people copy it
		c.Seed = &seed
	}
	var log *record.Writer
	open := func(dir string) (err error) {
		given := make(map[string]string)
		for _, arg := range c.Targets {
			if f, err := c.images().Parse(arg); err == nil {
				given[f.Name()] = arg
			}
		}
		log, err = openLog(dir, record.Run{Seed: *c.Seed, Targets: given})
		return err
	}
	if c.Out != "" { // asked for: then it is there even if nothing can run
		if err := open(c.Out); err != nil {
			return usage("--out: %v", err)
		}
	}
	cfg, err := c.config()
	if err == nil {
		err = cfg.Check()
	}
	if err == nil && log == nil {
		err = open("")
	}
	if err == nil {
		err = saveInputs(log, c, cfg)
	}
	if err != nil {
		return abandon(log, c.Profile, err)
	}

	progress := a.progress(cfg.Targets, len(run.Select(cfg)))
	cfg.Log, cfg.Progress = log, progress.event
	result, err := run.Check(a.ctx, *cfg)
	progress.close()
	if result == nil {
		return abandon(log, c.Profile, err)
	}
	if unused := unusedKnown(cfg.Known, result.Versions); err == nil && len(unused) > 0 {
		result.Notes = append(result.Notes, unused...)
		err = fmt.Errorf("%w: the known failures are stale", run.ErrFailed)
	}
	s := result.Summary
	s.Profile, s.Log, s.Exit = c.Profile, log.Path(), run.ExitCode(err)
	notes := slices.DeleteFunc(result.Notes, func(note string) bool {
		return err != nil && strings.Contains(err.Error(), note) // it ends the command, and stands in the results as a reason
	})
	for _, note := range notes {
		log.Write(record.Entry{Type: record.TypeNote, Text: note})
	}
	if closed := log.Close(s); closed != nil {
		return fmt.Errorf("%w: %w", run.ErrHarness, closed)
	}
	return c.show(a, s, notes, err, after)
}

// unusedKnown says which files of known failures are of no target of the run, by name or by version: a misspelt name
// would else go unnoticed until a failure is not excused. versions are the targets' names and versions by hello.
func unusedKnown(known []*check.Known, versions map[string]string) (notes []string) {
	said := slices.Sorted(maps.Values(versions))
	for _, k := range known {
		of := slices.DeleteFunc(slices.Clone(said), func(v string) bool { return v != k.Name && !strings.HasPrefix(v, k.Name+" ") })
		switch {
		case len(of) == 0:
			notes = append(notes, fmt.Sprintf("%s: name %q is that of no target here (%s)", k.File, k.Name, strings.Join(said, ", ")))
		case len(k.Versions) > 0 && !slices.ContainsFunc(of, func(v string) bool {
			return slices.Contains(k.Versions, strings.TrimPrefix(strings.TrimPrefix(v, k.Name), " "))
		}):
			notes = append(notes, fmt.Sprintf("%s: versions %s are those of no target here (%s)", k.File, strings.Join(k.Versions, ", "), strings.Join(of, ", ")))
		}
	}
	return notes
}

// show prints the report of the log that was just written.
func (c *checkCmd) show(a *app, s record.Summary, notes []string, err error, after func()) error {
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			return err
		}
		for _, note := range notes {
			fmt.Fprintf(a.stderr, "note: %s\n", report.Clean(note))
		}
	} else if err := a.printLog(s.Log, c.Profile); err != nil {
		return err
	}
	a.writePage(s.Log)
	if after != nil {
		after()
	}
	if errors.Is(err, run.ErrFailed) {
		end := &exitError{code: run.ExitCode(err)} // the report has said it
		if s.Failed == 0 {
			end.err = errors.New("no case failed, but the expected failures of --known are stale: see the notes")
		}
		return end
	}
	return err
}

// images are the settings of image: targets.
func (c *checkCmd) images() target.Images {
	return target.Images{Engine: c.Engine, Puppets: c.Puppets}
}

// config reads what the flags name.
func (c *checkCmd) config() (*run.Config, error) {
	cfg := &run.Config{
		Strict: c.Strict, Slow: c.Slow, Remote: c.Remote, Jobs: c.Jobs, Repeat: c.Repeat, Seed: *c.Seed, Puppets: c.Puppets,
		Command: c.repeatCommand,
	}
	if err := c.filters.apply(cfg); err != nil {
		return nil, err
	}
	if err := c.images().Check(); err != nil {
		return nil, usage("%v", err)
	}
	for _, arg := range c.Targets {
		if strings.HasSuffix(arg, ".plan") && !strings.Contains(arg, ":") {
			return nil, usage("target %q: this is a plan; --plan %s runs it", arg, arg)
		}
		if _, form, _ := target.Split(arg); strings.HasPrefix(form, "echo:") {
			return nil, usage("target %q: it is no node but the floor beneath one, for kadbench bench", arg)
		}
		f, err := c.images().Parse(arg)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", run.ErrUsage, err)
		}
		cfg.Targets = append(cfg.Targets, f)
	}
	for _, name := range c.Known {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, usage("--known: %v", err)
		}
		k, err := check.ReadKnown(name, src)
		if err != nil {
			return nil, usage("%v", err)
		}
		cfg.Known = append(cfg.Known, k)
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"--repeat", c.Repeat}, {"--jobs", c.Jobs}} {
		if n.value < 1 {
			return nil, usage("%s %d: a number from 1 on was expected", n.flag, n.value)
		}
	}
	var err error
	if cfg.Builtin, err = check.CarriedKnown(); err != nil {
		return nil, err
	}
	if c.Shard != "" {
		var tail string
		if n, _ := fmt.Sscanf(c.Shard+" .", "%d/%d %s", &cfg.Shard.I, &cfg.Shard.N, &tail); n != 3 || tail != "." {
			return nil, usage("--shard %q: two numbers were expected, as 1/4", c.Shard)
		}
	}
	return cfg, nil
}

// apply reads the plans and turns the filters into those of a run.
func (f *filters) apply(cfg *run.Config) error {
	cfg.Cases, cfg.Skip, cfg.Areas = f.Case, f.Skip, f.Area
	for _, name := range f.Level {
		for level := plan.Must; level <= plan.Info; level++ {
			if level.String() == name {
				cfg.Levels = append(cfg.Levels, level)
			}
		}
	}
	var err error
	if cfg.Profile, err = plan.ParseProfile(f.Profile); err != nil {
		return usage("--profile: %v", err)
	}
	cfg.Plans, err = loadPlans(f.Plan)
	return err
}

// repeatCommand is the command that runs one case again against a target as it was given, ready for a shell.
func (c *checkCmd) repeatCommand(given, caseID string) string {
	args := []string{"check", given}
	args = append(args, "--case", caseID, "--seed", fmt.Sprint(*c.Seed))
	for _, p := range c.Plan {
		args = append(args, "--plan", p)
	}
	for _, f := range []struct {
		flag string
		on   bool
	}{{"--slow", c.Slow}, {"--remote", c.Remote}, {"--strict", c.Strict}} {
		if f.on {
			args = append(args, f.flag)
		}
	}
	for _, f := range []struct{ flag, value, common string }{
		{"--profile", c.Profile, "base"}, {"--engine", c.Engine, os.Getenv("KADBENCH_ENGINE")}, {"--puppets", c.Puppets, ""},
	} {
		if f.value != f.common {
			args = append(args, f.flag, f.value)
		}
	}
	return self() + " " + shellquote.Join(args...)
}

// self is how this command was called, so that a command which it prints can be copied and run.
func self() string {
	if strings.Contains(os.Args[0], "go-build") { // the temporary program of go run
		return "go run ./cmd/kadbench"
	}
	return shellquote.Join(os.Args[0])
}

// saveInputs puts beside the log what is needed to repeat the run.
func saveInputs(log *record.Writer, c *checkCmd, cfg *run.Config) error {
	if err := savePlans(log, run.Select(cfg)); err != nil {
		return err
	}
	for _, name := range c.Known {
		src, err := os.ReadFile(name)
		if err != nil {
			return usage("--known: %v", err)
		}
		if err := log.Input(name, src); err != nil {
			return err
		}
	}
	return saveCommand(log, *c.Seed)
}
