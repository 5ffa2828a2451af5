package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/record"
)

// simulated loads a log of simulations: exit (one run of 48 hours), sweep (12 runs), cut (killed during the third of three
// runs), stopped (interrupted).
func simulated(t *testing.T, names ...string) *Log {
	t.Helper()
	var logs []*Log
	for _, name := range names {
		l, err := Load(filepath.Join("testdata", "sim", name))
		require.NoError(t, err)
		l.Path = filepath.ToSlash(l.Path)
		logs = append(logs, l)
	}
	return Join(logs...)
}

func TestSimulationsAsText(t *testing.T) {
	for name, o := range map[string]Options{
		"sim/exit-100.txt":    {Width: 100},
		"sim/exit-80.txt":     {Width: 80},
		"sim/sweep-100.txt":   {Width: 100},
		"sim/sweep-all.txt":   {Width: 100, All: true},
		"sim/cut-100.txt":     {Width: 100},
		"sim/stopped-100.txt": {Width: 100},
	} {
		t.Run(name, func(t *testing.T) {
			which, _, _ := strings.Cut(strings.TrimPrefix(name, "sim/"), "-")
			var b bytes.Buffer
			require.NoError(t, Text(&b, simulated(t, which), o))
			golden(t, name, b.Bytes())
			for line := range strings.Lines(b.String()) {
				if !strings.HasPrefix(line, "  repeat") && !strings.Contains(line, "; log ") {
					assert.LessOrEqual(t, width(strings.TrimSuffix(line, "\n")), o.Width, "%q", line)
				}
			}
		})
	}
}

func TestSimulationsInOtherForms(t *testing.T) {
	for name, write := range map[string]func(*bytes.Buffer, *Log) error{
		"sim/exit.md":   func(b *bytes.Buffer, l *Log) error { return Markdown(b, l, Options{}) },
		"sim/sweep.md":  func(b *bytes.Buffer, l *Log) error { return Markdown(b, l, Options{}) },
		"sim/exit.xml":  func(b *bytes.Buffer, l *Log) error { return JUnit(b, l, Options{}) },
		"sim/cut.xml":   func(b *bytes.Buffer, l *Log) error { return JUnit(b, l, Options{}) },
		"sim/exit.tap":  func(b *bytes.Buffer, l *Log) error { return TAP(b, l, Options{}) },
		"sim/cut.tap":   func(b *bytes.Buffer, l *Log) error { return TAP(b, l, Options{}) },
		"sim/joined.md": func(b *bytes.Buffer, l *Log) error { return Markdown(b, l, Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			which := []string{strings.TrimPrefix(strings.TrimSuffix(name, filepath.Ext(name)), "sim/")}
			if which[0] == "joined" {
				which = []string{"stopped", "cut", "stopped"}
			}
			var b bytes.Buffer
			require.NoError(t, write(&b, simulated(t, which...)))
			golden(t, name, b.Bytes())
		})
	}
}

// A CI system that counts failures comes to the verdict of the exit code.
func TestNeedsAreTestCases(t *testing.T) {
	l := simulated(t, "exit")
	var b bytes.Buffer
	require.NoError(t, JUnit(&b, l, Options{}))
	all := parseJUnit(t, b.Bytes())
	assert.Equal(t, []int{3, l.Summary.Failed, 0, l.Summary.Skipped}, []int{all.Tests, all.Failures, all.Errors, all.Skipped})
	b.Reset()
	require.NoError(t, JUnit(&b, simulated(t, "cut"), Options{}))
	assert.Equal(t, 2, parseJUnit(t, b.Bytes()).Errors, "the run that was cut off, and the log without its end")
}

func TestSimulationsAsJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, JSON(&b, simulated(t, "cut")))
	var back struct {
		Simulations []struct {
			Plan    string
			Point   []record.Setting
			Samples []record.Sample
			Outcome *record.Outcome
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	require.Len(t, back.Simulations, 3)
	assert.Equal(t, "sim/liar", back.Simulations[0].Plan)
	assert.Equal(t, []record.Setting{{Name: "liar.share", Value: "20%"}}, back.Simulations[1].Point)
	assert.Equal(t, "lookup", back.Simulations[1].Outcome.Figures[0].Kind)
	assert.Nil(t, back.Simulations[2].Outcome)
	assert.Len(t, back.Simulations[2].Samples, 7)
}

// A log that was cut off anywhere is read as what there is.
func TestSimulationCutAnywhere(t *testing.T) {
	log, err := os.ReadFile(filepath.Join("testdata", "sim", "cut", record.FileName))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), record.FileName)
	first := bytes.IndexByte(log, '\n') + 1
	for at := first; at < len(log); at += 997 {
		require.NoError(t, os.WriteFile(path, log[:at], 0o644))
		l, err := Load(path)
		require.NoError(t, err, "cut at byte %d", at)
		var b bytes.Buffer
		require.NoError(t, Text(&b, l, Options{}))
		if len(l.Simulations) > 0 {
			require.NoError(t, HTML(&b, l, Options{}))
			assert.Contains(t, b.String(), "the run did not end", "cut at byte %d", at)
		}
	}
}

func TestSimulationLinesInDisorder(t *testing.T) {
	begin := `{"type":"run","run":{}}` + "\n"
	one := `{"type":"simulation","simulation":{"number":0,"plan":"sim/a"}}` + "\n"
	for lines, want := range map[string]string{
		begin + `{"type":"sample","sample":{"number":3}}`:         "a line of type sample of simulation 3, which has not begun",
		begin + one + `{"type":"outcome","outcome":{"number":1}}`: "a line of type outcome of simulation 1, which has not begun",
		begin + one + strings.TrimSpace(one):                      "simulation 0 begins twice",
	} {
		path := filepath.Join(t.TempDir(), record.FileName)
		require.NoError(t, os.WriteFile(path, []byte(lines+"\n"), 0o644))
		_, err := Load(path)
		require.ErrorIs(t, err, record.ErrLog)
		assert.ErrorContains(t, err, want)
	}
}

// Logs of the same plan stand side by side, told apart by what they differ in.
func TestJoinedSimulations(t *testing.T) {
	l := simulated(t, "stopped", "stopped", "exit")
	list := l.experiments()
	require.Len(t, list, 2)
	assert.Equal(t, []string{"run"}, list[0].Axes, "neither their seeds nor their directories differ")
	assert.Equal(t, list, l.experiments(), "as often as asked")
	l = simulated(t, "stopped", "stopped")
	l.Simulations[1].Seed = 2
	assert.Equal(t, []string{"seed"}, l.experiments()[0].Axes)
	assert.Equal(t, "2", l.Simulations[1].value("seed"))

	cases, err := Load(filepath.Join("testdata", "three-targets.jsonl"))
	require.NoError(t, err)
	require.ErrorIs(t, HTML(&bytes.Buffer{}, Join(cases, simulated(t, "exit")), Options{}), ErrMixed)
}

// What a sweep changes is not told of all its runs.
func TestFactsOfASweep(t *testing.T) {
	l := simulated(t, "cut")
	for i, share := range []string{"5%", "20%", "40%"} {
		s := l.Simulations[i]
		s.World = append(s.World, record.Setting{Name: "faults", Value: "liar share=" + share})
	}
	assert.Equal(t, "tables ideal · k 20", l.experiments()[0].world())
}

// A log on stdout has the summary of a simulation as its last line.
func TestSimulationSummaryEndsALog(t *testing.T) {
	log, err := os.ReadFile(filepath.Join("testdata", "sim", "exit", record.FileName))
	require.NoError(t, err)
	lines := bytes.SplitAfter(bytes.TrimSpace(log), []byte("\n"))
	closing, err := json.Marshal(record.SimulationSummary{Type: record.TypeSummary, Plan: "sim/exit-half"})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), record.FileName)
	require.NoError(t, os.WriteFile(path, append(bytes.Join(lines[:len(lines)-1], nil), append(closing, '\n')...), 0o644))
	l, err := Load(path)
	require.NoError(t, err)
	require.NotNil(t, l.Summary)
	assert.Equal(t, []int{1, 1, 1, 1}, []int{l.Summary.Passed, l.Summary.Failed, l.Summary.Skipped, l.Summary.Exit})
}

