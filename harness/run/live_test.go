package run_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	var plans []*plan.Plan
	root := "../../plans"
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".plan") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p, err := plan.Parse(path, src)
		if err != nil {
			t.Logf("%v", err)
			return nil
		}
		plans = append(plans, p)
		return nil
	})
	require.NoError(t, err)
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
