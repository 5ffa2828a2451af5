package run

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strings"
	"time"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// Errors of a run; ExitCode maps them.
var (
	// ErrUsage: the configuration asks for what cannot be.
	ErrUsage = errors.New("usage")
	// ErrNothing: no plan passes the filters.
	ErrNothing = errors.New("no case matches")
	// ErrTarget: a target could not be reached or started, or kept crashing.
	ErrTarget = errors.New("target")
	// ErrHarness: the suite itself failed.
	ErrHarness = errors.New("harness")
	// ErrFailed: a case failed.
	ErrFailed = errors.New("a case failed")
)

// Limits of a run.
const (
	// DefaultJobs cases go side by side: most of them wait for a peer and cost no processor time, so two cores carry
	// eight, while a target under test still answers each within milliseconds.
	DefaultJobs = 8
	// MaxJobs keeps the sum of puppets (up to 100 a case, two descriptors each) below common limits of open files.
	MaxJobs = 64
	// DefaultPatience is 5,000 times what a FIND_NODE takes on loopback: room for a machine that is busy, and for a
	// target that collects garbage.
	DefaultPatience = 10 * time.Second
	// MaxRepeat bounds --repeat.
	MaxRepeat = 10_000
)

// Config says what to check; its zero value lacks only Targets and Plans.
type Config struct {
	Targets []target.Factory
	Plans   []*plan.Plan

	Profile plan.Profile // decides the summary and the exit code; the others are logged
	Strict  bool         // a should that is missed fails instead of warning
	Slow    bool         // slow cases run too
	Remote  bool         // an address that is not private may be checked

	Cases  []string     // globs of ids: find-node/*, **/empty-*; none: all
	Skip   []string     // globs of ids that are left out
	Areas  []string     // areas (see Area); none: all
	Levels []plan.Level // levels in Profile; none: all
	Shard  Shard

	Jobs   int    // cases side by side; 0: DefaultJobs
	Repeat int    // how often each case runs; 0: once
	Seed   uint64 // of every identity and random byte

	// Puppets is the IP at which the puppets listen and from which they dial; empty: loopback, or for a target that is
	// not on it this machine's address towards the target.
	Puppets string

	Known   []*check.Known // expected failures which the user names: expired or unmatched entries fail the run
	Builtin []*check.Known // those of the project: an expired one is a note

	Patience time.Duration // how long a living target may take for a FIND_NODE of the harness's own; 0: DefaultPatience

	Log      *record.Writer // frames, streams and results go there; nil: nowhere
	Command  func(target, caseID string) string
	Progress func(Event) // called by one goroutine at a time; nil: nobody
}

// Shard picks the I-th of N equal parts of the cases, from 1; the zero value picks all.
type Shard struct{ I, N int }

// EventKind says what an Event tells.
type EventKind uint8

const (
	Planned  EventKind = iota // Total is known: cases, times three for a target that is asked in each profile
	Started                   // a case begins
	Finished                  // a case has its results, or those of one profile
)

// Event is progress.
type Event struct {
	Kind        EventKind
	Target      string
	Case        string
	Results     []record.Result // of a finished case, one for each profile
	Done, Total int             // Finished events of this target: so far, and in all
}

// Report is what a run found.
type Report struct {
	Summary  record.Summary
	Results  []record.Result   // in the order of targets, plans, profiles
	Versions map[string]string // target: name and version by hello
	Notes    []string          // a line each: targets that could not be reached, entries of known failures that are stale
}

// Check finds what is wrong with the configuration; its errors are ErrUsage or ErrNothing.
func (c *Config) Check() error {
	usage := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrUsage, fmt.Sprintf(format, args...))
	}
	if len(c.Targets) == 0 {
		return usage("no target given, expected at least one of ref:, addr:, cmd:")
	}
	names := map[string]bool{}
	for _, f := range c.Targets {
		if names[f.Name()] {
			return usage("two targets are called %q, expected name=… before one of them", f.Name())
		}
		names[f.Name()] = true
		if !f.Private() && !c.Remote {
			return usage("%s is not a private address, expected --remote with it (no floods, no huge frames)", f)
		}
	}
	if int(c.Profile) >= len(plan.Profiles) {
		return usage("profile %d, expected base, amino or defacto", c.Profile)
	}
	if c.Jobs < 0 || c.Jobs > MaxJobs {
		return usage("jobs %d, expected 1 to %d", c.Jobs, MaxJobs)
	}
	if c.Repeat < 0 || c.Repeat > MaxRepeat {
		return usage("repeat %d, expected 1 to %d", c.Repeat, MaxRepeat)
	}
	if c.Puppets != "" && net.ParseIP(c.Puppets) == nil {
		return usage("puppets %q, expected an IP address of this machine", c.Puppets)
	}
	if c.Patience < 0 {
		return usage("patience %s, expected a time above 0", c.Patience)
	}
	if c.Shard != (Shard{}) && (c.Shard.N < 1 || c.Shard.I < 1 || c.Shard.I > c.Shard.N) {
		return usage("shard %d/%d, expected i/n with i from 1 to n", c.Shard.I, c.Shard.N)
	}
	for _, glob := range append(append([]string{}, c.Cases...), c.Skip...) {
		if _, err := path.Match(glob, ""); err != nil {
			return usage("case %q: %v", glob, err)
		}
	}
	if len(Select(c)) == 0 {
		return fmt.Errorf("%w (%s) among %d cases; kadbench cases lists them", ErrNothing, c.filters(), len(c.Plans))
	}
	return nil
}

