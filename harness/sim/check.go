package sim

import (
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

// ErrConfig is what Check wraps; ErrPanic what Run returns when a core has panicked: with the same configuration it does so
// again.
var (
	ErrConfig = errors.New("simulation")
	ErrPanic  = errors.New("simulation: a node broke an invariant of its own")
)

// maxShards is more than any machine has processors.
const maxShards = 256

// Check says what is wrong with a configuration: a wrapped ErrConfig that names the field.
func (c Config) Check() error {
	if err := c.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

func (c *Config) check() error {
	switch {
	case c.Nodes < 1 || c.Nodes > MaxNodes:
		return fmt.Errorf("Config.Nodes: %d, want 1 to %d", c.Nodes, MaxNodes)
	case len(c.IDs) != 0 && len(c.IDs) != c.Nodes:
		return fmt.Errorf("Config.IDs: %d, want none or as many as Nodes, %d", len(c.IDs), c.Nodes)
	case c.Shards < 0 || c.Shards > maxShards:
		return fmt.Errorf("Config.Shards: %d, want 0 (one a processor) to %d", c.Shards, maxShards)
	case c.Seeds < 0:
		return fmt.Errorf("Config.Seeds: %d, want 0 (the default) or more", c.Seeds)
	case c.Clients > One:
		return fmt.Errorf("Config.Clients: %d parts per million are more than all", c.Clients)
	case c.For < 0 || c.Sample < 0:
		return errors.New("Config.For or Config.Sample: a time is negative")
	case c.Growth.First < 0 || c.Growth.Batch < 0 || c.Growth.Every < 0:
		return errors.New("Config.Growth: a number is negative")
	case c.Growth.First > 0 && c.Growth.First < c.Nodes && c.Growth.Every == 0:
		return errors.New("Growth.Every: 0, want the time between two batches")
	case c.Kad.FilterRecords || c.Kad.ManualInserts:
		return errors.New("Config.Kad: FilterRecords and ManualInserts wait for an application, and a simulated node has none")
	case c.Links.Dial > 10:
		return fmt.Errorf("Links.Dial: %d round trips, want 10 at most", c.Links.Dial)
	}
	if err := c.Kad.Check(); err != nil {
		return fmt.Errorf("Config.Kad: %w", err)
	}
	for _, p := range c.Trace {
		if int(p) < 1 || int(p) > c.Nodes {
			return fmt.Errorf("Config.Trace: there is no node %d, want 1 to %d", p, c.Nodes)
		}
	}
	links, err := newLinks(c)
	if err != nil {
		return err
	}
	if timeout := c.kademlia(kad.ModeServer).PeerTimeout; timeout < links.least() {
		return fmt.Errorf("Kad.PeerTimeout: %d ns is less than the shortest delay, %d ns", timeout, links.least())
	}
	if _, err = newSessions(c); err != nil {
		return err
	}
	return checkFoes(c)
}
