package kad

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// groupOf is the group of a test's address "group/name"; those without one are of none.
func groupOf(addr []byte) uint64 {
	var g uint64
	if _, err := fmt.Sscanf(string(addr), "%d/", &g); err != nil {
		return 0
	}
	return g
}

// Peers of few groups, with several addresses each, enter as they like: of no group there are ever more than three in the table,
// or two in a bucket, and nobody is kept out whose groups all have room.
func TestGroupLimits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		k := newNode(t, Config{Mode: ModeServer, Group: groupOf})
		var out Output
		refused := 0
		for i := range 200 {
			var addrs Addrs
			for a := range 1 + rng.IntN(3) {
				addrs = addrs.Add(fmt.Appendf(nil, "%d/%d", rng.IntN(15), a))
			}
			p := PeerInfo{ID: fmt.Appendf(nil, "peer %d", i), Addrs: addrs}
			key := KeyOf(p.ID)
			all, near := groups(k, k.table.local.CommonPrefix(&key))
			room := true
			for addr := range addrs.All() {
				if g := groupOf(addr); g != 0 && (all[g] >= 3 || near[g] >= 2) {
					room = false
				}
			}
			before := k.table.Len()
			k.Step(1, Input{Kind: ProtocolsChanged, Peer: p, Supported: true}, &out)
			require.Len(t, out.Events, 1)
			if room && before < k.table.Len() {
				require.Equal(t, RoutingUpdated, out.Events[0].Kind)
			} else {
				refused++
				require.Equal(t, RoutablePeer, out.Events[0].Kind)
				require.False(t, room, "seed %d: nobody is kept out without a reason", seed)
			}
			all, _ = groups(k, 0)
			for g, n := range all {
				require.LessOrEqual(t, n, 3, "seed %d: group %d", seed, g)
			}
			for b := range k.table.Depth() {
				_, near = groups(k, b)
				for g, n := range near {
					require.LessOrEqual(t, n, 2, "seed %d: group %d in bucket %d", seed, g, b)
				}
			}
		}
		require.NotZero(t, refused)
	}
}

// groups counts the peers of each group, in the table and in one bucket.
func groups(k *Kademlia, bucket int) (all, near map[uint64]int) {
	all, near = map[uint64]int{}, map[uint64]int{}
	k.table.Buckets(func(b Bucket) bool {
		b.Entries(func(e EntryView) bool {
			seen := map[uint64]bool{0: true}
			for addr := range e.Addrs.All() {
				if g := groupOf(addr); !seen[g] {
					seen[g] = true
					all[g]++
					if b.Index == bucket {
						near[g]++
					}
				}
			}
			return true
		})
		return true
	})
	return all, near
}

// Who names addresses of more groups than anybody has is kept out, and one with as many as may be is not.
func TestTooManyGroups(t *testing.T) {
	for n, want := range map[int]EventKind{maxGroups: RoutingUpdated, maxGroups + 1: RoutablePeer} {
		k := newNode(t, Config{Mode: ModeServer, Group: groupOf})
		var addrs Addrs
		for i := range n {
			addrs = addrs.Add(fmt.Appendf(nil, "%d/x", i+1)).Add(fmt.Appendf(nil, "%d/y", i+1))
		}
		var out Output
		k.Step(1, Input{Kind: ProtocolsChanged, Peer: PeerInfo{ID: []byte("p"), Addrs: addrs}, Supported: true}, &out)
		require.Equal(t, want, out.Events[0].Kind, "%d groups", n)
	}
}

// No group is asked for where there is no room anyway: that is the dear part.
func TestGroupIsAskedLast(t *testing.T) {
	calls := 0
	k := newNode(t, Config{Mode: ModeServer, K: 1, Group: func([]byte) uint64 { calls++; return 0 }})
	var out Output
	for i := range 100 {
		k.Step(1, Input{Kind: OpAddAddress, Peer: PeerInfo{ID: fmt.Appendf(nil, "peer %d", i)}, Addr: []byte("addr")}, &out)
	}
	require.LessOrEqual(t, calls, k.table.Len(), "once for each that got a place")
	require.NotZero(t, calls)
}
