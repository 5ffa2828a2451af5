package plan_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/plans"
)

var mend = flag.Bool("fmt", false, "write the plans in their canonical form")

// TestPlans holds every plan of the suite against parser, lint and printer. Advice is logged.
func TestPlans(t *testing.T) {
	count := 0
	ids := map[string]string{}
	err := fs.WalkDir(plans.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".plan") {
			return err
		}
		count++
		src, err := fs.ReadFile(plans.FS, path)
		require.NoError(t, err)
		file := "plans/" + path
		p, err := plan.Parse(file, src)
		if err != nil {
			t.Errorf("\n%s", indent(err))
			return nil
		}
		if other, twice := ids[p.Header.ID]; twice {
			t.Errorf("%s: id: %s is the id of %s too", file, p.Header.ID, other)
		}
		ids[p.Header.ID] = file
		problems := plan.Lint(p)
		if len(problems.Fatal()) > 0 {
			t.Errorf("\n%s", indent(problems))
		} else if len(problems) > 0 {
			t.Logf("\n%s", indent(problems))
		}
		formatted, err := plan.Format(file, src)
		require.NoError(t, err, file)
		if *mend && string(formatted) != string(src) {
			require.NoError(t, os.WriteFile(filepath.Join("..", "..", "plans", path), formatted, 0o644))
			return nil
		}
		if got, want := firstDifference(string(src), string(formatted)); got != want {
			t.Errorf("%s: not in canonical form: %q should be %q; go test ./harness/plan -run TestPlans -fmt mends all", file, got, want)
		}
		assert.NotEmpty(t, plan.Explain(p))
		evaluates(t, p)
		return nil
	})
	require.NoError(t, err)
	t.Logf("%d plans", count)
}

// evaluates computes every value and frame of a plan that needs no answer of the target; of a loop, the first round.
func evaluates(t *testing.T, p *plan.Plan) {
	if p.Header.Each != nil {
		var err error
		p, err = p.Bound(p.Header.Each.From)
		require.NoError(t, err)
	}
	ev := plan.NewEvaluator(p, &world{})
	check := func(err error) {
		if err != nil && !strings.Contains(err.Error(), "has no value yet") {
			t.Errorf("%v", err)
		}
	}
	for name := range p.Fixtures {
		_, err := ev.Fixture(name)
		check(err)
	}
	var lines func([]*plan.Line)
	lines = func(list []*plan.Line) {
		for _, l := range list {
			for _, s := range l.Sides {
				switch s := s.(type) {
				case plan.Send:
					_, err := ev.Encode(s.Frame)
					check(err)
				case plan.Raw:
					for _, v := range s.Values {
						_, err := ev.Eval(v)
						check(err)
					}
				case plan.Want:
					for _, m := range s.Expect.Match {
						if m.Value != nil && m.Op != plan.OpCapture {
							_, err := ev.Eval(m.Value)
							check(err)
						}
					}
				}
			}
			block := l.Block
			if loop, ok := l.Stmt.(plan.EachLoop); ok {
				var err error
				block, err = l.Iterate(loop.Each.From)
				require.NoError(t, err)
			}
			lines(block)
			lines(l.Alts)
		}
	}
	lines(p.Script)
}

// indent keeps file:line at the start of a line, where editors find it.
func indent(err error) string {
	var list plan.Errors
	if !errors.As(err, &list) {
		return err.Error()
	}
	return list.Error()
}

// firstDifference returns the first lines in which two texts differ.
func firstDifference(a, b string) (string, string) {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i], y[i]
		}
	}
	if len(x) != len(y) {
		return fmt.Sprintf("%d lines", len(x)), fmt.Sprintf("%d lines", len(y))
	}
	return "", ""
}

// maxQuick is the largest world that runs in seconds, and so wherever the tests run.
const maxQuick = 10_000

// told is the text of the tables of the page of the plans.
func told(t *testing.T) (table string) {
	page, err := os.ReadFile("../../plans/README.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `") {
			table += line
		}
	}
	return table
}

// Bounds of the loads and networks that the suite carries, so that a run of one is over before a person wonders: of a turn,
// and of a network that is not slow.
const (
	maxTurn  = 12 * time.Second
	maxNodes = 50
)

// TestRealPlansOfSuite: each is told by the page of the plans, is of the kind of its directory, and ends soon.
func TestRealPlansOfSuite(t *testing.T) {
	table := told(t)
	kinds := map[string]plan.WorldKind{"load": plan.LoadWorld, "network": plan.NetworkWorld}
	require.Len(t, kinds, len(plans.Real))
	for _, dir := range plans.Real {
		all, err := plan.LoadAll(plans.FS, dir, "plans/")
		require.NoError(t, err)
		require.NotEmpty(t, all)
		for _, p := range all {
			assert.Equal(t, kinds[dir], p.Kind(), p.File)
			assert.True(t, strings.HasPrefix(p.Header.ID, dir+"/"), p.File)
			assert.Equal(t, 1, strings.Count(table, "`"+p.Header.ID+"`"), "%s in plans/README.md", p.Header.ID)
			question, _, _ := strings.Cut(p.Prose, "\n")
			assert.True(t, strings.HasSuffix(question, "?"), "%s: it asks a question first", p.File)
			for _, s := range p.Simulations() {
				assert.NotEmpty(t, s.Needs, p.File)
				assert.Equal(t, s.World.Nodes > maxNodes, p.Header.Slow, "%s: %d nodes", p.File, s.World.Nodes)
				for _, l := range s.Loads {
					assert.NotZero(t, l.For, p.File)
					if dir == "load" {
						assert.LessOrEqual(t, l.Warmup+l.From+l.For, maxTurn, p.File)
					} else {
						assert.LessOrEqual(t, l.From+l.For, 30*time.Second, p.File)
					}
				}
			}
		}
	}
}

// TestSimulationsOfSuite: each is told by the page of the plans, compares its digest, and says so if it takes long.
func TestSimulationsOfSuite(t *testing.T) {
	table := told(t)
	all, err := plan.LoadAll(plans.FS, "sim", "plans/")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, p := range all {
		slug, ok := strings.CutPrefix(p.Header.ID, "sim/")
		assert.True(t, ok && p.Simulated(), p.File)
		assert.Equal(t, 1, strings.Count(table, "`"+slug+"`"), "%s in plans/README.md", slug)
		for _, s := range p.Simulations() {
			if s.World.Nodes > maxQuick {
				assert.True(t, p.Header.Slow, "%s: %d nodes are slow", p.File, s.World.Nodes)
			}
			assert.True(t, slices.ContainsFunc(s.Needs, func(n plan.Need) bool { return n.Digest == plan.SuiteDigests }), "%s: need digest=%s", p.File, plan.SuiteDigests)
		}
	}
}
