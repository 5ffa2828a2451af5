package run_test

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/fixtures/keys"
	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
)

var (
	liveTarget = flag.String("target", "", "a target to run the conformance plans against, as go=cmd:bin/go-libp2p")
	liveCase   = flag.String("case", "", "a glob of case ids")
)

// TestLive runs the conformance plans against a real target, while the suite and an adapter are being written:
//
//	go test ./harness/run -run TestLive -v -target go=cmd:$PWD/bin/go-libp2p -case 'find-node/*'
func TestLive(t *testing.T) {
	if *liveTarget == "" {
		t.Skip("no -target")
	}
	f, err := target.Parse(*liveTarget)
	require.NoError(t, err)
	plans := suite(t)
	c := run.Config{Targets: []target.Factory{f}, Plans: plans, Seed: 7}
	if *liveCase != "" {
		c.Cases = []string{*liveCase}
	}
	began := time.Now()
	report, err := run.Check(context.Background(), c)
	t.Logf("%v", err)
	for _, r := range report.Results {
		if r.Verdict != "pass" {
			t.Logf("%-11s %s %s (%s) %s", r.Verdict, r.Case, r.Profile, r.Level, r.Why)
			if f := r.Failure; f != nil {
				t.Logf("            %s bytes %s %s", f.Line, f.Bytes, f.Where)
			}
		}
	}
	for _, n := range report.Notes {
		t.Log(n)
	}
	t.Logf("%s in %s, exit %d", report.Summary, time.Since(began).Round(time.Millisecond), report.Summary.Exit)
}

// suite are the cases of the project.
func suite(t *testing.T) []*plan.Plan {
	plans, err := plan.LoadAll(os.DirFS("../../plans"), ".", "../../plans/")
	require.NoError(t, err)
	return plan.Cases(plans)
}

// What an op may ask for is what the control protocol has, but for what the harness itself does with a target.
func TestOperationsAreThoseOfTheControlProtocol(t *testing.T) {
	own := []string{"hello", "start", "advance_clock", "cancel", "stop"}
	var known, asked []string
	for _, m := range target.Methods {
		if !slices.Contains(own, m.Name) {
			known = append(known, m.Name)
		}
	}
	for _, row := range plan.Methods() {
		asked = append(asked, row.Name)
	}
	require.Equal(t, known, asked)
}

// Two cases on one node which share a key would see each other's records: there is an RSA key for each peer that wants one.
func TestNoTwoCasesShareAnRSAKey(t *testing.T) {
	n := 0
	for _, p := range suite(t) {
		alone := false // on its target, wherever it runs
		p.All(func(l *plan.Line) { alone = alone || l.Verb == "op" || l.Verb == "clock" })
		for _, d := range p.Peers {
			if d.Param("key") == "rsa" && !alone {
				n++
			}
		}
	}
	require.NotZero(t, n)
	require.LessOrEqual(t, n, keys.RSALen)
}

// What is built in as known is about cases that there are, in profiles in which they are judged and bind.
func TestBuiltinKnownFailuresHaveTheirCases(t *testing.T) {
	cases := map[string]*plan.Plan{}
	for _, p := range suite(t) {
		cases[p.Header.ID] = p
	}
	files, err := fs.Glob(fixtures.FS(), "known/*.toml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		src, err := fs.ReadFile(fixtures.FS(), file)
		require.NoError(t, err)
		k, err := check.ReadKnown(file, src)
		require.NoError(t, err)
		for _, e := range k.Entries {
			p := cases[e.Case]
			require.NotNil(t, p, "%s: %s", file, e.Case)
			for _, name := range e.Profile {
				profile, err := plan.ParseProfile(name)
				require.NoError(t, err)
				require.True(t, p.Header.Profiles.Has(profile), "%s: %s is not judged in %s", file, e.Case, name)
				require.LessOrEqual(t, p.Header.Levels[profile], plan.Should, "%s: %s only measures in %s", file, e.Case, name)
			}
		}
	}
}
