package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "go test ./harness/report -update writes %s anew", path)
}

func load(t *testing.T) *Log {
	t.Helper()
	l, err := Load(filepath.Join("testdata", "three-targets.jsonl"))
	require.NoError(t, err)
	l.Path = filepath.ToSlash(l.Path)
	return l
}

func TestText(t *testing.T) {
	for name, o := range map[string]Options{
		"base-100-all.txt":   {Profile: "base", Width: 100, All: true},
		"base-100.txt":       {Profile: "base", Width: 100},
		"amino-80.txt":       {Profile: "amino", Width: 80},
		"amino-130.txt":      {Profile: "amino", Width: 130},
		"base-100-color.txt": {Width: 100, Color: true}, // the profile is the run's
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, Text(&b, load(t), o))
			golden(t, name, b.Bytes())
			for line := range strings.Lines(b.String()) {
				if !o.Color && !strings.HasPrefix(line, "  repeat") && !strings.Contains(line, "; log ") {
					assert.LessOrEqual(t, width(strings.TrimSuffix(line, "\n")), o.Width, "%q", line)
				}
			}
			assert.Equal(t, o.Color, strings.Contains(b.String(), "\x1b"), "a colour or the peer's own escapes")
		})
	}
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, JUnit(&b, load(t), Options{All: true}))
	golden(t, "junit.xml", b.Bytes())
	all := parseJUnit(t, b.Bytes())
	assert.Equal(t, 17, all.Tests)
	assert.Equal(t, 3, all.Failures)
	assert.Equal(t, 1, all.Errors)
}

func parseJUnit(t *testing.T, data []byte) junitSuites {
	t.Helper()
	var back junitSuites
	require.NoError(t, xml.Unmarshal(data, &back), "well-formed")
	return back
}

// A CI system that counts the failures of the file comes to the verdict of the exit code.
func TestJUnitHasTheDecidingProfile(t *testing.T) {
	l := load(t)
	for profile, want := range map[string]record.Summary{"": *l.Summary, "base": *l.Summary, "amino": l.Count("", "amino")} {
		var b bytes.Buffer
		require.NoError(t, JUnit(&b, l, Options{Profile: profile}))
		got := parseJUnit(t, b.Bytes())
		assert.Equal(t, want.Total(), got.Tests, profile)
		assert.Equal(t, want.Failed, got.Failures, profile)
		assert.Equal(t, want.Errors, got.Errors, profile)
		assert.Equal(t, want.Expected+want.Unsupported+want.Skipped, got.Skipped, profile)
	}
}

// What went wrong with the run itself is an error in the file, though no case of it failed.
func TestJUnitTellsOfTheRun(t *testing.T) {
	for want, s := range map[string]*record.Summary{
		"":                               {Exit: 0},
		"the run did not end":            nil,
		"the run was interrupted":        {Exit: 130},
		"the run ended with exit code 3": {Exit: 3, Failed: 1},
		"the run ended with exit code 1": {Exit: 1},
	} {
		skipped := Result{Result: record.Result{Verdict: record.Skipped, Why: "target x: cannot be reached"}}
		l := &Log{Notes: []string{"known.toml: stale"}, Results: []Result{skipped, skipped}, Summary: s}
		var b bytes.Buffer
		require.NoError(t, JUnit(&b, l, Options{}))
		got := parseJUnit(t, b.Bytes())
		if want == "" {
			assert.Empty(t, got.Suites)
			continue
		}
		require.Len(t, got.Suites, 1)
		assert.Equal(t, 1, got.Errors)
		assert.Equal(t, want, got.Suites[0].Cases[0].Error.Message)
		assert.Equal(t, want+"\nknown.toml: stale\ntarget x: cannot be reached", got.Suites[0].Cases[0].Error.Text)
	}
	for _, s := range []record.Summary{{Exit: 1, Failed: 1}, {Exit: 4, Errors: 1}} {
		assert.Zero(t, (&Log{Summary: &s}).runSuite().Tests, "the cases say it")
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, JSON(&b, load(t)))
	golden(t, "log.json", b.Bytes())
}

