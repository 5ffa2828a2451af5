package p2p

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/kadbench/kadbench/kad"
)

// An operation whose context comes from routing.RegisterForQueryEvents tells there what becomes of its requests, as
// go-libp2p-kad-dht's do; it is how Kubo's "ipfs routing" prints a lookup. Types of events, and of whom each tells:
//
//	DialingPeer   a peer that is to be asked has to be dialled first
//	SendingQuery  it is asked
//	Value         it is given a record
//	PeerResponse  it has answered; Responses are the closer peers that it named
//	QueryError    it could not be reached or did not answer; Extra is the kind of the failure
//
// What an operation returns is not told: a program that shows it as Provider, Value or FinalPeer publishes that itself. Nor
// are announcements of providers.
//
// The goroutine that waits for the operation publishes, so a subscriber who does not read holds up this operation, at the
// longest until its context or the node ends, and no other, nor the requests themselves.

// note keeps an event until it is published. Nobody waits for the request of a job: then q is nil.
func (q *query) note(kind routing.QueryEventType, id peer.ID, extra string, named []kad.PeerInfo) {
	if q == nil || !q.observed {
		return
	}
	ev := &routing.QueryEvent{Type: kind, ID: id, Extra: extra}
	for _, p := range named {
		info := addrInfo(p)
		ev.Responses = append(ev.Responses, &info)
	}
	q.mu.Lock()
	q.notes = append(q.notes, ev) // three for each request, and the core bounds those
	q.mu.Unlock()
	q.stir()
}

// noteSending notes that a request goes out.
func (r *request) noteSending() {
	switch r.kind {
	case kad.SendAddProvider:
	case kad.SendPutRecord:
		r.asker.note(routing.Value, r.peer, "", nil)
	default:
		r.asker.note(routing.SendingQuery, r.peer, "", nil)
	}
}

// publish tells the subscriber.
func (q *query) publish(ctx context.Context, notes []*routing.QueryEvent) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(q.n.ctx, cancel)
	defer stop()
	for _, ev := range notes {
		routing.PublishQueryEvent(ctx, ev)
	}
}
