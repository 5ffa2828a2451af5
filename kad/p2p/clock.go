package p2p

import (
	"sync/atomic"
	"time"

	"github.com/kadbench/kadbench/kad"
)

// clock is the time of a node: the system's when it was made, then monotonic, plus what Advance added.
type clock struct {
	start time.Time
	ahead *atomic.Int64
}

func newClock() clock { return clock{start: time.Now(), ahead: new(atomic.Int64)} }

// now costs one reading of the monotonic clock, which matters: it is taken for every Step.
func (c clock) now() kad.Time {
	return kad.Time(c.start.UnixNano() + int64(time.Since(c.start)) + c.ahead.Load())
}

func (c clock) advance(d time.Duration) {
	if d > 0 {
		c.ahead.Add(int64(d))
	}
}
