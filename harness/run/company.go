package run

import (
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/target"
)

// company are the puppets which the cases that seat share on an address. Its table cannot be emptied between two cases:
// were the puppets of each case new ones, dead peers would fill its buckets within a few cases, and no later one could be
// seated. So S1 of one case is S1 of the next, with the same identity and addresses, and stays connected meanwhile; to a
// case that does not name it, it is a stranger. Cases which seat go one at a time, so each has the company for itself.
// The next run has the same company too, whatever its seed: a target which keeps its dead for hours meets old
// acquaintances, and not a new crowd each time.
type company struct {
	cast   *Cast
	guests map[string]*guest

	unseated bool // somebody was not admitted
}

// guest is one of them.
type guest struct {
	Identity
	puppet *target.Puppet // made by the first case that needs it
}

func newCompany(id peer.ID) *company {
	return &company{cast: NewCast(0, "(company)", sha256.Sum256([]byte(id))), guests: map[string]*guest{}}
}

// takes says whether the peers of a line are seated as they are: serving, with no wish of their own.
func (c *company) takes(p *plan.Plan, d *plan.PeerDecl) bool {
	if d.Kind != "serving" || len(d.Params) > 0 {
		return false
	}
	seated := false
	p.All(func(l *plan.Line) {
		s, ok := l.Stmt.(plan.Seat)
		seated = seated || ok && slices.ContainsFunc(d.Group, func(name string) bool { return slices.Contains(s.Peers, name) })
	})
	return seated
}

// join finds the guests of these names, and casts those who are new.
func (c *company) join(names []string) ([]*guest, error) {
	var all []*guest
	for _, name := range names {
		g := c.guests[name]
		if g == nil {
			ids, err := c.cast.Choose([]string{name}, Wish{CPL: -1, Limit: CompanyLimit, Fixed: true})
			if err != nil {
				return nil, err
			}
			g = &guest{Identity: ids[0]}
			c.guests[name] = g
		}
		all = append(all, g)
	}
	return all, nil
}

// close ends their puppets. A nil company has none.
func (c *company) close() {
	if c == nil {
		return
	}
	var ended sync.WaitGroup
	for _, g := range c.guests {
		if g.puppet != nil {
			ended.Go(func() { g.puppet.Close() })
		}
	}
	ended.Wait()
}
