package p2p

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kadbench/kadbench/kad"
)

// outputs are reused by all that steps without answering a request.
var outputs = sync.Pool{New: func() any { return new(kad.Output) }}

// minWait is how soon the timer may ring again: what the core wants within a millisecond is done together.
const minWait = time.Millisecond

// tardy is how late a timer rings on a machine that has no processor to spare: where it has, that is 1 ms or so. Less would
// not matter beside the least patience with a peer, 250 ms.
const tardy = kad.Duration(25 * time.Millisecond)

// do runs an input that nobody waits for, or whose result see reads under the lock before it is handed on.
func (n *Node) do(in kad.Input, see func(out *kad.Output)) error {
	return n.doWithin(context.Background(), in, see)
}

// doWithin is do that waits for the disk no longer than the context lasts.
func (n *Node) doWithin(ctx context.Context, in kad.Input, see func(out *kad.Output)) error {
	stored, err := n.doLocked(in, see)
	if err == nil {
		err = stored.wait(ctx)
	}
	return err
}

func (n *Node) doLocked(in kad.Input, see func(out *kad.Output)) (*commit, error) {
	out := outputs.Get().(*kad.Output)
	defer outputs.Put(out)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || !n.started {
		return nil, ErrClosed
	}
	n.stepLocked(&in, out)
	if see != nil {
		see(out)
	}
	own := in.Request
	if in.Kind == kad.OpAccept || in.Kind == kad.OpRefuse {
		own = 0 // its stream waits
	}
	n.handOn(out, own)
	if stores(in.Kind) {
		return n.journal.ticket(), out.Err
	}
	return nil, out.Err
}

// stepLocked is Step itself. The time is read under the lock, so that the core never sees it run backwards.
func (n *Node) stepLocked(in *kad.Input, out *kad.Output) kad.Time {
	if in.Kind != kad.OpAccept && in.Kind != kad.OpRefuse { // those name the request that they answer
		n.requests++
		in.Request = n.requests
	}
	now := n.clock.now()
	in.Late = n.late(now)
	if in.Kind == kad.Tick {
		n.armed = 0
	}
	n.core.Step(now, *in, out)
	if n.watch != nil {
		n.watch(in)
	}
	n.redial.see(n.core.Table().Len() == 0)
	if wake := n.core.Wake(); wake != 0 && (n.armed == 0 || wake < n.armed) && !n.closed {
		wait := max(time.Duration(wake-now), minWait)
		n.armed, n.rings = wake, now+kad.Time(wait)
		n.timer.Reset(wait)
	}
	return now
}

// late is how long the timer should have rung before now: for so long this process got no processor, or no lock. It is told
// once.
func (n *Node) late(now kad.Time) kad.Duration {
	late := kad.Duration(now - n.rings)
	if n.armed == 0 || late < tardy {
		return 0
	}
	n.rings = now
	return late
}

// handOn puts commands and events into the queues of those whom they concern, under the lock, so that their order is
// the core's. Nothing here waits.
func (n *Node) handOn(out *kad.Output, own kad.RequestID) {
	for i := range out.Commands {
		c := &out.Commands[i]
		switch c.Kind {
		case kad.SendFindNode, kad.SendGetProviders, kad.SendAddProvider, kad.SendGetRecord, kad.SendPutRecord:
			if why := n.outbound.send(c, time.Now()); why != kad.ErrNone {
				n.stepLater(kad.Input{Kind: kad.QueryError, Peer: kad.PeerInfo{ID: c.Peer.ID}, Query: c.Query, Key: c.Key, Err: why})
			}
		case kad.Dial:
			if !n.outbound.dial(c) {
				n.stepLater(kad.Input{Kind: kad.DialFailed, Peer: kad.PeerInfo{ID: c.Peer.ID}, Err: kad.ErrRefused})
			}
		case kad.RespondPutRecord, kad.RespondAddProvider, kad.Reset:
			if c.Request != own { // of a request that was held
				n.respond(c)
			}
		case kad.SetProtocols:
			n.server.Store(c.Mode == kad.ModeServer)
			n.wake()
		}
	}
	for i := range out.Events {
		n.publish(&out.Events[i])
	}
}

// publish tells an event to the operation that waits for it and to the reader of Events.
func (n *Node) publish(ev *kad.Event) {
	n.metrics.record(ev)
	if ev.Kind == kad.QueryProgressed {
		if q := n.queries[ev.Query]; q != nil {
			q.add(cloneEvent(ev))
			if ev.Step.Last {
				delete(n.queries, ev.Query)
			}
		}
	}
	if n.events == nil || n.closed { // Close has closed the channel
		return
	}
	select {
	case n.events <- cloneEvent(ev):
	default:
		n.dropped.Add(1)
	}
}

// stepLater keeps an input that came up while another one was being handed on. There is at most one for each command
// of a Step, and the loop takes them at once.
func (n *Node) stepLater(in kad.Input) {
	in.Peer.ID, in.Key = bytes.Clone(in.Peer.ID), bytes.Clone(in.Key)
	n.later = append(n.later, in)
	n.wake()
}

func (n *Node) wake() {
	select {
	case n.stir <- struct{}{}:
	default:
	}
}

// loop is the node's one goroutine that lives as long as it does: it rings when the core wants to be stepped, steps
// what was kept for later, and sets or removes the stream handlers.
func (n *Node) loop() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.timer.C:
			_ = n.do(kad.Input{Kind: kad.Tick}, nil)
		case <-n.stir:
			n.mu.Lock()
			later := n.later
			n.later = nil
			n.mu.Unlock()
			for _, in := range later {
				_ = n.do(in, nil)
			}
			n.applyMode()
		}
	}
}

// applyMode brings the host in line with the mode that the core wants: it sets or removes the stream handlers, which
// makes identify advertise the protocol or not, and resets a client's open inbound streams. What is wanted is read
// under the lock, or a caller that was held up would bring back an older mode.
func (n *Node) applyMode() {
	n.modeSet.Lock()
	defer n.modeSet.Unlock()
	serve := n.server.Load() && n.ctx.Err() == nil
	if serve == n.serving {
		return
	}
	n.serving = serve
	if serve {
		n.inbound.open()
		for _, p := range n.protocols {
			n.host.SetStreamHandler(p, n.inbound.handle)
		}
		return
	}
	for _, p := range n.protocols {
		n.host.RemoveStreamHandler(p)
	}
	n.inbound.reset()
}

// cloneEvent copies what an event only borrows from its Output.
func cloneEvent(ev *kad.Event) kad.Event {
	c := *ev
	c.Peer.ID = bytes.Clone(ev.Peer.ID)
	c.Old.ID = bytes.Clone(ev.Old.ID)
	c.Key = bytes.Clone(ev.Key)
	c.Record.Key = bytes.Clone(ev.Record.Key)
	c.Record.Value = bytes.Clone(ev.Record.Value)
	c.Record.Publisher = bytes.Clone(ev.Record.Publisher)
	c.Peers = clonePeers(ev.Peers)
	c.Providers = clonePeers(ev.Providers)
	c.Candidates = clonePeers(ev.Candidates)
	return c
}

func clonePeers(ps []kad.PeerInfo) []kad.PeerInfo {
	c := slices.Clone(ps)
	for i := range c {
		c[i].ID, c[i].Addrs = bytes.Clone(c[i].ID), bytes.Clone(c[i].Addrs)
	}
	return c
}
