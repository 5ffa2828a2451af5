package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// TestSimProgress: without a terminal a line every ten seconds, with what is left, and one for each run of a sweep.
func TestSimProgress(t *testing.T) {
	var err strings.Builder
	p := (&app{stderr: &err}).simProgress(false)
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	tell := func(after time.Duration, e run.SimEvent) {
		now = now.Add(after)
		e.Plan, e.Runs, e.Nodes = "sim/x", 2, 1_000_000
		p.event(e)
	}
	tell(0, run.SimEvent{Run: 1})
	tell(9*time.Second, run.SimEvent{Run: 1, Progress: sim.Progress{Made: 200_000}})
	tell(time.Second, run.SimEvent{Run: 1, Progress: sim.Progress{Made: 300_000}})
	tell(5*time.Second, run.SimEvent{Run: 1, Progress: sim.Progress{Made: 1_000_000, Until: kad.Hour}})
	tell(5*time.Second, run.SimEvent{Run: 1, Progress: sim.Progress{At: 15 * kad.Minute, Until: kad.Hour, Events: 4_500_000}})
	tell(time.Second, run.SimEvent{Run: 1, Progress: sim.Progress{At: 16 * kad.Minute, Until: kad.Hour, Events: 4_600_000}})
	tell(60*time.Second, run.SimEvent{Run: 1, Ended: true, Progress: sim.Progress{At: kad.Hour, Until: kad.Hour, Events: 50_000_000}})
	tell(time.Second, run.SimEvent{Run: 2, Point: "alpha=3"})
	tell(70*time.Second, run.SimEvent{Run: 2, Point: "alpha=3", Ended: true, Progress: sim.Progress{Events: 9_000}})
	p.close()
	assert.Equal(t, `sim/x: 300 k of 1.0 M nodes made, 10s
sim/x: 15m0s of 1h0m0s simulated, 4.5 M events (900 k/s), 20s, about 15s left
1 of 2: sim/x: 50 M events in 1m21s
2 of 2: sim/x alpha=3: 9000 events in 1m10s
`, err.String())

	err.Reset()
	p = (&app{stderr: &err}).simProgress(true)
	p.event(run.SimEvent{Run: 1, Runs: 2, Ended: true})
	p.close()
	assert.Empty(t, err.String(), "--quiet")
}
