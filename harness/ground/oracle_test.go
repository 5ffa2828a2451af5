package ground

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/network"
)

// crowd are n members, every third of them a client.
func crowd(t *testing.T, seed uint64, n int) []member {
	t.Helper()
	ids, err := identities(seed, n)
	require.NoError(t, err)
	members := make([]member, n)
	for i := range members {
		members[i] = member{ID: ids[i].id, key: ids[i].key, Client: i%3 == 2}
	}
	return members
}

// TestNearest: none of those who were left out is nearer than any that was named, and the order is that of the distance.
func TestNearest(t *testing.T) {
	members := crowd(t, 1, 60)
	o := newOracle(members[0].ID, members)
	distance := func(key []byte, id peer.ID) []byte {
		target, at := sha256.Sum256(key), sha256.Sum256([]byte(id))
		for i := range at {
			at[i] ^= target[i]
		}
		return at[:]
	}
	for _, key := range []string{"", "a", "b", string(members[0].ID)} {
		got := o.nearest([]byte(key), 7, nil)
		require.Len(t, got, 7)
		for i := range got[1:] {
			assert.Negative(t, bytes.Compare(distance([]byte(key), got[i]), distance([]byte(key), got[i+1])))
		}
		for i, m := range members {
			named := recall(got, []peer.ID{m.ID}) == 1
			switch {
			case i == 0 || m.Client:
				assert.False(t, named, "oneself and clients are none of them")
			case !named:
				assert.Positive(t, bytes.Compare(distance([]byte(key), m.ID), distance([]byte(key), got[6])))
			}
		}
	}
	assert.Len(t, o.nearest([]byte("a"), 100, nil), 39)
	assert.Equal(t, []peer.ID{members[4].ID}, o.nearest([]byte("a"), 7, func(id peer.ID) bool { return id == members[4].ID }))
}

func TestRecall(t *testing.T) {
	assert.Equal(t, 0.5, recall([]peer.ID{"a", "x", "y"}, []peer.ID{"a", "b"}))
	assert.Equal(t, 1.0, recall(nil, nil))
	assert.Equal(t, 0.0, recall(nil, []peer.ID{"a"}))
}

// TestMeetRefuses: a roster that does not name each instance once is told, and nobody panics of it.
func TestMeetRefuses(t *testing.T) {
	for published, want := range map[string]string{
		`[{"n":0}]`:                 `roster: collect 1 of topic "roster": hello of instance 0, expected each of 1 to 2 once`,
		`[{"n":3}]`:                 `roster: collect 1 of topic "roster": hello of instance 3, expected each of 1 to 2 once`,
		`[{"n":1},{"n":1}]`:         `roster: collect 1 of topic "roster": hello of instance 1, expected each of 1 to 2 once`,
		`[{"n":2}]`:                 "roster: nothing of instance 1, expected a line",
		`[{"n":1,"a":"x"},{"n":2}]`: "roster: instance 1: ",
	} {
		in := &Instance{Seq: 2, Count: 2, Sync: local{newHub(), scopeOf(aRun)}}
		require.NoError(t, in.Sync.Publish(t.Context(), "roster", json.RawMessage(published)))
		_, err := meet(t.Context(), in, 1, hello{Seq: 2})
		assert.ErrorContains(t, err, want)
	}
}

// TestIdentities: the ids that all instances compute are those of the nodes, whatever was computed before.
func TestIdentities(t *testing.T) {
	few, err := identities(7, 2)
	require.NoError(t, err)
	_, err = identities(8, 1)
	require.NoError(t, err)
	many, err := identities(7, 5)
	require.NoError(t, err)
	assert.Equal(t, few, many[:2])

	kind, err := network.Find("ref")
	require.NoError(t, err)
	n, err := kind.New(t.Context(), network.Spec{Seed: seedOf(7, 5)})
	require.NoError(t, err)
	defer n.Close()
	assert.Equal(t, n.Info().ID, many[4].id)
}
