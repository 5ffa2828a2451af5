package kadtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// World is a network for properties that are too large for a script: nodes that are made, connected and asked from Go,
// messages that take a time drawn from a seed, and the events of each node for the asking. As in a script, lent memory
// is poisoned after each Step and one Output serves all nodes.
type World struct {
	env *Env
	rng *rand.Rand
	t   testing.TB
	// MinDelay and MaxDelay bound how long each message takes; zero: none. A dial takes as long as its message.
	MinDelay, MaxDelay kad.Duration
	// Cut, if set, says between whom nothing passes: messages and dials are lost, as if the other were dead.
	Cut func(a, b *Node) bool
	// Stepped, if set, is called after each Step, with the node that was stepped.
	Stepped func(n *Node)

	events map[*Node][]kad.Event
}

// maxWorldSteps bounds one Run: a world that needs more does not come to rest.
const maxWorldSteps = 5_000_000

// NewWorld makes an empty world. What happens in it depends on the seed and on the calls alone.
func NewWorld(t testing.TB, seed uint64) *World {
	w := &World{env: NewEnv(), rng: rand.New(rand.NewPCG(seed, 0)), t: t, events: map[*Node][]kad.Event{}}
	w.env.level = "none"
	w.env.delay = func() kad.Duration {
		if w.MaxDelay <= w.MinDelay {
			return w.MinDelay
		}
		return w.MinDelay + w.rng.Int64N(w.MaxDelay-w.MinDelay)
	}
	w.env.cut = func(a, b *Node) bool { return w.Cut != nil && w.Cut(a, b) }
	w.env.heard = func(n *Node, ev *kad.Event) { w.events[n] = append(w.events[n], cloneEvent(*ev)) }
	w.env.stepped = func(n *Node) {
		if w.Stepped != nil {
			w.Stepped(n)
		}
	}
	return w
}

// TB is the test that the world belongs to.
func (w *World) TB() testing.TB { return w.t }

// Hold puts a record into a node's store by hand, as if somebody had stored it there, without an end.
func (w *World) Hold(n *Node, r kad.Record) {
	v := w.Record(r)
	require.NoError(w.t, n.K.Store().Put(kad.StoredRecord{Record: v.Record(), Rank: v.Rank()}))
}

// Now is the time of the world.
func (w *World) Now() kad.Time { return w.env.Now }

// Rand is the world's source of chance.
func (w *World) Rand() *rand.Rand { return w.rng }

// Nodes are all nodes, in the order in which they were added.
func (w *World) Nodes() []*Node { return w.env.nodes }

// Add makes nodes of one configuration, which listen and have names of their own. What a node does by itself is as
// configured: see Quiet.
func (w *World) Add(count int, cfg kad.Config) []*Node {
	first := len(w.env.nodes)
	for range count {
		i := len(w.env.nodes)
		require.NoError(w.t, w.env.add(fmt.Sprintf("n%d", i), "", "", cfg))
	}
	return w.env.nodes[first:len(w.env.nodes):len(w.env.nodes)]
}

// Quiet is a server's configuration without any jobs: it does nothing unless it is asked.
func Quiet() kad.Config {
	return kad.Config{
		Mode:                kad.ModeServer,
		ReplicationInterval: -1, PublicationInterval: -1, ProvideInterval: -1,
		BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1, EvictAfter: -1,
	}
}

// Connect lets a node dial others.
func (w *World) Connect(from *Node, to ...*Node) {
	for _, n := range to {
		require.True(w.t, w.env.dial(from, n), "%s cannot dial %s", from.Name, n.Name)
	}
}

// Disconnect ends the connection of two nodes, if there is one.
func (w *World) Disconnect(a, b *Node) { w.env.hangup(a, b) }

// Know tells a node the addresses of others, without a connection.
func (w *World) Know(n *Node, others ...*Node) {
	for _, other := range others {
		w.Do(n, kad.Input{Kind: kad.OpAddAddress, Peer: info(other), Addr: other.Addr})
	}
}

