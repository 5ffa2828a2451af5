package record

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBenchRoundTrip(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{Seed: 7})
	require.NoError(t, err)
	cpu, most, foreign := 57.1, 32000.0, 0.02
	tally := Tally{Span: 10 * time.Second, Requests: 280_000, Answered: 279_999, Timeouts: 1, Checked: 100, PerSecond: 27_999.9,
		Due:   &Distribution{N: 280_000, Mean: 1.1, Quantiles: []Quantile{{P: 50, V: 1, Low: 0.9, High: 1.1}, {P: 99, V: 4, AtLeast: true}}},
		Bytes: 1900, ServerCPU: &cpu, ClientCPU: 9.1, Foreign: &foreign, Why: []Count{{"i/o timeout", 1}}}
	begin := Bench{Number: 1, Plan: "load/find-node", Target: "go", Point: []Setting{{"streams", "8"}}, Seed: 7, Rounds: 5}
	turn := Turn{Number: 1, Round: 1, At: time.Minute, Offered: 28_000, Tally: tally, Void: "others kept 40 % busy"}
	turn.Seconds = []Second{{At: 0, Answered: 27_000, P50: 1, P99: 4}}
	end := Measured{Number: 1, Turns: 5, Tally: tally, Rates: Spread{28_000, 27_500, 28_400, 27_500, 28_400, 5}, CPU: &Spread{Median: 57.1, N: 5},
		Against: &Against{Target: "ref", Rate: Spread{Median: 0.22, N: 5}}, Max: &most, Tries: []Try{{Rate: 64_000, Why: "p99<10ms"}},
		Needs: []NeedGot{{Text: "errors=0", Verdict: Fail}}}
	require.NoError(t, w.Write(Entry{Type: TypeBench, Bench: &begin}))
	require.NoError(t, w.Write(Entry{Type: TypeTurn, Turn: &turn}))
	require.NoError(t, w.Write(Entry{Type: TypeMeasured, Measured: &end}))
	require.NoError(t, w.Close(Summary{Failed: 1}))

	r, entries, err := read(t, dir)
	require.NoError(t, err)
	assert.True(t, r.Ended())
	require.Len(t, entries, 5)
	assert.Equal(t, &begin, entries[1].Bench)
	assert.Equal(t, &turn, entries[2].Turn)
	assert.Equal(t, &end, entries[3].Measured)
	assert.Equal(t, uint64(1), end.Failed())
}

// The keys are what scripts read; nothing is added to them, and none is left out.
func TestBenchSummaryHasExactlyTheContractKeys(t *testing.T) {
	m := Measured{Tally: Tally{PerSecond: 28_000, Errors: 2, Timeouts: 1, Late: 3, Dropped: 4,
		Due: &Distribution{Quantiles: []Quantile{{P: 50, V: 1.5}, {P: 99, Few: true}}}}}
	data, err := json.Marshal(m.Summary("go"))
	require.NoError(t, err)
	assert.Equal(t, `{"type":"summary","target":"go","requests_per_second":28000,"due_ms":{"p50":1.5,"p99":null},"service_ms":{"p50":null,"p99":null},`+
		`"errors":3,"late":3,"dropped":4,"server_cpu_us_per_request":null}`, string(data))
}

// Such summaries end a log, one for each target; nothing else follows them.
func TestBenchLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	begin := `{"type":"run","run":{}}` + "\n"
	total := func(target string) string {
		return `{"type":"summary","target":"` + target + `","requests_per_second":1}` + "\n"
	}
	require.NoError(t, os.WriteFile(path, []byte(begin+total("ref")+total("go")), 0o644))
	r, entries, err := read(t, path)
	require.NoError(t, err)
	assert.True(t, r.Ended())
	require.Len(t, entries, 3)
	assert.Equal(t, "go", entries[2].Total.Target)
	for lines, want := range map[string]string{
		total("ref") + `{"type":"note"}`:                        `a line of type "note" after the summary`,
		total("ref") + `{"type":"summary","summary":{}}`:        `a line of type "summary" after the summary`,
		`{"type":"summary","summary":{}}` + "\n" + total("ref"): `a line of type "summary" after the summary`,
		`{"type":"summary","target":"ref","errors":"many"}`:     "summary of ref: ",
		`{"type":"bench","bench":{"plan":"load/a"}}`:            "its plan and target were expected",
		`{"type":"turn"}`:                    "turn: its figures were expected",
		`{"type":"turn","turn":{"round":0}}`: "a round from 1 on was expected",
		`{"type":"turn","turn":{"round":1,"requests":1,"answered":2}}`: "turn: more answers than requests",
		`{"type":"turn","turn":{"round":1,"checked":1,"wrong":2}}`:     "turn: more wrong answers than were checked",
		`{"type":"turn","turn":{"round":1,"per_second":-1}}`:           "turn: a rate and a span from 0 on were expected",
		`{"type":"measured"}`:                         "measured: its figures were expected",
		`{"type":"measured","measured":{"turns":-1}}`: "measured: a number of turns was expected",
		`{"type":"measured","measured":{"why":[` + strings.Repeat(`{},`, MaxWhy) + `{}]}}`: "measured: more reasons than are kept",
	} {
		require.NoError(t, os.WriteFile(path, []byte(begin+lines+"\n"), 0o644))
		_, _, err := read(t, path)
		require.ErrorIs(t, err, ErrLog)
		assert.ErrorContains(t, err, want)
	}
}
