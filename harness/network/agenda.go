package network

import (
	"container/heap"
	"time"
)

// agenda is what is to be done, each at its moment; of the same moment, what was put first comes first. What is done may put
// more. It is asked from one goroutine.
type agenda struct {
	due  deeds
	made int
}

type deed struct {
	at     time.Duration
	number int
	do     func()
}

func newAgenda() *agenda { return &agenda{} }

func (a *agenda) at(at time.Duration, do func()) {
	a.made++
	heap.Push(&a.due, deed{at, a.made, do})
}

func (a *agenda) pending() bool { return len(a.due) > 0 }

func (a *agenda) next() (at time.Duration, do func()) {
	d := heap.Pop(&a.due).(deed)
	return d.at, d.do
}

// deeds is a heap by time.
type deeds []deed

func (d deeds) Len() int { return len(d) }
func (d deeds) Less(i, j int) bool {
	return d[i].at < d[j].at || d[i].at == d[j].at && d[i].number < d[j].number
}
func (d deeds) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *deeds) Push(x any)   { *d = append(*d, x.(deed)) }
func (d *deeds) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = deed{}
	*d = (*d)[:last]
	return x
}
