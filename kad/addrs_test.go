package kad

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddrs(t *testing.T) {
	var a Addrs
	one := a.Add([]byte("one"))
	two := one.Add([]byte("two"))
	require.Equal(t, Addrs("\x12\x03one\x12\x03two"), two)
	require.Equal(t, 2, two.Len())
	require.True(t, two.Contains([]byte("two")))
	require.False(t, two.Contains([]byte("tw")))
	require.Equal(t, two, two.Add([]byte("one")), "no address twice")
	require.Equal(t, two, two.Add(nil), "no empty address")
	require.Equal(t, one, two.Remove([]byte("two")))
	require.Equal(t, two, two.Remove([]byte("three")))
	require.Empty(t, one.Remove([]byte("one")))
	require.Equal(t, Addrs("\x12\x05three\x12\x03two"), two.Replace([]byte("one"), []byte("three")))
	require.Equal(t, two, two.Replace([]byte("four"), []byte("three")))
	require.Equal(t, Addrs("\x12\x03two"), two.Replace([]byte("one"), []byte("two")), "a replacement that is there already")
	require.Equal(t, 3, two.Merge(Addrs("\x12\x03two\x12\x01x")).Len())
	require.NoError(t, two.Check())
	require.NoError(t, a.Check())
}

// A list that somebody holds never changes, whatever is done with it.
func TestAddrsAreReplaced(t *testing.T) {
	held := Addrs(nil).Add([]byte("one")).Add([]byte("two"))
	before := bytes.Clone(held)
	held.Add([]byte("three"))
	held.Remove([]byte("one"))
	held.Replace([]byte("one"), []byte("uno"))
	held.Merge(Addrs("\x12\x04four"))
	require.Equal(t, Addrs(before), held)
}

func TestAddrsLimit(t *testing.T) {
	var a Addrs
	for i := range 500 {
		a = a.Add([]byte{byte(i), byte(i >> 8), 'x', 'y'})
	}
	require.Equal(t, maxAddrCount, a.Len())
	require.Len(t, a.clone(100), 96, "whole addresses only")
	require.Equal(t, a, a.clone(maxAddrBytes))

	var long Addrs
	for i := range 500 {
		long = long.Add(append(make([]byte, 100), byte(i), byte(i>>8)))
	}
	require.LessOrEqual(t, len(long), maxAddrBytes)
	require.Greater(t, len(long), maxAddrBytes-110)
	require.Equal(t, long, long.Merge(a).Merge(long)[:len(long)])

	// A list that breaks the limits is read no farther than they go.
	huge := bytes.Repeat(Addrs("\x12\x01x"), 100_000)
	require.Equal(t, maxAddrCount, Addrs(huge).clone(maxAddrBytes).Len())
	require.Equal(t, 1, Addrs(nil).Merge(append(huge, "\x12\x01y"...)).Len())
}

func TestAddrsMalformed(t *testing.T) {
	for _, bad := range []Addrs{
		{0x12}, {0x12, 5, 'x'}, {0x0a, 1, 'x'}, {0x12, 0x80}, {0x12, 1, 'x', 0x12},
		{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		require.ErrorIs(t, bad.Check(), errAddrs, "%x", bad)
	}
	list := slices.Collect(Addrs("\x12\x01x\x12\x05y").All())
	require.Equal(t, [][]byte{[]byte("x")}, list, "up to where it is malformed")
	require.Equal(t, Addrs("\x12\x01x"), Addrs("\x12\x01x\x12\x05y").clone(100))
}

// Whatever the bytes, reading ends, and what was taken over is well-formed.
func FuzzAddrs(f *testing.F) {
	f.Add([]byte("\x12\x03one\x12\x03two"), []byte("one"))
	f.Add([]byte{0x12, 0x80, 0x80}, []byte{})
	f.Fuzz(func(t *testing.T, list, addr []byte) {
		a := Addrs(list)
		kept := a.clone(maxAddrBytes)
		require.NoError(t, kept.Check())
		if a.Check() == nil && len(a) <= maxAddrBytes && a.Len() <= maxAddrCount {
			require.Equal(t, a.Len(), kept.Len())
		}
		with := kept.Add(addr)
		require.NoError(t, with.Check())
		without := with.Remove(addr)
		require.NoError(t, without.Check())
		require.False(t, without.Contains(addr) && len(addr) > 0)
		require.NoError(t, kept.Merge(a).Check())
	})
}

// What lies behind a list is none of it: an address that is cut short by one byte or two is no address, though the memory
// goes on.
func TestAddrsCutShort(t *testing.T) {
	whole := Addrs("\x12\x03one\x12\x03two")
	for n := range len(whole) {
		a := whole[:n]
		require.Equal(t, n/5, a.Len(), "%d bytes", n)
		if n%5 != 0 {
			require.ErrorIs(t, a.Check(), errAddrs, "%d bytes", n)
		}
	}
}

// A list of 8 KiB is full to the byte.
func TestAddrsFull(t *testing.T) {
	a := Addrs(nil).Add(make([]byte, maxAddrBytes-100))
	room := maxAddrBytes - len(a) - 3
	require.Equal(t, a, a.Add(make([]byte, room+1)))
	require.Equal(t, 2, a.Add(make([]byte, room)).Len())
}
