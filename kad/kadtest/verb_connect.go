package kadtest

import "fmt"

var verbConnect = verb{
	usage: "connect A B… (A dials each B)",
	do: func(e *Env, a args) error {
		return e.pairs(a, func(from, to *Node) error {
			if !e.dial(from, to) {
				e.printf("%s cannot dial %s", from.Name, to.Name)
			}
			return nil
		})
	},
}

var verbDisconnect = verb{
	usage: "disconnect A B…",
	do: func(e *Env, a args) error {
		return e.pairs(a, func(from, to *Node) error {
			e.hangup(from, to)
			return nil
		})
	},
}

// pairs calls do for the first node of a line with each of the others.
func (e *Env) pairs(a args, do func(from, to *Node) error) error {
	if len(a.words) < 2 {
		return fmt.Errorf("two nodes wanted")
	}
	from, err := e.Node(a.words[0])
	if err != nil {
		return err
	}
	return e.each(a.words[1:], func(to *Node) error { return do(from, to) })
}
