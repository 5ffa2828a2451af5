package sim

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// sorted is the queue that needs no proof: a list in the order of its events.
type sorted []event

func (q *sorted) push(e event) {
	i, _ := slices.BinarySearchFunc(*q, e, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.to, b.to), cmp.Compare(a.from, b.from), cmp.Compare(a.seq, b.seq))
	})
	*q = slices.Insert(*q, i, e)
}

// FuzzQueue: whatever is pushed and popped, the events come out in their order. Each byte is one step: a third of them pop, the
// others push an event whose fields are few, so that many are equal in all but one.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0, 0, 0})
	long := make([]byte, 2000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range long {
		long[i] = byte(r.Uint32())
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, steps []byte) {
		var q queue
		var s sorted
		for i, b := range steps[:min(len(steps), 4000)] {
			if b%3 == 0 && len(s) > 0 {
				require.Equal(t, s[0].at, q.next())
				require.Equal(t, s[0], q.pop(), "step %d", i)
				s = s[1:]
				continue
			}
			e := event{at: kad.Time(1 + b>>6), to: kad.Peer(b >> 4 & 3), from: kad.Peer(b >> 2 & 3), seq: uint32(i), msg: uint32(i)}
			q.push(e)
			s.push(e)
		}
		for len(s) > 0 {
			require.Equal(t, s[0], q.pop())
			s = s[1:]
		}
		require.Zero(t, q.next(), "nothing is left")
	})
}

// Events of one moment: the world's first, then wakes, then messages by their sender and its count.
func TestOrder(t *testing.T) {
	order := []event{
		{at: 1, to: 9, from: 9, seq: 9},
		{at: 2, to: 1, from: 7, seq: 1},
		{at: 2, to: 2, from: 0, seq: 1, msg: 5}, // the world does something to it
		{at: 2, to: 2, from: 1, seq: 3, msg: 4},
		{at: 2, to: 2, from: 1, seq: 4, msg: 3},
		{at: 2, to: 2, from: 2, seq: 0},         // its wake
		{at: 2, to: 2, from: 2, seq: 1, msg: 2}, // what it told itself
		{at: 2, to: 2, from: 3, seq: 0, msg: 1},
	}
	var q queue
	for _, i := range rand.New(rand.NewPCG(3, 4)).Perm(len(order)) {
		q.push(order[i])
	}
	for _, want := range order {
		require.Equal(t, want, q.pop())
	}
}

// What the slab gives back is what was put in, at a place that nobody else has.
func TestSlab(t *testing.T) {
	s := slab{messages: make([]message, 1)}
	r := rand.New(rand.NewPCG(5, 6))
	here := map[uint32]uint32{} // place: session
	for i := range uint32(2000) {
		if r.IntN(3) == 0 {
			for at, session := range here {
				require.Equal(t, session, s.messages[at].session)
				s.drop(at)
				require.Nil(t, s.messages[at].key, "a place that is free holds nobody's memory")
				delete(here, at)
				break
			}
			continue
		}
		at := s.put(&message{session: i, key: []byte{1}})
		require.NotZero(t, at, "0 is a wake")
		require.NotContains(t, here, at)
		here[at] = i
	}
	require.Equal(t, len(here), len(s.messages)-1-len(s.free), "each place is used again")
}

// More peers than stand in a message itself come out in their order all the same.
func TestNames(t *testing.T) {
	var m message
	var want []kad.Peer
	for p := kad.Peer(1); p <= inlinePeers+10; p++ {
		m.name(p)
		want = append(want, p)
	}
	require.Equal(t, want, m.peers(nil))
	require.Len(t, m.extra.closer, 10)
}
