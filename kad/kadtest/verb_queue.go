package kadtest

import (
	"fmt"
	"strconv"
)

var verbQueue = verb{
	usage: "queue (print the messages that wait)",
	do: func(e *Env, a args) error {
		for i, m := range e.queue {
			e.printf("%d %s", i+1, e.describe(m))
		}
		return a.done(0)
	},
}

var verbDeliver = verb{
	usage: "deliver [N] [from=A] [to=B] (the first N messages, 1 if not said, of those that match)",
	do: func(e *Env, a args) error {
		return e.take(a, func(m message) { e.deliver(m) })
	},
}

var verbDrop = verb{
	usage: "drop [N] [from=A] [to=B] (messages are lost)",
	do: func(e *Env, a args) error {
		return e.take(a, func(m message) { e.printf("dropped %s", e.describe(m)) })
	},
}

// take gives the first messages that match to f and out of the queue.
func (e *Env) take(a args, f func(message)) error {
	n, from, to := 1, a.get("from", ""), a.get("to", "")
	if len(a.words) > 0 {
		v, err := strconv.Atoi(a.words[0])
		if err != nil {
			return fmt.Errorf("how many: %q: a whole number wanted", a.words[0])
		}
		n = v
	}
	var taken, left []message
	for _, m := range e.queue {
		match := (from == "" || m.from.Name == from) && (to == "" || m.to != nil && m.to.Name == to)
		if match && len(taken) < n {
			taken = append(taken, m)
		} else {
			left = append(left, m)
		}
	}
	e.queue = left
	for _, m := range taken {
		f(m)
	}
	return a.done(1)
}

// describe prints a message.
func (e *Env) describe(m message) string {
	to := e.names(m.from).Peer(m.cmd.Peer)
	return m.from.Name + "→" + to + ": " + e.names(m.from).Command(&m.cmd)
}
