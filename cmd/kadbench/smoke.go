package main

import (
	"fmt"

	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/plans"
)

// smokeCmd is what the command does when it is given no verb: a first look at what it can do, in seconds, with nothing
// but what it carries in itself.
type smokeCmd struct {
	Out  string  `placeholder:"DIR" help:"Write the log there. Default: ${out}."`
	Seed *uint64 `help:"Seed of every identity and random byte. Default: a new one."`
	JSON bool    `help:"Print the summary as an object."`
}

func (s *smokeCmd) Run(a *app) error {
	ids, err := plans.Smoke()
	if err != nil {
		return err
	}
	c := checkCmd{filters: filters{Case: ids, Profile: "base"}, Out: s.Out, Seed: s.Seed, JSON: s.JSON, Repeat: 1, Jobs: run.DefaultJobs}
	if !s.JSON {
		fmt.Fprintf(a.stdout, "kadbench %s: %d smoke cases against the reference implementation (ref:)\n\n", version, len(c.Case))
	}
	return c.check(a, func() {
		if s.JSON {
			return
		}
		fmt.Fprintf(a.stdout, `
next:
  %[1]s check ref:               the whole suite
  %[1]s check addr:/ip4/…/p2p/…  the same against your own node
  %[1]s bench load/find-node     what an answer takes, on real sockets
  %[1]s sim sim/static-1k        a thousand nodes in simulated time
  %[1]s doctor                   what else can be checked here
`, self())
	})
}
