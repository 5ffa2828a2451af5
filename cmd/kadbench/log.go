package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
)

// What the verbs that run something share about their logs.

// openLog makes the log of a run in dir, or where dir is empty in a new directory below kadbench-out.
func openLog(dir string, r record.Run) (*record.Writer, error) {
	if dir == "" {
		var err error
		if dir, err = newDirectory("kadbench-out", time.Now()); err != nil {
			return nil, err
		}
	}
	r.Version, r.Command = version, os.Args
	return record.Create(dir, r)
}

// newDirectory makes a directory named by the second, with a number behind it if another run began in the same one.
func newDirectory(in string, at time.Time) (string, error) {
	if err := os.MkdirAll(in, 0o755); err != nil {
		return "", err
	}
	stamp := filepath.Join(in, at.Format("2006-01-02T15-04-05"))
	dir := stamp
	for i := 2; ; i++ {
		if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
		dir = fmt.Sprintf("%s-%d", stamp, i)
	}
}

// savePlans and saveCommand put beside the log what is needed to repeat the run.
func savePlans(log *record.Writer, plans []*plan.Plan) error {
	for _, p := range plans {
		if err := log.Input(p.File, p.Source); err != nil {
			return err
		}
	}
	return nil
}

func saveCommand(log *record.Writer, seed uint64) error {
	return log.Input("command", []byte(shellquote.Join(os.Args...)+"\n"+fmt.Sprintf("seed %d\nkadbench %s\n", seed, version)))
}

// abandon ends the log, if there is one, of a run that could not begin. profile is that of its summary.
func abandon(log *record.Writer, profile string, err error) error {
	if log != nil {
		log.Write(record.Entry{Type: record.TypeNote, Text: err.Error()})
		log.Close(record.Summary{Profile: profile, Exit: run.ExitCode(err)})
	}
	return err
}

// printLines prints the lines of a log that was just written, and these summaries in place of its own.
func (a *app) printLines(path string, summaries []any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", run.ErrHarness, err)
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, record.MaxLine)
	for last := ""; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // last is the summary of the log
		}
		if _, err := io.WriteString(a.stdout, last); err != nil {
			return err
		}
		last = line
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	for _, s := range summaries {
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	return nil
}

// printLog prints the report of a log that was just written.
func (a *app) printLog(path, profile string) error {
	l, err := report.Load(path)
	if err != nil {
		return fmt.Errorf("%w: %w", run.ErrHarness, err)
	}
	return report.Text(a.stdout, l, a.textOptions(profile))
}
