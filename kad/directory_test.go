package kad

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDirectory(t *testing.T) {
	d := NewDirectory()
	id := []byte("alice")
	a := d.Intern(id)
	require.NotZero(t, a)
	require.Equal(t, a, d.Intern(id))
	require.Equal(t, a, d.Find(id))
	require.Zero(t, d.Find([]byte("bob")))
	copy(id, "XXXXX")
	require.Equal(t, []byte("alice"), d.ID(a), "the id is a copy")
	require.Equal(t, KeyOf([]byte("alice")), *d.Key(a))
	require.Zero(t, d.Intern(nil))
	require.Zero(t, d.Intern(make([]byte, maxIDBytes+1)))
	require.Equal(t, 1, d.Len())

	d.SetAddrs(a, Addrs("\x12\x01x"))
	d.Freeze()
	require.True(t, d.Frozen())
	d.SetAddrs(a, nil)
	require.Equal(t, Addrs("\x12\x01x"), d.Addrs(a), "a frozen one does not change")
	require.Zero(t, d.Intern([]byte("bob")))
	require.Equal(t, a, d.Intern([]byte("alice")))
	require.Zero(t, d.sweep(func(func(Peer)) {}))
}

// A slot is freed when two sweeps in a row find that nobody refers to it, and only then is its handle used again. What was
// read from it stays as it was.
func TestDirectorySweep(t *testing.T) {
	d := NewDirectory()
	var peers []Peer
	for i := range 4 {
		peers = append(peers, d.Intern(fmt.Appendf(nil, "peer %d", i)))
	}
	held := d.Info(peers[1])
	visit := func(mark func(Peer)) { mark(peers[0]) }

	require.Zero(t, d.sweep(visit), "one sweep frees nobody")
	d.Intern([]byte("peer 2")) // somebody speaks of it again
	require.Equal(t, 2, d.sweep(visit), "1 and 3")
	require.Equal(t, 2, d.Len())
	require.Zero(t, d.Find([]byte("peer 1")))
	require.NotZero(t, d.Find([]byte("peer 2")))
	require.Equal(t, 1, d.sweep(visit), "2")
	require.Zero(t, d.sweep(visit))
	require.Equal(t, peers[0], d.Find([]byte("peer 0")))

	fresh := d.Intern([]byte("new"))
	require.Contains(t, peers[1:], fresh, "a handle is used again")
	require.Equal(t, KeyOf([]byte("new")), *d.Key(fresh))
	require.Equal(t, []byte("peer 1"), held.ID)
}

// A frozen Directory is never written to, not even to note that somebody was looked for.
func TestFrozenIsNotWritten(t *testing.T) {
	d := NewDirectory()
	require.False(t, d.Frozen())
	id := make([]byte, maxIDBytes)
	p := d.Intern(id)
	require.NotZero(t, p, "the longest id there may be")
	require.Zero(t, d.Intern(make([]byte, maxIDBytes+1)))
	d.slots[p].idle = 1
	d.Freeze()
	require.True(t, d.Frozen())
	require.Equal(t, p, d.Intern(id))
	require.Zero(t, d.sweep(func(func(Peer)) {}))
	require.Equal(t, uint8(1), d.slots[p].idle)
}

// A handle that was freed means nobody until it is given again.
func TestFreedHandle(t *testing.T) {
	d := NewDirectory()
	p := d.Intern([]byte("p"))
	require.True(t, d.known(p))
	for range idleSweeps {
		d.sweep(func(func(Peer)) {})
	}
	require.False(t, d.known(p))
	require.False(t, d.known(0))
	require.Equal(t, p, d.Intern([]byte("q")))
	require.True(t, d.known(p))
}
