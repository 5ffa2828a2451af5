package kad

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// However many nodes are nearer to a record's key than this one, its time here is halved for each and never nothing: a shift
// by more than the bits that there are is neither a panic nor a time without end (libp2p-kad's
// exp_decr_expiration_overflow).
func TestDecayWithoutOverflow(t *testing.T) {
	for _, c := range []struct{ ttl, least Duration }{{48 * Hour, minDecayedTTL}, {maxSpan, minDecayedTTL}, {5 * Minute, 5 * Minute}} {
		k := newNode(t, quiet(Config{Mode: ModeServer, K: 1, RecordTTL: c.ttl}))
		var out Output
		v := valid(t, "k", "v")
		target := KeyOf([]byte("k"))
		nearer, want := 0, c.ttl
		for b := range KeyBits { // a peer in each bucket where that makes it nearer
			if k.table.local.Distance(target)[b/8]&(0x80>>(b%8)) == 0 {
				continue
			}
			key := k.table.local
			key[b/8] ^= 0x80 >> (b % 8)
			k.table.Insert(1, k.dir.put(key), false, 1)
			if nearer++; nearer > 1 { // the first is the one nearest, K
				want = max(want/2, c.least)
			}
			require.Equal(t, nearer, k.table.countBetween(&target, KeyBits))
			k.Store().Remove([]byte("k"))
			k.Step(1, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("p")}, Valid: v}, &out)
			r, ok := k.Store().Get([]byte("k"))
			require.True(t, ok)
			require.Equal(t, 1+Time(want), r.Expires, "%d are nearer", nearer)
		}
		require.Greater(t, nearer, 100)
	}
}
