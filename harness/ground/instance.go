package ground

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/testground/sdk-go/network"
	tgruntime "github.com/testground/sdk-go/runtime"

	"github.com/kadbench/kadbench/harness/run"
)

// Main is an instance of a run in a process of its own, as Testground's runners start one: all it is told stands in the
// environment. It writes events to stdout. The error is its failure; of cases nil is Cases().
func Main(ctx context.Context, cases []*Case) error {
	p, err := environment()
	if err != nil {
		return err
	}
	dropped := dropInflux()
	e, err := openSDK(p)
	if err != nil {
		warn(ctx, p, err)
		return err
	}
	e.start()
	if dropped != "" {
		e.Message("%s", dropped)
	}
	defer profiles(p, e)()
	in := &Instance{Run: p.TestRun, Count: p.TestInstanceCount, Group: p.TestGroupID, GroupCount: p.TestGroupInstanceCount, Out: e}
	err = in.prepare(cases, p)
	if err == nil {
		err = in.attend(ctx, p, e)
	} else {
		e.end(err)
		warn(ctx, p, in.failure(err))
	}
	if closed := e.close(); err == nil && closed != nil {
		err = fmt.Errorf("%w: %w", ErrOutput, closed)
	}
	if err != nil {
		return in.failure(err)
	}
	return nil
}

// environment is what an instance is told, and the environment without what Testground's SDK would trip over.
func environment() (*tgruntime.RunParams, error) {
	p, err := tgruntime.ParseRunParams(os.Environ())
	if err != nil {
		return nil, fmt.Errorf("%w: environment: %w", run.ErrUsage, err)
	}
	if p.TestInstanceCount < 1 || p.TestGroupInstanceCount < 1 || p.TestOutputsPath == "" || p.TestCase == "" || p.TestRun == "" {
		return nil, fmt.Errorf("%w: the environment of a Testground instance was expected, with TEST_CASE, TEST_RUN, TEST_OUTPUTS_PATH, "+
			"TEST_INSTANCE_COUNT and TEST_GROUP_INSTANCE_COUNT", run.ErrUsage)
	}
	os.Unsetenv("LOG_LEVEL") // above info it would keep back the event of success
	// The SDK parses the name of this variable in place of its value.
	p.TestStartTime, _ = time.Parse(time.RFC3339, os.Getenv(tgruntime.EnvTestStartTime))
	return p, nil
}

// dropInflux takes the database for metrics out of the environment where none shall be used or none is there, and says why: the
// SDK does not know the daemon's switch, and tries for 15 s to reach a database that does not answer.
func dropInflux() (why string) {
	given := os.Getenv(tgruntime.EnvInfluxDBURL)
	if given == "" {
		return ""
	}
	if os.Getenv("TEST_DISABLE_METRICS") != "true" {
		u, err := url.Parse(given)
		if err == nil {
			var conn net.Conn
			if conn, err = net.DialTimeout("tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")), time.Second); err == nil {
				conn.Close()
				return ""
			}
		}
		why = fmt.Sprintf("no metrics are sent to InfluxDB at %s: %v", given, err)
	}
	os.Unsetenv(tgruntime.EnvInfluxDBURL)
	return why
}

// openSDK opens the outputs. A panic anywhere is written to run.err, since it ends the process before anybody can record it.
func openSDK(p *tgruntime.RunParams) (e *sdk, err error) {
	defer func() {
		if v := recover(); v != nil { // how the SDK says that a file cannot be made
			err = fmt.Errorf("%w: %v", ErrOutput, v)
		}
	}()
	if err := os.MkdirAll(p.TestOutputsPath, 0o755); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	f, err := os.OpenFile(filepath.Join(p.TestOutputsPath, "run.err"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	defer f.Close() // SetCrashOutput has its own
	if !same(f, os.Stderr) {
		if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOutput, err)
		}
	}
	return &sdk{RunEnv: tgruntime.NewRunEnv(*p)}, nil
}

func same(a, b *os.File) bool {
	x, err := a.Stat()
	if err != nil {
		return false
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y)
}

