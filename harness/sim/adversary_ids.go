package sim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"github.com/kadbench/kadbench/kad"
)

// Keys are hashes of ids, so an id whose key lies near a place has to be found by trying: 2^b hashes for b bits. Whoever
// tries T ids and keeps the m best has the nearest at log2(T) common bits and the last at log2(T/m).
//
// Here T is 64 ids for each node of the world: the nearest foe lies 6 bits nearer than the nearest honest node, and as soon
// as there are K foes all of the K nearest are theirs. More would change nothing but the time that it takes; an attacker who
// spends a day on a machine with 10^9 hashes a second comes 46 bits near, in a network of 10,000 nodes 33 beyond log2 N.
const (
	triesEach = 64
	minTries  = 1 << 16 // 10 ms
	maxTries  = 1 << 26 // 5 s on two processors; 64 for each of a million nodes
)

func triesOf(nodes int) uint64 { return uint64(min(max(nodes*triesEach, minTries), maxTries)) }

// id is the id of a simulated node.
type id [idBytes]byte

// found is an id that was tried: which, and how far from the target its key lies, by the first 64 bits.
type found struct{ distance, try uint64 }

// grind tries ids and returns the m that lie nearest to a target, nearest first. The result depends on the seed and the
// numbers alone, not on how many processors try.
func grind(ctx context.Context, seed, line uint64, target *kad.Key, m int, tries uint64) ([]id, error) {
	tries = max(tries, uint64(4*m))
	key := mix(seed, uint64(forGrind), line)
	var best []found
	// Keep what is nearer than half as many again will be, or more if that should ever not do.
	for want := uint64(m) + uint64(m)/2 + 64; len(best) < m; want *= 2 {
		limit := uint64(math.MaxUint64)
		if want < tries {
			limit, _ = bits.Div64(want, 0, tries)
		}
		workers := runtime.GOMAXPROCS(0)
		parts := make([][]found, workers)
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for try := uint64(i); try < tries; try += uint64(workers) {
					if try&0xffff < uint64(workers) && ctx.Err() != nil {
						return
					}
					of := tryID(key, try)
					sum := sha256.Sum256(of[:])
					if d := binary.BigEndian.Uint64(sum[:]) ^ target.Prefix64(); d < limit {
						parts[i] = append(parts[i], found{d, try})
					}
				}
			})
		}
		wg.Wait()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		best = slices.Concat(parts...)
	}
	slices.SortFunc(best, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.try, b.try))
	})
	ids := make([]id, m)
	for i := range ids {
		ids[i] = tryID(key, best[i].try)
	}
	return ids, nil
}

// tryID is an id of the form that peerID gives.
func tryID(key, try uint64) (of id) {
	copy(of[:], []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20})
	x := key ^ try
	for i := 6; i < idBytes; i += 8 {
		x = stir(x)
		binary.BigEndian.PutUint64(of[i:], x)
	}
	return of
}
