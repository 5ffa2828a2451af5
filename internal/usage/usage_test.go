package usage

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestUsage: processor time only grows, with what is done, and the memory is at least what was just taken.
func TestUsage(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it is not told there")
	}
	before, sum := CPU(), 0
	for CPU() == before { // ends as soon as the clock of the system has moved
		for i := range 1_000_000 {
			sum += i
		}
	}
	taken := make([]byte, 32<<20)
	for i := range taken {
		taken[i] = byte(sum)
	}
	assert.Greater(t, CPU(), before)
	assert.GreaterOrEqual(t, PeakMemory(), uint64(len(taken)))
	runtime.KeepAlive(taken)
}
