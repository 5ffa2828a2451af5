package sim

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Whoever opens a gate after what it was waited for had been seen wakes the next wait, which is not over.
func TestOpenedLate(t *testing.T) {
	for _, looks := range []int{0, maxLooks} {
		synctest.Test(t, func(t *testing.T) {
			var g gate
			var so, over atomic.Bool
			g.init(looks)
			go func() {
				g.await(so.Load)
				over.Store(true)
			}()
			synctest.Wait()
			for range 3 {
				g.open()
				synctest.Wait()
				require.False(t, over.Load())
			}
			so.Store(true)
			g.open()
			synctest.Wait()
			require.True(t, over.Load())
		})
	}
}
