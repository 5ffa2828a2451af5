package kad_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/kadtest"
)

// Each node of a chain knows the next one only. A lookup from the first walks the chain to its end and returns all others,
// nearest first, along several paths as along one, whichever answer comes first.
func TestChainAlongPaths(t *testing.T) {
	for seed := range uint64(10) {
		for _, disjoint := range []bool{false, true} {
			w := kadtest.NewWorld(t, seed)
			w.MaxDelay = kad.Second / 10
			cfg := kadtest.Quiet()
			cfg.DisjointPaths = disjoint
			n := w.Add(2+w.Rand().IntN(18), cfg)
			for i, node := range n[1:] {
				w.Know(n[i], node)
			}
			key := []byte{byte(seed)}
			q := w.Do(n[0], kad.Input{Kind: kad.OpGetClosestPeers, Key: key}).Query
			require.True(t, w.Settle(kad.Minute))
			events := w.Progress(n[0], q)
			require.Len(t, events, 1)
			require.True(t, events[0].Step.Last)
			require.Equal(t, kad.QueryOK, events[0].Err)
			require.Len(t, events[0].Peers, len(n)-1, "seed %d", seed)
			target := kad.KeyOf(key)
			for i, p := range events[0].Peers {
				require.NotEqual(t, n[0].ID, p.ID)
				require.NotEmpty(t, p.Addrs)
				if i > 0 {
					before, here := kad.KeyOf(events[0].Peers[i-1].ID), kad.KeyOf(p.ID)
					require.Negative(t, target.Compare(&before, &here))
				}
			}
			require.Equal(t, uint32(len(n)-1), events[0].Stats.Requests, "each is asked once")
		}
	}
}

// Who has left a request without an answer is not asked by the next lookup, along one path or several, unless nobody else
// is left; once it answers, or PeerTimeout is over, it is asked as anybody is.
func TestSilentPeerIsPostponed(t *testing.T) {
	for _, disjoint := range []bool{false, true} {
		w := kadtest.NewWorld(t, 1)
		cfg := kadtest.Quiet()
		cfg.DisjointPaths = disjoint
		n := w.Add(5, cfg)
		w.Connect(n[0], n[1], n[2], n[3], n[4])
		w.Kill(n[4])
		look := func(count int) kad.Event {
			q := w.Do(n[0], kad.Input{Kind: kad.OpGetClosestPeers, Key: n[4].ID, N: count}).Query
			require.True(t, w.Settle(kad.Minute))
			events := w.Progress(n[0], q)
			require.Len(t, events, 1)
			return events[0]
		}
		require.Equal(t, uint32(1), look(3).Stats.Failures, "the nearest of all is dead")
		before := w.Now()
		again := look(3)
		require.Equal(t, uint32(3), again.Stats.Requests)
		require.Equal(t, before, w.Now(), "nobody was waited for")
		require.Len(t, again.Peers, 3)
		pressed := look(4)
		require.Equal(t, uint32(4), pressed.Stats.Requests, "for four it must be asked, too")
		require.Len(t, pressed.Peers, 3)
		w.Run(11 * kad.Second)
		require.Equal(t, uint32(4), look(3).Stats.Requests)
	}
}
