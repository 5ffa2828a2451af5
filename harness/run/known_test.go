package run_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

// TestKnownOfRealRuns: each path of an expected failure through a run of a target that fails at will, once as a file of
// the user's and once built in. The two differ for what has expired and for what is of another version.
func TestKnownOfRealRuns(t *testing.T) {
	const nineteen = "ref:mutant=lists-nineteen"
	entry := "[[known]]\ncase='find-node/nearest-twenty'\nreason='/closerPeers: .* \\(19\\); missing: S/'\nlink='https://example.org/1'\n"
	for _, c := range []struct {
		name, target, file string
		verdict            record.Verdict
		known, builtin     bool // the run passes
		note               string
	}{
		{"expected", nineteen, entry + "until=2126-01-01", record.XFail, true, true, ""},
		{"unexpected pass", "ref:", entry + "until=2126-01-01", record.XPass, false, false, ""},
		{"another reason", nineteen, "[[known]]\ncase='find-node/nearest-twenty'\nreason='got reset'\nlink='l'\nuntil=2126-01-01", record.Fail, false, false, ""},
		{"another version", nineteen, "versions=['9.9.9']\n" + entry + "until=2126-01-01", record.Fail, false, false, ""},
		{"flaky, fails", nineteen, entry + "until=2126-01-01\nflaky=true\nnote='a race'", record.XFail, true, true, ""},
		{"flaky, passes", "ref:", entry + "until=2126-01-01\nflaky=true\nnote='a race'", record.Pass, true, true, ""},
		{"expired, built in", nineteen, entry + "until=2026-01-01", record.XFail, false, true, "expired on 2026-01-01"},
	} {
		for _, builtin := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/builtin=%v", c.name, builtin), func(t *testing.T) {
				f, err := target.Parse(c.target)
				require.NoError(t, err)
				k, err := check.ReadKnown("known.toml", []byte("name='kadbench'\n"+c.file))
				require.NoError(t, err)
				config := run.Config{Targets: []target.Factory{f}, Plans: suite(t), Cases: []string{"find-node/nearest-twenty"}, Seed: 7}
				passes, verdict := c.known, c.verdict
				if builtin {
					config.Builtin, passes = []*check.Known{k}, c.builtin
				} else {
					config.Known = []*check.Known{k}
					if c.note != "" {
						verdict = record.Fail // an expired file of the user's excuses nothing
					}
				}
				report, err := run.Check(t.Context(), config)
				if passes {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, run.ErrFailed)
				}
				for _, r := range report.Results {
					require.Equal(t, verdict, r.Verdict, r.Why)
				}
				if c.note != "" {
					require.Len(t, report.Notes, 1)
					require.Contains(t, report.Notes[0], c.note)
				}
			})
		}
	}
}
