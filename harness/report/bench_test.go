package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/record"
)

// loaded loads logs of loads on sockets: monday and tuesday (the same plan, three targets, five rounds; one turn was done
// again), open (arrivals of a rate, with all that can go wrong), max (the highest rate, along a sweep), cut (killed in the
// second round), network (three networks of a hundred nodes).
func loaded(t *testing.T, names ...string) *Log {
	t.Helper()
	var logs []*Log
	for _, name := range names {
		l, err := Load(filepath.Join("testdata", "bench", name))
		require.NoError(t, err)
		l.Path = filepath.ToSlash(l.Path)
		logs = append(logs, l)
	}
	return Join(logs...)
}

func TestBenchesAsText(t *testing.T) {
	for name, o := range map[string]Options{
		"bench/monday-100.txt":  {Width: 100},
		"bench/monday-80.txt":   {Width: 80},
		"bench/open-100.txt":    {Width: 100},
		"bench/max-100.txt":     {Width: 100},
		"bench/max-all.txt":     {Width: 130, All: true},
		"bench/cut-100.txt":     {Width: 100},
		"bench/network-100.txt": {Width: 100},
		"bench/joined-100.txt":  {Width: 100},
	} {
		t.Run(name, func(t *testing.T) {
			which, _, _ := strings.Cut(strings.TrimPrefix(name, "bench/"), "-")
			names := []string{which}
			if which == "joined" {
				names = []string{"monday", "tuesday"}
			}
			var b bytes.Buffer
			require.NoError(t, Text(&b, loaded(t, names...), o))
			golden(t, name, b.Bytes())
			for line := range strings.Lines(b.String()) {
				if !strings.HasPrefix(line, "  repeat") && !strings.Contains(line, "; log ") {
					assert.LessOrEqual(t, width(strings.TrimSuffix(line, "\n")), o.Width, "%q", line)
				}
			}
		})
	}
}

func TestBenchesInOtherForms(t *testing.T) {
	for name, write := range map[string]func(*bytes.Buffer, *Log) error{
		"bench/open.md":    func(b *bytes.Buffer, l *Log) error { return Markdown(b, l, Options{}) },
		"bench/network.md": func(b *bytes.Buffer, l *Log) error { return Markdown(b, l, Options{}) },
		"bench/open.xml":   func(b *bytes.Buffer, l *Log) error { return JUnit(b, l, Options{}) },
		"bench/cut.xml":    func(b *bytes.Buffer, l *Log) error { return JUnit(b, l, Options{}) },
		"bench/open.tap":   func(b *bytes.Buffer, l *Log) error { return TAP(b, l, Options{}) },
		"bench/cut.tap":    func(b *bytes.Buffer, l *Log) error { return TAP(b, l, Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, write(&b, loaded(t, strings.TrimSuffix(strings.TrimPrefix(name, "bench/"), filepath.Ext(name)))))
			golden(t, name, b.Bytes())
		})
	}
}

// A CI system that counts failures comes to the verdict of the exit code.
func TestNeedsOfLoadsAreTestCases(t *testing.T) {
	l := loaded(t, "open")
	var b bytes.Buffer
	require.NoError(t, JUnit(&b, l, Options{}))
	all := parseJUnit(t, b.Bytes())
	assert.Equal(t, []int{6, l.Summary.Failed, 0, l.Summary.Skipped}, []int{all.Tests, all.Failures, all.Errors, all.Skipped})
	b.Reset()
	require.NoError(t, JUnit(&b, loaded(t, "cut"), Options{}))
	assert.Equal(t, 4, parseJUnit(t, b.Bytes()).Errors, "three targets that were cut off, and the log without its end")
}

func TestBenchesAsJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, JSON(&b, loaded(t, "cut")))
	var back struct{ Benches []Bench }
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	require.Len(t, back.Benches, 3)
	assert.Equal(t, "go", back.Benches[1].Target)
	assert.Len(t, back.Benches[1].Turns, 3, "with the one that was done again")
	assert.Nil(t, back.Benches[2].Measured)
}

