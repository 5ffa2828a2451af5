package kadtest

import (
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

var verbAdvance = verb{
	usage: "advance DURATION (each node gets a Tick whenever its Wake says so; messages wait)",
	do:    func(e *Env, a args) error { return e.forward(a, func() error { return nil }) },
}

var verbRun = verb{
	usage: "run DURATION (as advance, and messages are delivered at once)",
	do:    func(e *Env, a args) error { return e.forward(a, e.stabilize) },
}

// forward moves the clock from one wake to the next, and does between them.
func (e *Env) forward(a args, between func() error) error {
	if len(a.words) != 1 {
		return fmt.Errorf("a duration wanted")
	}
	d, err := span("DURATION", a.words[0])
	if err != nil {
		return err
	}
	target := e.Now + kad.Time(d)
	if err := between(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		n := e.nextWake(target)
		if n == nil {
			break
		}
		if i == maxDeliveries {
			return fmt.Errorf("not at rest after %d ticks", maxDeliveries)
		}
		e.Now = max(e.Now, n.K.Wake())
		e.Step(n, kad.Input{Kind: kad.Tick}, false)
		if err := between(); err != nil {
			return err
		}
	}
	e.Now = target
	return a.done(1)
}

// nextWake is the node that wants to be woken first, by target at the latest.
func (e *Env) nextWake(target kad.Time) *Node {
	var first *Node
	for _, n := range e.nodes {
		if at := n.K.Wake(); n.state == up && at != 0 && at <= target && (first == nil || at < first.K.Wake()) {
			first = n
		}
	}
	return first
}
