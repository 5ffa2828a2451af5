package run_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

var update = flag.Bool("update", false, "write the verdicts in testdata anew")

// TestScripts runs each plan of testdata against the fake, and holds its verdicts and its message against the text
// beside it. What a plan needs of the run stands in a comment after "run:".
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.plan")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".plan"), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			p, err := plan.Parse(strings.TrimPrefix(file, "testdata/"), src)
			require.NoError(t, err)
			f := &fake{name: "fake"}
			c := run.Config{Targets: []target.Factory{f}, Plans: []*plan.Plan{p}, Seed: 7}
			configure(t, string(src), f, &c)
			report, err := run.Check(context.Background(), c)
			got := transcript(report, err)
			want := strings.TrimSuffix(file, ".plan") + ".want"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(got), 0o644))
			}
			text, err := os.ReadFile(want)
			require.NoError(t, err)
			require.Equal(t, string(text), got)
		})
	}
}

// configure reads the words after "# run:".
func configure(t *testing.T, src string, f *fake, c *run.Config) {
	_, words, _ := strings.Cut(src, "\n# run:")
	words, _, _ = strings.Cut(words, "\n")
	for _, w := range strings.Fields(words) {
		name, arg, _ := strings.Cut(w, "=")
		switch name {
		case "strict":
			c.Strict = true
		case "slow":
			c.Slow = true
		case "remote":
			f.remote = true
		case "seats":
			f.seats = true
		case "added":
			f.added = true
		case "methods":
			f.methods = strings.Split(arg, ",")
		case "broken":
			f.broken = arg
		case "options":
			f.options = strings.Split(arg, ",")
		case "amino":
			c.Profile = plan.Amino
		case "patience":
			var err error
			c.Patience, err = time.ParseDuration(arg)
			require.NoError(t, err)
		default:
			t.Fatalf("run: unknown word %q", w)
		}
	}
}

// transcript is what a run found, without its times.
func transcript(r *run.Report, err error) string {
	var b strings.Builder
	for _, res := range r.Results {
		fmt.Fprintf(&b, "%s %s (%s)", res.Verdict, res.Profile, res.Level)
		if res.Why != "" {
			fmt.Fprintf(&b, ": %s", res.Why)
		}
		b.WriteByte('\n')
		for _, name := range slices.Sorted(maps.Keys(res.Measured)) {
			fmt.Fprintf(&b, "  %s: %s\n", name, res.Measured[name])
		}
	}
	var shown *record.Failure
	for _, res := range r.Results {
		if f := res.Failure; f != nil && (shown == nil || *f != *shown) {
			shown = f
			fmt.Fprintf(&b, "\n%s\n", f.Line)
			for _, part := range [][2]string{
				{"prose", f.Prose}, {"clause", f.Clause}, {"want", f.Want}, {"got", f.Got}, {"diff", f.Diff}, {"bytes", f.Bytes},
				{"where", f.Where}, {"repeat", f.Repeat}, {"log", f.Log},
			} {
				if part[1] != "" {
					fmt.Fprintf(&b, "  %-7s %s\n", part[0], strings.ReplaceAll(strings.TrimSpace(part[1]), "\n", "\n          "))
				}
			}
		}
	}
	fmt.Fprintf(&b, "\n%s, exit %d\n", r.Summary, r.Summary.Exit)
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	return b.String()
}
