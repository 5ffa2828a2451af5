package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/run/exchange"
	"github.com/kadbench/kadbench/harness/target"
)

// recordCmd writes down what a peer answers, or what a client asks.
type recordCmd struct {
	Plan   string `arg:"" optional:"" help:"A plan file, or the id of a case carried in the binary."`
	Target string `arg:"" optional:"" help:"Whose answers: [NAME=]ref: | addr:MULTIADDR | cmd:PROGRAM | image:IMAGE."`

	Listen  bool          `help:"Instead: be a server on loopback, and write down what a client does to it."`
	For     time.Duration `default:"1m" placeholder:"TIME" help:"With --listen: end after this time, an hour at most. Default: ${default}."`
	Frames  int           `default:"100" placeholder:"N" help:"With --listen: end after so many requests, 1000 at most. Default: ${default}."`
	Seed    uint64        `default:"1" placeholder:"N" help:"Seed of every identity and random byte. Default: ${default}."`
	Profile string        `enum:"base,amino,defacto" default:"base" help:"As which a target that knows profiles behaves: ${enum}."`
	Timeout time.Duration `default:"1m" placeholder:"TIME" help:"Bound of one run of the plan. Default: ${default}."`
	Remote  bool          `help:"Allow an address that is not private."`
	Output  string        `short:"o" placeholder:"FILE" help:"Write to this file instead of stdout."`
}

func (recordCmd) Help() string {
	return `The plan is run as it stands, but each of its wants takes whatever comes; where a stream has none, each send is followed by one. What came is written in their place: each field by its name, values in the plan's own words where it has some (@K, pk(A), a peer's name), the twenty nearest as nearest(20,@K,S1..S40), and times as rfc3339. Wants within retry and each stay as they are, which is said on stderr.

With --listen nobody else is needed: a server says on stderr where it is, and the plan it gives has the client's requests as saw lines, and its answers as they were.

A recording holds with other seeds too where it could be said without bytes that depend on them. kadbench replay holds another peer to it.

Limits: 100 answers, 64 KiB a frame, and the times above.

Examples:

    kadbench record find-node/nearest-twenty ref: -o recorded.plan
    kadbench record mine.plan go=cmd:./bin/go-libp2p | kadbench plan lint -
    kadbench replay recorded.plan go=cmd:./bin/go-libp2p
    kadbench record --listen --for 30s -o client.plan`
}

func (r *recordCmd) Run(a *app) error {
	if r.Listen {
		if r.Plan != "" {
			return usage("record --listen: no plan and no target were expected, not %q", r.Plan)
		}
		return r.listen(a)
	}
	if r.Plan == "" || r.Target == "" {
		return usage("record: a plan and a target were expected, or --listen")
	}
	file, src, err := findPlan(r.Plan)
	if err != nil {
		return err
	}
	f, cfg, err := exchangeConfig(r.Target, r.Profile, r.Seed, r.Timeout, r.Remote)
	if err != nil {
		return err
	}
	rec, err := exchange.Record(a.ctx, cfg, file, src, f)
	if err != nil {
		return exchangeError(file, err)
	}
	for _, line := range rec.Passed {
		fmt.Fprintf(a.stderr, "note: %s\n", report.Clean(line))
	}
	fmt.Fprintf(a.stderr, "%d answers of %s\n", rec.Answers, report.Clean(rec.Target))
	return a.write(r.Output, func(w io.Writer) error { _, err := w.Write(rec.Source); return err })
}

func (r *recordCmd) listen(a *app) error {
	l, err := exchange.Listen(exchange.ListenConfig{Seed: r.Seed, For: r.For, Frames: r.Frames})
	if err != nil {
		return usage("record --listen: %v", err)
	}
	defer l.Close()
	for _, addr := range l.Addrs() {
		fmt.Fprintf(a.stderr, "listening: %s\n", addr)
	}
	fmt.Fprintf(a.stderr, "until %s have passed, %d requests have come, or Ctrl-C\n", r.For, r.Frames)
	l.Wait(a.ctx)
	src, heard, err := l.Plan(clientID(r.Output))
	if err != nil {
		return &exitError{code: 4, err: err}
	}
	if heard == 0 {
		return &exitError{code: 1, err: errors.New("record: no request came")}
	}
	fmt.Fprintf(a.stderr, "%d requests\n", heard)
	return a.write(r.Output, func(w io.Writer) error { _, err := w.Write(src); return err })
}

// clientID is the id of a plan by its file, which lint wants at the end of its path.
func clientID(file string) string {
	if path, err := filepath.Abs(file); err == nil && file != "" {
		id := filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".plan")
		if planName.MatchString(id) {
			return id
		}
	}
	return "recorded/client"
}

var planName = regexp.MustCompile(`^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$`)

// exchangeConfig reads what record and replay share.
func exchangeConfig(of, profile string, seed uint64, timeout time.Duration, remote bool) (target.Factory, exchange.Config, error) {
	f, err := target.Parse(of)
	if err != nil {
		return nil, exchange.Config{}, fmt.Errorf("%w: %w", run.ErrUsage, err)
	}
	p, err := plan.ParseProfile(profile)
	if err != nil {
		return nil, exchange.Config{}, usage("--profile: %v", err)
	}
	if timeout <= 0 {
		return nil, exchange.Config{}, usage("--timeout %s: a time above 0 was expected", timeout)
	}
	return f, exchange.Config{Seed: seed, Profile: p, Timeout: timeout, Remote: remote}, nil
}

// exchangeError gives an error its exit code: a plan that cannot be run is the user's, a target that answers what cannot
// be written down has failed.
func exchangeError(file string, err error) error {
	switch {
	case errors.Is(err, plan.ErrPlan):
		return usage("%v", planError(file, err))
	case errors.Is(err, exchange.ErrPlan):
		return usage("%v", err)
	case errors.Is(err, exchange.ErrRecording):
		return &exitError{code: 1, err: err}
	}
	return err
}
