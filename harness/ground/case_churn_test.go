package ground

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSeeds are the first servers; every third member is a client.
func TestSeeds(t *testing.T) {
	p := &party{set: settings{seeds: 3}, members: crowd(t, 1, 9)}
	var seeds []int
	for seq := 1; seq <= 9; seq++ {
		if p.isSeed(seq) {
			seeds = append(seeds, seq)
		}
	}
	assert.Equal(t, []int{1, 2, 4}, seeds)
}

// TestSchedule: every instance computes the same; seeds stay; who leaves is away in the next round and returns in the one
// after it; and as many leave as should.
func TestSchedule(t *testing.T) {
	members := crowd(t, 1, 90)
	of := func(seq int) [][]presence {
		p := &party{in: &Instance{Seq: seq, Count: len(members)}, set: settings{seed: 3, seeds: 4}, members: members}
		return p.schedule(40, 0.25)
	}
	all := of(1)
	assert.Equal(t, all, of(17))
	require.Len(t, all, 41)
	left, could := 0, 0
	for n := 1; n < len(all); n++ {
		for i, now := range all[n] {
			before := all[n-1][i]
			assert.Equal(t, before == leaves, now == away)
			assert.Equal(t, before == away, now == returns)
			switch {
			case i < 5 && i != 2: // 1, 2, 4 and 5: the third is a client
				assert.Equal(t, stays, now, "seed %d", i+1)
			case before == stays || before == returns:
				could++
				if now == leaves {
					left++
				}
			}
		}
	}
	assert.InDelta(t, 0.25, float64(left)/float64(could), 0.03) // four times the error that is usual
}
