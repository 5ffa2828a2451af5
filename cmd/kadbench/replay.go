package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run/exchange"
)

// replayCmd holds a recorded exchange against another peer.
type replayCmd struct {
	Recorded string `arg:"" help:"A recorded plan; or with --case the log of a run, or its directory."`
	Target   string `arg:"" help:"Who is held to it: [NAME=]ref: | addr:MULTIADDR | cmd:PROGRAM | image:IMAGE."`

	Case    string        `placeholder:"ID" help:"Of a log: this case, with the plan that stands beside the log, and its seed."`
	Seed    *uint64       `placeholder:"N" help:"Seed of every identity and random byte. Default: that of the log, or 1."`
	Profile string        `enum:"base,amino,defacto" default:"base" help:"As which a target that knows profiles behaves: ${enum}."`
	Timeout time.Duration `default:"1m" placeholder:"TIME" help:"Bound of the run. Default: ${default}."`
	Remote  bool          `help:"Allow an address that is not private."`
}

func (replayCmd) Help() string {
	return `The plan is run against the target, and the first line that it does not meet is shown: which frame of which stream, what was wanted and what came by the plan's names, and the bytes in question, annotated. A recording says what was, so the level of its clause does not matter.

Exit codes: 0 it does the same, 1 it does not, 2 usage, 3 the target could not be reached or started.

Examples:

    kadbench record find-node/nearest-twenty ref: -o recorded.plan
    kadbench replay recorded.plan ref:
    kadbench replay recorded.plan go=cmd:./bin/go-libp2p
    kadbench replay out go=cmd:./bin/go-libp2p --case find-node/nearest-twenty`
}

func (r *replayCmd) Run(a *app) error {
	file, src, seed, err := r.recording()
	if err != nil {
		return err
	}
	if r.Seed != nil {
		seed = *r.Seed
	}
	f, cfg, err := exchangeConfig(r.Target, r.Profile, seed, r.Timeout, r.Remote)
	if err != nil {
		return err
	}
	diff, who, err := exchange.Replay(a.ctx, cfg, file, src, f)
	if err != nil {
		return exchangeError(file, err)
	}
	if diff == nil {
		fmt.Fprintf(a.stdout, "%s does the same\n", report.Clean(who))
		return nil
	}
	fmt.Fprintf(a.stdout, "%s differs at ", report.Clean(diff.Target))
	if err := diff.Write(a.stdout); err != nil {
		return err
	}
	return &exitError{code: 1}
}

// recording is the plan to replay: a file, or a case of a log with the seed of its run.
func (r *replayCmd) recording() (file string, src []byte, seed uint64, err error) {
	if r.Case == "" {
		st, err := os.Stat(r.Recorded)
		if err == nil && (st.IsDir() || strings.HasSuffix(r.Recorded, ".jsonl")) {
			return "", nil, 0, usage("replay %s: of a log, --case ID was expected with it", r.Recorded)
		}
		file, src, err := findPlan(r.Recorded)
		return file, src, 1, err
	}
	log, err := record.Open(r.Recorded)
	if err != nil {
		return "", nil, 0, usage("replay: %v", err)
	}
	defer log.Close()
	for e, err := range log.Entries() {
		if err != nil {
			return "", nil, 0, usage("replay: %v", err)
		}
		seed = e.Run.Seed // the first line has it
		break
	}
	inputs := filepath.Join(filepath.Dir(log.Path()), "inputs")
	err = filepath.WalkDir(inputs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || file != "" || !strings.HasSuffix(path, ".plan") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if p, err := plan.Parse(path, text); err == nil && p.Header.ID == r.Case {
			file, src = path, text
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && file == "":
		return "", nil, 0, usage("replay %s: no plan of case %q was found in %s", r.Recorded, r.Case, inputs)
	case err != nil:
		return "", nil, 0, usage("replay: %v", err)
	}
	return file, src, seed, nil
}