// rsa is how many RSA peers the plans before this one have: their keys are few, and each case has its own, but for those
// that share a target with nobody, on an address neither.
func (c *Config) rsa(p *plan.Plan) int {
	n := 0
	for _, other := range c.Plans {
		if other.Header.ID == p.Header.ID {
			break
		}
		if uses(other, "op", "clock") {
			continue
		}
		for _, d := range other.Peers {
			if d.Param("key") == "rsa" {
				n++
			}
		}
	}
	return n
}

func (c *Config) patience() time.Duration {
	if c.Patience == 0 {
		return DefaultPatience
	}
	return c.Patience
}

// filters names what was asked for, for the message that nothing matched.
func (c *Config) filters() string {
	var b []string
	add := func(flag string, values []string) {
		for _, v := range values {
			b = append(b, flag+" "+v)
		}
	}
	add("--case", c.Cases)
	add("--skip", c.Skip)
	add("--area", c.Areas)
	for _, l := range c.Levels {
		b = append(b, "--level "+l.String())
	}
	if c.Shard.N > 0 {
		b = append(b, fmt.Sprintf("--shard %d/%d", c.Shard.I, c.Shard.N))
	}
	if len(b) == 0 {
		return "no filter"
	}
	return strings.Join(b, " ")
}

// Select lists the plans which the filters leave, in order.
func Select(c *Config) []*plan.Plan {
	var chosen []*plan.Plan
	for _, p := range c.Plans {
		if c.selects(p) {
			chosen = append(chosen, p)
		}
	}
	if c.Shard.N < 2 {
		return chosen
	}
	// Every N-th, rather than a block: neighbours are of one area and equally slow.
	var part []*plan.Plan
	for i := c.Shard.I - 1; i < len(chosen); i += c.Shard.N {
		part = append(part, chosen[i])
	}
	return part
}

func (c *Config) selects(p *plan.Plan) bool {
	id := p.Header.ID
	any := func(globs []string) bool {
		for _, g := range globs {
			if Match(g, id) {
				return true
			}
		}
		return false
	}
	if len(c.Cases) > 0 && !any(c.Cases) {
		return false
	}
	if len(c.Areas) > 0 {
		found := false
		for _, a := range c.Areas {
			found = found || a == check.Area(id)
		}
		if !found {
			return false
		}
	}
	if len(c.Levels) > 0 {
		found := false
		for _, l := range c.Levels {
			found = found || l == p.Header.Levels[c.Profile]
		}
		if !found {
			return false
		}
	}
	return true
}

// Match reports whether a glob matches an id: as path.Match does, and ** stands for any run of characters.
func Match(glob, id string) bool {
	before, after, double := strings.Cut(glob, "**")
	if !double {
		ok, _ := path.Match(glob, id)
		return ok
	}
	for i := 0; i <= len(id); i++ {
		if ok, _ := path.Match(before, id[:i]); !ok {
			continue
		}
		after := strings.TrimPrefix(after, "/")
		for j := i; j <= len(id); j++ {
			if Match(after, id[j:]) {
				return true
			}
		}
	}
	return false
}

// ExitCode is the command's exit code for the error of a run: 0 ok, 1 failed, 2 usage or nothing matched, 3 a target,
// 4 the harness, 5 a need of a simulation was missed, 130 interrupted.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUsage), errors.Is(err, ErrNothing):
		return 2
	case errors.Is(err, context.Canceled):
		return 130
	case errors.Is(err, ErrTarget):
		return 3
	case errors.Is(err, ErrFailed):
		return 1
	case errors.Is(err, ErrNeed):
		return 5
	default:
		return 4
	}
}
