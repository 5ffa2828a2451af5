package kadtest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/kadbench/kadbench/kad"
)

// Start is when a script begins: 2026-01-01 00:00 UTC.
var Start = kad.Time(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())

// Env is the world of a script.
type Env struct {
	Now   kad.Time
	nodes []*Node
	queue []message
	out   kad.Output // one for all, as a host or a simulation would use it
	print strings.Builder
	level string // what is printed: all, events, none

	requests map[kad.RequestID]message // that wait for a response
	lastReq  kad.RequestID
	lastConn kad.ConnID
	valid    kad.Validator

	// What a World wants beyond a script; nil in one.
	delay   func() kad.Duration     // of the next message
	heard   func(*Node, *kad.Event) // each event
	cut     func(a, b *Node) bool   // whether nothing passes between two
	stepped func(*Node)             // after each Step
}

// Node is a participant with what its host knows.
type Node struct {
	Name  string
	ID    []byte
	Addr  []byte
	K     *kad.Kademlia
	links []*Node // to whom it is connected
	state nodeState
}

type nodeState uint8

const (
	up      nodeState = iota
	stopped           // its connections are closed, dials to it fail at once
	dead              // it has vanished without a word: nothing to it fails, and nothing comes back
)

// message is a request or a response on its way.
type message struct {
	from, to *Node
	cmd      kad.Command // its own copy
	query    kad.QueryID // response: of the query that it answers
	key      []byte      // response: the key that was asked for
	reply    bool
	due      kad.Time // when it arrives, in a World; in a script a verb says so
}

// NewEnv makes an empty world.
func NewEnv() *Env {
	return &Env{Now: Start, level: "all", requests: map[kad.RequestID]message{}, valid: Seq{}}
}

// Node finds a node by name.
func (e *Env) Node(name string) (*Node, error) {
	for _, n := range e.nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node %q", name)
}

func (e *Env) byID(id []byte) *Node {
	for _, n := range e.nodes {
		if bytes.Equal(n.ID, id) {
			return n
		}
	}
	return nil
}

// each calls f for the named nodes, or for all.
func (e *Env) each(names []string, f func(*Node) error) error {
	for _, name := range names {
		n, err := e.Node(name)
		if err == nil {
			err = f(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flush returns what was printed since the last flush.
func (e *Env) flush() string {
	s := e.print.String()
	e.print.Reset()
	return s
}

func (e *Env) printf(format string, a ...any) {
	fmt.Fprintf(&e.print, format+"\n", a...)
}

// names writes inputs, commands and events as a node sees them.
func (e *Env) names(n *Node) kad.Names {
	key := func(key []byte) string {
		if other := e.byID(key); other != nil {
			return other.Name
		}
		if len(key) == 34 && key[0] == 0x12 {
			k, own := kad.KeyOf(key), kad.KeyOf(n.ID)
			return fmt.Sprintf("random(bucket_%d)", own.CommonPrefix(&k))
		}
		return ""
	}
	peer := func(p kad.PeerInfo) string {
		id := p.ID
		if len(id) == 0 && p.Peer != 0 {
			id = n.K.Directory().ID(p.Peer)
		}
		if s := key(id); s != "" {
			return s
		}
		return string(id)
	}
	return kad.Names{Peer: peer, Key: key}
}

// info is how a node names another to its core: by id, as a host does.
func info(n *Node) kad.PeerInfo { return kad.PeerInfo{ID: n.ID} }

// addrs is a list of one address.
func addrs(addr []byte) kad.Addrs { return kad.Addrs(nil).Add(addr) }

// Result is what an operation says at once.
type Result struct {
	Query   kad.QueryID
	Update  kad.RoutingUpdate
	Removed *kad.EntryView
	Err     error
}

// Step gives one input to a node and puts what it sends into the queue. It returns what the operation said at once.
func (e *Env) Step(n *Node, in kad.Input, show bool) Result {
	if n.state != up {
		return Result{}
	}
	names := e.names(n)
	if show && e.level == "all" {
		e.printf("%s< %s", n.Name, names.Input(&in))
	}
	lent := lend(&in)
	n.K.Step(e.Now, in, &e.out)

	// Only the response to this very request may refer to lent memory, so it is copied before, and all else after.
	copies := make([]kad.Command, len(e.out.Commands))
	for i, c := range e.out.Commands {
		if isResponse(c.Kind) {
			copies[i] = cloneCommand(c)
		}
	}
	lent.poison()
	for i, c := range e.out.Commands {
		if !isResponse(c.Kind) {
			copies[i] = cloneCommand(c)
		}
	}
	for i := range copies {
		if e.level == "all" {
			e.printf("%s> %s", n.Name, names.Command(&copies[i]))
		}
	}
	for i := range e.out.Events {
		if e.heard != nil {
			e.heard(n, &e.out.Events[i])
		}
		if ev := &e.out.Events[i]; e.level == "all" || e.level == "events" && ev.Kind != kad.InboundRequest {
			e.printf("%s! %s", n.Name, names.Event(ev))
		}
	}
	res := Result{e.out.Query, e.out.Update, e.out.Removed, e.out.Err}
	if e.stepped != nil {
		e.stepped(n)
	}
	for i := range copies {
		e.act(n, copies[i])
	}
	return res
}

// act does what a command asks of the host.
func (e *Env) act(n *Node, c kad.Command) {
	switch c.Kind {
	case kad.SetProtocols:
		for _, other := range n.links {
			e.identify(n, other)
		}
	case kad.Dial:
		if to := e.byID(c.Peer.ID); to != nil {
			e.post(message{from: n, to: to, cmd: c})
		}
	default:
		if !isResponse(c.Kind) {
			e.post(message{from: n, to: e.byID(c.Peer.ID), cmd: c})
			return
		}
		req, ok := e.requests[c.Request]
		delete(e.requests, c.Request)
		if ok && c.Kind != kad.RespondAddProvider && req.from != nil {
			e.post(message{from: n, to: req.from, cmd: c, query: req.cmd.Query, key: req.cmd.Key, reply: true})
		}
	}
}

// post puts a message into the queue.
func (e *Env) post(m message) {
	if e.delay != nil {
		m.due = e.Now + kad.Time(e.delay())
	}
	e.queue = append(e.queue, m)
}

func isResponse(k kad.CommandKind) bool { return k >= kad.RespondFindNode && k <= kad.Reset }
