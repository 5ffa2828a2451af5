package ground

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/testground/sdk-go/ptypes"
	tgruntime "github.com/testground/sdk-go/runtime"

	"github.com/kadbench/kadbench/harness/report"
	"github.com/kadbench/kadbench/harness/run"
)

// Plan is the name under which Testground knows our cases.
const Plan = "kadbench"

// DefaultTimeout is how long a run may take: as long as Testground's daemon gives one.
const DefaultTimeout = 10 * time.Minute

// Config is a run. The zero value lacks only Case and Out.
type Config struct {
	Case  string  // its name
	Cases []*Case // nil: Cases()

	Instances int               // 0: as many as the case has by default
	Groups    []Group           // in place of Instances; none: one group of the name single
	Params    map[string]string // of all groups; those of a group go before them

	Out     string        // the outputs of an instance go to Out/kadbench/<run>/<group>/<index>
	Timeout time.Duration // of the run; 0: DefaultTimeout

	Progress func(Progress) // told each second, by one goroutine at a time; nil: nobody

	// Of Procs alone. Command is what an instance is, none: this program, which calls Main when TEST_PLAN is in its environment.
	Command []string
	// SyncService is host:port of the service that the processes use; "": one that lives as long as the run, on loopback.
	SyncService string
}

// Group is some of the instances, which have the same parameters.
type Group struct {
	ID     string
	Count  int
	Params map[string]string
}

// seat is an instance before it begins, and what Testground tells it.
type seat struct {
	Instance
	params *tgruntime.RunParams
}

// Check says what is wrong with a configuration.
func (c Config) Check() error {
	_, err := c.seats()
	return err
}

// find is the case that is meant.
func find(cases []*Case, name string) (*Case, error) {
	if cases == nil {
		return Find(name)
	}
	for _, c := range cases {
		if c.Name == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrCase, name)
}

// seats are the instances of a run, in the order of their groups.
func (c Config) seats() ([]*seat, error) {
	wrong := func(format string, args ...any) ([]*seat, error) {
		return nil, fmt.Errorf("%w: %s", run.ErrUsage, fmt.Sprintf(format, args...))
	}
	of, err := find(c.Cases, c.Case)
	if err != nil {
		return wrong("%v", err)
	}
	if err := of.Check(); err != nil {
		return wrong("%v", err)
	}
	groups := c.Groups
	if len(groups) == 0 {
		groups = []Group{{ID: "single", Count: cmp.Or(c.Instances, of.Default)}}
	} else if c.Instances != 0 {
		return wrong("%d instances and groups: one of the two was expected", c.Instances)
	}
	count := 0
	for _, g := range groups {
		if !word(g.ID) || g.Count < 1 || g.Count > maxInstances {
			return wrong("group %q of %d: expected a name of letters, digits, _ . and -, and 1 to %d instances", g.ID, g.Count, maxInstances)
		}
		count += g.Count
	}
	switch {
	case count < of.Min || count > of.Max || count > maxInstances:
		return wrong("case %s with %s: expected %d to %d", of.Name, report.Plural(count, "instance"), of.Min, min(of.Max, maxInstances))
	case c.Out == "":
		return wrong("Out: expected a directory for the outputs")
	case c.Timeout < 0:
		return wrong("timeout %v: expected a time above 0", c.Timeout)
	}
	var all []*seat
	started, seen := time.Now(), map[string]bool{}
	id := started.UTC().Format("20060102T150405") + "-" + random()
	for _, g := range groups {
		if seen[g.ID] {
			return wrong("group %s: expected once", g.ID)
		}
		seen[g.ID] = true
		given := maps.Clone(c.Params)
		if given == nil {
			given = map[string]string{}
		}
		maps.Copy(given, g.Params)
		like := Instance{Case: of, Run: id, Count: count, Group: g.ID, GroupCount: g.Count, Start: started}
		if like.Params, err = of.Parse(given); err == nil {
			err = like.fits()
		}
		if err != nil {
			return wrong("%v", err)
		}
		for i := range g.Count {
			outputs, err := filepath.Abs(filepath.Join(c.Out, Plan, id, g.ID, strconv.Itoa(i)))
			if err != nil {
				return wrong("Out: %v", err)
			}
			all = append(all, &seat{
				Instance: like,
				params: &tgruntime.RunParams{
					TestPlan: Plan, TestCase: of.Name, TestRun: id, TestInstanceCount: count,
					TestGroupID: g.ID, TestGroupInstanceCount: g.Count, TestInstanceParams: like.Params,
					TestOutputsPath: outputs, TestTempPath: os.TempDir(), TestStartTime: started,
					TestSubnet: &ptypes.IPNet{IPNet: *subnet},
				},
			})
		}
	}
	for _, s := range all {
		if s.inMemory() != all[0].inMemory() {
			return wrong("group %s: %v transport: expected mem for all groups, or for none", s.Group, ErrParam)
		}
	}
	return all, nil
}

// fits asks the case whether it can work with the parameters.
func (in *Instance) fits() error {
	if in.Case.Fits == nil {
		return nil
	}
	return in.Case.Fits(in)
}

// random tells runs of the same second apart.
func random() string {
	var b [3]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// subnet is that of Testground's local runner.
var subnet = &net.IPNet{IP: net.IPv4(127, 1, 0, 0).To4(), Mask: net.CIDRMask(16, 32)}

// address is the one at which an instance listens on this machine: its own of the subnet, so that it can be told from the
// others by it, where the system has all of 127.0.0.0/8 (Linux does).
func address(seq int) string {
	if seq < 1 || seq >= 1<<16 {
		return "127.0.0.1"
	}
	ip := fmt.Sprintf("127.1.%d.%d", seq>>8, seq&255)
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		return "127.0.0.1"
	}
	l.Close()
	return ip
}

// inMemory says whether instances shall meet in a network in memory: a case that can has the parameter transport.
func (in *Instance) inMemory() bool { return in.Params["transport"] == "mem" }

// errMemory refuses that where instances have processes of their own.
var errMemory = fmt.Errorf("%w transport: mem is a network within one process: expected it with instances as goroutines only", ErrParam)

// conclude reads back what a run left, and says how it ended: why is what ended it before its time, nil if nothing did.
func conclude(ctx context.Context, dir string, why error) (*Run, error) {
	r, err := Load(dir)
	switch {
	case ctx.Err() != nil:
		return r, ErrInterrupted
	case why != nil:
		return r, why
	case err != nil:
		return nil, fmt.Errorf("%w: %w", run.ErrHarness, err)
	}
	return r, r.Err()
}

// Err is nil if all instances were successful, else the failure of one.
func (r *Run) Err() error {
	if err := worst(r.Instances); err != nil {
		return err
	}
	if n := r.Instances[0].Count; len(r.Instances) < n {
		return fmt.Errorf("%w: %d of %d instances left no outputs", run.ErrFailed, n-len(r.Instances), n)
	}
	return nil
}

// worst is the failure of the first that failed by itself, else of the first that was aborted.
func worst(all []Outcome) error {
	var aborted error
	for _, o := range all {
		f := &Failure{Seq: o.Seq, Count: o.Count, Group: o.Group, Out: filepath.Join(o.Group, strconv.Itoa(o.Index)), Text: o.Error}
		switch o.State {
		case OK:
			continue
		case Aborted:
			f.Text = abortedBy + f.Text
			aborted = cmp.Or(aborted, error(f))
			continue
		case Incomplete:
			f.Text = "it ended without a word"
		case Crashed:
			f.Text = "panic: " + f.Text
		}
		return f
	}
	return aborted
}
