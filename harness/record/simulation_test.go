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

func TestSimulationRoundTrip(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Run{Seed: 7})
	require.NoError(t, err)
	begin := Simulation{Number: 1, Plan: "sim/a", Point: []Setting{{"alpha", "3"}}, Seed: 7, Nodes: 1000, Shards: 2, For: time.Hour}
	sample := Sample{Number: 1, At: time.Minute, Up: 990, Dead: 0.1, Since: []Since{{Kind: "lookup", Ended: 3, OK: 2, P50: 120}}}
	outcome := Outcome{Number: 1, Digest: "00000000000000ff", Until: time.Hour, Figures: []Figures{{
		Kind: "lookup", Count: 3, Success: &Ratio{N: 2, Of: 3, Low: 0.2, High: 0.94},
		Took: &Distribution{N: 3, Mean: 130, Quantiles: []Quantile{{P: 50, V: 120, Low: 100, High: 140}, {P: 99, Few: true}}, Bins: []Bin{{100, 200, 3}}},
	}}, Needs: []NeedGot{{Text: "p99<1s", Verdict: Skipped}}, Cost: Cost{Events: 12}}
	require.NoError(t, w.Write(Entry{Type: TypeSimulation, Simulation: &begin}))
	require.NoError(t, w.Write(Entry{Type: TypeSample, Sample: &sample}))
	require.NoError(t, w.Write(Entry{Type: TypeOutcome, Outcome: &outcome}))
	require.NoError(t, w.Close(Summary{Skipped: 1}))

	r, entries, err := read(t, dir)
	require.NoError(t, err)
	assert.True(t, r.Ended())
	require.Len(t, entries, 5)
	assert.Equal(t, &begin, entries[1].Simulation)
	assert.Equal(t, &sample, entries[2].Sample)
	assert.Equal(t, &outcome, entries[3].Outcome)
}

func TestFiguresOfNothing(t *testing.T) {
	var r *Ratio
	assert.Zero(t, r.Value())
	assert.Zero(t, (&Ratio{}).Value())
	assert.InDelta(t, 0.75, (&Ratio{N: 3, Of: 4}).Value(), 1e-12)
	var d *Distribution
	assert.Nil(t, d.Quantile(50))
	d = &Distribution{Quantiles: []Quantile{{P: 50, V: 1}, {P: 99.9, V: 2}}}
	assert.InDelta(t, 2, d.Quantile(99.9).V, 0)
	assert.Nil(t, d.Quantile(99))
}

// The keys are what scripts read; nothing is added to them, and none is left out.
func TestSimulationSummaryHasExactlyTheContractKeys(t *testing.T) {
	recall, p50 := 0.9999, 12.5
	data, err := json.Marshal(SimulationSummary{Type: TypeSummary, Plan: "sim/a", Seed: 1, Nodes: 1000, Shards: 2, Digest: "00000000000000ff", Lookups: 9,
		Recall: &recall, Latency: SummaryQuantiles{P50: &p50}, Events: 3, EventsPerSecond: 1.5, BytesPerNode: 7000, PeakRSS: 4096})
	require.NoError(t, err)
	assert.Equal(t, `{"type":"summary","plan":"sim/a","seed":1,"nodes":1000,"shards":2,"digest":"00000000000000ff","lookups":9,"recall":0.9999,`+
		`"latency_ms":{"p50":12.5,"p90":null,"p99":null},"events":3,"events_per_second":1.5,"bytes_per_node":7000,"peak_rss_bytes":4096}`, string(data))
}

// Such a summary ends a log; lines without their figures do not pass.
func TestSimulationLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	begin := `{"type":"run","run":{}}` + "\n"
	require.NoError(t, os.WriteFile(path, []byte(begin+`{"type":"summary","plan":"sim/a","digest":"ff"}`+"\n"), 0o644))
	r, entries, err := read(t, path)
	require.NoError(t, err)
	assert.True(t, r.Ended())
	assert.Equal(t, "ff", entries[1].Closing.Digest)
	for line, want := range map[string]string{
		`{"type":"summary"}`:                    "its counts were expected",
		`{"type":"summary","plan":7}`:           "its counts were expected",
		`{"type":"simulation"}`:                 "its plan was expected",
		`{"type":"simulation","simulation":{}}`: "its plan was expected",
		`{"type":"sample"}`:                     "its figures were expected",
		`{"type":"outcome"}`:                    "its figures were expected",
	} {
		require.NoError(t, os.WriteFile(path, []byte(begin+line+"\n"), 0o644))
		_, _, err := read(t, path)
		require.ErrorIs(t, err, ErrLog)
		assert.ErrorContains(t, err, want)
	}
}

// An outcome that is as large as the limits let it be fits into a line.
func TestLargestOutcomeFitsALine(t *testing.T) {
	d := &Distribution{N: 1 << 60, Mean: 1e17 / 3, Min: 1e17 / 3, Max: 1e17 / 3}
	for i := range MaxPoints {
		d.Curve = append(d.Curve, Point{P: 99.99, V: 123456.789})
		d.Bins = append(d.Bins, Bin{From: 123456.789, To: 123456.789 + float64(i), N: 123456})
	}
	f := Figures{Kind: "bootstrap", Took: d, First: d, Hops: d, Requests: d, Failed: d, Bytes: d}
	for range MaxMisses {
		f.Misses = append(f.Misses, Miss{At: 1 << 50, Node: 1 << 24, Key: 1 << 63, Found: 20, True: 19, Sought: 20, Why: strings.Repeat("x", 60)})
	}
	data, err := json.Marshal(Entry{Type: TypeOutcome, Outcome: &Outcome{Figures: []Figures{f, f, f, f, f, f}, Load: d}})
	require.NoError(t, err)
	assert.Less(t, len(data), MaxLine)
}
