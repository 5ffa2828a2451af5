package ground

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
)

func aResult() *Run {
	at := time.Unix(1795219445, 0)
	r := &Run{Plan: Plan, Case: "ping", ID: "dc0d"}
	for i := range 4 {
		o := Outcome{Group: "new", Index: i % 2, Seq: i + 1, GroupSeq: i%2 + 1, Count: 4, State: OK, Began: at, Ended: at.Add(time.Duration(i) * time.Second)}
		if i < 2 {
			o.Group = "old"
		}
		for n := range 500 {
			o.Points = append(o.Points, Point{at, "lookup_ms", float64(i*500 + n)})
		}
		r.Instances = append(r.Instances, o)
	}
	r.Instances[3].Points = append(r.Instances[3].Points, Point{at, "hops", -1.5})
	return r
}

func TestMetrics(t *testing.T) {
	r := aResult()
	assert.Equal(t, []string{"new", "old"}, r.Groups())
	all := r.Metrics("")
	require.Len(t, all, 2)
	assert.Equal(t, Metric{Name: "lookup_ms", N: 2000, P50: 999, P99: 1979, Min: 0, Max: 1999}, all[1])
	assert.Equal(t, "n 2000, p50 999, p99 1979, min 0, max 1999", all[1].String())
	assert.True(t, math.IsNaN(all[0].P50), "one point has no percentiles")
	assert.Equal(t, "n 1, min -1.5, max -1.5", all[0].String())
	assert.Equal(t, 999.0, r.Metrics("old")[0].Max)
	assert.Equal(t, 3*time.Second, r.Took(""))
	assert.Equal(t, time.Second, r.Took("old"))
	assert.Equal(t, map[State]int{OK: 2}, r.Count("old"))
}

func TestErrIsTheFirstThatFailedByItself(t *testing.T) {
	r := aResult()
	require.NoError(t, r.Err())
	r.Instances[1].State, r.Instances[1].Error = Aborted, "instance 3 of 4 (group new): boom"
	assert.EqualError(t, r.Err(), "instance 2 of 4 (group old): aborted: instance 3 of 4 (group new): boom")
	r.Instances[2].State, r.Instances[2].Error = Crashed, "boom"
	assert.EqualError(t, r.Err(), "instance 3 of 4 (group new): panic: boom")
	assert.Equal(t, 1, run.ExitCode(r.Err()))
	r = aResult()
	r.Instances = r.Instances[:3]
	assert.EqualError(t, r.Err(), "a case failed: 1 of 4 instances left no outputs")
}

// TestALogOfARun: the log is one that reports can be made of.
func TestALogOfARun(t *testing.T) {
	r := aResult()
	r.Instances[1].State, r.Instances[1].Error = Aborted, "instance 3 of 4 (group new): boom"
	r.Instances[2].State, r.Instances[2].Error = Failed, "boom"
	dir := t.TempDir()
	w, err := record.Create(dir, record.Run{Version: "0.1.0"})
	require.NoError(t, err)
	sum := r.Log(w, "processes", "kadbench testground ping --procs 4")
	require.NoError(t, w.Close(sum))
	assert.Equal(t, 1, sum.Failed)
	assert.Equal(t, 1, sum.Skipped)
	assert.Equal(t, 2, sum.Passed, "what was measured, of either group")
	l, err := report.Load(dir)
	require.NoError(t, err)
	require.Len(t, l.Results, 4)
	assert.Equal(t, "instance 3 of 4 (group new): boom", l.Results[0].Why)
	assert.Equal(t, "n 1000, p50 1499, p99 1989, min 1000, max 1999", l.Results[2].Detail.Measured["lookup_ms"])
	var text strings.Builder
	require.NoError(t, report.Text(&text, l, report.Options{All: true, Width: 200}))
	for _, want := range []string{
		"FAIL  testground/ping  new", "got     1 ok, 1 failed: instance 3 of 4 (group new): boom", "repeat  kadbench testground ping --procs 4",
		"2 instances as processes", "old testground/ping/points: lookup_ms=n 1000, p50 499, p99 989, min 0, max 999",
	} {
		assert.Contains(t, text.String(), want)
	}
	_, err = os.Stat(filepath.Join(dir, record.FileName))
	require.NoError(t, err)
}
