package target

import (
	"bytes"
	"testing"

	"github.com/multiformats/go-varint"
	"github.com/stretchr/testify/require"
)

// cutAll feeds bytes in parts of a size, and gives the bodies.
func cutAll(b []byte, size int) (bodies [][]byte, f frames) {
	for len(b) > 0 {
		n := min(size, len(b))
		f.feed(b[:n], func(raw, body []byte) {
			if !bytes.Equal(raw, frame(body)) {
				panic("raw is not the frame of body")
			}
			bodies = append(bodies, body)
		})
		b = b[n:]
	}
	return bodies, f
}

func TestFramesAreCutHoweverTheyCome(t *testing.T) {
	var b []byte
	sizes := []int{0, 1, 127, 128, 16_383, 16_384, 70_000}
	for _, n := range sizes {
		b = append(b, frame(bytes.Repeat([]byte{byte(n)}, n))...)
	}
	for _, part := range []int{1, 2, 3, 1000, len(b)} {
		bodies, f := cutAll(b, part)
		require.Len(t, bodies, len(sizes))
		for i, n := range sizes {
			require.Len(t, bodies[i], n)
		}
		require.NoError(t, f.bad)
		require.Empty(t, f.rest())
	}
}

func TestFramesLimit(t *testing.T) {
	_, f := cutAll(varint.ToUvarint(FrameLimit), 1)
	require.NoError(t, f.bad)
	require.Less(t, cap(f.buf), 64, "what is declared is not allocated")
	_, f = cutAll(append(varint.ToUvarint(FrameLimit+1), "rest of the stream"...), 5)
	require.ErrorIs(t, f.bad, ErrUnreadable)
	require.ErrorContains(t, f.bad, "a frame of 4194305 bytes: expected at most 4194304")
	require.Equal(t, "r", string(f.rest()[4:]), "what had come with it")
	require.Equal(t, len("est of the stream"), f.lost)
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{}, 1)
	f.Add([]byte{3, 'a', 'b', 'c', 0x80, 0x01}, 2)
	f.Add([]byte{0x80, 0x00}, 1)
	f.Add(bytes.Repeat([]byte{0xff}, 12), 3)
	f.Fuzz(func(t *testing.T, b []byte, part int) {
		whole, one := cutAll(b, max(1, len(b)))
		parts, other := cutAll(b, 1+(part&0xff))
		require.Equal(t, whole, parts)
		require.Equal(t, one.bad == nil, other.bad == nil)
		n := len(one.rest()) + one.lost
		for _, body := range whole {
			n += len(frame(body))
		}
		require.Equal(t, len(b), n, "every byte is in a frame, in the rest, or counted as lost")
	})
}
