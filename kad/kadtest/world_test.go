package kadtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// The same seed and the same calls give the same events at the same moments; another seed gives others.
func TestWorldIsSeeded(t *testing.T) {
	history := func(seed uint64) (events []kad.Event) {
		w := NewWorld(t, seed)
		w.MinDelay, w.MaxDelay = 10*kad.Second/1000, kad.Second
		nodes := w.Add(20, Quiet())
		for i, n := range nodes[1:] {
			w.Connect(n, nodes[w.Rand().IntN(i+1)])
		}
		w.Kill(nodes[3])
		w.Events(nodes[19])
		w.Do(nodes[19], kad.Input{Kind: kad.OpGetClosestPeers, Key: []byte("key")})
		require.True(t, w.Settle(kad.Minute))
		return w.Events(nodes[19])
	}
	require.NotEmpty(t, history(1))
	require.Equal(t, history(1), history(1))
	require.NotEqual(t, history(1), history(2))
}

// A message takes the time that it was given: two ways of a second, and a second more if the peer must be dialled by name
// of another.
func TestWorldDelays(t *testing.T) {
	w := NewWorld(t, 1)
	w.MinDelay = kad.Second
	n := w.Add(2, Quiet())
	w.Know(n[0], n[1])
	q := w.Do(n[0], kad.Input{Kind: kad.OpGetClosestPeers, Key: []byte("key")}).Query
	w.Run(2*kad.Second - 1)
	require.Empty(t, w.Progress(n[0], q))
	w.Run(1)
	last := w.Progress(n[0], q)
	require.Len(t, last, 1)
	require.Equal(t, n[1].ID, last[0].Peers[0].ID)
	require.Equal(t, Start+kad.Time(2*kad.Second), last[0].Stats.End)
}

// Who is killed says nothing, who is stopped cannot be dialled; a world without messages and queries is at rest.
func TestWorldDeaths(t *testing.T) {
	w := NewWorld(t, 1)
	n := w.Add(3, Quiet())
	w.Know(n[0], n[1:]...)
	w.Kill(n[1])
	w.Stop(n[2])
	require.True(t, w.Settle(0))
	q := w.Do(n[0], kad.Input{Kind: kad.OpGetClosestPeers, Key: []byte("key")}).Query
	require.False(t, w.Settle(kad.Second), "the dead one's time is not over")
	require.True(t, w.Settle(kad.Minute))
	last := w.Progress(n[0], q)
	require.Len(t, last, 1)
	require.Empty(t, last[0].Peers)
	require.Equal(t, uint32(2), last[0].Stats.Failures)
}

// Whoever lives for days is swept: the Directory forgets the peers that were only heard of, and keeps those of the table.
func TestWorldIsSwept(t *testing.T) {
	w := NewWorld(t, 1)
	n := w.Add(3, Quiet())
	w.Know(n[0], n[1])
	known := n[0].K.Directory().Len()
	w.Do(n[0], kad.Input{Kind: kad.OpGetClosestPeers, Key: []byte("key")})
	w.Do(n[0], kad.Input{Kind: kad.FindNodeRes, Peer: info(n[1]), Query: 1, Closer: []kad.PeerInfo{{ID: []byte("hearsay"), Addrs: addrs([]byte("/x"))}}})
	require.Greater(t, n[0].K.Directory().Len(), known)
	w.Run(48 * kad.Hour)
	require.Zero(t, n[0].K.Directory().Find([]byte("hearsay")))
	require.NotZero(t, n[0].K.Directory().Find(n[1].ID))
}
