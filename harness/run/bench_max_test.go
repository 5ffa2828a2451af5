package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/bench"
)

// TestFindMaxKeepsUp: a server whose latency stays within the bound only because a turn is shorter than the bound has its
// limit all the same.
func TestFindMaxKeepsUp(t *testing.T) {
	c := benchOf(t, "world real\nload FIND_NODE rate=1000/s for=1s\nneed due.p99<10s", "ref:")
	c.FindMax = true
	scripted(&c, func(d *bench.Driver, _ int) *bench.Result {
		r := result(d.Load.Lines[0].Rate.N/1000, time.Millisecond)
		r.Ended = min(r.Ended, 3000)
		return r
	})
	r, err := Bench(t.Context(), c)
	require.NoError(t, err)
	assert.InEpsilon(t, 3000/keptUp, *r.Measured[0].Max, 0.07)
	assert.Contains(t, r.Measured[0].Tries[2].Why, "3000 of 4000 requests a second were answered")
}
