package sim

import "github.com/kadbench/kadbench/kad"

// event is one thing that will happen to a node: a message arrives, its wake is due, or the world does something to it.
//
// The order of events is total and the same on any number of shards: by time, then by the node that it happens to, then
// by who caused it, then by that one's own count. Two events at the same node and moment therefore have an order that
// depends on nothing but their causes; those at different nodes of one moment cannot influence each other, since every
// message takes longer than nothing. What the world does (operations, churn, faults) comes from sender 0, and so before
// all messages of its moment. A wake is the node's own, with the count 0, before whatever the node has told itself.
type event struct {
	at   kad.Time
	to   kad.Peer
	from kad.Peer
	seq  uint32
	msg  uint32 // its place in the slab of messages; 0: a wake
}

func (e *event) before(f *event) bool {
	switch {
	case e.at != f.at:
		return e.at < f.at
	case e.to != f.to:
		return e.to < f.to
	case e.from != f.from:
		return e.from < f.from
	}
	return e.seq < f.seq
}

// queue is a heap of events with four children to a node: half as deep as a binary one, and the four stand in 96 bytes, two
// cache lines.
type queue []event

// next is when the first event is due; 0 if there is none.
func (q queue) next() kad.Time {
	if len(q) == 0 {
		return 0
	}
	return q[0].at
}

func (q *queue) push(e event) {
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
	*q = h
}

// pop takes the first event; there must be one.
func (q *queue) pop() event {
	h := *q
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return first
	}
	i := 0
	for {
		c := 4*i + 1
		if c >= len(h) {
			break
		}
		least := c
		for d := c + 1; d < min(c+4, len(h)); d++ {
			if h[d].before(&h[least]) {
				least = d
			}
		}
		if !h[least].before(&last) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = last
	return first
}
