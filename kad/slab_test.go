package kad

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is added, removed and set to another time: what is due first is the earliest, and of those that are due at one
// time the one with the lowest number; so the order in which things expire depends on nothing else.
func TestSlabOrder(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 30))
		var s slab[int]
		due := map[int32]Time{} // 0: there, but never due
		var all []int32
		first := func() (at Time, first int32) {
			for i, d := range due {
				if d != 0 && (at == 0 || d < at || d == at && i < first) {
					at, first = d, i
				}
			}
			return at, first
		}
		for step := range 1000 {
			if len(all) == 0 || rng.IntN(3) > 0 && step < 500 {
				i := s.add()
				*s.at(i) = step
				all = append(all, i)
			}
			at := rng.IntN(len(all))
			if i := all[at]; rng.IntN(4) > 0 {
				due[i] = Time(rng.IntN(50))
				s.due(i, due[i])
			} else {
				s.remove(i)
				require.Zero(t, *s.at(i))
				delete(due, i)
				all = slices.Delete(all, at, at+1)
			}
			when, i := first()
			require.Equal(t, when, s.next(), "seed %d", seed)
			if when != 0 {
				require.Equal(t, i, s.first(), "seed %d", seed)
			}
		}
		for at, i := first(); at != 0; at, i = first() {
			require.Equal(t, i, s.first())
			s.remove(i)
			delete(due, i)
		}
		require.Zero(t, s.next())
	}
}
