package sim

import "sync/atomic"

// gate is where one goroutine waits for what another does. A window of some hundred events takes 0.1 ms, and to wake a
// goroutine that sleeps takes as long: so whoever waits looks for a while whether the wait is over, before it sleeps. Where
// that is of no use, because the machine has other work, it soon looks less, and tries now and then whether that is over.
type gate struct {
	looks, most int
	waits       int
	asleep      atomic.Bool
	wake        chan struct{}
}

// maxLooks is how often one looks at the most: some 50 µs. With two shards of 100,000 nodes it makes a run a third shorter,
// and takes a fifth less of the processors.
const (
	maxLooks = 50_000
	tryAgain = 16 // waits
)

// init makes a gate at which one looks so often at the most; 0: one sleeps at once.
func (g *gate) init(most int) { g.looks, g.most, g.wake = most, most, make(chan struct{}, 1) }

// await returns when it is so. Whoever makes it so calls open afterwards: it may be so late that who waited has seen it by
// looking and waits for the next thing already, for which it then wakes too early.
func (g *gate) await(so func() bool) {
	if g.waits++; g.waits%tryAgain == 0 {
		g.looks = g.most
	}
	for range g.looks {
		if so() {
			g.looks = g.most
			return
		}
	}
	g.looks /= 2
	for {
		g.asleep.Store(true)
		if so() && g.asleep.Swap(false) {
			return
		}
		<-g.wake // once, from who has found it asleep
		if so() {
			return
		}
	}
}

// open wakes who sleeps.
func (g *gate) open() {
	if g.asleep.Swap(false) {
		g.wake <- struct{}{}
	}
}
