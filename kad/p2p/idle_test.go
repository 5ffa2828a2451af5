package p2p

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/assert"
)

// silentOn is a stream of a peer that says nothing.
type silentOn struct {
	network.Stream
	conn  network.Conn
	reset chan time.Time
}

func (s silentOn) Conn() network.Conn { return s.conn }
func (s silentOn) Reset() error       { s.reset <- time.Now(); return nil }

// TestOneTime: time goes on at its pace when a node that ceased to serve serves again, even if the timer had rung by then and
// waited for the lock; and stands still while there is no stream.
func TestOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := idleNode(t)
		in := &n.inbound
		admit := func() (*inboundStream, chan time.Time) {
			s := silentOn{conn: connTo("b", network.DirInbound, 1), reset: make(chan time.Time, 9)}
			return in.admit(s), s.reset
		}
		in.open()
		first, reset := admit()
		in.reset()
		assert.Len(t, reset, 1)
		in.release(first)

		in.open()
		second, reset := admit()
		begun := time.Now()
		in.sweep() // of before
		assert.InDelta(t, n.limits.IdleTimeout, (<-reset).Sub(begun), float64(3*n.limits.IdleTimeout/idleSteps))
		pass(3 * n.limits.IdleTimeout)
		assert.Empty(t, reset, "once is enough")
		in.release(second)
		pass(n.limits.IdleTimeout)
		step := in.idle.step.Load()
		pass(n.limits.IdleTimeout)
		assert.Equal(t, step, in.idle.step.Load())
		n.work.Wait()
	})
}
