package network

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad"
)

// shots are operations of a load.
type shots struct{ *load.Load }

var opKinds = map[load.Kind]sim.OpKind{load.Lookup: sim.Lookup, load.Provide: sim.Provide, load.Find: sim.Find, load.Put: sim.Put,
	load.Get: sim.Get, load.Bootstrap: sim.Bootstrap}

func (s shots) Next() (op sim.Operation, ok bool) {
	shot, ok := s.Load.Next()
	return sim.Operation{At: kad.Duration(shot.Due), Kind: opKinds[shot.Op.Kind], Key: shot.Op.Key, Node: kad.Peer(shot.Op.Node)}, ok
}

func loadOf(t *testing.T, lines ...load.Line) shots {
	l, err := load.New(load.Config{Seed: 1, Lines: lines})
	require.NoError(t, err)
	return shots{l}
}

// seen is what an observer was told.
type seen struct {
	rows    []sim.Row
	samples []sim.Sample
}

func (s *seen) observer() sim.Observer {
	return sim.Observer{Row: func(r sim.Row) { s.rows = append(s.rows, r) }, Sample: func(p sim.Sample) { s.samples = append(s.samples, p) }}
}

// of are the rows of a kind.
func (s *seen) of(kind sim.OpKind) (rows []sim.Row) {
	for _, r := range s.rows {
		if r.Op.Kind == kind {
			rows = append(rows, r)
		}
	}
	return rows
}

func both(t *testing.T) (kinds []Kind) {
	for _, name := range Names() {
		k, err := Find(name)
		require.NoError(t, err)
		kinds = append(kinds, k)
	}
	return kinds
}

// inMemory runs a network in memory and virtual time, in which everything is 10 ms late.
func inMemory(t *testing.T, c Config) (s seen, res *Result) {
	synctest.Test(t, func(t *testing.T) {
		c.Mem, c.Node.Delay, c.Watch = true, 10*time.Millisecond, s.observer()
		var err error
		res, err = Run(t.Context(), c)
		require.NoError(t, err)
		require.NoError(t, res.Failed)
	})
	return s, res
}

// TestOperations: every kind of operation, in one network of both implementations.
func TestOperations(t *testing.T) {
	second := load.Rate{N: 4, Per: time.Second}
	s, res := inMemory(t, Config{Kinds: both(t), Nodes: 10, Seed: 3, Clients: 200_000, Seeds: 3, For: 10 * time.Second, Settle: time.Second,
		Load: loadOf(t,
			load.Line{Rate: second, For: 5 * time.Second, Mix: []load.Part{{Kind: load.Provide, Keys: load.Keys{Of: 10}}, {Kind: load.Put, Keys: load.Keys{Of: 10}}}},
			load.Line{Rate: second, From: 2 * time.Second, For: 8 * time.Second, Mix: []load.Part{{Kind: load.Find, Keys: load.Keys{Published: true, Lag: time.Second}},
				{Kind: load.Get, Keys: load.Keys{Published: true, Lag: time.Second}}, {Kind: load.Lookup}}},
			load.Line{Count: 1, From: 9 * time.Second, Mix: []load.Part{{Kind: load.Bootstrap, Node: 2}}})})
	sum := uint32(0)
	for kind, name := range []string{"lookup", "provide", "find", "put", "get", "bootstrap"} {
		rows := s.of(sim.OpKind(kind))
		assert.NotEmpty(t, rows, name)
		for _, r := range rows {
			assert.True(t, r.OK && !r.TimedOut && !r.Censored, "%s: %+v", name, r)
			assert.Positive(t, r.Requests, name)
			assert.Zero(t, r.Failed, name)
			assert.Positive(t, r.Took, name)
			assert.GreaterOrEqual(t, r.Began, r.Op.At, name)
			sum += r.Requests
		}
	}
	for _, r := range s.of(sim.Lookup) {
		assert.Positive(t, r.Sought)
		assert.Equal(t, r.Sought, r.True)
	}
	for _, r := range s.of(sim.Find) {
		assert.LessOrEqual(t, r.First, r.Took)
	}
	assert.EqualValues(t, 2, s.of(sim.Bootstrap)[0].Node)
	assert.GreaterOrEqual(t, res.Sent, uint64(sum))
	assert.Len(t, res.Versions, 2)
	assert.Len(t, s.samples, 10)
	last := s.samples[9]
	assert.Equal(t, 10, last.Up)
	assert.Zero(t, last.Dead)
	assert.Zero(t, last.Missing)
	assert.InDelta(t, 7, last.Entries, 2) // clients are in nobody's table
	assert.Positive(t, res.Cost.Connections)
	assert.Positive(t, res.Cost.Goroutines)
	assert.Positive(t, res.Cost.Entries)
	assert.InDelta(t, 10, time.Duration(res.Until).Seconds(), 1)
}

