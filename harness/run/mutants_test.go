package run_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// mutantsFile is the matrix: a line for each case, with mutants that fail it, or with - and the reason why none can.
const mutantsFile = "testdata/mutants.txt"

// TestMutants: every case can fail. Each case that binds in some profile is failed by a mutant of the reference
// (ref:mutant=NAME); a new case gets a line in the matrix, and a mutant if there is none yet that makes its mistake. Cases which
// measure alone (may, info) cannot fail, and have no line.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("each case runs once against a mutant, which takes minutes")
	}
	matrix := readMatrix(t)
	plans := suite(t)
	groups := map[string][]string{} // by mutant
	all, _ := target.MutantNames()
	for _, name := range all {
		named := slices.ContainsFunc(slices.Collect(maps.Values(matrix)), func(by []string) bool { return slices.Contains(by, name) })
		assert.True(t, named, "%s fails no case of the matrix: it is of no use", name)
	}
	for i, p := range plans {
		id := p.Header.ID
		plans[i] = bound(p)
		mutants, listed := matrix[id]
		delete(matrix, id)
		switch {
		case !binds(p):
			assert.False(t, listed, "%s: it measures, and cannot fail", id)
		case !listed:
			t.Errorf("%s: no mutant is known to fail it: find one with kadbench check ref:mutant=NAME --case %s, and add a line to %s", id, id, mutantsFile)
		case p.Header.Slow, mutants[0] == "-":
		default:
			groups[mutants[0]] = append(groups[mutants[0]], id)
		}
	}
	assert.Empty(t, slices.Sorted(maps.Keys(matrix)), "no such case")
	// A failing case mostly waits in vain for 15 s, so the mutants wait side by side.
	names := slices.Sorted(maps.Keys(groups))
	said := make([]string, len(names))
	var ended sync.WaitGroup
	places := make(chan struct{}, mutantsAtOnce)
	for i, name := range names {
		ended.Go(func() {
			places <- struct{}{}
			said[i] = survivors(t.Context(), plans, name, groups[name])
			<-places
		})
	}
	ended.Wait()
	for i, name := range names {
		assert.Empty(t, said[i], "these should fail ref:mutant=%s", name)
	}
}

// mutantsAtOnce, each with eight cases, keep two cores half busy.
const mutantsAtOnce = 10

// bound is a case judged in one profile, amino if it binds there: the reference runs once for each.
func bound(p *plan.Plan) *plan.Plan {
	one := *p
	for _, profile := range []plan.Profile{plan.Amino, plan.Base, plan.Defacto} {
		if p.Header.Profiles.Has(profile) && p.Header.Levels[profile] <= plan.Should {
			one.Header.Profiles = 1 << profile
			return &one
		}
	}
	return p
}

// binds says whether a case can fail or warn in any profile.
func binds(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Header.Profiles.List(), func(profile plan.Profile) bool { return p.Header.Levels[profile] <= plan.Should })
}

// survivors runs cases against a mutant, which must fail each of them in some profile, and names those that it passes.
func survivors(ctx context.Context, plans []*plan.Plan, mutant string, cases []string) string {
	f, err := target.Parse("ref:mutant=" + mutant)
	if err != nil {
		return err.Error()
	}
	report, err := run.Check(ctx, run.Config{Targets: []target.Factory{f}, Plans: plans, Cases: cases, Seed: 7})
	if err != nil && !errors.Is(err, run.ErrFailed) && !errors.Is(err, run.ErrHarness) {
		return err.Error()
	}
	failed, said := map[string]bool{}, map[string]string{}
	for _, r := range report.Results {
		failed[r.Case] = failed[r.Case] || r.Verdict == record.Fail || r.Verdict == record.Warn
		said[r.Case] += fmt.Sprintf(" %s: %s %s;", r.Profile, r.Verdict, r.Why)
	}
	var out string
	for _, id := range cases {
		if !failed[id] {
			out += id + said[id] + "\n"
		}
	}
	return out
}

func readMatrix(t *testing.T) map[string][]string {
	f, err := os.Open(mutantsFile)
	require.NoError(t, err)
	defer f.Close()
	matrix := map[string][]string{}
	known, _ := target.MutantNames()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		require.Greater(t, len(words), 1, line)
		require.NotContains(t, matrix, words[0], "it has a line already")
		matrix[words[0]] = words[1:]
		if words[1] == "-" {
			require.Greater(t, len(words), 3, "%s: a reason was expected behind -", words[0])
			continue
		}
		for _, name := range words[1:] {
			require.Contains(t, known, name, line)
		}
	}
	return matrix
}