func TestQuantities(t *testing.T) {
	for want, got := range map[string]string{
		"0":             figure(0),
		"0.012":         figure(0.0123),
		"3.42":          figure(3.42),
		"31.2":          figure(31.2),
		"423":           figure(423.4),
		"12,346":        figure(12345.6),
		"1,000":         figure(999.7),
		"1.00 ms":       millis(1),
		"999 ms":        millis(999.4),
		"1.00 s":        millis(999.6),
		"1m40s":         millis(100_000),
		"48h":           span(48 * 3600e9),
		"12h30m":        span(12*3600e9 + 30*60e9),
		"1h0m5s":        span(3605e9),
		"20s":           span(20e9),
		"1.50 KiB":      size(1536),
		"812 B":         size(812),
		"100 %":         percent(1),
		"94.8 %":        percent(0.948),
		"99.987 %":      percent(0.99987),
		"99.999999 %":   percent(0.9999999999),
		"1":             recall(1),
		"0.9988":        recall(0.99876),
		"0.999912":      recall(0.9999123),
		"–":             ratio(nil, percent),
		"410–431 ms":    between(410, 431, millis),
		"927 ms–1.57 s": between(927, 1570, millis),
	} {
		assert.Equal(t, want, got)
	}
	d := &record.Distribution{Quantiles: []record.Quantile{{P: 50, V: 7}, {P: 90, V: 9, AtLeast: true}, {P: 99, Few: true}}}
	assert.Equal(t, "7.00 ms", quantile(d, 50, millis))
	assert.Equal(t, "≥ 9.00 ms", quantile(d, 90, millis))
	assert.Equal(t, "too few", quantile(d, 99, millis))
	assert.Equal(t, none, quantile(d, 99.9, millis))
	assert.Equal(t, none, quantile(nil, 50, millis))
}

// The page stands alone as the others do, and holds its tables without JavaScript.
func TestPageOfSimulations(t *testing.T) {
	l := simulated(t, "sweep", "exit", "cut")
	l.Simulations[0].Prose = `</script><script>document.title="broken"</script><img src=x> ` + "\x1b[31m\u202e"
	l.Simulations[0].Outcome.Figures[0].Kind = "\u202e</script>"
	page := render(t, l, Options{})
	standsAlone(t, page, `<script type="application/json" id="data">`, `<script>`)
	for _, want := range []string{"Simulation sim/sweep", "Simulation sim/exit-half", "Simulation sim/liar", `<td class="n">6.62 s`, "survival&gt;95%", `<span class="v fail">MISSED</span>`,
		`<p class="note">liar.share=40%: the log was cut off; the last sample is of 30m of 1h simulated: 5,186 nodes there, 166 peers in a table, 12.4 % of them dead, 357 of 360 records alive</p>`, "kadbench sim plans/sim/exit-half.plan --seed 1", "MIT License"} {
		assert.True(t, strings.Contains(page, want), want) // the page is long
	}
}

// A long series is thinned out.
func TestPageThinsOutSeries(t *testing.T) {
	l := simulated(t, "exit")
	s := l.Simulations[0]
	for len(s.Samples) < 5001 {
		s.Samples = append(s.Samples, s.Samples[len(s.Samples)-1])
	}
	r := newSimPage(l).Experiments[0].Runs[0]
	assert.Equal(t, 6, r.Each)
	assert.Len(t, r.Samples, 834)
}

// Of very many runs the page has as many as a browser can show, and says so.
func TestPageOfManyRuns(t *testing.T) {
	l := simulated(t, "stopped")
	for i := range maxPageRuns {
		s := *l.Simulations[0]
		s.Number, s.Seed = i+1, uint64(i+2)
		l.Simulations = append(l.Simulations, &s)
	}
	x := newSimPage(l).Experiments[0]
	assert.Len(t, x.Runs, maxPageRuns)
	assert.Equal(t, "The first 600 of 601 runs are shown; the log has all.", x.Broken[0])
}
