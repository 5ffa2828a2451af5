package ground

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/run"
)

// TestSpread: the time in which operations begin grows with the instances, faster when they are many, and leaves half of the
// timeout.
func TestSpread(t *testing.T) {
	s := settings{pace: 100 * time.Millisecond, timeout: 9 * time.Minute}
	for count, want := range map[int]time.Duration{
		8: 800 * time.Millisecond, 100: 10 * time.Second, 500: 50 * time.Second, 1000: 200 * time.Second, 10_000: 270 * time.Second,
	} {
		assert.Equal(t, want, s.spread(count), "%d instances", count)
	}
	s.pace = 0
	assert.Zero(t, s.spread(10_000))
	s.pace = 1 << 62
	assert.Equal(t, 270*time.Second, s.spread(10_000))
}

// TestUnfitSettingsAreUsage: what a case on a network cannot work with is refused before anything begins.
func TestUnfitSettingsAreUsage(t *testing.T) {
	for _, c := range Cases() {
		err := Config{Case: c.Name, Out: t.TempDir(), Params: map[string]string{"kind": "rust"}}.Check()
		assert.ErrorContains(t, err, "usage: parameter kind: ", c.Name)
		assert.Equal(t, 2, run.ExitCode(err))
	}
}

// TestASidecarHoldsPacketsBack: where there is one, links of quic have their latency too.
func TestASidecarHoldsPacketsBack(t *testing.T) {
	in := &Instance{Case: getClosestPeers}
	var err error
	in.Params, err = in.Case.Parse(map[string]string{"transport": "quic", "latency": "10ms"})
	require.NoError(t, err)
	assert.ErrorContains(t, in.fits(), "expected 0s with quic")
	in.Shape = sidecar{in}
	assert.NoError(t, in.fits())
}

// TestPhasesAreSpread: the instances do not begin all at once when they come out of the barrier between two phases. A pause is
// never shorter than it should be, so on a busy machine too the last comes as late as was drawn.
func TestPhasesAreSpread(t *testing.T) {
	for _, x := range []struct {
		c             *Case
		first, second string
	}{{findProviders, "provide_ms", "lookup_ms"}, {provideStress, "provide_ms", "lookup_ms"}, {storeGetValue, "put_ms", "get_ms"}} {
		t.Run(x.c.Name, func(t *testing.T) {
			r, err := play(t, x.c, 4, map[string]string{"transport": "mem", "pace": "200ms"})
			require.NoError(t, err)
			var before, after time.Time
			for _, o := range r.Instances {
				begun := false
				for _, p := range o.Points {
					switch {
					case p.Name == x.first && p.At.After(before):
						before = p.At
					case p.Name == x.second && !begun:
						begun = true
						if p.At.After(after) {
							after = p.At
						}
					}
				}
			}
			assert.Greater(t, after.Sub(before), 150*time.Millisecond, "of 400 ms, in which the last of four begins")
		})
	}
}
