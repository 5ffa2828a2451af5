package ground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/network"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/plans"
)

var conformance = &Case{
	Name: "conformance",
	About: "The first instance of each group is a server; the others of its group hold it to the specification at its address, each with its share " +
		"of kadbench's conformance cases. A group for each implementation compares them.",
	Min: 2, Max: 100, Default: 4,
	Params: []Param{
		{"kind", "string", "", "ref", "The implementation of the server: ref (kadbench's own) or go (go-libp2p-kad-dht)."},
		{"transport", "string", "", "tcp", "tcp or quic."},
		{"cases", "string", "", "smoke", "Globs of ids with commas between them, as find-node/*,ping/*; smoke: the smoke cases; all: all."},
		{"profile", "string", "", "base", "Whose verdicts decide: base, amino or defacto."},
		{"jobs", "int", "cases", "4", "So many cases go side by side."},
		{"seed", "int", "", "1", "Of identities and random bytes."},
		{"timeout", "duration", "", "9m", "Of the whole case; Testground's own limit is 10 minutes."},
	},
	Fits: judgeable,
	Run: func(ctx context.Context, in *Instance) error {
		limit := in.Params.Duration("timeout")
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the case took longer than its timeout, %v", limit))
		defer cancel()
		var err error
		if in.GroupSeq == 1 {
			err = stand(ctx, in)
		} else {
			err = hold(ctx, in)
		}
		if err == nil || errors.Is(err, run.ErrFailed) { // a verdict ends the run when all others are known too
			err = errors.Join(err, in.Barrier(ctx, "judged"))
		}
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return err
	},
}

// judgeable says what cannot be judged, or by whom.
func judgeable(in *Instance) error {
	p := in.Params
	if in.GroupCount < 2 {
		return fmt.Errorf("group %s of 1 instance, expected 2 or more: the server, and who judges it", in.Group)
	}
	for _, c := range []struct {
		name     string
		ok       bool
		expected string
	}{
		{"transport", p.Text("transport") == "tcp" || p.Text("transport") == "quic", "tcp or quic: the puppets have sockets"},
		{"jobs", p.Int("jobs") >= 1 && p.Int("jobs") <= run.MaxJobs, upTo(1, run.MaxJobs)},
		{"timeout", p.Duration("timeout") > 0, "more than 0s"},
	} {
		if !c.ok {
			return refuse(p, c.name, c.expected)
		}
	}
	if _, err := network.Find(p.Text("kind")); err != nil {
		return fmt.Errorf("parameter kind: %w", err)
	}
	if _, err := plan.ParseProfile(p.Text("profile")); err != nil {
		return fmt.Errorf("parameter profile: %w", err)
	}
	return nil
}

// stand is the instance that is judged: it serves until the others have done.
func stand(ctx context.Context, in *Instance) error {
	kind, err := network.Find(in.Params.Text("kind"))
	if err != nil {
		return err
	}
	n, err := kind.New(ctx, network.Spec{
		Seed: seedOf(uint64(in.Params.Int("seed")), in.Seq), Server: true, Transport: in.Params.Text("transport"), Listen: in.IP, Unlimited: true,
	})
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	info := n.Info()
	at := fmt.Sprintf("addr:%s/p2p/%s", info.Addrs[0], info.ID)
	in.Out.Message("%s at %s", kind.Version(), at)
	if err = in.Sync.Publish(ctx, "target."+in.Group, at); err == nil {
		err = in.Sync.Wait(ctx, "judged."+in.Group, in.GroupCount-1)
	}
	return errors.Join(err, n.Close())
}

// hold is an instance that judges: it runs its share of the cases against the server when its turn has come. They take turns,
// because the peers which cases seat in the table of a node at an address are the same in every run: those who would come
// at the same time would claim each other's identities.
func hold(ctx context.Context, in *Instance) error {
	cfg, err := suite(in)
	if err != nil {
		return err
	}
	var at string
	err = in.Sync.Collect(ctx, "target."+in.Group, 1, func(item []byte) error { return json.Unmarshal(item, &at) })
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	f, err := target.Parse(at)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	cfg.Targets = []target.Factory{f}
	if err := in.Sync.Wait(ctx, "judged."+in.Group, in.GroupSeq-2); err != nil {
		return fmt.Errorf("turn: %w", err)
	}
	began := time.Now()
	failed := judged(ctx, in, cfg)
	in.Out.Point("judging_ms", float64(time.Since(began).Microseconds())/1000)
	if _, err := in.Sync.Signal(ctx, "judged."+in.Group); err != nil {
		return errors.Join(failed, err)
	}
	return failed
}

// suite is the share of an instance: as many plans as the others have, or one less.
func suite(in *Instance) (cfg run.Config, err error) {
	cfg = run.Config{
		Seed: uint64(in.Params.Int("seed")), Jobs: in.Params.Int("jobs"),
		Shard: run.Shard{I: in.GroupSeq - 1, N: in.GroupCount - 1},
	}
	switch cases := in.Params.Text("cases"); cases {
	case "all":
	case "smoke":
		if cfg.Cases, err = plans.Smoke(); err != nil {
			return cfg, err
		}
	default:
		cfg.Cases = strings.Split(cases, ",")
	}
	if cfg.Profile, err = plan.ParseProfile(in.Params.Text("profile")); err != nil {
		return cfg, err
	}
	if cfg.Plans, err = plan.LoadAll(plans.FS, "conformance", "plans/"); err != nil {
		return cfg, err
	}
	if cfg.Builtin, err = check.CarriedKnown(); err != nil {
		return cfg, err
	}
	return cfg, nil
}

// judged runs the cases and tells what they found. More judges than cases is no failure: some have nothing to do.
func judged(ctx context.Context, in *Instance, cfg run.Config) error {
	r, err := run.Check(ctx, cfg)
	if errors.Is(err, run.ErrNothing) && cfg.Shard.I > 1 {
		in.Out.Message("no case is left for this instance")
		return nil
	}
	for _, res := range r.Results {
		if res.Profile == cfg.Profile.String() && slices.Contains([]record.Verdict{record.Fail, record.XPass, record.Errored, record.Warn}, res.Verdict) {
			in.Out.Message("%s", report.Block(res))
		}
	}
	s := r.Summary
	for _, c := range []struct {
		name string
		n    int
	}{{"cases_passed", s.Passed}, {"cases_warned", s.Warned}, {"cases_failed", s.Failed}, {"cases_unsupported", s.Unsupported}} {
		in.Out.Point(c.name, float64(c.n))
	}
	if err != nil {
		var failed []string
		for _, res := range r.Results {
			if res.Profile == cfg.Profile.String() && slices.Contains([]record.Verdict{record.Fail, record.XPass, record.Errored}, res.Verdict) {
				failed = append(failed, res.Case)
			}
		}
		return fmt.Errorf("conformance: %w: %d of %d cases (%s), expected none", err, len(failed), len(run.Select(&cfg)), strings.Join(failed, ", "))
	}
	return nil
}
