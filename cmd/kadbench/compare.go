package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
)

// compareCmd says what changed between two logs.
type compareCmd struct {
	A string `arg:"" name:"a" help:"A log, the directory of its run, or a directory of several of these."`
	B string `arg:"" optional:"" name:"b" help:"The other side. With --benchfmt it may be left out."`

	Threshold string `default:"5%" placeholder:"SHARE" help:"A figure that became worse by less than this is not held against B."`
	Fail      bool   `help:"End with exit code 1 if a verdict became worse, or 5 if a figure did, beyond --threshold and beyond chance."`
	Benchfmt  bool   `help:"Print turns and runs in the benchmark format of Go, for benchstat, and compare nothing."`
	All       bool   `help:"List every verdict that changed, and figures that are exactly the same."`
	JSON      bool   `help:"Print one JSON object a line: verdict, digest, figure, and at the end summary."`
}

func (compareCmd) Help() string {
	return `Verdicts: those that changed, for each case, target and profile, for each need, and whether runs came to their end; and cases that only one side has. What was skipped on a side is neither worse nor better.

Simulations: whether the digests of the same plan, point, seed and size are the same; if they are, every step is.

Figures that both sides have: the median of the turns of a load, or of the runs of a simulation or a network that differ in their seed alone; its interval; the change; and p, the chance that two samples of the same differ as much (Mann-Whitney, as benchstat has it). ~ says that the difference is no more than chance at 5 %. Of so few turns or runs (three a side) that even the most extreme order of them may be chance, nothing is called worse: more rounds, more seeds, or a directory of several runs as a side give more. What one run has in common, its processes and its minute of the machine, is in all of its turns, and p does not know of it: to hold two builds against each other, load both as targets of one kadbench bench.

It ends with 0 whatever it finds, unless --fail is given.

--benchfmt prints one side, or both one after the other with the key side (benchstat -col side). Versions and commands are comments there, so that benchstat puts what is to be compared into one table. ns/op is the inverse of req/s.

Exit codes: 0 ok, 1 a verdict became worse (--fail), 2 usage, 5 a figure became worse (--fail).

Examples:

    kadbench compare out-monday out-tuesday
    kadbench compare before after --fail --threshold 10%
    kadbench compare before after --json | grep '"verdict":"worse"'
    kadbench compare before --benchfmt > before.txt
    kadbench compare after --benchfmt > after.txt
    benchstat before.txt after.txt`
}

func (c *compareCmd) Run(a *app) error {
	threshold, err := parseShare(c.Threshold)
	switch {
	case err != nil:
		return usage("--threshold: %v", err)
	case c.B == "" && !c.Benchfmt:
		return usage("compare: a second log was expected (kadbench help compare)")
	case c.Benchfmt && (c.JSON || c.Fail):
		return usage("--benchfmt prints samples and compares nothing: neither --json nor --fail was expected with it")
	}
	var sides [][]*report.Log
	for _, path := range []string{c.A, c.B} {
		if path == "" {
			continue
		}
		side, err := loadSide(path)
		if err != nil {
			return err
		}
		sides = append(sides, side)
	}
	if c.Benchfmt {
		return report.Benchfmt(a.stdout, sides...)
	}
	found := report.Compare(sides[0], sides[1], threshold)
	o := a.textOptions("")
	o.All = c.All
	if c.JSON {
		err = found.JSON(a.stdout)
	} else {
		err = found.Write(a.stdout, o)
	}
	if err != nil || !c.Fail {
		return err
	}
	switch verdicts, figures := found.Worse(); {
	case verdicts > 0:
		return &exitError{code: 1}
	case figures > 0:
		return &exitError{code: 5}
	}
	return nil
}

// maxSide logs make a side: more than anybody repeats by hand, and few enough to hold them all.
const maxSide = 1000

// loadSide reads a log, or those of the directories within a directory that has none of its own.
func loadSide(path string) ([]*report.Log, error) {
	paths := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if _, err := os.Stat(filepath.Join(path, record.FileName)); errors.Is(err, fs.ErrNotExist) {
			paths, _ = filepath.Glob(filepath.Join(path, "*", record.FileName)) // its only error is a bad pattern
			if len(paths) == 0 {
				return nil, usage("compare: %s: neither %s nor a directory with one is there", path, record.FileName)
			}
			if len(paths) > maxSide {
				return nil, usage("compare: %s: %d logs are there, %d at most were expected", path, len(paths), maxSide)
			}
		}
	}
	var logs []*report.Log
	for _, p := range paths {
		l, err := report.Load(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, usage("compare: %v (a log or the directory of its run was expected)", err)
		case err != nil:
			return nil, usage("compare: %v", err)
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// parseShare reads 5% as 0.05.
func parseShare(s string) (float64, error) {
	number, ok := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(v >= 0 && v <= 1000) {
		return 0, fmt.Errorf("%q: a share from 0%% to 1000%% was expected, as 5%%", s)
	}
	return v / 100, nil
}
