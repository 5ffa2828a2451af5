package network

import (
	"errors"
	"fmt"
	"time"

	"github.com/kadbench/kadbench/harness/sim"
)

// ErrConfig is wrapped by every complaint of Config.Check.
var ErrConfig = errors.New("network")

// Config of a network that is built, loaded and measured. It lacks Kinds, Nodes and Load.
type Config struct {
	Kinds   []Kind // the nodes are of these in turn
	Nodes   int
	Seed    uint64  // of identities, of who knows whom at first, of who is asked, and of chance
	Clients sim.PPM // share of the nodes
	Seeds   int     // nodes that never leave and by which the others come in; 0: 8, or all if there are fewer
	Growth  sim.Growth

	Node Spec // of each node, but for Seed and Server
	Mem  bool // in memory, without sockets; Node.Delay is that of its links

	Churn  sim.Churn
	Faults []Fault
	Load   sim.Schedule // times count from when the first nodes have joined; nil: nothing is asked

	For      time.Duration // how long operations begin
	Sample   time.Duration // of the time series; 0: a twentieth of For, a second at least
	Deadline time.Duration // of an operation; 0: 60 s
	Settle   time.Duration // rest between joining and load; 0: none
	Profile  bool          // tell where processor time goes; one network at a time, and not in a bubble of testing/synctest

	Watch sim.Observer // of Row, Sample and Progress; each is called from one goroutine at a time
}

// FaultKind is what happens to a share of the nodes.
type FaultKind uint8

const (
	Crash  FaultKind = iota // they are gone at At, and are back at Until if that is set
	Silent                  // from At on they accept everything and answer nothing
	Slow                    // from At on they answer just before their asker gives up
)

// Fault is one such event. Seeds are never hit.
type Fault struct {
	Kind      FaultKind
	Share     sim.PPM
	At, Until time.Duration
}

const (
	// maxNodes in one process: each has some hundred goroutines and some megabytes, so that a thousand want gigabytes.
	maxNodes = 1000
	// lateBy is how late a slow node answers: both implementations give a request up after 10 s.
	lateBy = 9 * time.Second
	// defaultDeadline is that of a query of kad.
	defaultDeadline = 60 * time.Second
	defaultSeeds    = 8
)

func (c Config) withDefaults() Config {
	if c.Seeds == 0 {
		c.Seeds = defaultSeeds
	}
	c.Seeds = min(c.Seeds, c.Nodes)
	if c.Sample == 0 {
		c.Sample = max(c.For/20, time.Second)
	}
	if c.Deadline == 0 {
		c.Deadline = defaultDeadline
	}
	if c.Growth.First == 0 {
		c.Growth.First = c.Nodes
	}
	c.Growth.First = min(c.Growth.First, c.Nodes)
	c.Growth.Batch = max(c.Growth.Batch, 1)
	return c
}

// Check says what is wrong with a configuration, or what this machine cannot carry.
func (c Config) Check() error {
	if err := c.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

func (c Config) check() error {
	switch {
	case len(c.Kinds) == 0:
		return errors.New("Config.Kinds: nobody's nodes")
	case c.Nodes < 2 || c.Nodes > maxNodes:
		return fmt.Errorf("Config.Nodes: %d, expected 2 to %d", c.Nodes, maxNodes)
	case c.Clients >= sim.One:
		return errors.New("Config.Clients: all, and nobody would answer")
	case c.Seeds < 0:
		return fmt.Errorf("Config.Seeds: %d, expected 0 (the default) or more", c.Seeds)
	case c.For < 0 || c.Sample < 0 || c.Deadline < 0 || c.Settle < 0:
		return errors.New("Config.For, Sample, Deadline or Settle: a time is negative")
	case c.Growth.First > 0 && c.Growth.First < c.Nodes && c.Growth.Every <= 0:
		return errors.New("Config.Growth.Every: expected the time between two batches")
	case c.Churn.Kind == sim.Trace:
		return fmt.Errorf("Config.Churn: %w: recorded sessions", ErrUnsupported)
	case c.Churn.Kind != sim.NoChurn && c.Churn.Median <= 0:
		return errors.New("Config.Churn.Median: expected the median of a session")
	case c.Node.Host != nil || c.Node.Port != 0:
		return errors.New("Config.Node: a host, or a port, is one node's")
	case c.Mem && c.Node.Transport != "":
		return fmt.Errorf("Config.Node.Transport: %q, and Mem has no sockets", c.Node.Transport)
	}
	for _, f := range c.Faults {
		if f.Share > sim.One || f.At < 0 || f.Until != 0 && f.Until <= f.At || f.Until != 0 && f.Kind != Crash {
			return fmt.Errorf("Config.Faults: %d parts per million from %v until %v", f.Share, f.At, f.Until)
		}
	}
	for _, k := range c.Kinds {
		spec := c.Node
		if c.Mem {
			spec.Delay = 0 // that of the links
		}
		if can, ok := k.(interface{ check(Spec) error }); ok {
			if err := can.check(spec); err != nil {
				return err
			}
		}
		if _, apart := k.(processes); !apart {
			continue
		}
		if c.Mem {
			return fmt.Errorf("%s: %w: a process is on no network in memory", k.Name(), ErrUnsupported)
		}
		for _, f := range c.Faults {
			if f.Kind != Crash {
				return fmt.Errorf("%s: %w: a process answers as it does; crash alone is done to it", k.Name(), ErrUnsupported)
			}
		}
	}
	return c.checkFiles()
}

// connections is how many a node will have, its own and those of others, as they were counted in networks of 100, 300 and
// 1,000 nodes (84, 147 and 227 with go-libp2p-kad-dht), and never more than there are others.
func connections(nodes int) int { return min(nodes-1, 100+nodes/6) }

// checkFiles sees whether there are enough descriptors: over TCP each connection has one at both its ends, over QUIC a node
// has one or two. What a process opens is its own.
func (c Config) checkFiles() error {
	if c.Mem {
		return nil
	}
	have, ok := openFiles()
	if !ok {
		return nil
	}
	need := 0
	for i := range c.Nodes {
		switch _, apart := c.Kinds[i%len(c.Kinds)].(processes); {
		case apart:
			need += 4 // its pipes
		case c.Node.Transport == "quic":
			need += 4
		default:
			need += connections(c.Nodes) + 4
		}
	}
	if need > have {
		return fmt.Errorf("Config.Nodes: %d: they would need %d file descriptors, and this process may open %d (ulimit -n); expected fewer nodes, quic, or mem", c.Nodes, need, have)
	}
	return nil
}
