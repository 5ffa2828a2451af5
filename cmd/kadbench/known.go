package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/report"
)

// knownMonths is for how long a written entry holds: an implementation makes some releases in that time, after which
// somebody should look again.
const knownMonths = 6

// knownCmd writes and validates files of known failures.
type knownCmd struct {
	Args   []string `arg:"" optional:"" name:"log|file" help:"With --write, logs or directories of runs of one target; with --check, files. None with --check: those carried in the binary."`
	Write  bool     `xor:"do" required:"" help:"Write the failures of these runs as known ones."`
	Check  bool     `xor:"do" required:"" help:"Validate files."`
	Target string   `placeholder:"NAME" help:"With --write: whose failures, where a log has several targets."`
	Plan   []string `sep:"none" placeholder:"PATH" help:"With --check: the cases are those of this plan file or directory (repeatable)."`
	Output string   `short:"o" placeholder:"FILE" help:"With --write: into this file, which keeps its links, notes and comments. Default: stdout."`
}

func (knownCmd) Help() string {
	return `A file of known failures says what an implementation is known to do otherwise; kadbench check --known FILE expects these cases to fail. It fails if one passes, fails for another reason, has expired, or if the file is of no target of the run. The files carried in the binary apply to the implementation and version which they name; expired ones among them are a note.

--write takes the failures and warnings of runs, in each profile. The reason of an entry is the part of the verdict that does not change with the seed; from several logs it is what all have in common, and a case that failed in some of them alone is marked as flaky: either outcome is accepted. With -o to a file that is there, cases that were not run stay, entries that fail for another reason get it, and entries that pass now are dropped; each change is told on stderr.

The link of a new entry is a placeholder. --check refuses it until a person has put the address of a report there, or of the lines of source that say the same. It also refuses what has expired, what is there twice, cases and profiles that do not exist, and reasons that excuse anything.

Exit codes: 0 ok, 1 --check found something, 2 usage.

Examples:

    kadbench check go=cmd:./bin/go-libp2p --out out
    kadbench known --write out -o known.toml
    kadbench known --write out-1 out-2 out-3 --target go
    kadbench known --check known.toml
    kadbench known --check
    kadbench check go=cmd:./bin/go-libp2p --known known.toml`
}

func (k *knownCmd) Run(a *app) error {
	if k.Write {
		return k.write(a, time.Now())
	}
	return k.check(a, time.Now())
}

func (k *knownCmd) write(a *app, now time.Time) error {
	if len(k.Args) == 0 {
		return usage("known --write: a log or the directory of its run was expected")
	}
	if len(k.Plan) > 0 {
		return usage("--plan goes with --check")
	}
	seen, err := check.ReadSeen(k.Args, k.Target)
	if err != nil {
		return usage("%v", err)
	}
	var src []byte
	if k.Output != "" {
		src, err = os.ReadFile(k.Output)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return usage("--output: %v", err)
		}
	}
	y, m, d := now.UTC().Date()
	out, changes, err := seen.Merge(k.Output, src, time.Date(y, m+knownMonths, d, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return usage("%v", err)
	}
	for _, c := range changes {
		fmt.Fprintln(a.stderr, report.Clean(c))
	}
	if src != nil && bytes.Equal(src, out) {
		fmt.Fprintln(a.stderr, "nothing to change")
	}
	return a.write(k.Output, func(w io.Writer) error { _, err := w.Write(out); return err })
}

func (k *knownCmd) check(a *app, now time.Time) error {
	if k.Output != "" || k.Target != "" {
		return usage("--output and --target go with --write")
	}
	plans, err := loadPlans(k.Plan)
	if err != nil {
		return err
	}
	judged := map[string][]string{}
	for _, p := range plans {
		for _, profile := range p.Header.Profiles.List() {
			judged[p.Header.ID] = append(judged[p.Header.ID], profile.String())
		}
	}
	files, err := check.CarriedKnown()
	if err != nil {
		return err
	}
	if len(k.Args) > 0 {
		files = nil
	}
	for _, name := range k.Args {
		src, err := os.ReadFile(name)
		if err != nil {
			return usage("%v", err)
		}
		file, err := check.ReadKnown(name, src)
		if err != nil {
			return usage("%v", err)
		}
		files = append(files, file)
	}
	found := 0
	for _, file := range files {
		complaints := file.Check(now, func(id string) []string { return judged[id] })
		for _, c := range complaints {
			fmt.Fprintln(a.stdout, report.Clean(c))
		}
		if found += len(complaints); len(complaints) == 0 {
			fmt.Fprintf(a.stdout, "%s: %d entries of %s %s, all sound\n", file.File, len(file.Entries), file.Name, strings.Join(file.Versions, ", "))
		}
	}
	if found > 0 {
		return &exitError{code: 1}
	}
	return nil
}