// A log that was cut off anywhere is read as what there is.
func TestBenchCutAnywhere(t *testing.T) {
	log, err := os.ReadFile(filepath.Join("testdata", "bench", "monday", record.FileName))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), record.FileName)
	for at := bytes.IndexByte(log, '\n') + 1; at < len(log); at += 997 {
		require.NoError(t, os.WriteFile(path, log[:at], 0o644))
		l, err := Load(path)
		require.NoError(t, err, "cut at byte %d", at)
		var b bytes.Buffer
		require.NoError(t, Text(&b, l, Options{}))
		assert.Contains(t, b.String(), "the run did not end", "cut at byte %d", at)
		assert.NotContains(t, b.String(), "NaN", "cut at byte %d", at)
		if l.measures() {
			require.NoError(t, HTML(&b, l, Options{}), "JSON has no NaN: cut at byte %d", at)
		}
	}
}

func TestBenchLinesInDisorder(t *testing.T) {
	begin := `{"type":"run","run":{}}` + "\n"
	one := `{"type":"bench","bench":{"number":0,"plan":"load/a","target":"ref"}}` + "\n"
	for lines, want := range map[string]string{
		begin + `{"type":"turn","turn":{"number":3,"round":1}}`:     "a line of type turn of bench 3, which has not begun",
		begin + one + `{"type":"measured","measured":{"number":1}}`: "a line of type measured of bench 1, which has not begun",
		begin + one + strings.TrimSpace(one):                        "bench 0 begins twice",
	} {
		path := filepath.Join(t.TempDir(), record.FileName)
		require.NoError(t, os.WriteFile(path, []byte(lines+"\n"), 0o644))
		_, err := Load(path)
		require.ErrorIs(t, err, record.ErrLog)
		assert.ErrorContains(t, err, want)
	}
}

// What makes figures less than they look is said, each at its place and nowhere else.
func TestDoubts(t *testing.T) {
	doubts := func(change func(*record.Measured)) string {
		l := loaded(t, "open")
		l.Benches = l.Benches[:1]
		change(l.Benches[0].Measured)
		return strings.Join(l.trials()[0].doubts(l), "\n")
	}
	assert.Equal(t, "an interval of a rate or of CPU is that of the least and the most of 5 turns: from six on it has 95 %", doubts(func(*record.Measured) {}))
	for want, change := range map[string]func(*record.Measured){
		"7 of 1,000,000 requests began more than a millisecond after they were due":                                       func(m *record.Measured) { m.Late = 7 },
		"7 of 1,000,000 requests were never sent":                                                                         func(m *record.Measured) { m.Dropped = 7 },
		"7 of the 10,000 answers that were compared with the true nearest":                                                func(m *record.Measured) { m.Wrong = 7 },
		"others kept 5.1 % of the processors busy":                                                                        func(m *record.Measured) { m.Foreign = new(0.051) },
		"the processors were full, 85.0 % of them with the load generator: rates and latencies are those of this machine": func(m *record.Measured) { m.ClientCPU = 85 },
		"one turn: nothing tells how much":                                                                                func(m *record.Measured) { m.Turns = 1 },
	} {
		got := doubts(change)
		assert.Contains(t, got, want)
		assert.LessOrEqual(t, strings.Count(got, "\n"), 1, got)
	}
	assert.Empty(t, doubts(func(m *record.Measured) { m.Turns = 6 }))
	assert.NotContains(t, doubts(func(m *record.Measured) { m.ClientCPU, m.Foreign = 10, new(0.9) }), "the processors were full", "with what others did, which is said")
}

