package kad

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is known of a get: its record, who lacks it, its steps; and nothing once it has ended.
func TestQueryInfoOfGet(t *testing.T) {
	k, out, asked := asking(t, Config{QuorumEndsGet: true, CacheCandidates: 1}, Input{Kind: OpGetRecord, Key: []byte("k"), Quorum: 3})
	info, ok := k.Query(1)
	require.True(t, ok)
	require.Equal(t, QueryInfo{
		ID: 1, Kind: ResGetRecord, Key: []byte("k"), Stats: Stats{Requests: 3, Start: 2}, NumResults: 20, Quorum: 3,
	}, info)
	k.Step(3, Input{Kind: GetRecordRes, Peer: asked[1].Peer, Query: 1, Valid: valid(t, "k", "v")}, out)
	k.Step(4, Input{Kind: GetRecordRes, Peer: asked[0].Peer, Query: 1}, out)
	info, ok = k.Query(1)
	require.True(t, ok)
	require.Equal(t, uint32(1), info.Step)
	require.Equal(t, 1, info.Found)
	require.Equal(t, []byte("v"), info.Record.Value)
	require.Len(t, info.Candidates, 1)
	require.Equal(t, asked[0].Peer.ID, info.Candidates[0].ID)
	require.Equal(t, Stats{Requests: 3, Successes: 2, Start: 2}, info.Stats)

	k.Step(5, Input{Kind: GetRecordRes, Peer: asked[2].Peer, Query: 1}, out)
	_, ok = k.Query(1)
	require.False(t, ok, "it has ended")
	require.NotEmpty(t, k.queries, "the correction runs")
	_, ok = k.Query(k.queries[0].id)
	require.False(t, ok, "and is nobody's")
	_, ok = k.Query(99)
	require.False(t, ok)
}

// What is known of a put in its two phases: the stats are those of both.
func TestQueryInfoOfPut(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpPutRecord, Valid: valid(t, "k", "v"), Quorum: All})
	info, _ := k.Query(1)
	require.False(t, info.Storing)
	require.Equal(t, []byte("v"), info.Record.Value)
	require.Equal(t, All, info.Quorum)
	for _, c := range asked {
		k.Step(3, Input{Kind: FindNodeRes, Peer: c.Peer, Query: 1}, out)
	}
	require.Len(t, out.Commands, 3)
	k.Step(4, Input{Kind: PutRecordRes, Peer: asked[2].Peer, Query: 1, Key: []byte("k"), Value: []byte("v")}, out)
	info, _ = k.Query(1)
	require.True(t, info.Storing)
	require.Equal(t, Stats{Requests: 6, Successes: 4, Start: 2, Hops: 1}, info.Stats)
	require.Len(t, info.Stored, 1)
	require.Equal(t, asked[2].Peer.ID, info.Stored[0].ID)
	k.Step(5, Input{Kind: OpFinish, Query: 1}, out)
	_, ok := k.Query(1)
	require.False(t, ok)
	require.Equal(t, uint32(6), progress(out)[0].Stats.Requests)
}

// What is known of the others: how many are looked for, what was named, what remains.
func TestQueryInfoOfOthers(t *testing.T) {
	k, out, asked := asking(t, Config{}, Input{Kind: OpGetProviders, Key: []byte("k")})
	k.Step(3, Input{Kind: GetProvidersRes, Peer: asked[0].Peer, Query: 1, Providers: []PeerInfo{{ID: []byte("p")}, {ID: []byte("q")}}}, out)
	info, _ := k.Query(1)
	require.Equal(t, 2, info.Found)

	k.Step(3, Input{Kind: OpGetClosestPeers, Key: []byte("k"), N: 7}, out)
	info, _ = k.Query(2)
	require.Equal(t, 7, info.NumResults)

	k.Step(3, Input{Kind: OpBootstrap}, out)
	info, _ = k.Query(3)
	require.Equal(t, []byte("local"), info.Key)
	own := append([]Command(nil), out.Commands...)
	for _, c := range own {
		k.Step(4, Input{Kind: FindNodeRes, Peer: c.Peer, Query: 3}, out)
	}
	info, ok := k.Query(3)
	require.True(t, ok)
	require.Equal(t, uint32(1), info.Step)
	require.Equal(t, progress(out)[0].Remaining-1, info.Remaining, "one of them is the present one")
	require.NotEqual(t, []byte("local"), info.Key)

	var ids []QueryID
	for q := range k.Queries {
		ids = append(ids, q.ID)
		if q.ID == 2 {
			break
		}
	}
	require.Equal(t, []QueryID{1, 2}, ids)
}

// The candidates of a get while it runs: the nearest that have answered without a record, as many as are to be cached at.
func TestQueryInfoCandidates(t *testing.T) {
	k, out, asked := asking(t, Config{CacheCandidates: 1, Alpha: 4}, Input{Kind: OpGetRecord, Key: []byte("k")})
	require.Len(t, asked, 3)
	for i := range 2 {
		in := Input{Kind: GetRecordRes, Peer: asked[i].Peer, Query: 1, Closer: []PeerInfo{{ID: []byte("silent")}}}
		if i == 0 {
			in.Valid = valid(t, "k", "v")
		}
		k.Step(3, in, out)
	}
	info, ok := k.Query(1)
	require.True(t, ok)
	require.Len(t, info.Candidates, 1)
	require.Equal(t, asked[1].Peer.ID, info.Candidates[0].ID)
	k.Step(3, Input{Kind: GetRecordRes, Peer: asked[2].Peer, Query: 1}, out)
	info, _ = k.Query(1)
	require.Len(t, info.Candidates, 1)
}
