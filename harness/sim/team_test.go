package sim

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// A core that panics, in whichever shard, ends the run with an error that says when, and where in the code.
func TestPanic(t *testing.T) {
	for _, shards := range []int{1, 3} {
		var calls atomic.Int64
		cfg := static(200, 100, 10e6)
		cfg.Shards, cfg.Tables = shards, Grown
		cfg.Kad = kad.Config{Group: func([]byte) uint64 { // it is called within Step, when somebody enters a table
			if calls.Add(1) == 1500 {
				panic("out of groups")
			}
			return 0
		}}
		w, err := New(t.Context(), cfg)
		require.NoError(t, err)
		res, err := w.Run(t.Context())
		require.ErrorIs(t, err, ErrPanic)
		assert.ErrorContains(t, err, "ns a step panicked: out of groups")
		assert.ErrorContains(t, err, "team_test.go")
		assert.NotZero(t, res.Events, "what there was until then")
	}
}

// An interrupted run stops between two windows, tells what it has, and is not an error.
func TestStop(t *testing.T) {
	for _, shards := range []int{1, 2} {
		ctx, stop := context.WithCancel(t.Context())
		cfg := static(500, 400, 10e6)
		cfg.Shards = shards
		windows, rows := 0, 0
		var at kad.Duration
		cfg.Inspect = func(s *Snapshot) {
			windows++
			if at == 0 && s.Now() >= 2e9 {
				at = s.Now()
				stop()
			}
		}
		cfg.Watch.Row = func(r Row) {
			rows++
			assert.Equal(t, r.Censored, r.Began+r.Took == at && !r.OK, "who had not ended is censored: %+v", r)
		}
		w, err := New(t.Context(), cfg)
		require.NoError(t, err)
		res, err := w.Run(ctx)
		require.NoError(t, err)
		assert.True(t, res.Stopped)
		assert.Equal(t, at, res.Until, "the window after which it was stopped was the last")
		assert.EqualValues(t, windows, res.Windows)
		assert.NotZero(t, res.Unfinished)
		assert.InDelta(t, 200, rows, 2, "each lookup that began has its row")
		assert.NotEmpty(t, res.LoadOf)
	}
}

// New stops, too.
func TestStopNew(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := New(ctx, static(2000, 1, 1e9))
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}
