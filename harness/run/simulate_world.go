package run

import (
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"time"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// From what a plan says of a simulated world to the configuration of one. Both hold integers alone, nanoseconds and parts
// per million, so nothing is rounded on the way, and what was not written (0) stays the default of the world.

// worldOf is the world of one point of a plan, with the settings of the command in place of the plan's.
func worldOf(p *plan.Plan, s *plan.Simulation, c *SimConfig) (sim.Config, error) {
	w := &s.World
	cfg := sim.Config{
		Seed: w.Seed, Nodes: w.Nodes, Shards: w.Shards,
		Clients: sim.PPM(w.Clients), Seeds: w.Seeds,
		Growth: sim.Growth{First: w.First, Batch: w.Batch, Every: timeOf(w.Every)},
		Sample: timeOf(w.Sample),
		Wire:   w.Wire || c.Wire,
		Trace:  c.Trace,
		IDs:    c.IDs,
	}
	if c.Seed != nil {
		cfg.Seed = *c.Seed
	}
	if c.Nodes != 0 {
		cfg.Nodes = c.Nodes
	}
	if c.Shards != 0 {
		cfg.Shards = c.Shards
	}
	if cfg.Shards == 0 { // as the world would, so that the log can say it
		cfg.Shards = min(runtime.GOMAXPROCS(0), cfg.Nodes)
	}
	if w.Tables == "grown" {
		cfg.Tables = sim.Grown
	}
	cfg.Growth.First = min(cfg.Growth.First, cfg.Nodes)
	cfg.Kad = coreOf(w)
	var err error
	if cfg.Links, err = linksOf(p, &s.Links); err != nil {
		return cfg, err
	}
	if cfg.Churn, err = churnOf(p, &s.Churn); err != nil {
		return cfg, err
	}
	for i := range s.Faults {
		if err := addFault(&cfg, p, &s.Faults[i]); err != nil {
			return cfg, err
		}
	}
	for _, l := range s.Loads {
		for _, m := range l.Mix {
			if int(m.Node) > cfg.Nodes {
				return cfg, fmt.Errorf("%s: load %s: node=%d, and there are %d", p.File, m.Kind, m.Node, cfg.Nodes)
			}
		}
	}
	cfg.For = timeOf(endOf(s, cfg.Nodes))
	if c.For != 0 {
		cfg.For = timeOf(c.For)
	}
	if cfg.Load, err = scheduleOf(s.Loads, cfg.Seed, cfg.For, c.For != 0); err != nil {
		return cfg, fmt.Errorf("%s: %w", p.File, err)
	}
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("%s: %w", p.File, err)
	}
	return cfg, nil
}

// timeOf is a time of a plan as one of the core: both count nanoseconds.
func timeOf(d time.Duration) kad.Duration { return kad.Duration(d) }

// coreOf is the configuration of each node: the preset, with what the plan says otherwise.
func coreOf(w *plan.World) kad.Config {
	cfg := kad.Current()
	switch w.Preset {
	case "classic":
		cfg = kad.Classic()
	case "amino":
		cfg = kad.Amino()
	}
	cfg.Mode = kad.ModeServer
	cfg.DisjointPaths = w.Disjoint
	for _, f := range []struct {
		to   *int
		said int
	}{{&cfg.K, w.K}, {&cfg.Alpha, w.Alpha}, {&cfg.BucketSize, w.Bucket}, {&cfg.EvictAfter, w.Evict}, {&cfg.Beta, w.Beta}} {
		if f.said != 0 {
			*f.to = f.said
		}
	}
	cfg.Beta = max(0, cfg.Beta) // off: all K must have answered, which the core calls 0
	for _, f := range []struct {
		to   *kad.Duration
		said time.Duration
	}{
		{&cfg.BootstrapInterval, w.Refresh}, {&cfg.ProbeInterval, w.Probe}, {&cfg.ReplicationInterval, w.Replication},
		{&cfg.PublicationInterval, w.Publication}, {&cfg.ProvideInterval, w.Provide}, {&cfg.RecordTTL, w.ExpiryRecord},
		{&cfg.ProviderTTL, w.ExpiryProvider}, {&cfg.ProviderAddrTTL, w.ExpiryAddress}, {&cfg.Patience, w.Patience},
		{&cfg.PeerTimeout, w.Timeout}, {&cfg.QueryTimeout, w.Deadline},
	} {
		if f.said != 0 {
			*f.to = timeOf(f.said)
		}
	}
	return cfg
}

func linksOf(p *plan.Plan, l *plan.Links) (sim.Links, error) {
	links := sim.Links{
		Low: timeOf(l.Low), High: timeOf(l.High), Jitter: timeOf(l.Jitter), Loss: sim.PPM(l.Loss), Unreachable: sim.PPM(l.Unreachable),
		Slow: sim.PPM(l.Slow), SlowBy: timeOf(l.SlowBy), Dial: l.Dial, DialTimeout: timeOf(l.DialTimeout), Idle: timeOf(l.Idle),
	}
	switch l.Kind {
	case "uniform":
		links.Kind = sim.Uniform
	case "regions":
		links.Kind = sim.Regions
		file, text := "fixtures/latency/"+l.Table+".table", []byte(nil)
		if l.Own {
			file, text = p.File+" @"+l.Table, []byte(textOf(p, l.Table))
		} else {
			var err error
			if text, err = fixtures.Latency(l.Table); err != nil {
				return links, fmt.Errorf("%s: %w", p.File, err)
			}
		}
		var err error
		if links.Table, err = sim.ParseLatencies(file, text); err != nil {
			return links, err
		}
	}
	return links, nil
}

