package run_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// network reads a plan of testdata/network/ref, with some of its words replaced.
func network(t *testing.T, name string, replace ...string) *plan.Plan {
	file := filepath.Join("testdata", "network", "ref", name+".plan")
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	text := string(src)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, text, replace[i])
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	p, err := plan.Parse(file, []byte(text))
	require.NoError(t, err)
	p.Header.Profiles = 1 << plan.Base // the reference would be asked in each
	return p
}

// onRef runs one plan against the reference; the result is that of the base profile.
func onRef(t *testing.T, p *plan.Plan, log *record.Writer) record.Result {
	f, err := target.Parse("ref:")
	require.NoError(t, err)
	report, _ := run.Check(context.Background(), run.Config{Targets: []target.Factory{f}, Plans: []*plan.Plan{p}, Seed: 7, Log: log})
	require.NotEmpty(t, report.Results)
	return report.Results[0]
}

// The reference, as the client of a scripted network, does what each plan says. Each line that judges can fail: with one
// word altered it does, and says what came instead.
func TestAScriptedNetwork(t *testing.T) {
	for name, breaks := range map[string][][]string{
		"walk": {
			{"nearest(20,", "nearest(19,", "not wanted: S"},
			{"stats.requests>=20", "stats.requests>=9999", "wanted at least 9999"},
			{"saw    any S1..S40 FIND_NODE key=@K", `saw    any S1..S40 FIND_NODE key="x" within=100ms`, `key: hex:`},
			{"saw    any S4..S40 dial", "saw    any S1..S3 dial within=100ms", "nothing like it within 10"},
			{"GET_VALUE", "FIND_NODE key=@K", "(the first of "},
			{"<=10", "<=1", " at once: S"},
		},
		"put": {
			{"times=4", "times=3", "(4 times) S"},
			{"times=4", "times=5 within=200ms", "(4 of 5) nothing like it"},
			{"result q stored=[S5,S6,S7,S8] stored!~[S1,S2,S3]", "result q stored=[S5,S6]", "not wanted: S"},
			{"saw    S1..S3 PUT_VALUE times=1", "saw    S1..S3 PUT_VALUE times=2 within=100ms", "(1 of 2)"},
		},
		"get": {
			{`value="ok b" records~`, `value="ok a" records~`, `value: "ok b"`},
			{`records[S2].value="ok a"`, `records[S2].value="ok c"`, `"ok a", wanted "ok c"`},
			{`S2 PUT_VALUE record.value="ok b"`, `S2 PUT_VALUE record.value="ok c" within=100ms`, `record.value: "ok b"`},
			{"error=not_found", "error=quorum", "get_record: error=not_found ("},
			{"error=not_found", `value="x"`, "get_record: error=not_found ("},
			{`never  any S1..S8 PUT_VALUE record.value="ok a"`, `never  any S1..S8 PUT_VALUE record.value="ok b"`, "PUT_VALUE key: "},
		},
		"provide": {
			{"announced~[S1,S2,S3,S4,S5,S6]", "announced~[P]", "missing: P"},
			{"providerPeers[T].addrs times=1", "!providerPeers times=1 within=100ms", "providerPeers is there"},
			{"clock  T +23h", "clock  T +5h", "times=2", "times=2 within=300ms", "(1 of 2)"},
			{"providers=[P]", "providers=[S1]", "not wanted: P"},
		},
		"faults": {
			{"saw    N dial", "saw    N dial times=99 within=100ms", " of 99)"},
			{"peers!~[N]", "peers~[N]", "missing: N"},
			{"FIND_NODE key=@K times=12", "FIND_NODE key=@K times=13 within=2s", "(12 of 13)"},
			{"saw S5 FIND_NODE key=@K\n", "saw S5 GET_VALUE within=100ms\n", "to S5 came"},
			{"never  N FIND_NODE", "never  N dial", "N dial"},
			{"<=11", "<=1", " at once: S"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := onRef(t, network(t, name), nil)
			require.Equal(t, record.Pass, whole.Verdict, whole.Why)
			for _, b := range breaks {
				last := len(b) - 1
				r := onRef(t, network(t, name, b[:last]...), nil)
				require.Equal(t, record.Fail, r.Verdict, "%s", b[1])
				require.Contains(t, r.Why, b[last], "%s", b[1])
			}
		})
	}
}

// operation runs a script with an operation against a fake.
func operation(t *testing.T, f *fake, head string, lines ...string) (*run.Report, record.Result) {
	for method := range f.results {
		f.methods = append(f.methods, method)
	}
	p := script(t, "a/operation", lines...)
	if head != "" {
		var err error
		p, err = plan.Parse(p.File, []byte(strings.Replace(string(p.Source), "peer T target\n", head+"\n", 1)))
		require.NoError(t, err)
	}
	report, _ := run.Check(context.Background(), config(f, p))
	require.NotEmpty(t, report.Results)
	return report, report.Results[0]
}

