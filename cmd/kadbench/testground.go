package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/kadbench/kadbench/harness/ground"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
)

// testgroundCmd runs test cases in the form of Testground's, and is an instance of one.
type testgroundCmd struct {
	Case string `arg:"" optional:"" help:"A test case. Default: list them, with their parameters."`

	Local *int          `placeholder:"N" xor:"runner" help:"N instances as goroutines of this process. 0 or neither of the two: as many as the case has by default."`
	Procs *int          `placeholder:"N" xor:"runner" help:"N instances as processes of their own, with a sync service on loopback."`
	Param []string      `sep:"none" placeholder:"NAME=VALUE" help:"A parameter of the case (repeatable)."`
	Group []string      `sep:"none" placeholder:"'ID=N NAME=VALUE ...'" help:"A group of N instances with parameters of its own, in place of the N above (repeatable)."`
	For   time.Duration `name:"timeout" default:"10m" help:"How long the run may take."`
	Out   string        `placeholder:"DIR" help:"Write results.jsonl and the outputs of the instances there. Default: ${out}."`
	JSON  bool          `help:"Print the summary as one line of JSON."`
	List  bool          `help:"List the cases, with their parameters."`
	Quiet bool          `short:"q" help:"No progress on stderr."`

	Read        string `placeholder:"DIR" help:"Report on a run from the outputs of its instances, such as the daemon collects."`
	SyncService string `placeholder:"HOST:PORT" help:"Nothing but a sync service, until interrupted: what the real daemon's instances look for at localhost:5050."`
}

func (testgroundCmd) Help() string {
	return `A test case is what every instance of a run does: join a network, look up, measure, and wait for the others in between. The same case runs here, as goroutines (--local) or as processes (--procs), and under the Testground daemon, with the same outputs: kadbench without arguments is an instance when TEST_PLAN is in its environment.

The outputs of an instance go to DIR/kadbench/<run>/<group>/<index>: run.out has its events, results.out its measurements, run.err what it wrote to stderr.

The first instance that fails ends the run, and is named. A run that is interrupted ends within five seconds, and leaves no process.

Exit codes: 0 ok, 1 an instance failed, 2 usage, 4 the harness itself or the sync service, 130 interrupted.

Examples:

    kadbench testground
    kadbench testground find-peers --local 100 --param transport=mem
    kadbench testground find-peers --procs 16 --param alpha=5
    kadbench testground find-peers --group 'servers=12' --group 'clients=4 client_mode=true'
    kadbench testground --read ~/testground/data/outputs/local_exec/kadbench/<run>
    kadbench testground --sync-service 127.0.0.1:5050`
}

func (c *testgroundCmd) Run(a *app) error {
	switch {
	case c.SyncService != "":
		return c.serve(a)
	case c.Read != "":
		return c.read(a)
	case c.Case == "" && !c.List && os.Getenv("TEST_PLAN") != "":
		return ground.Main(a.ctx, nil)
	case c.Case == "" || c.List:
		return c.list(a)
	}
	cfg, err := c.config()
	if err == nil {
		err = cfg.Check()
	}
	if err != nil {
		return err
	}
	log, err := c.log()
	if err != nil {
		return err
	}
	cfg.Out = filepath.Dir(log.Path())
	exec, by := ground.Local, "goroutines"
	if c.Procs != nil {
		exec, by = ground.Procs, "processes"
	}
	progress := c.progress(a)
	cfg.Progress = progress.tell
	result, err := exec(a.ctx, cfg)
	progress.close()
	if result == nil {
		return abandon(log, "base", err)
	}
	return c.conclude(a, log, result, by, err)
}

// log opens the results log.
func (c *testgroundCmd) log() (*record.Writer, error) {
	log, err := openLog(c.Out, record.Run{})
	if err != nil {
		return nil, usage("--out: %v", err)
	}
	if err := saveCommand(log, 0); err != nil {
		return nil, abandon(log, "base", err)
	}
	return log, nil
}

// conclude writes what came of a run to the log, shows it, and returns how it ended.
func (c *testgroundCmd) conclude(a *app, log *record.Writer, result *ground.Run, by string, err error) error {
	sum := result.Log(log, by, self()+" "+shellquote.Join(os.Args[1:]...))
	sum.Exit = run.ExitCode(err)
	if err != nil {
		log.Write(record.Entry{Type: record.TypeNote, Text: err.Error()})
	}
	if closed := log.Close(sum); closed != nil {
		return fmt.Errorf("%w: %w", run.ErrHarness, closed)
	}
	if shown := c.show(a, result, by, log.Path(), err); shown != nil {
		return shown
	}
	return err
}

