package p2p_test

import (
	"flag"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

var storm = flag.Int("frames", 20_000, "random and mutated frames that TestStorm pours at a node")

// TestStorm pours random and mutated frames at a server, each on a stream that lives until it is refused, and wants it
// to serve on with no more goroutines and memory than before.
//
//	go test ./kad/p2p -run TestStorm -frames 100000
func TestStorm(t *testing.T) {
	n := start(t, p2p.Config{Unlimited: true, Transports: []string{p2p.TCP}})
	h := connect(t, bare(t), n)
	seeds := stormSeeds(t, h.ID().String())

	ctx := t.Context()
	pour := func(seed uint64, frames int) {
		const streams = 8
		var wg sync.WaitGroup
		for i := range streams {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(i)))
				for sent := 0; sent < frames/streams; {
					s, err := h.NewStream(ctx, n.ID(), p2p.DefaultProtocol)
					if !assert.NoError(t, err) {
						return
					}
					read := make(chan struct{})
					go func() {
						defer close(read)
						_, _ = io.Copy(io.Discard, s)
					}()
					// Some frames are answered, so the stream goes on; most end it.
					for range 1 + rng.IntN(4) {
						sent++
						if _, err := s.Write(stormFrame(rng, seeds)); err != nil {
							break
						}
					}
					_ = s.CloseWrite()
					_ = s.SetReadDeadline(time.Now().Add(bound))
					<-read
					_ = s.Reset()
				}
			})
		}
		wg.Wait()
	}
	settle := func() (goroutines int, heap uint64) {
		open(t, h, n.ID()).send(wire.Message{Type: wire.Ping}).want(wire.Ping)
		last := -1
		require.Eventually(t, func() bool {
			goroutines = runtime.NumGoroutine()
			same := goroutines == last
			last = goroutines
			return same
		}, bound, 20*tick)
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return goroutines, m.HeapAlloc
	}

	pour(1, *storm/10) // warm: pools and stores fill up to their limits
	goroutines, heap := settle()
	pour(2, *storm)
	after, heapAfter := settle()
	t.Logf("%d frames: goroutines %d before, %d after; heap %d KiB before, %d KiB after", *storm, goroutines, after, heap>>10, heapAfter>>10)
	assert.LessOrEqual(t, after, goroutines+10)
	// What the storm can get stored is small. 4 MiB is far below what
	// a leak of a KiB a frame would make of 20,000 frames.
	assert.LessOrEqual(t, heapAfter, heap+4<<20)
}

// stormSeeds are frames worth mutating: the golden ones, good and bad, and one request of each kind.
func stormSeeds(t *testing.T, peer string) [][]byte {
	frames, err := fixtures.Frames()
	require.NoError(t, err)
	var seeds [][]byte
	for _, f := range frames {
		if len(f.Bytes) > 0 && len(f.Bytes) < 64<<10 {
			seeds = append(seeds, f.Bytes)
		}
	}
	put := record("/v/"+peer, "ok stored")
	for _, m := range []wire.Message{put, {Type: wire.FindNode, Key: []byte("k")}, {Type: wire.GetValue, Key: []byte("/v/k")},
		{Type: wire.GetProviders, Key: multihash}, {Type: wire.AddProvider, Key: multihash}, {Type: wire.Ping}} {
		seeds = append(seeds, wire.AppendFrame(nil, &m))
	}
	return seeds
}

// stormFrame is a seed with bytes changed, cut, repeated or put in, or bytes without any sense.
func stormFrame(rng *rand.Rand, seeds [][]byte) []byte {
	if rng.IntN(5) == 0 {
		b := make([]byte, rng.IntN(300))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if rng.IntN(2) == 0 && len(b) < 128 { // as the body of a frame
			return append([]byte{byte(len(b))}, b...)
		}
		return b
	}
	b := append([]byte(nil), seeds[rng.IntN(len(seeds))]...)
	for range rng.IntN(6) {
		if len(b) == 0 {
			break
		}
		i := rng.IntN(len(b))
		switch rng.IntN(4) {
		case 0:
			b[i] ^= 1 << rng.IntN(8)
		case 1:
			b[i] = byte(rng.Uint32())
		case 2:
			b = b[:i]
		case 3:
			j := i + rng.IntN(min(16, len(b)-i))
			b = append(b[:j:j], b[i:]...)
		}
	}
	return b
}