// TestGrowth: who joins later is there from then on, and is found.
func TestGrowth(t *testing.T) {
	s, _ := inMemory(t, Config{Kinds: both(t), Nodes: 9, Seed: 1, Seeds: 2, Growth: sim.Growth{First: 3, Batch: 2, Every: kad.Duration(2 * time.Second)},
		For: 10 * time.Second, Sample: time.Second, Load: loadOf(t, load.Line{Rate: load.Rate{N: 2}, For: 10 * time.Second, Mix: []load.Part{{Kind: load.Lookup}}})})
	var up []int
	for _, p := range s.samples {
		up = append(up, p.Up)
	}
	assert.Equal(t, []int{3, 5, 7, 9}, []int{up[0], up[2], up[4], up[9]}) // at 2 s, 4 s and 6 s some are on their way
	assert.IsIncreasing(t, slices.Compact(up))
	assert.Equal(t, 8, s.of(sim.Lookup)[len(s.rows)-1].Sought)
}

// TestFaults: the crashed are gone, and come back; the silent are asked and do not answer.
func TestFaults(t *testing.T) {
	t.Run("crash", func(t *testing.T) {
		s, res := inMemory(t, Config{Kinds: both(t), Nodes: 12, Seed: 1, Seeds: 2, For: 40 * time.Second, Sample: 5 * time.Second,
			Faults: []Fault{{Kind: Crash, Share: 400_000, At: 11 * time.Second, Until: 26 * time.Second}},
			Load:   loadOf(t, load.Line{Rate: load.Rate{N: 2}, For: 40 * time.Second, Mix: []load.Part{{Kind: load.Lookup}}})})
		assert.Equal(t, 12, s.samples[1].Up)
		assert.Less(t, s.samples[3].Up, 12)
		assert.Equal(t, 12, s.samples[len(s.samples)-1].Up)
		assert.Less(t, res.Unfinished, 5)
		late := s.rows[len(s.rows)-1]
		assert.Equal(t, 11, late.Sought)
	})
	t.Run("silent", func(t *testing.T) {
		s, res := inMemory(t, Config{Kinds: both(t), Nodes: 12, Seed: 1, Seeds: 2, For: 20 * time.Second,
			Faults: []Fault{{Kind: Silent, Share: 400_000, At: 5 * time.Second}},
			Load:   loadOf(t, load.Line{Rate: load.Rate{N: 1}, For: 20 * time.Second, Mix: []load.Part{{Kind: load.Lookup}}})})
		assert.Positive(t, res.Lost)
		failed, longest := uint32(0), kad.Duration(0)
		for _, r := range s.rows {
			failed += r.Failed
			longest = max(longest, r.Took)
		}
		assert.Positive(t, failed)
		assert.Greater(t, longest, kad.Duration(time.Second), "somebody has waited")
	})
	t.Run("slow", func(t *testing.T) {
		s, res := inMemory(t, Config{Kinds: both(t)[1:], Nodes: 6, Seed: 1, Seeds: 1, For: 5 * time.Second,
			Faults: []Fault{{Kind: Slow, Share: sim.One}},
			Load:   loadOf(t, load.Line{Count: 3, From: time.Second, For: 3 * time.Second, Mix: []load.Part{{Kind: load.Lookup, Node: 1}}})})
		assert.Less(t, 2*res.Lost, res.Sent, "a lookup that has come to its end lets go of the few requests that would be answered at that very moment")
		for _, r := range s.rows {
			assert.True(t, r.OK)
			assert.Greater(t, r.Took, kad.Duration(lateBy))
		}
	})
}

// TestChurn: nodes come and go, and their operations end with them.
func TestChurn(t *testing.T) {
	s, res := inMemory(t, Config{Kinds: both(t), Nodes: 12, Seed: 2, Seeds: 3, For: time.Minute, Sample: time.Second,
		Churn: sim.Churn{Kind: sim.Exponential, Median: kad.Duration(10 * time.Second), Away: kad.Duration(5 * time.Second)},
		Load:  loadOf(t, load.Line{Rate: load.Rate{N: 5}, For: time.Minute, Mix: []load.Part{{Kind: load.Lookup}}})})
	counts := map[int]bool{}
	for _, p := range s.samples {
		counts[p.Up] = true
		assert.GreaterOrEqual(t, p.Up, 3)
	}
	assert.Greater(t, len(counts), 2, "nobody came or went")
	ok := 0
	for _, r := range s.rows {
		if r.OK {
			ok++
		}
	}
	assert.Greater(t, ok, len(s.rows)*8/10)
	assert.Positive(t, res.Sent)
}

// TestInterrupted: what there is of a network that is broken off is told.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var s seen
		c := Config{Kinds: both(t), Nodes: 4, Seed: 1, Mem: true, For: time.Hour, Watch: s.observer(),
			Load: loadOf(t, load.Line{Rate: load.Rate{N: 10}, For: time.Hour, Mix: []load.Part{{Kind: load.Lookup}}})}
		var once sync.Once
		c.Watch.Row = func(sim.Row) { once.Do(func() { time.AfterFunc(10*time.Second, cancel) }) }
		res, err := Run(ctx, c)
		require.NoError(t, err)
		assert.True(t, res.Stopped)
		assert.Less(t, res.Until, kad.Duration(time.Minute))
		_, err = Run(ctx, c)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// TestProcessNetwork has nodes behind the lines of the control protocol, on sockets.