// What nobody knows is no 0 %, of a whole log and of one that was cut off, in any form.
func TestForeignUnknown(t *testing.T) {
	for _, name := range []string{"open", "cut"} {
		l := loaded(t, name)
		for i, b := range l.Benches {
			for j := range b.Turns {
				b.Turns[j].Foreign = nil
			}
			if b.Measured != nil {
				b.Measured.Foreign = nil
			}
			if i == 0 { // one that is known keeps the column
				b.Turns[0].Foreign = new(0.013)
				if b.Measured != nil {
					b.Measured.Foreign = new(0.013)
				}
			}
		}
		g := l.trials()[0].rates()
		last := len(g.Head) - 1
		assert.Equal(t, "foreign", g.Head[last])
		assert.Equal(t, "1.3 %", g.Rows[0][last])
		assert.Equal(t, none, g.Rows[1][last])
		assert.Nil(t, l.pageTrials()[0].Runs[1].Turns[0].Foreign)
		var b bytes.Buffer
		require.NoError(t, JSON(&b, l))
		assert.Equal(t, map[string]int{"open": 2, "cut": 1}[name], strings.Count(b.String(), `"foreign"`), "of one turn, and of its sum where there is one")
	}
}

// What a network of processes does not tell is – in its tables and absent from a comparison, and a 0 that was counted is 0.
func TestNetworkUnknown(t *testing.T) {
	l := loaded(t, "network")
	o := l.Simulations[0].Outcome
	f := &o.Figures[0]
	f.Requests, f.Failed, f.Bytes = nil, nil, nil
	o.Cost = record.Cost{Ready: o.Cost.Ready, Ran: o.Cost.Ran, Nodes: &record.NodeCost{Entries: 5, BootstrapCPU: 1}}
	other := &l.Simulations[1].Outcome.Cost
	other.Nodes.Dials, other.Events, other.EventsPerSecond, other.CPUPerEvent, other.BytesPerNode = new(0.0), 31_300, 1565, 190, 1.31e6
	e := l.experiments()[0]
	cell := func(g grid, row int, name string) string { return g.Rows[row][slices.Index(g.Head, name)] }
	for _, name := range []string{"heap", "goroutines", "connections", "CPU/op", "dials/op"} {
		assert.Equal(t, none, cell(e.nodes(), 0, name), name)
	}
	assert.Equal(t, []string{"5.00", "1.00 ms"}, []string{cell(e.nodes(), 0, "table"), cell(e.nodes(), 0, "join CPU")})
	assert.Equal(t, "0", cell(e.nodes(), 1, "dials/op"))
	for _, name := range []string{"rpcs", "dead", "bytes"} {
		assert.Equal(t, none, cell(e.outcomes(), 0, name), name)
	}
	for _, name := range []string{"events", "events/s", "events/op", "CPU/event", "bytes/node", "peak RSS"} {
		assert.Equal(t, none, cell(e.costs(), 0, name), name)
	}
	for _, name := range []string{"heap", "dials/op", "rpcs"} {
		assert.NotContains(t, e.ratios().Head, name, "to the first target, of which it is not known, there is no ratio")
	}
	for _, c := range Compare([]*Log{l}, []*Log{l}, 0).Figures {
		assert.False(t, c.Target == "ref" && slices.Contains([]string{"heap/node", "dials/op", "rpcs", "peak RSS", "events"}, c.Figure), c.Figure)
	}
	line, err := json.Marshal(o.Cost)
	require.NoError(t, err)
	for _, name := range []string{"heap", "goroutines", "dials", "connections", "sent", "bytes", "peak"} {
		assert.NotContains(t, string(line), `"`+name, "%s", line)
	}
}

// Of a handful of samples of where processor time went, their number is told alone.
func TestTooFewSamples(t *testing.T) {
	n := &record.NodeCost{Shares: []record.Share{{What: "kademlia", Of: 1}}, Samples: minSamples - 1}
	assert.Equal(t, "too few samples: 199 of the 200 that are needed", shares(n))
	n.Samples++
	assert.Equal(t, "kademlia 100.0 %", shares(n))
}

