package p2p

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/kadbench/kadbench/kad"
)

// With Config.Kad.FilterRecords a PUT_VALUE or ADD_PROVIDER that could be stored shows up in Events with Held set, and its
// stream waits, without the lock, for Accept or Refuse; whoever has read the event may call either, at once or later. After
// kad.Config.PeerTimeout it is refused. Events that are dropped, because nobody reads them, end that way too.

// Accept stores what a held request brought, by the usual rules, and acknowledges it; request is Event.Request. The error
// says why it could not be stored, and then the request is refused: kad.ErrUnknownRequest (refused meanwhile, or its peer
// has gone), ErrInvalid (a better record has come), kad.ErrMaxRecords, ErrJournal.
func (n *Node) Accept(request kad.RequestID) error { return n.answerHeld(kad.OpAccept, request) }

// Refuse ends a held request: its stream is reset, and nothing is stored. kad.ErrUnknownRequest: it is not held.
func (n *Node) Refuse(request kad.RequestID) error { return n.answerHeld(kad.OpRefuse, request) }

func (n *Node) answerHeld(how kad.InputKind, request kad.RequestID) error {
	if err := n.do(kad.Input{Kind: how, Request: request}, nil); err != nil {
		return fmt.Errorf("request %d: %w", request, operationError(err))
	}
	return nil
}

// serveStep is step for a request of a peer. A request that is held comes with the channel on which its answer will be
// sent, and one that has changed the store with the commit that must be waited for before it is acknowledged.
func (n *Node) serveStep(x *exchange) (now kad.Time, held chan heldAnswer, stored *commit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now = n.stepLocked(&x.in, &x.out)
	if x.in.Kind == kad.PutRecord || x.in.Kind == kad.AddProvider {
		if n.cfg.Kad.FilterRecords && x.answer() == nil {
			held = make(chan heldAnswer, 1)
			n.held[x.in.Request] = held
		} else {
			stored = n.journal.ticket()
		}
	}
	n.handOn(&x.out, x.in.Request)
	return now, held, stored
}

// heldAnswer is the answer to a held request, with the commit of the very step that stored. A commit that the stream asked
// for later could be the next one, which writes that a failed one was undone, and succeeds.
type heldAnswer struct {
	kad.Command
	stored *commit
}

// respond hands the answer to a held request to the stream that waits for it. It is called under the lock.
func (n *Node) respond(c *kad.Command) {
	if held := n.held[c.Request]; held != nil {
		delete(n.held, c.Request)
		answer := *c
		answer.Providers, answer.Peer = clonePeers(c.Providers), clonePeers([]kad.PeerInfo{c.Peer})[0]
		held <- heldAnswer{answer, n.journal.ticket()} // there is room for the one answer
	}
}

// awaitAnswer waits for the answer to a held request, and for the disk; nil: there is none, because the request was refused,
// the peer has gone or the node is closed.
func (st *inboundStream) awaitAnswer(request kad.RequestID, held chan heldAnswer) *kad.Command {
	gone := make(chan struct{}) // closed if the stream ends other than by the peer having said all it had to
	watched := make(chan struct{})
	// The core answers in time, but for a peer whose last connection is gone; and a stream that its peer has closed for
	// writing tells no more of that.
	late := time.NewTimer(2 * time.Duration(st.n.core.Config().PeerTimeout))
	defer late.Stop()
	st.seen.Store(heldStep)
	go func() {
		defer close(watched)
		if _, err := st.r.Peek(min(st.r.Buffered()+1, readAhead)); err != nil && err != io.EOF {
			close(gone)
		}
	}()
	var answer heldAnswer
	ok := false
	select {
	case answer = <-held:
		ok = true
	case <-gone:
	case <-late.C:
	case <-st.n.ctx.Done():
	}
	_ = st.s.SetReadDeadline(time.Unix(1, 0)) // ends the watch
	<-watched
	if !ok {
		st.n.mu.Lock()
		delete(st.n.held, request)
		st.n.mu.Unlock()
		_ = st.n.Refuse(request) // it may be over already
		return nil
	}
	_ = st.s.SetReadDeadline(time.Time{})
	st.renew()
	if !st.written(answer.stored) {
		return nil
	}
	return &answer.Command
}

// written waits until a request may be acknowledged. Who asked waits no longer than PeerTimeout, and a disk that hangs shall
// not keep the places of a connection, on which others ask for what needs no disk.
func (st *inboundStream) written(stored *commit) bool {
	if stored == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(st.n.ctx, time.Duration(st.n.core.Config().PeerTimeout))
	defer cancel()
	return stored.wait(ctx) == nil
}
