package kadtest

import "fmt"

// maxDeliveries bounds a stabilize: a script that needs more does not end.
const maxDeliveries = 100_000

var verbStabilize = verb{
	usage: "stabilize (deliver until nothing waits; time stands still)",
	do: func(e *Env, a args) error {
		if err := e.stabilize(); err != nil {
			return err
		}
		return a.done(0)
	},
}

func (e *Env) stabilize() error {
	for i := 0; len(e.queue) > 0; i++ {
		if i == maxDeliveries {
			return fmt.Errorf("not stable after %d deliveries", maxDeliveries)
		}
		m := e.queue[0]
		e.queue = e.queue[1:]
		e.deliver(m)
	}
	return nil
}