// What a target cannot tell is not judged, and where nothing else was, the case is unsupported; what it can tell is.
func TestAResultThatTheTargetCannotTell(t *testing.T) {
	for _, c := range []struct {
		result, line string
		verdict      record.Verdict
		why          string
	}{
		{`{"peers":null}`, "result q peers>=1", record.Unsupported, "get_closest_peers: the target cannot tell what line 10 asks for"},
		{`{}`, "result q peers>=1", record.Unsupported, "cannot tell"},
		{`{"peers":[],"stats":{"requests":7}}`, "result q stats.hops<=3", record.Unsupported, "cannot tell"},
		{`{"peers":[],"stats":{"requests":7}}`, "result q stats.requests<=6 stats.hops<=3", record.Fail, "7, wanted at most 6"},
		{`{"peers":[],"stats":null}`, "result q peers>=1 stats.requests<=6", record.Fail, "0, wanted at least 1"},
		{`{"peers":null}`, "result q", record.Pass, ""},
		{`{"peers":7}`, "result q peers>=1", record.Fail, "result of get_closest_peers: peers"},
		{"timeout", "result q", record.Fail, "get_closest_peers: error=timeout (as told)"},
		{"timeout", "result q error=timeout", record.Pass, ""},
		{`{"peers":[]}`, "result q error=timeout", record.Fail, "got get_closest_peers"},
		{"die", "result q", record.Fail, "the target's process ended"},
	} {
		f := &fake{results: map[string]string{"get_closest_peers": c.result}}
		_, r := operation(t, f, "", `op q T get_closest_peers key="k"`, c.line)
		require.Equal(t, c.verdict, r.Verdict, "%s %s: %s", c.result, c.line, r.Why)
		require.Contains(t, r.Why, c.why)
	}
}

// A target without a clock is started with its periods divided by 36,000, and the line waits; what misses something then is
// tried once more, by 9,000. One with a clock jumps. A case that gives no period, or says that it needs a clock, is not for
// the first.
func TestAClockOfATargetWithoutOne(t *testing.T) {
	lines := []string{"clock T +36h", "open s A -> T", `send s FIND_NODE key="echo"`, "want s FIND_NODE"}
	head := "peer T target expiry.provider=24h"
	slow := &fake{options: []string{"expiry.provider"}}
	began := time.Now()
	_, r := operation(t, slow, head, lines...)
	require.Equal(t, record.Pass, r.Verdict, r.Why)
	require.Equal(t, map[string]int64{"provider": 2400}, slow.started[0].Expiry)
	require.GreaterOrEqual(t, time.Since(began), 3600*time.Millisecond)
	require.Len(t, slow.started, 1)

	hasty := &fake{options: []string{"expiry.provider"}}
	_, r = operation(t, hasty, head, "clock T +1h", "open s A -> T", `send s FIND_NODE key="echo"`, "want s PING")
	require.Equal(t, record.Fail, r.Verdict, "with more time too")
	require.Len(t, hasty.started, 2)
	require.Equal(t, map[string]int64{"provider": 9600}, hasty.started[1].Expiry)

	quick := &fake{options: []string{"expiry.provider"}, results: map[string]string{"advance_clock": "{}"}}
	_, r = operation(t, quick, head, lines...)
	require.Equal(t, record.Pass, r.Verdict, r.Why)
	require.Equal(t, map[string]int64{"provider": 24 * 3600 * 1000}, quick.started[0].Expiry)

	_, r = operation(t, &fake{options: []string{"expiry.provider"}}, "", lines...)
	require.Equal(t, record.Unsupported, r.Verdict)
	_, r = operation(t, &fake{options: []string{"expiry.provider"}}, "needs clock\n"+head, lines...)
	require.Equal(t, record.Unsupported, r.Verdict)
}

// The log of a case holds what the puppets heard and answered, whom the target dialled, and its operations.
func TestTheLogOfAScriptedNetwork(t *testing.T) {
	dir := t.TempDir()
	log, err := record.Create(dir, record.Run{Seed: 7})
	require.NoError(t, err)
	require.Equal(t, record.Pass, onRef(t, network(t, "faults"), log).Verdict)
	require.NoError(t, log.Close(record.Summary{}))
	r, err := record.Open(dir)
	require.NoError(t, err)
	seen := map[string]bool{}
	for e, err := range r.Entries() {
		require.NoError(t, err)
		seen[strings.Join([]string{e.Type, e.Peer, e.Dir, e.Event}, " ")] = true
		if e.Type == record.TypeFrame && e.Peer != "(harness)" {
			require.True(t, strings.HasPrefix(e.Stream, e.Peer+"#"), e.Stream)
		}
	}
	for _, want := range []string{"frame S4 received ", "frame S4 sent ", "stream S4 sent reset", "stream N received dialled",
		"operation   begin", "operation   end", "peers   "} {
		require.True(t, seen[want], want)
	}
}