// In a closed load a request is due when it is sent: the latency from due says nothing of its own.
func TestDueOfClosedLoads(t *testing.T) {
	l := loaded(t, "monday")
	b := l.Benches[0]
	require.NotNil(t, b.Measured.Due)
	figures := func() (names []string) {
		for _, c := range Compare([]*Log{l}, []*Log{l}, 0).Figures {
			if c.Target == b.Target {
				names = append(names, c.Figure)
			}
		}
		return names
	}
	assert.NotContains(t, l.trials()[0].latencies().Head, "due p50")
	assert.NotContains(t, intervalsOfLoad(b), "due")
	b.Turns[0].Span -= time.Second / 2
	page := l.pageTrials()[0].Runs[0]
	assert.Equal(t, []int{9, 10}, []int{len(page.Turns[0].Seconds), len(page.Turns[1].Seconds)}, "no part of a second")
	assert.True(t, page.Closed)
	assert.Nil(t, page.Due)
	assert.Nil(t, page.Turns[0].Due[0])
	assert.NotNil(t, page.Turns[0].Service[0])
	assert.NotContains(t, figures(), "due p50")
	assert.Contains(t, figures(), "service p50")
	assert.Contains(t, strings.Join(l.trials()[0].doubts(l), "\n"), "a closed load: while a target stalls nobody asks it")
	for i := range b.Turns {
		b.Turns[i].Offered = 1000
	}
	all := l.Benches
	l.Benches = l.Benches[:1]
	assert.NotContains(t, strings.Join(l.trials()[0].doubts(l), "\n"), "closed")
	l.Benches = all
	assert.Contains(t, l.trials()[0].latencies().Head, "due p50", "beside an open one the others have none")
	assert.Equal(t, none, l.trials()[0].latencies().Rows[1][1])
	assert.Contains(t, intervalsOfLoad(b), "due p50")
	assert.Contains(t, figures(), "due p50")
}

// Too few samples, and what was given up, are said to be that.
func TestPercentilesThatCannotBeTold(t *testing.T) {
	l := loaded(t, "open")
	m := l.Benches[0].Measured
	m.Due.Quantiles = []record.Quantile{{P: 50, V: 0.2}, {P: 99, Few: true}, {P: 99.9, V: 5000, AtLeast: true}}
	row := l.trials()[0].latencies().Rows[0]
	assert.Equal(t, []string{"ref", "200 µs", "too few", "≥ 5.00 s", none}, row[:5])
	assert.NotContains(t, intervalsOfLoad(l.Benches[0]), "due p99 ")
}

// The interval of a percentile of all requests knows nothing of turns, one of which may have been another than the rest. The
// longest of all is exact, unless some never came to their end.
func TestTurnsBesideTheirSum(t *testing.T) {
	l := loaded(t, "open")
	b := l.Benches[0]
	assert.Contains(t, intervalsOfLoad(b), "p99 219–223 µs (turns 221–223 µs)")
	b.Turns[2].Due.Quantile(99).V = 50
	assert.Contains(t, intervalsOfLoad(b), "p99 219–223 µs (turns 221 µs–50.0 ms)")
	b.Turns[2].Due.Quantile(99).Few = true
	assert.Contains(t, intervalsOfLoad(b), "p99 219–223 µs, ", "the one that cannot tell it may be the bad one")

	cell := func(row int) []string {
		g := l.trials()[0].latencies()
		at := slices.Index(g.Head, "most")
		return []string{g.Rows[row][at], g.Rows[row][at+5]}
	}
	assert.Equal(t, []string{"4.17 ms", "3.50 ms"}, cell(0))
	b.Measured.Dropped = 1
	assert.Equal(t, []string{"≥ 4.17 ms", "3.50 ms"}, cell(0), "what was never sent had no service")
}

// Of many turns that were done again the first are told.
func TestTurnsDoneAgain(t *testing.T) {
	b := loaded(t, "monday").Benches[1]
	assert.Equal(t, "round 3 (19,465/s): others kept 44 % of the processors busy", againOf(b))
	for range 4 {
		b.Turns = append(b.Turns, record.Turn{Round: 5, Void: "busy", Tally: record.Tally{PerSecond: 9}})
	}
	assert.Equal(t, "round 3 (19,465/s): others kept 44 % of the processors busy; round 5 (9.00/s): busy; round 5 (9.00/s): busy; and 2 turns more", againOf(b))
	assert.Len(t, b.counted(), 5)
}

