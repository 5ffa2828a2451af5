package run

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/fixtures/keys"
	"github.com/kadbench/kadbench/harness/plan"
)

func names(prefix string, n int) []string {
	var list []string
	for i := range n {
		list = append(list, prefix+string(rune('0'+i/10))+string(rune('0'+i%10)))
	}
	return list
}

func TestCastKeepsBucketsBelowTheLimit(t *testing.T) {
	target := sha256.Sum256([]byte("target"))
	c := NewCast(7, "find-node/full", target)
	ids, err := c.Choose(names("S", 90), Wish{CPL: -1})
	require.NoError(t, err)
	count := map[int]int{}
	seen := map[string]bool{}
	for _, id := range ids {
		count[CommonBits(id.Place, target)]++
		require.False(t, seen[string(id.ID)], "%s is somebody else too", id.Name)
		seen[string(id.ID)] = true
	}
	for bucket, n := range count {
		require.LessOrEqual(t, n, BucketLimit, "bucket %d", bucket)
	}
	// 90 do not fit into fewer buckets than these, so the limit did bite.
	require.GreaterOrEqual(t, len(count), 6)
}

func TestCastIsAFunctionOfSeedCaseAndName(t *testing.T) {
	target := sha256.Sum256([]byte("target"))
	choose := func(seed uint64, id, name string) string {
		got, err := NewCast(seed, id, target).Choose([]string{name}, Wish{CPL: -1})
		require.NoError(t, err)
		return string(got[0].ID)
	}
	require.Equal(t, choose(1, "a/b", "A"), choose(1, "a/b", "A"))
	require.NotEqual(t, choose(1, "a/b", "A"), choose(2, "a/b", "A"))
	require.NotEqual(t, choose(1, "a/b", "A"), choose(1, "a/c", "A"))
	require.NotEqual(t, choose(1, "a/b", "A"), choose(1, "a/b", "B"))
}

func TestCastNear(t *testing.T) {
	target, k := sha256.Sum256([]byte("target")), sha256.Sum256([]byte("K"))
	c := NewCast(7, "x/y", target)
	first, err := c.Choose([]string{"A"}, Wish{Near: &k, CPL: -1})
	require.NoError(t, err)
	rest, err := c.Choose(names("S", 40), Wish{Near: &k, CPL: -1})
	require.NoError(t, err)
	last := first[0].Place
	for _, id := range rest {
		require.True(t, closer(last, id.Place, k), "%s should lie farther than the one before", id.Name)
		last = id.Place
	}
	others, err := c.Choose(names("X", 60), Wish{CPL: -1})
	require.NoError(t, err)
	for _, id := range others {
		require.True(t, closer(rest[39].Place, id.Place, k))
	}
}

// Whoever has no wish keeps away from a place near which others are wanted: of 3,000, some three would come near by chance.
func TestCastKeepsStrangersAway(t *testing.T) {
	target, k := sha256.Sum256([]byte("target")), sha256.Sum256([]byte("K"))
	for seed := range uint64(60) {
		c := NewCast(seed, "x/y", target)
		_, err := c.Choose([]string{"A"}, Wish{Near: &k, CPL: -1})
		require.NoError(t, err)
		others, err := c.Choose(names("X", 50), Wish{CPL: -1})
		require.NoError(t, err)
		for _, id := range others {
			require.Less(t, CommonBits(id.Place, k), farBits)
		}
	}
}

func TestCastCommonBits(t *testing.T) {
	target, k := sha256.Sum256([]byte("target")), sha256.Sum256([]byte("K"))
	for cpl := range 12 {
		c := NewCast(7, "x/y", target)
		ids, err := c.Choose([]string{"A"}, Wish{CPL: cpl})
		require.NoError(t, err)
		require.Equal(t, cpl, CommonBits(ids[0].Place, target))
		ids, err = c.Choose([]string{"B"}, Wish{CPL: cpl, Near: &k})
		require.NoError(t, err)
		require.Equal(t, cpl, CommonBits(ids[0].Place, k))
	}
	_, err := NewCast(7, "x/y", target).Choose([]string{"A"}, Wish{CPL: 24})
	require.ErrorIs(t, err, ErrCast)
}

func TestCastRSA(t *testing.T) {
	c := NewCast(7, "x/y", sha256.Sum256([]byte("target")))
	ids, err := c.Choose(names("A", keys.RSALen), Wish{RSA: true, CPL: -1})
	require.NoError(t, err)
	require.Len(t, string(ids[0].ID), 34)
	_, err = c.Choose([]string{"E"}, Wish{RSA: true, CPL: -1})
	require.ErrorIs(t, err, ErrCast)
}

// Each case begins with the keys behind those of the cases before it.
func TestEachCaseHasItsOwnRSAKeys(t *testing.T) {
	c := &Config{}
	for _, peers := range []string{"peer R key=rsa", "peer A", "peer R1..R3 key=rsa", "peer R key=rsa"} {
		src := fmt.Sprintf("# P.\nid a/b-%d\nlevel must\npeer T target\n%s\n", len(c.Plans), peers)
		p, err := plan.Parse("x.plan", []byte(src))
		require.NoError(t, err)
		c.Plans = append(c.Plans, p)
	}
	var first []int
	seen := map[string]bool{}
	for _, p := range c.Plans {
		cast := NewCast(7, p.Header.ID, sha256.Sum256([]byte("target")))
		cast.rsa = c.rsa(p)
		first = append(first, cast.rsa)
		ids, err := cast.Choose([]string{"R"}, Wish{RSA: true, CPL: -1})
		require.NoError(t, err)
		seen[string(ids[0].ID)] = true
	}
	require.Equal(t, []int{0, 1, 1, 4}, first)
	require.Len(t, seen, 3, "the second has no RSA peer, and would get the third one's")
}
