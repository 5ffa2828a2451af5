package run

import (
	"cmp"
	"fmt"
	"time"

	"github.com/kadbench/kadbench/harness/bench"
	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/harness/plan"
)

// From what a plan says of a load on sockets to the configuration of one.

// defaultRate of a line that becomes open without saying how fast, as a search for the highest rate begins.
var defaultRate = plan.Rate{Count: 1000, Per: time.Second}

var reuses = map[string]bench.Reuse{"": bench.Streams, "streams": bench.Streams, "connections": bench.Connections, "nothing": bench.Nothing}

// loadOf is the load of a point, without the server.
func (c *BenchConfig) loadOf(p benchPoint) (bench.Config, error) {
	w := p.world.World
	cfg := bench.Config{Transport: w.Transport, Security: w.Security, Timeout: w.Timeout, Judge: w.Check, Connections: c.Connections, Streams: c.Streams,
		Sizes: map[load.Kind]int{}}
	cfg.Load.Seed = p.seed
	if len(p.world.Loads) == 0 {
		return cfg, fmt.Errorf("it has no load line")
	}
	for _, l := range p.world.Loads {
		cfg.Warmup = max(cfg.Warmup, cmp.Or(c.Warmup, l.Warmup))
		cfg.Closed = l.Closed && c.Rate.Count == 0
		if cfg.Connections == 0 {
			cfg.Connections = l.Connections
		}
		if cfg.Streams == 0 {
			cfg.Streams = l.Streams
		}
		cfg.Reuse = max(cfg.Reuse, reuses[l.Reuse])
	}
	for _, l := range p.world.Loads {
		line := load.Line{Rate: rateOf(l.Rate), To: rateOf(l.To), From: l.From, For: cmp.Or(c.For, l.For), Count: l.Count}
		if c.Rate.Count != 0 {
			line.Rate, line.To, line.Count = rateOf(c.Rate), load.Rate{}, 0
		}
		if line.For == 0 && line.Rate.N != 0 { // so many at a rate
			line.For = time.Duration(float64(line.Count) / float64(line.Rate.N) * float64(cmp.Or(line.Rate.Per, time.Second)))
		}
		cfg.Span = max(cfg.Span, line.From+line.For)
		if l.Poisson {
			line.Arrivals = load.Poisson
		}
		line.Mix = partsOf(l.Mix, cfg.Sizes)
		cfg.Load.Lines = append(cfg.Load.Lines, warmed(line, cfg.Warmup)...)
	}
	if cfg.Closed { // its lines only say what is asked
		for i := range cfg.Load.Lines {
			cfg.Load.Lines[i] = load.Line{Count: 1, Mix: cfg.Load.Lines[i].Mix}
		}
	}
	return cfg, nil
}

// warmed is a line after so long a time under the rate that it begins with. One of a constant rate is simply longer; one
// that changes has a line before it, with keys of its own.
func warmed(l load.Line, by time.Duration) []load.Line {
	switch {
	case by == 0:
		return []load.Line{l}
	case l.From == 0 && l.To == (load.Rate{}) && l.Rate != (load.Rate{}) && l.Count == 0:
		l.For += by
		return []load.Line{l}
	}
	before := l
	before.From, before.For, before.To, before.Count = 0, by, load.Rate{}, 0
	before.Mix = nil
	for _, p := range l.Mix {
		if p.Keys.Of == 0 {
			p.Keys.First = 1 << 40
		}
		before.Mix = append(before.Mix, p)
	}
	l.From += by
	if before.Rate.N == 0 {
		return []load.Line{l}
	}
	return []load.Line{before, l}
}

func partsOf(mix []plan.Part, sizes map[load.Kind]int) (parts []load.Part) {
	for _, m := range mix {
		keys := load.Keys{Of: m.Keys, Published: m.Published, Lag: m.Lag, Skew: m.Skew, Share: m.Share, HotOf: m.HotOf}
		switch m.Key {
		case "zipf":
			keys.Order = load.Zipf
		case "hot":
			keys.Order = load.Hot
		}
		parts = append(parts, load.Part{Kind: load.Kind(m.Kind), Weight: m.Weight, Keys: keys, Node: m.Node})
		if m.Size != 0 { // of requests alone
			sizes[load.Kind(m.Kind)] = m.Size
		}
	}
	return parts
}