// Of a search for the highest rate the figures are those of the try that found it.
func TestSearch(t *testing.T) {
	l := loaded(t, "max")
	b := l.Benches[1]
	require.Len(t, b.counted(), 1)
	assert.InEpsilon(t, 12_000, b.offered(), 0.01)
	var text bytes.Buffer
	require.NoError(t, Compare([]*Log{l}, []*Log{l}, 0).Write(&text, Options{All: true}))
	assert.Equal(t, 4, strings.Count(text.String(), "highest rate"), "of two targets at two points, and nothing else")
	assert.NotContains(t, text.String(), "requests/s")

	b.Measured.Tries[len(b.Measured.Tries)-1].Why = "late<1%: late 0.02"
	assert.Contains(t, highest(b.Measured), "12,000 requests/s, at which all needs held, and more as far as the target goes: at the next rate it was the load generator that was late; tried")
	g := l.trials()[0].rates()
	assert.Equal(t, []string{"48,000", "≥ 12,000"}, []string{g.Rows[0][2], g.Rows[1][2]})

	b.Measured.Max, b.Measured.Turns, b.Measured.Error = new(float64), 0, "at no rate did all needs hold"
	assert.Empty(t, b.counted())
	assert.Equal(t, "broken off after 6 tries: at no rate did all needs hold", b.Broken())
	assert.Contains(t, highest(b.Measured), "at no rate that was tried did all needs hold; tried 3,000 held")
	b.Measured = nil
	assert.Empty(t, b.counted(), "several rates have no median")
	assert.Equal(t, "the log was cut off after 6 tries", b.Broken())
	require.NoError(t, HTML(&text, l, Options{}))

	b.Turns = b.Turns[:1]
	assert.Empty(t, b.counted(), "the command tells it of the first try")
	b.Repeat = "kadbench bench load/find-max"
	assert.Len(t, b.counted(), 1)
}

// What a target says stands on a terminal as it is read, not as it would act.
func TestBenchTextsAreClean(t *testing.T) {
	l := loaded(t, "open")
	for _, b := range l.Benches {
		b.Target, b.Version, b.Repeat, b.Plan, b.Prose = "\x1b[31mred", "\x1b[2J", "\u202e", "load/\x1b", "\x1b"
		b.World = append(b.World, record.Setting{Name: "\x1b", Value: "\x1b"})
		b.Point = []record.Setting{{Name: "\x1b", Value: fmt.Sprint(b.Number, "\x1b")}}
		b.Turns[0].Void = "\x1b"
		b.Measured.Why = []record.Count{{What: "\x1b", N: 1}}
		b.Measured.Needs = []record.NeedGot{{Text: "\x1b", Got: "\x1b", Why: "\x1b", Line: "\x1b"}}
		b.Measured.Tries = []record.Try{{Rate: 1, Why: "\x1b"}}
		b.Measured.Max, b.Measured.Error = new(float64), "\x1b"
		b.Measured.Against = &record.Against{Target: "\x1b"}
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text":  func(b *bytes.Buffer) error { return Text(b, l, Options{}) },
		"md":    func(b *bytes.Buffer) error { return Markdown(b, l, Options{}) },
		"junit": func(b *bytes.Buffer) error { return JUnit(b, l, Options{}) },
		"tap":   func(b *bytes.Buffer) error { return TAP(b, l, Options{}) },
		"html":  func(b *bytes.Buffer) error { return HTML(b, l, Options{}) },
	} {
		var b bytes.Buffer
		require.NoError(t, write(&b), name)
		assert.NotContains(t, b.String(), "\x1b", name)
		assert.NotContains(t, b.String(), "\u202e", name)
	}
}