// Kill lets nodes vanish without a word: what is sent to them is lost, and so are dials.
func (w *World) Kill(nodes ...*Node) {
	for _, n := range nodes {
		n.state = dead
	}
}

// Stop closes the connections of nodes; dials to them fail at once.
func (w *World) Stop(nodes ...*Node) {
	for _, n := range nodes {
		n.state = stopped
		for len(n.links) > 0 {
			w.env.hangup(n, n.links[0])
		}
	}
}

// Resume lets nodes that were killed or stopped go on with what they knew, as a machine does that was asleep. Those with whom
// they were connected are told nothing; the connections are gone.
func (w *World) Resume(nodes ...*Node) {
	for _, n := range nodes {
		n.state = up
	}
	for _, n := range nodes {
		for len(n.links) > 0 {
			w.env.hangup(n, n.links[0])
		}
	}
}

// Do steps a node with an input and returns what it says at once.
func (w *World) Do(n *Node, in kad.Input) Result { return w.env.Step(n, in, false) }

// Record is a Valid as the world's validator gives it, see Seq.
func (w *World) Record(r kad.Record) kad.Valid {
	v, err := kad.Validate(w.env.valid, r, w.env.Now)
	require.NoError(w.t, err)
	return v
}

// Events takes the events of a node since the last call: copies, which may be kept.
func (w *World) Events(n *Node) []kad.Event {
	events := w.events[n]
	delete(w.events, n)
	return events
}

// Progress takes the events of a node and returns those of one query.
func (w *World) Progress(n *Node, query kad.QueryID) (events []kad.Event) {
	for _, ev := range w.Events(n) {
		if ev.Kind == kad.QueryProgressed && ev.Query == query {
			events = append(events, ev)
		}
	}
	return events
}

// Run lets a time pass: messages arrive and nodes are woken, each at its moment.
func (w *World) Run(d kad.Duration) {
	target := w.env.Now + kad.Time(d)
	w.run(target)
	w.env.Now = target
}

// Settle runs until no message is under way and no node has a query, at most for a time; it says whether it came to
// rest. Jobs that are due later do not count.
func (w *World) Settle(most kad.Duration) bool {
	target := w.env.Now + kad.Time(most)
	for i := 0; i < maxWorldSteps; i++ {
		if len(w.env.queue) == 0 && !w.busy() {
			return true
		}
		if !w.next(target) {
			return false
		}
	}
	require.Fail(w.t, "the world does not come to rest")
	return false
}

// busy says whether any node that lives has a query.
func (w *World) busy() bool {
	for _, n := range w.env.nodes {
		if n.state == up {
			for range n.K.Queries {
				return true
			}
		}
	}
	return false
}

func (w *World) run(target kad.Time) {
	for i := 0; w.next(target); i++ {
		require.Less(w.t, i, maxWorldSteps, "the world does not come to rest")
	}
}

// next does what comes first, if it comes by target: a message arrives, or a node is woken.
func (w *World) next(target kad.Time) bool {
	e := w.env
	first := -1
	for i := range e.queue {
		if first < 0 || e.queue[i].due < e.queue[first].due {
			first = i
		}
	}
	n := e.nextWake(target)
	if first >= 0 && e.queue[first].due <= target && (n == nil || e.queue[first].due <= n.K.Wake()) {
		m := e.queue[first]
		e.queue = append(e.queue[:first], e.queue[first+1:]...)
		e.Now = max(e.Now, m.due)
		e.deliver(m)
		return true
	}
	if n == nil {
		return false
	}
	e.Now = max(e.Now, n.K.Wake())
	e.Step(n, kad.Input{Kind: kad.Tick}, false)
	return true
}

// cloneEvent copies an event with all behind it.
func cloneEvent(ev kad.Event) kad.Event {
	ev.Peer, ev.Old = cloneInfo(ev.Peer), cloneInfo(ev.Old)
	ev.Key = bytes.Clone(ev.Key)
	ev.Record = cloneRecord(ev.Record)
	ev.Peers, ev.Providers, ev.Candidates = cloneInfos(ev.Peers), cloneInfos(ev.Providers), cloneInfos(ev.Candidates)
	return ev
}
