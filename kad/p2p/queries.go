package p2p

import (
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

// Query is a handle on a query of the core: what an operation of the application, or a job of the node, has begun. It may
// be kept after the query has ended, and then tells just that.
type Query struct {
	n  *Node
	id kad.QueryID
}

// Queries are those that run, the oldest first.
func (n *Node) Queries() []Query {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []Query
	n.core.Queries(func(q kad.QueryInfo) bool {
		list = append(list, Query{n, q.ID})
		return true
	})
	return list
}

// Query is the one with an id, such as Events names; ok is false if it does not run.
func (n *Node) Query(id kad.QueryID) (q Query, ok bool) {
	q = Query{n, id}
	_, ok = q.Info()
	return q, ok
}

// ID is unique among all queries of the node, those that have ended included.
func (q Query) ID() kad.QueryID { return q.id }

// Info says what the query seeks and how far it is; ok is false if it has ended.
func (q Query) Info() (info kad.QueryInfo, ok bool) {
	q.n.mu.Lock()
	defer q.n.mu.Unlock()
	return q.n.core.Query(q.id)
}

// Stats are the requests so far, and the time; ok is false if it has ended.
func (q Query) Stats() (s Stats, ok bool) {
	info, ok := q.Info()
	if !ok {
		return Stats{}, false
	}
	return q.n.statsOf(info.Stats), true
}

// Finish ends the query early: the operation that waits for it returns what was reached, without an error of its own. A put
// or a provide that still looks for the nearest peers goes on to give to those it has found; a second Finish ends it.
// kad.ErrUnknownQuery: it has ended.
func (q Query) Finish() error {
	if err := q.n.do(kad.Input{Kind: kad.OpFinish, Query: q.id}, nil); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	return nil
}
