package kadtest

var verbStop = verb{
	usage: "stop A… (its connections are closed; dials to it fail at once)",
	do: func(e *Env, a args) error {
		return e.each(a.words, func(n *Node) error {
			n.state = stopped
			for len(n.links) > 0 {
				e.hangup(n, n.links[0])
			}
			return nil
		})
	},
}

var verbKill = verb{
	usage: "kill A… (it vanishes without a word: whatever is sent to it is lost, and so are dials)",
	do: func(e *Env, a args) error {
		return e.each(a.words, func(n *Node) error {
			n.state = dead
			return nil
		})
	},
}
