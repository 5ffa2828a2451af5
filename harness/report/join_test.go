package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/record"
)

// runs are two logs: go in two versions, and a target whose every text is hostile; the second run did not end.
func runs(t *testing.T) *Log {
	t.Helper()
	var logs []*Log
	for _, day := range []string{"monday", "tuesday"} {
		l, err := Load(filepath.Join("testdata", "runs", day))
		require.NoError(t, err)
		l.Path = filepath.ToSlash(l.Path)
		logs = append(logs, l)
	}
	return Join(logs...)
}

func TestSeveralLogs(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *Log) error{
		"runs.txt":       func(w io.Writer, l *Log) error { return Text(w, l, Options{}) },
		"runs-all.txt":   func(w io.Writer, l *Log) error { return Text(w, l, Options{All: true, Profile: "amino", Width: 60}) },
		"runs.md":        func(w io.Writer, l *Log) error { return Markdown(w, l, Options{}) },
		"runs.tap":       func(w io.Writer, l *Log) error { return TAP(w, l, Options{}) },
		"runs-all.tap":   func(w io.Writer, l *Log) error { return TAP(w, l, Options{All: true}) },
		"runs-junit.xml": func(w io.Writer, l *Log) error { return JUnit(w, l, Options{}) },
		"runs.json":      JSON,
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, write(&b, runs(t)))
			golden(t, name, b.Bytes())
			assert.NotContains(t, strings.ReplaceAll(b.String(), `\u001b`, ""), "\x1b", "no peer moves the cursor")
			if name == "runs.json" {
				return // as it came: who reads it is a program
			}
			assert.NotContains(t, b.String(), "\u202e", "nor turns a line around")
		})
	}
}

func TestOneLog(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *Log, Options) error{"three-targets.md": Markdown, "three-targets.tap": TAP} {
		var b bytes.Buffer
		require.NoError(t, write(&b, load(t), Options{}))
		golden(t, name, b.Bytes())
	}
}

func TestJUnitOfSeveralLogsIsSound(t *testing.T) {
	var b bytes.Buffer
	l := runs(t)
	require.NoError(t, JUnit(&b, l, Options{}))
	var back junitSuites
	require.NoError(t, xml.Unmarshal(b.Bytes(), &back))
	var names []string
	for _, s := range back.Suites {
		names = append(names, s.Name)
	}
	assert.Equal(t, []string{"go@v1.base", "go@v2.base", Clean(l.Targets[2].Name) + ".base", "kadbench.run"}, names)
	assert.Equal(t, "2026-01-02T15:04:05", back.Suites[1].Timestamp, "of its own run")
	assert.Equal(t, "the run did not end", back.Suites[3].Cases[0].Error.Message)
}

// Targets of one name are told apart by what tells them apart.
func TestNamesOfTargets(t *testing.T) {
	for _, test := range []struct {
		versions [2]string
		paths    [2]string
		want     []string
	}{
		{[2]string{"go-libp2p v1", "go-libp2p v2"}, [2]string{"a/results.jsonl", "a/results.jsonl"}, []string{"go@v1", "go@v2"}},
		{[2]string{"go-libp2p v1", "go-libp2p v1"}, [2]string{"a/results.jsonl", "b/results.jsonl"}, []string{"go@a", "go@b"}},
		{[2]string{"", ""}, [2]string{"a/results.jsonl", "b/results.jsonl"}, []string{"go@a", "go@b"}},
		{[2]string{"", "go-libp2p v1"}, [2]string{"x/a/results.jsonl", "y/a/results.jsonl"}, []string{"go", "go#2"}},
	} {
		var logs []*Log
		for i := range 2 {
			logs = append(logs, &Log{Path: test.paths[i], Targets: []Target{{Name: "go", Version: test.versions[i]}},
				Results: []Result{{Result: record.Result{Target: "go", Case: "a/b", Profile: "base", Verdict: record.Pass}}}})
		}
		l := Join(logs...)
		var names, of []string
		for i, target := range l.Targets {
			names, of = append(names, target.Name), append(of, l.Results[i].Target)
		}
		assert.Equal(t, test.want, names)
		assert.Equal(t, test.want, of, "the results go along")
	}
}

// What the runs say of themselves is added up: one that did not end leaves the whole without a summary, and the worst
// exit code counts.
func TestJoinedSummary(t *testing.T) {
	a, b := &Log{Summary: &record.Summary{Passed: 1, Exit: 1, Profile: "base"}}, &Log{Summary: &record.Summary{Passed: 2, Warned: 1, Profile: "amino"}}
	assert.Equal(t, record.Summary{Passed: 3, Warned: 1, Exit: 1, Log: ", "}, *Join(a, b).Summary, "no profile is that of both")
	assert.Nil(t, Join(a, &Log{}).Summary)
	assert.Same(t, a, Join(a), "one log is itself")
}

// The rows of a matrix that are left out are those in which nothing is wrong and all say the same.
func TestTellingRows(t *testing.T) {
	row := func(verdicts ...record.Verdict) (out []*Result) {
		for _, v := range verdicts {
			r := &Result{Result: record.Result{Verdict: v}}
			if v == "" {
				r = nil
			}
			out = append(out, r)
		}
		return out
	}
	assert.False(t, telling(row(record.Pass, record.Pass)))
	assert.False(t, telling(row(record.Skipped, record.Skipped)))
	assert.True(t, telling(row(record.Fail, record.Fail)), "wrong for all: suspect the case")
	assert.True(t, telling(row(record.Pass, record.Unsupported)))
	assert.True(t, telling(row("", record.Pass)))
	assert.True(t, telling(row(record.Pass, "")))
}

// Many targets do not fit side by side: the matrix is printed in parts, each within the width.
func TestWideMatrix(t *testing.T) {
	l := &Log{}
	for i := range 9 {
		name := fmt.Sprintf("implementation-%d", i)
		l.Targets = append(l.Targets, Target{Name: name})
		l.Results = append(l.Results, Result{Result: record.Result{Target: name, Case: "area/some-case", Profile: "base", Verdict: record.Verdict([]string{"pass", "fail"}[i%2])}})
	}
	var b bytes.Buffer
	writeMatrix(&b, l, Options{Width: 80, Profile: "base"})
	assert.Equal(t, 3, strings.Count(b.String(), "some-case"))
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, width(line), 81, line)
	}
	assert.Equal(t, 5, strings.Count(b.String(), "pass"))
	assert.Equal(t, 4, strings.Count(b.String(), "FAIL"))
}

// A summary of a CI job has a limit; what goes beyond it is counted.
func TestLongMarkdown(t *testing.T) {
	l := &Log{Targets: []Target{{Name: "x"}}}
	for i := range maxMarkdownBlocks + 50 {
		l.Results = append(l.Results, Result{Result: record.Result{Target: "x", Case: fmt.Sprintf("a/c%d", i), Profile: "base", Verdict: record.Fail},
			Detail: record.Detail{Failure: &record.Failure{Want: strings.Repeat("w", 8000)}}})
	}
	var b bytes.Buffer
	require.NoError(t, Markdown(&b, l, Options{}))
	assert.Less(t, b.Len(), 1<<20)
	assert.Contains(t, b.String(), " cases more: `kadbench report` shows them.")
}