func TestProcessNetwork(t *testing.T) {
	f, err := target.Parse("p=ref:")
	require.NoError(t, err)
	var s seen
	c := Config{Kinds: []Kind{Process(f)}, Nodes: 5, Seed: 1, For: time.Second, Profile: true, Watch: s.observer(),
		Load: loadOf(t, load.Line{Count: 10, For: time.Second, Mix: []load.Part{{Kind: load.Lookup}}})}
	res, err := Run(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, res.Failed)
	require.Len(t, s.rows, 10)
	for _, r := range s.rows {
		assert.True(t, r.OK)
		assert.Equal(t, 4, r.True)
		assert.True(t, r.Blind, "nobody has counted its requests")
	}
	assert.InDelta(t, 4, res.Cost.Entries, 0.1)
	res.Cost.Entries = 0
	assert.Equal(t, record.NodeCost{}, res.Cost, "what this process takes is not theirs, and these do not tell what they take")
	assert.Zero(t, res.Heap+res.PeakRSS+res.Sent+res.Events)
	assert.Zero(t, s.samples[0].Events)
}

// TestMixedCost: of nodes in this process and in others, connections are those of the ones in this. Its memory and
// goroutines are for both, and its dials and requests are not all there were.
func TestMixedCost(t *testing.T) {
	f, err := target.Parse("p=ref:")
	require.NoError(t, err)
	var s seen
	c := Config{Kinds: []Kind{both(t)[0], Process(f)}, Nodes: 6, Seed: 1, Settle: 100 * time.Millisecond, Profile: true, Watch: s.observer(),
		For: 100 * time.Millisecond, Load: loadOf(t, load.Line{Count: 20, For: 100 * time.Millisecond, Mix: []load.Part{{Kind: load.Lookup}}})}
	res, err := Run(t.Context(), c)
	require.NoError(t, err)
	assert.Greater(t, res.Cost.Connections, 4.0, "nearly each to each other")
	assert.InDelta(t, 5, res.Cost.Entries, 0.1)
	res.Cost.Connections, res.Cost.Entries = 0, 0
	assert.Equal(t, record.NodeCost{}, res.Cost)
	assert.Zero(t, res.Heap+res.PeakRSS+res.Sent+res.Events)
	blind := map[bool]int{}
	for _, r := range s.rows {
		blind[r.Blind]++
		assert.Equal(t, r.Node%2 == 0, r.Blind, "every second node is a process")
	}
	assert.Len(t, blind, 2)
}

func TestConfigCheck(t *testing.T) {
	good := Config{Kinds: both(t), Nodes: 10}
	require.NoError(t, good.Check())
	f, err := target.Parse("p=ref:")
	require.NoError(t, err)
	for want, change := range map[string]func(*Config){
		"Config.Kinds":         func(c *Config) { c.Kinds = nil },
		"Config.Nodes: 1":      func(c *Config) { c.Nodes = 1 },
		"Config.Nodes: 100000": func(c *Config) { c.Nodes = 100_000 },
		"Config.Clients":       func(c *Config) { c.Clients = sim.One },
		"Config.Seeds":         func(c *Config) { c.Seeds = -1 },
		"a time is negative":   func(c *Config) { c.For = -1 },
		"Growth.Every":         func(c *Config) { c.Growth.First = 3 },
		"recorded sessions":    func(c *Config) { c.Churn.Kind = sim.Trace },
		"Churn.Median":         func(c *Config) { c.Churn.Kind = sim.Weibull },
		"one node's":           func(c *Config) { c.Node.Port = 7 },
		"no sockets":           func(c *Config) { c.Mem, c.Node.Transport = true, "tcp" },
		"Config.Faults":        func(c *Config) { c.Faults = []Fault{{Kind: Silent, Share: 1, At: 1, Until: 2}} },
		"over quic":            func(c *Config) { c.Node.Transport, c.Node.Delay = "quic", time.Millisecond },
		"10 s, which no":       func(c *Config) { c.Node.Timeout = time.Second },
		"network in memory":    func(c *Config) { c.Kinds, c.Mem = []Kind{Process(f)}, true },
		"crash alone": func(c *Config) {
			c.Kinds, c.Faults = []Kind{Process(f)}, []Fault{{Kind: Silent, Share: 1}}
		},
	} {
		c := good
		change(&c)
		err := c.Check()
		require.ErrorIs(t, err, ErrConfig, want)
		require.ErrorContains(t, err, want)
	}
}

// TestFailedStart: what cannot be started takes down what has begun.
func TestFailedStart(t *testing.T) {
	broken := kind{name: "broken", create: func(context.Context, Spec, *countingHost) (Node, error) { return nil, errors.New("no") }}
	_, err := Run(t.Context(), Config{Kinds: []Kind{both(t)[0], broken}, Nodes: 3})
	require.ErrorContains(t, err, "node 2: broken: no")
}
