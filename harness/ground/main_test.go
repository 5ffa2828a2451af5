package ground

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kadbench/kadbench/harness/run"
)

// TestMain is an instance where a test started one: Procs runs this very program.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_PLAN") == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run.ExitCode(Main(ctx, trivial)))
}

// trivial are cases that do one thing each, to see what the runners make of it.
var trivial = []*Case{
	{Name: "ping", Min: 1, Max: 2000, Default: 3, Run: ping,
		Fits: func(in *Instance) error {
			if in.Params.Int("rounds") < 0 {
				return refuse(in.Params, "rounds", "0 or more")
			}
			return nil
		},
		Params: []Param{{Name: "rounds", Type: "int", Default: "2"}, {Name: "transport", Type: "string", Default: "tcp"}, {Name: "latency", Type: "duration", Default: "0s"}}},
	{Name: "fail", Min: 1, Max: 100, Default: 5, Run: failing,
		Params: []Param{{Name: "how", Type: "string", Default: "error"}, {Name: "who", Type: "int", Default: "3"}}},
	{Name: "hang", Min: 1, Max: 100, Default: 3, Run: hang,
		Params: []Param{{Name: "deaf", Type: "bool", Default: "false"}}},
	{Name: "long", Min: 1, Max: 1, Default: 1, Run: func(_ context.Context, in *Instance) error {
		fmt.Println(strings.Repeat("x", longestLine))
		return nil
	}},
}

// ping meets all others in each round and measures it.
func ping(ctx context.Context, in *Instance) error {
	for round := range in.Params.Int("rounds") {
		if err := in.Barrier(ctx, fmt.Sprint("round-", round)); err != nil {
			return err
		}
		in.Out.Point("round", float64(round))
	}
	in.Out.Message("instance %d of group %s at %s", in.Seq, in.Group, in.IP)
	return nil
}

// failing lets one instance fail while the others wait for it.
func failing(ctx context.Context, in *Instance) error {
	if in.Seq != in.Params.Int("who") {
		if _, err := in.Sync.Signal(ctx, "waiting"); err != nil {
			return err
		}
		return in.Barrier(ctx, "all")
	}
	if err := in.Sync.Wait(ctx, "waiting", in.Count-1); err != nil {
		return err
	}
	switch how := in.Params.Text("how"); how {
	case "error":
		return errors.New("boom")
	case "panic":
		panic("boom")
	case "goroutine":
		go func() { panic("boom in a goroutine") }()
		<-ctx.Done()
		return nil
	case "point":
		in.Out.Point("no-name", 1)
		return nil
	case "no number":
		in.Out.Point("x", math.NaN())
		return nil
	case "long":
		return errors.New(strings.Repeat("<", 2*longestLine)) // each is six bytes as JSON
	case "exit":
		os.Exit(0)
	}
	return nil
}

// hang tells where it is by a file beside its outputs, and waits for what never comes.
func hang(ctx context.Context, in *Instance) error {
	if in.Params.Bool("deaf") {
		ctx = context.WithoutCancel(ctx)
	}
	if dir := os.Getenv("TEST_OUTPUTS_PATH"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "pid"), fmt.Append(nil, os.Getpid()), 0o644); err != nil {
			return err
		}
	}
	if _, err := in.Sync.Signal(ctx, "hanging"); err != nil {
		return err
	}
	return in.Sync.Wait(ctx, "never", 1)
}
