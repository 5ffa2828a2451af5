package kad

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// An Output may be shared by nodes that have a Directory each. The memory of a query that one of them ended holds no handle
// for the next: the other's sweep would mark a peer that its Directory does not know.
func TestOutputSharedByNodes(t *testing.T) {
	cfg := quiet(Config{Mode: ModeServer})
	large, small := newNode(t, cfg), newNode(t, cfg)
	var out Output
	fill(t, large, 100)
	fill(t, small, 1)
	now := Time(1)
	large.Step(now, Input{Kind: OpGetClosestPeers, Key: []byte("k")}, &out)
	large.Step(now, Input{Kind: OpFinish, Query: 1}, &out)
	large.Step(now, Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{{ID: []byte("peer 90")}}}, &out)
	large.Step(now, Input{Kind: OpFinish, Query: 2}, &out)
	require.Len(t, out.spare, 1)
	require.True(t, out.spare[0].lookup.dir == nil, "nor is the other's Directory kept alive")

	now = small.nextSweep - 1
	small.Step(now, Input{Kind: OpPutRecordTo, Valid: valid(t, "k", "v"), Closer: []PeerInfo{{ID: []byte("a")}}}, &out)
	require.Empty(t, out.spare)
	require.NotPanics(t, func() { small.Step(small.nextSweep, Input{Kind: Tick}, &out) })
	require.Len(t, small.queries, 1)
	small.queries[0].visit(func(p Peer) { require.True(t, small.dir.known(p)) })
}

// What a Step puts together from two lists of addresses is right where the Output's memory grows meanwhile, and a list that
// the other adds nothing to is given out as it is.
func TestOutputMerge(t *testing.T) {
	var out Output
	a, b := Addrs("\x12\x01a"), Addrs("\x12\x01b\x12\x01a\x12\x01c")
	var merged []Addrs
	for range 100 {
		merged = append(merged, out.merge(a, b))
		out.keep([]byte("something else"))
	}
	for _, m := range merged {
		require.Equal(t, a.Merge(b), m)
	}
	twice := out.merge(merged[99], Addrs("\x12\x01d"))
	require.Equal(t, Addrs("\x12\x01a\x12\x01b\x12\x01c\x12\x01d"), twice)
	require.Equal(t, a.Merge(b), merged[99])
	before := len(out.bytes)
	require.Equal(t, a, out.merge(a, a))
	require.Equal(t, a, out.merge(a, nil))
	require.Equal(t, before, len(out.bytes))
	require.Equal(t, b, out.merge(nil, b))

	var full Addrs
	for i := range maxAddrCount - 1 {
		full = full.Add(fmt.Appendf(nil, "%d", i))
	}
	require.Equal(t, full.Merge(b), out.merge(full, b))
	require.Equal(t, maxAddrCount, out.merge(full, b).Len())
	many := append(bytes.Repeat(b[:3], maxAddrCount), b...)
	require.Equal(t, a.Merge(many), out.merge(a, many), "what lies beyond the first 128 is not read")
}

// An Output that is used again does not hold on to the bytes of the step before.
func TestOutputForgets(t *testing.T) {
	k := newNode(t, Config{Mode: ModeServer})
	fill(t, k, 3)
	var out Output
	k.Step(1, Input{Kind: FindNodeReq, Key: []byte("k")}, &out)
	require.Len(t, out.peers, 3)
	k.Step(1, Input{Kind: Tick}, &out)
	for _, p := range out.peers[:3] {
		require.Zero(t, p)
	}
}
