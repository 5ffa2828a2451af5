package kad

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A node that was held up gives those whom it asks that much time and as much again, PeerTimeout at the most, whatever way it
// asks. One of three answers here; with a patience of one second the others are waited for for two, and where the quorum
// does not hang on them for one.
func TestHeldUp(t *testing.T) {
	const ms = Second / 1000
	lookup := Input{Kind: OpGetClosestPeers, Key: []byte("k")}
	put := Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v")}
	for _, id := range []string{"peer 0", "peer 1", "peer 2"} {
		put.Closer = append(put.Closer, PeerInfo{ID: []byte(id)})
	}
	for name, c := range map[string]struct {
		cfg   Config
		op    Input
		reply InputKind
		usual Duration
	}{
		"lookup":         {Config{Patience: Second}, lookup, FindNodeRes, 2 * Second},
		"disjoint paths": {Config{Patience: Second, DisjointPaths: true}, lookup, FindNodeRes, 2 * Second},
		"put":            {Config{Patience: Second / storingPatience}, put, PutRecordRes, Second},
	} {
		ends := func(late Duration) Duration {
			k, out, asked := asking(t, quiet(c.cfg), c.op)
			require.Len(t, asked, 3)
			k.Step(3, Input{Kind: c.reply, Peer: asked[0].Peer, Query: 1, Key: []byte("k"), Value: []byte("v")}, out)
			k.Step(2+Time(Second/2), Input{Kind: Tick, Late: late}, out)
			for len(progress(out)) == 0 {
				k.Step(k.Wake(), Input{Kind: Tick}, out)
			}
			return Duration(progress(out)[0].Stats.End - 2)
		}
		require.Equal(t, c.usual, ends(0), name)
		require.Equal(t, c.usual+200*ms, ends(100*ms), name)
		require.Equal(t, 10*Second, ends(Hour), name)
	}
}