// prepare finds the case and its parameters.
func (in *Instance) prepare(cases []*Case, p *tgruntime.RunParams) error {
	in.Start = p.TestStartTime
	if in.Start.IsZero() {
		in.Start = time.Now()
	}
	of, err := find(cases, p.TestCase)
	if err != nil {
		return err
	}
	given, err := unpack(os.Getenv(tgruntime.EnvTestInstanceParams))
	if err != nil {
		return err
	}
	in.Case = of
	if p.TestSidecar {
		in.Shape = sidecar{in}
	}
	if in.Params, err = of.Parse(given); err != nil {
		return err
	}
	if in.inMemory() {
		return errMemory
	}
	return in.fits()
}

// unpack reads the parameters in Testground's form, k=v|k2=v2. Its own reader passes over what it cannot take apart.
func unpack(packed string) (map[string]string, error) {
	given := map[string]string{}
	if packed == "" {
		return given, nil
	}
	for pair := range strings.SplitSeq(packed, "|") {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := given[name]; !ok || name == "" || twice {
			return nil, fmt.Errorf("%w: %q in TEST_INSTANCE_PARAMS: name=value was expected, each name once, and no | in a value", ErrParam, pair)
		}
		given[name] = value
	}
	return given, nil
}

// service is where the sync service is, as an instance is told.
func service() string {
	return net.JoinHostPort(cmp.Or(os.Getenv("SYNC_SERVICE_HOST"), "testground-sync-service"), cmp.Or(os.Getenv("SYNC_SERVICE_PORT"), "5050"))
}

// warn ends the run for the others when an instance cannot even begin: they would wait for it as long as the run may take.
func warn(ctx context.Context, p *tgruntime.RunParams, why error) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if c, err := dialSync(ctx, service(), scopeOf(p)); err == nil {
		c.abort(why.Error())
		c.Close()
	}
}

// attend meets the others at the sync service, and performs.
func (in *Instance) attend(ctx context.Context, p *tgruntime.RunParams, e *sdk) error {
	within, end := context.WithCancelCause(ctx)
	defer end(nil)
	c, err := dialSync(within, service(), scopeOf(p))
	if err != nil {
		if within.Err() != nil {
			err = reason(within)
		}
		e.end(err)
		return err
	}
	defer context.AfterFunc(c.Lost(), func() { end(context.Cause(c.Lost())) })()
	in.Sync = c
	go heed(within, c, end)
	c.bequeath(in.failure(errGone).Error())
	if err = in.arrive(within, p, c, e); err == nil {
		c.bequeath(in.failure(errGone).Error()) // with its number
		e.AttachSyncClient(c)
		err = perform(within, in, e)
	} else if within.Err() != nil {
		err = reason(within)
	}
	in.depart(c, e, err)
	return err
}

// errGone is what the others hear of an instance that can tell them nothing any more.
var errGone = errors.New("it left the sync service without a goodbye")

// depart tells the others of a failure first, as they wait for it, then whoever reads the instance's events.
func (in *Instance) depart(c *client, e env, err error) {
	var other *errAborted
	if err != nil && !errors.As(err, &other) {
		c.abort(in.failure(err).Error())
	}
	told(e, err)
	c.Close()
}

// arrive waits for the network where there is a sidecar, and takes the instance's numbers.
func (in *Instance) arrive(ctx context.Context, p *tgruntime.RunParams, c *client, e *sdk) (err error) {
	// Whoever watches the run's events waits for these two.
	c.SignalEvent(ctx, &tgruntime.Event{StageStartEvent: &tgruntime.StageStartEvent{Name: stateNetwork, TestGroupID: in.Group}})
	if p.TestSidecar {
		if err := c.Wait(ctx, stateNetwork, in.Count); err != nil {
			e.Message(network.InitialisationFailed)
			return err
		}
	}
	e.Message(network.InitialisationSuccessful)
	c.SignalEvent(ctx, &tgruntime.Event{StageEndEvent: &tgruntime.StageEndEvent{Name: stateNetwork, TestGroupID: in.Group}})
	if in.Seq, err = c.Signal(ctx, stateGlobal); err != nil {
		return err
	}
	if in.GroupSeq, err = c.Signal(ctx, stateGroup+in.Group); err != nil {
		return err
	}
	e.Message(claimed, in.Seq, in.Group, in.GroupSeq)
	if !p.TestSidecar {
		in.IP = address(in.Seq)
		return nil
	}
	ip, err := network.NewClient(nil, e.RunEnv).GetDataNetworkIP()
	if err != nil {
		return fmt.Errorf("sidecar: %w", err)
	}
	in.IP = ip.String()
	return nil
}
