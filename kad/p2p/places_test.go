package p2p

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// TestPlaces: never more than there are places hold one, whoever waits gets one, and none is lost.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p places
		p.init(3, 20)
		var holders, served atomic.Int32
		leave := make(chan struct{})
		for range 20 {
			go func() {
				if p.try() || p.await(t.Context().Done()) {
					holders.Add(1)
					<-leave
					holders.Add(-1)
					p.give()
					served.Add(1)
				}
			}()
		}
		for left := 20; left > 0; left-- {
			synctest.Wait()
			assert.Equal(t, min(3, left), int(holders.Load()))
			leave <- struct{}{}
		}
		synctest.Wait()
		assert.Equal(t, int32(20), served.Load())
		assert.Equal(t, int32(3), p.free.Load())

		done := make(chan struct{})
		close(done)
		for range 3 {
			assert.True(t, p.try())
		}
		for range 100 { // who comes after the end leaves at once, and whoever holds a place need not wait to give it back
			assert.False(t, p.try())
			assert.False(t, p.await(done))
		}
		for range 3 {
			p.give()
		}
	})
}
