package run

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/sim"
)

// rule reads from a plan's prose what its fake world minds: "# fails nodes>=30 liar loss lookups>=5 for>=10s alpha=3" leaves an
// operation without an end as long as all of that is so, "# panics …" has a node panic then.
func rule(t *testing.T, p *plan.Plan) func(sim.Config, *sim.Result) error {
	words := strings.Fields(p.Prose)
	require.Contains(t, []string{"fails", "panics"}, words[0])
	return func(cfg sim.Config, r *sim.Result) error {
		for _, w := range words[1:] {
			name, number, _ := strings.Cut(regexp.MustCompile(`>=|=`).ReplaceAllString(w, " "), " ")
			var n int
			fmt.Sscan(number, &n)
			holds := false
			switch name {
			case "nodes":
				holds = cfg.Nodes >= n
			case "operations":
				holds = int(r.Events/10) >= n
			case "seconds":
				holds = time.Duration(cfg.For) >= time.Duration(n)*time.Second
			case "alpha":
				holds = cfg.Kad.Alpha == n
			case "seed":
				holds = cfg.Seed == uint64(n)
			case "loss":
				holds = cfg.Links.Loss > 0
			case "liar":
				for _, a := range cfg.Adversaries {
					holds = holds || a.Kind == sim.Liar
				}
			case "churn":
				holds = cfg.Churn.Kind != sim.NoChurn
			default:
				t.Fatalf("no such word: %s", w)
			}
			if !holds {
				return nil
			}
		}
		if words[0] == "panics" {
			return fmt.Errorf("%w: at 1 ns a step panicked: no such peer", sim.ErrPanic)
		}
		r.Unfinished = 1
		return nil
	}
}

// TestShrink: the smallest plan that fails as the first does, for a world that minds what the plan's prose says; and each
// try that was made on the way.
func TestShrink(t *testing.T) {
	golden(t, "shrink", "smallest", func(t *testing.T, source string) string {
		p := simulationOf(t, source)
		var tries strings.Builder
		c := ShrinkConfig{SimConfig: SimConfig{Plans: []*plan.Plan{p}, Memory: 1 << 40, world: fakeWorlds(rule(t, p))}}
		c.Told = func(try int, what string, fails bool) {
			fmt.Fprintf(&tries, "%3d %-5v %s\n", try, fails, what)
		}
		small, err := Shrink(t.Context(), c)
		require.NoError(t, err)
		assert.False(t, small.Cut)
		again, err := plan.Parse("small.plan", small.Source)
		require.NoError(t, err, "it can be saved and run")
		report, err := Simulate(t.Context(), SimConfig{Plans: []*plan.Plan{again}, world: c.world})
		require.Error(t, err, "and fails")
		require.Len(t, report.Runs, 1)
		source = regexp.MustCompile(`(?m)^-- (.*) --$`).ReplaceAllString(string(small.Source), "== $1 ==")
		return fmt.Sprintf("%s\nfails: %s (%s)\n%s", source, small.Fails, small.Why, &tries)
	})
}

// TestShrinkEnds: by its tries, by the time, or interrupted, with what it has by then; and where nothing fails.
func TestShrinkEnds(t *testing.T) {
	p := simulationOf(t, "# fails nodes>=30\nid sim/x\nworld sim nodes=1000\nload lookup rate=10/s for=100s\nneed unfinished=0\n")
	c := ShrinkConfig{SimConfig: SimConfig{Plans: []*plan.Plan{p}, world: fakeWorlds(rule(t, p))}, Tries: 4}
	small, err := Shrink(t.Context(), c)
	require.NoError(t, err)
	assert.True(t, small.Cut)
	assert.Equal(t, 4, small.Tries)
	assert.Contains(t, string(small.Source), "nodes=250")

	c.Tries, c.Time = 0, time.Nanosecond
	small, err = Shrink(t.Context(), c)
	require.NoError(t, err)
	assert.True(t, small.Cut)
	assert.Contains(t, string(small.Source), "nodes=1000")

	c.Time = 0
	ctx, cancel := context.WithCancel(t.Context())
	c.Told = func(try int, _ string, _ bool) {
		if try == 3 {
			cancel()
		}
	}
	small, err = Shrink(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, string(small.Source), "nodes=500")

	c.Told, c.Nodes = nil, 20
	_, err = Shrink(t.Context(), c)
	require.ErrorIs(t, err, ErrNothingFails)
	assert.EqualError(t, err, "nothing fails: sim/x meets its needs")
	c.Plans = append(c.Plans, p)
	_, err = Shrink(t.Context(), c)
	assert.ErrorIs(t, err, ErrUsage)
}

// TestShrinkKeepsTheSeed: what the command chose stands in the plan that comes out.
func TestShrinkKeepsTheSeed(t *testing.T) {
	p := simulationOf(t, "# fails nodes>=30 seed=9\nid sim/x\nworld sim nodes=1000 seed=3\nload lookup rate=10/s for=100s\nneed unfinished=0\n")
	seed := uint64(9)
	small, err := Shrink(t.Context(), ShrinkConfig{SimConfig: SimConfig{Plans: []*plan.Plan{p}, Seed: &seed, Nodes: 90, world: fakeWorlds(rule(t, p))}})
	require.NoError(t, err)
	assert.Contains(t, string(small.Source), "nodes=45 seed=9\n")
}

func TestHalfOf(t *testing.T) {
	for value, want := range map[string]string{
		"1": "", "2": "1", "7": "3", "1/s": "", "50/s": "25/s", "3/h": "1/h", "1s": "", "2s": "1s", "90s": "45s", "1h": "30m", "3h": "1h30m", "24h": "12h", "100ms": "",
		"ideal": "", "5%": "", "2m": "1m",
	} {
		assert.Equal(t, want, halfOf(value), value)
	}
}

// FuzzDraft: whatever the text, taking it apart and making it smaller does not panic, and ends.
func FuzzDraft(f *testing.F) {
	f.Add("# x\nid sim/x\nworld sim nodes=10\n  seed=3\nload lookup rate=10/s\nneed unfinished=0\nsweep alpha=1,3\n-- mine --\na\n")
	f.Add("-- a --\n-- b --\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := draftOf(text)
		d.fix([]plan.Setting{{Name: "alpha", Value: "3"}})
		d.set("world", "seed", "9")
		d.withNeed("unfinished=0")
		for i := range d.lines {
			d.without(i)
			for j := range d.lines[i].words {
				d.withoutWord(i, j)
				for small, _, ok := d.halved(i, j); ok; small, _, ok = small.halved(i, j) {
					require.NotEqual(t, d.text(), small.text())
				}
			}
		}
	})
}
