package sim

import (
	"math"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestChanceIsPinned holds the numbers themselves: whoever changes the arithmetic changes every digest.
func TestChanceIsPinned(t *testing.T) {
	// The first output of splitmix64 for the seed 0, as published with it.
	assert.Equal(t, uint64(0xe220a8397b1dcdaf), stir(0))
	assert.Equal(t, uint64(0x0), mix(0))
	assert.Equal(t, mix(7, uint64(forLoss), 3, 4), draw(keyOf(7, forLoss), 3, 4))
	assert.NotEqual(t, mix(7, 3, 4), mix(7, 4, 3))
	assert.Equal(t, uint64(0x1), below(1<<63, 2))
	assert.Equal(t, uint64(0), below(math.MaxUint64, 0))
	assert.Equal(t, uint64(9), below(math.MaxUint64, 10))
	assert.True(t, hits(0, 1))
	assert.False(t, hits(0, 0))
	assert.True(t, hits(math.MaxUint64, One))
	assert.Zero(t, testing.AllocsPerRun(100, func() { sink = mix(sink, 1, 2, 3) }))
}

var sink uint64

// TestStirSpreads: each bit of the input moves half of the output's, give or take what 4,000 tries allow (6 sigma).
func TestStirSpreads(t *testing.T) {
	const tries = 4000
	for bit := range 64 {
		moved := 0
		for i := range uint64(tries) {
			moved += bits.OnesCount64(draw(1, i, 0) ^ draw(1, i^1<<bit, 0))
		}
		assert.InDelta(t, 32, float64(moved)/tries, 6*4/math.Sqrt(tries), "bit %d", bit)
	}
}