// A run that was killed has no summary; its report says so and counts what is there.
func TestRunThatDidNotEnd(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "three-targets.jsonl"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), record.FileName)
	require.NoError(t, os.WriteFile(path, data[:len(data)-40], 0o644))
	l, err := Load(path)
	require.NoError(t, err)
	require.Nil(t, l.Summary)
	var b bytes.Buffer
	require.NoError(t, Text(&b, l, Options{}))
	assert.Contains(t, b.String(), "note: the run did not end")
	assert.Contains(t, b.String(), "5 passed, 1 failed, 0 warned, 1 expected, 2 unsupported, 1 skipped, 1 errors; log "+path)

	b.Reset()
	require.NoError(t, Lines(&b, path))
	assert.True(t, strings.HasSuffix(b.String(), "\n"), "whole lines only")
}

func TestCleanLeavesNoControlCharacter(t *testing.T) {
	assert.Equal(t, `a\x1b[2Jb c\x9b\u202eé`, Clean("a\x1b[2Jb\nc\x9b\u202eé"))
	assert.Equal(t, "\ufffd", Clean("\ufffd"))
}

func TestWrapLosesNothing(t *testing.T) {
	text := "a " + strings.Repeat("x", 95) + " " + strings.Repeat("é ", 60)
	lines := wrap(text, 30)
	for _, line := range lines {
		assert.LessOrEqual(t, width(line), 30)
	}
	assert.Equal(t, strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(strings.Join(lines, ""), " ", ""))
}

// text is the report of a log that a test made, in base.
func text(t *testing.T, l *Log, all bool) string {
	t.Helper()
	for i := range l.Results {
		l.Results[i].Target, l.Results[i].Profile = "x", cmp.Or(l.Results[i].Profile, "base")
	}
	l.Targets = []Target{{Name: "x"}}
	var b strings.Builder
	require.NoError(t, Text(&b, l, Options{All: all}))
	return b.String()
}

func TestFailuresStandBeforeWarnings(t *testing.T) {
	out := text(t, &Log{Results: []Result{
		{Result: record.Result{Case: "a/warned", Verdict: record.Warn}},
		{Result: record.Result{Case: "b/failed", Verdict: record.Fail}},
	}}, false)
	assert.Less(t, strings.Index(out, "b/failed"), strings.Index(out, "a/warned"))
}

// Profiles share a block only where the same went wrong in them.
func TestOneBlockForEachWhy(t *testing.T) {
	out := text(t, &Log{Results: []Result{
		{Result: record.Result{Case: "a/b", Verdict: record.Errored, Why: "no port", Level: "must"}},
		{Result: record.Result{Case: "a/b", Verdict: record.Errored, Why: "no port", Level: "must", Profile: "amino"}},
		{Result: record.Result{Case: "a/b", Verdict: record.Errored, Why: "no key", Level: "must", Profile: "defacto"}},
	}}, false)
	assert.Contains(t, out, "ERROR a/b  x  (must: base amino)\n")
}

func TestOfALongStderrTheEndIsShown(t *testing.T) {
	var log strings.Builder
	for i := range 30 {
		fmt.Fprintf(&log, "line %d.\n", i)
	}
	out := text(t, &Log{Results: []Result{{
		Result: record.Result{Case: "a/b", Verdict: record.Fail}, Detail: record.Detail{Failure: &record.Failure{Log: log.String()}},
	}}}, false)
	assert.Contains(t, out, "line 29.")
	assert.Contains(t, out, "line 20.")
	assert.NotContains(t, out, "line 19.")
}

// The reasons of most cases stand first; the rest is a count, unless all are asked for.
func TestReasons(t *testing.T) {
	l := &Log{}
	for i := range maxReasons + 2 {
		for range i + 1 {
			l.Results = append(l.Results, Result{Result: record.Result{Case: "a/b", Verdict: record.Unsupported, Why: fmt.Sprintf("needs %02d", i)}})
		}
	}
	out := text(t, l, false)
	assert.True(t, strings.HasPrefix(out, "unsupported  x: needs 09 (10 cases)\nunsupported  x: needs 08 (9 cases)\n"), out)
	assert.Contains(t, out, "needs 02 (3 cases)\n             and 2 reasons more: report --all shows them\n")
	out = text(t, l, true)
	assert.Contains(t, out, "needs 00 (1 case)\n")
	assert.NotContains(t, out, "more")
}

func TestAnInterruptedRunSaysSo(t *testing.T) {
	assert.Contains(t, text(t, &Log{Summary: &record.Summary{Exit: 130}}, false), "note: the run was interrupted")
	assert.NotContains(t, text(t, &Log{Summary: &record.Summary{}}, false), "note:")
}