// read reports on a run that somebody else ran.
func (c *testgroundCmd) read(a *app) error {
	if c.Case != "" || c.Local != nil || c.Procs != nil {
		return usage("--read runs no case: neither one nor --local or --procs was expected with it")
	}
	result, err := ground.Load(c.Read)
	if err != nil {
		return usage("--read: %v", err)
	}
	if c.Out == "" {
		if err := c.show(a, result, "Testground's", "", result.Err()); err != nil {
			return err
		}
		return result.Err()
	}
	log, err := c.log()
	if err != nil {
		return err
	}
	return c.conclude(a, log, result, "Testground's", result.Err())
}

// config is the run that the flags ask for.
func (c *testgroundCmd) config() (ground.Config, error) {
	cfg := ground.Config{Case: c.Case, Params: map[string]string{}, Timeout: c.For, Out: "."}
	for _, n := range []*int{c.Local, c.Procs} {
		if n != nil && *n < 0 {
			return cfg, usage("%d instances: a number from 0 on was expected", *n)
		}
		if n != nil {
			cfg.Instances = *n
		}
	}
	if c.For <= 0 {
		return cfg, usage("--timeout %s: a time above 0 was expected", c.For)
	}
	if err := params(cfg.Params, c.Param, "--param"); err != nil {
		return cfg, err
	}
	for _, text := range c.Group {
		words := strings.Fields(text)
		if len(words) == 0 {
			return cfg, usage("--group %q: 'ID=N NAME=VALUE ...' was expected", text)
		}
		id, number, ok := strings.Cut(words[0], "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			return cfg, usage("--group %q: 'ID=N NAME=VALUE ...' was expected, with how many instances it has for N", text)
		}
		g := ground.Group{ID: id, Count: n, Params: map[string]string{}}
		if err := params(g.Params, words[1:], "--group "+id); err != nil {
			return cfg, err
		}
		cfg.Groups = append(cfg.Groups, g)
	}
	return cfg, nil
}

// params takes parameters as NAME=VALUE.
func params(into map[string]string, pairs []string, flag string) error {
	for _, p := range pairs {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return usage("%s: %q: NAME=VALUE was expected", flag, p)
		}
		if _, twice := into[name]; twice {
			return usage("%s: %s: it was expected once", flag, name)
		}
		into[name] = value
	}
	return nil
}

// serve is a sync service until it is told to stop.
func (c *testgroundCmd) serve(a *app) error {
	if c.Case != "" || c.Local != nil || c.Procs != nil {
		return usage("--sync-service runs no case: neither one nor --local or --procs was expected with it")
	}
	l, err := net.Listen("tcp", c.SyncService)
	if err != nil {
		return &exitError{4, fmt.Errorf("--sync-service: %w", err)}
	}
	fmt.Fprintf(a.stderr, "sync service at %s\n", l.Addr())
	if err := ground.ServeSync(a.ctx, l); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // an interrupt is how a server ends
}

// list shows the cases.
func (c *testgroundCmd) list(a *app) error {
	if c.Case != "" {
		if _, err := ground.Find(c.Case); err != nil {
			return usage("%v", err)
		}
	}
	if !c.JSON {
		return c.listText(a)
	}
	type param struct {
		Name    string `json:"name"`
		Type    string `json:"type"`
		Unit    string `json:"unit,omitempty"`
		Default string `json:"default"`
		About   string `json:"about"`
	}
	type entry struct {
		Case    string  `json:"case"`
		About   string  `json:"about"`
		Min     int     `json:"min"`
		Max     int     `json:"max"`
		Default int     `json:"default"`
		Params  []param `json:"params"`
	}
	all := []entry{}
	for _, of := range ground.Cases() {
		if c.Case != "" && of.Name != c.Case {
			continue
		}
		e := entry{of.Name, of.About, of.Min, of.Max, of.Default, []param{}}
		for _, p := range of.Params {
			e.Params = append(e.Params, param(p))
		}
		all = append(all, e)
	}
	return printJSON(a.stdout, all)
}

// listText shows one case with all of its parameters, or all cases with their own, and then once those of all.
func (c *testgroundCmd) listText(a *app) error {
	params := func(all []ground.Param) {
		for _, p := range all {
			of := p.Type
			if p.Unit != "" {
				of += ", " + p.Unit
			}
			fmt.Fprintf(a.stdout, "    %-28s %-18s %s\n", p.Name+"="+p.Default, of, p.About)
		}
		fmt.Fprintln(a.stdout)
	}
	for _, of := range ground.Cases() {
		if c.Case != "" && of.Name != c.Case {
			continue
		}
		fmt.Fprintf(a.stdout, "%s  %d to %d instances, %d by default\n  %s\n", of.Name, of.Min, of.Max, of.Default, of.About)
		if c.Case != "" {
			params(of.Params)
			return nil
		}
		params(of.Own())
	}
	fmt.Fprintln(a.stdout, "all cases on a network (all but conformance)")
	params(ground.Common())
	fmt.Fprintf(a.stdout, "%d cases with the defaults of their parameters. kadbench testground CASE --local N runs one.\n", len(ground.Cases()))
	return nil
}
