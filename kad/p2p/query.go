package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// query is an operation that waits for the events of its query in the core.
type query struct {
	n        *Node
	id       kad.QueryID
	target   []byte // of LookupPeer: the peer whose addresses any reply may bring
	observed bool   // the context wants to know of the requests (queryevents.go)

	mu     sync.Mutex            // taken under Node.mu; never the other way round
	events []kad.Event           // that were not read yet; the core bounds how many a query can make
	notes  []*routing.QueryEvent // to be published before the next of events
	found  *kad.PeerInfo         // set once
	err    error
	wake   chan struct{}
}

// start runs an operation of the core that begins a query.
func (n *Node) start(ctx context.Context, in kad.Input, target []byte) (*query, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if size := wire.Size(&wire.Message{Type: wire.FindNode, Key: in.Key}); size > n.limits.SendBytes {
		return nil, fmt.Errorf("%w: a key of %d bytes makes a request of %d, at most %d", ErrInvalid, len(in.Key), size, n.limits.SendBytes)
	}
	q := &query{n: n, target: target, observed: routing.SubscribesToQueryEvents(ctx), wake: make(chan struct{}, 1)}
	err := n.doWithin(ctx, in, func(out *kad.Output) {
		if out.Err == nil {
			// Before the events of this very Step are handed on: it may have ended the query already.
			q.id = out.Query
			n.queries[q.id] = q
		}
	})
	if err != nil {
		if q.id != 0 { // it could not be journalled, or not in time
			q.stop(kad.OpCancel)
		}
		return nil, operationError(err)
	}
	return q, nil
}

// operationError gives what the core refuses the names of this package, and keeps its own.
func operationError(err error) error {
	switch {
	case errors.Is(err, kad.ErrNoKnownPeers), errors.Is(err, kad.ErrNoPeers):
		return fmt.Errorf("%w: %w", ErrNoPeers, err)
	case errors.Is(err, kad.ErrValueTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, kad.ErrKeyLength), errors.Is(err, kad.ErrWorseRecord), errors.Is(err, kad.ErrInvalidRecord):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}

// add is called under Node.mu, in the order of the core.
func (q *query) add(ev kad.Event) {
	q.mu.Lock()
	q.events = append(q.events, ev)
	q.mu.Unlock()
	q.stir()
}

func (q *query) end(err error) {
	q.mu.Lock()
	q.err = err
	q.mu.Unlock()
	q.stir()
}

func (q *query) stir() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// errFound ends next when a reply has brought what LookupPeer seeks.
var errFound = errors.New("found")

// next waits for the next event. When the context ends, so does the query, at once.
func (q *query) next(ctx context.Context) (kad.Event, error) {
	for {
		q.mu.Lock()
		if notes := q.notes; len(notes) > 0 {
			q.notes = nil
			q.mu.Unlock()
			q.publish(ctx, notes)
			continue
		}
		if len(q.events) > 0 {
			ev := q.events[0]
			q.events = q.events[1:]
			q.mu.Unlock()
			return ev, nil
		}
		err := q.err
		if q.found != nil {
			err = errFound
		}
		q.mu.Unlock()
		if err != nil {
			return kad.Event{}, err
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			q.stop(kad.OpCancel) // nothing shall be given to anybody any more
			return kad.Event{}, ctx.Err()
		}
	}
}

// finish ends the query in the core, with what it has, and gives its last event.
func (q *query) finish() kad.Event { return q.stop(kad.OpFinish) }

func (q *query) stop(how kad.InputKind) kad.Event {
	_ = q.n.do(kad.Input{Kind: how, Query: q.id}, nil) // it may have ended by itself meanwhile
	q.n.mu.Lock()
	delete(q.n.queries, q.id)
	q.n.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ev := range q.events {
		if ev.Step.Last {
			return ev
		}
	}
	return kad.Event{}
}

// each calls f for every event until f says that it is enough, and gives the last event and the query's error.
func (q *query) each(ctx context.Context, f func(ev *kad.Event) (enough bool)) (kad.Event, error) {
	for {
		ev, err := q.next(ctx)
		if err != nil {
			return ev, err
		}
		enough := f != nil && f(&ev)
		if ev.Step.Last {
			return ev, queryError(ev.Err)
		}
		if enough {
			return q.finish(), nil
		}
	}
}

func queryError(e kad.QueryErr) error {
	switch e {
	case kad.QueryTimeout:
		return ErrTimeout
	case kad.QueryNotFound:
		return ErrNotFound
	case kad.QueryQuorumFailed:
		return ErrQuorum
	}
	return nil
}

// seek gives a LookupPeer the addresses of the peer that it seeks, if a reply has named them.
func (q *query) seek(closer []kad.PeerInfo) {
	if q == nil || q.target == nil {
		return
	}
	for i := range closer {
		if bytes.Equal(closer[i].ID, q.target) && len(closer[i].Addrs) > 0 {
			info := closer[i]
			q.mu.Lock()
			if q.found == nil {
				q.found = &info
			}
			q.mu.Unlock()
			q.stir()
			return
		}
	}
}

// Stats of an operation.
type Stats struct {
	Requests, Successes, Failures uint32
	Hops                          uint32 // the longest chain of peers that led to a peer of the result
	Duration                      time.Duration
}

// statsOf a query that has ended, or runs.
func (n *Node) statsOf(s kad.Stats) Stats {
	end := s.End
	if end == 0 && s.Start != 0 {
		end = n.clock.now()
	}
	return Stats{Requests: s.Requests, Successes: s.Successes, Failures: s.Failures, Hops: s.Hops,
		Duration: time.Duration(end - s.Start)}
}
