package kad

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// The vectors of ipfs-kad L230-L236 and L472-L476, and a SHA-256 peer id beside the identity one: both are hashed as they
// are.
func TestKeyVectors(t *testing.T) {
	for _, v := range []struct{ name, preimage, key string }{
		{
			"KS-01 Ed25519 peer id", "0024080112209e3b433cbd31c2b8a6ebbdca998bd0f4c2141c9c9af5422e976051b1e63af14d",
			"e43d28f0996557c0d5571d75c62a57a59d7ac1d30a51ecedcdb9d5e4afa56100",
		},
		{
			"KS-02 multihash of a CID", "1220e536c7f88d731f374dccb568aff6f56e838a19382e488039b1ca8ad2599e82fe",
			"d623250f3f660ab4c3a53d3c97b3f6a0194c548053488d093520206248253bcb",
		},
	} {
		require.Equal(t, v.key, KeyOf(unhex(t, v.preimage)).String(), v.name)
	}
	// KS-03: the prefix 12 20 of a SHA-256 id is part of what is hashed.
	digest := unhex(t, "e536c7f88d731f374dccb568aff6f56e838a19382e488039b1ca8ad2599e82fe")
	require.NotEqual(t, KeyOf(digest), KeyOf(append([]byte{0x12, 0x20}, digest...)))
}

// KS-04: 0 to 255, and 256 with oneself.
func TestCommonPrefix(t *testing.T) {
	a := randomKey(rand.New(rand.NewPCG(1, 1)))
	for n := range KeyBits {
		b := a
		b[n/8] ^= 0x80 >> (n % 8)
		if n < KeyBits-8 {
			b[31] ^= 0x55
		}
		require.Equal(t, n, a.CommonPrefix(&b))
		require.Equal(t, n, b.CommonPrefix(&a))
	}
	require.Equal(t, KeyBits, a.CommonPrefix(&a))
	require.True(t, a.Equal(&a))
}

func randomKey(rng *rand.Rand) (k Key) {
	for i := range k {
		k[i] = byte(rng.Uint32())
	}
	return k
}

// XOR is a metric, and for each target and distance there is exactly one point.
func TestDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		a, b, c := randomKey(rng), randomKey(rng), randomKey(rng)
		require.Equal(t, Key{}, a.Distance(a))
		require.Equal(t, a.Distance(b), b.Distance(a))
		require.Equal(t, b, a.Distance(a.Distance(b)))
		require.Equal(t, a.Distance(c), a.Distance(b).Distance(b.Distance(c)))

		da, db := c.Distance(a), c.Distance(b)
		want := 1
		if string(da[:]) < string(db[:]) {
			want = -1
		}
		require.Equal(t, want, c.Compare(&a, &b))
		require.Equal(t, -want, c.Compare(&b, &a))
		require.Zero(t, c.Compare(&a, &a))
		// The last bits decide, too.
		b = a
		b[31] ^= 1
		require.NotZero(t, c.Compare(&a, &b))
	}
}

// Keys that differ in one bit are not equal.
func TestKeyEqual(t *testing.T) {
	a, b := KeyOf([]byte("k")), KeyOf([]byte("k"))
	require.True(t, a.Equal(&b))
	for i := range KeyBits {
		b[i/8] ^= 0x80 >> (i % 8)
		require.False(t, a.Equal(&b))
		b[i/8] ^= 0x80 >> (i % 8)
	}
}