// textOf is the plain text of a fixture; the parser has seen to it that it is there.
func textOf(p *plan.Plan, name string) string {
	if f := p.Fixtures[name]; f != nil {
		return f.Text
	}
	return ""
}

var sessionKinds = map[string]sim.SessionKind{
	"": sim.NoChurn, "exponential": sim.Exponential, "weibull": sim.Weibull, "lognormal": sim.LogNormal, "trace": sim.Trace,
}

func churnOf(p *plan.Plan, c *plan.Churn) (churn sim.Churn, err error) {
	churn = sim.Churn{Kind: sessionKinds[c.Kind], Median: timeOf(c.Median), Away: timeOf(c.Away), Shape: sim.PPM(c.Shape), Sigma: sim.PPM(c.Sigma)}
	if churn.Kind == sim.Trace {
		churn.Trace, err = sim.ParseSessions(p.File+" @"+c.Trace, []byte(textOf(p, c.Trace)))
	}
	return churn, err
}

var faultKinds = map[string]sim.FaultKind{"exit": sim.Exit, "crash": sim.Crash, "partition": sim.Partition, "loss": sim.Lossy}

var adversaryKinds = map[string]sim.AdversaryKind{
	"silent": sim.Silent, "slow": sim.Slow, "liar": sim.Liar, "poisoner": sim.Poisoner, "sybil": sim.Sybil, "eclipse": sim.Eclipse,
	"flooder": sim.Flooder,
}

func addFault(cfg *sim.Config, p *plan.Plan, f *plan.Fault) error {
	if !f.Adversary {
		cfg.Faults = append(cfg.Faults, sim.Fault{Kind: faultKinds[f.Kind], Share: sim.PPM(f.Share), At: timeOf(f.At), Until: timeOf(f.Until)})
		return nil
	}
	a := sim.Adversary{Kind: adversaryKinds[f.Kind], Share: sim.PPM(f.Share)}
	if f.Rate.Count != 0 { // the world counts whole requests a second: 90/m is two
		seconds := max(1, int(f.Rate.Per/time.Second))
		a.Rate = (f.Rate.Count + seconds - 1) / seconds
	}
	if f.Key != nil {
		var err error
		if a.Key, err = p.KeyBytes(f.Key); err != nil {
			return fmt.Errorf("%s: sybil: %w", p.File, err)
		}
	}
	cfg.Adversaries = append(cfg.Adversaries, a)
	return nil
}

// endOf is how long a plan has operations begin: until the last of its loads, its faults and its growth is over.
func endOf(s *plan.Simulation, nodes int) (end time.Duration) {
	for _, l := range s.Loads {
		lasts := l.For
		if lasts == 0 && l.Rate.Count > 0 { // until its count
			lasts = spanOfCount(l.Count, l.Rate)
		}
		end = max(end, l.From+lasts)
	}
	for _, f := range s.Faults {
		end = max(end, f.At, f.Until)
	}
	if g := s.World; g.First > 0 && g.First < nodes && g.Every > 0 {
		end = max(end, time.Duration((nodes-g.First+max(1, g.Batch)-1)/max(1, g.Batch))*g.Every)
	}
	return end
}

// spanOfCount is how long so many operations take at a rate, in integers: it decides how long a run lasts.
func spanOfCount(n uint64, r plan.Rate) time.Duration {
	hi, lo := bits.Mul64(n, uint64(r.Per))
	if hi >= uint64(r.Count) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(r.Count))
	return time.Duration(min(q, math.MaxInt64))
}

var opKinds = map[load.Kind]sim.OpKind{
	load.Lookup: sim.Lookup, load.Provide: sim.Provide, load.Find: sim.Find, load.Put: sim.Put, load.Get: sim.Get, load.Bootstrap: sim.Bootstrap,
}

// schedule is a load as a world asks for it: until end.
type schedule struct {
	load load.Schedule
	end  time.Duration
}

func (s *schedule) Next() (op sim.Operation, ok bool) {
	shot, ok := s.load.Next()
	if !ok || shot.Due > s.end {
		return op, false
	}
	return sim.Operation{At: timeOf(shot.Due), Kind: opKinds[shot.Op.Kind], Key: shot.Op.Key, Node: kad.Peer(shot.Op.Node)}, true
}

// scheduleOf is the loads of a plan, one beside the other. stretched says that the command chose the end: then what lasts
// for a time lasts until it.
func scheduleOf(loads []plan.Workload, seed uint64, end kad.Duration, stretched bool) (sim.Schedule, error) {
	cfg := load.Config{Seed: seed}
	for _, w := range loads {
		line := load.Line{Rate: rateOf(w.Rate), To: rateOf(w.To), From: w.From, For: w.For, Count: w.Count}
		if stretched && line.For != 0 {
			if line.For = time.Duration(end) - w.From; line.For <= 0 {
				continue
			}
		}
		if w.Poisson {
			line.Arrivals = load.Poisson
		}
		line.Mix = partsOf(w.Mix, nil)
		cfg.Lines = append(cfg.Lines, line)
	}
	if len(cfg.Lines) == 0 {
		return nil, nil
	}
	l, err := load.New(cfg)
	if err != nil {
		return nil, err
	}
	return &schedule{load: l, end: time.Duration(end)}, nil
}

func rateOf(r plan.Rate) load.Rate { return load.Rate{N: uint64(r.Count), Per: r.Per} }
