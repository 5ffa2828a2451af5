package kad

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every kind has a name of its own, and what is beyond the last kind prints as a number.
func TestKindNames(t *testing.T) {
	distinct := func(n int, name func(int) string) {
		seen := map[string]int{}
		for i := range n {
			s := name(i)
			require.NotEmpty(t, s, "%d", i)
			require.NotContains(t, seen, s)
			seen[s] = i
		}
		require.Equal(t, fmt.Sprint(n), name(n))
	}
	distinct(int(OpRefuse)+1, func(i int) string { return InputKind(i).String() })
	distinct(int(SetProtocols)+1, func(i int) string { return CommandKind(i).String() })
	distinct(int(PeerEvicted)+1, func(i int) string { return EventKind(i).String() })
	distinct(int(ResRepublishRecord)+1, func(i int) string { return ResultKind(i).String() })
	distinct(int(QueryQuorumFailed)+1, func(i int) string { return QueryErr(i).String() })
	distinct(int(ErrRefused)+1, func(i int) string { return ErrorKind(i).String() })
	distinct(int(ModeServer)+1, func(i int) string { return Mode(i).String() })
	distinct(int(UpdateFailed)+1, func(i int) string { return RoutingUpdate(i).String() })
}

func TestFormat(t *testing.T) {
	id := []byte{0, 0x24, 0xde, 0xad, 0xbe, 0xef}
	peer := PeerInfo{Peer: 7, ID: id, Addrs: Addrs("\x12\x01x")}
	rec := Record{Key: []byte("k"), Value: []byte("v"), Publisher: id, Expires: 1_767_225_600e9}
	for want, got := range map[string]fmt.Stringer{
		"tick": Input{Kind: Tick},
		"find_node_req …deadbeef req=3 key=a target=#9": Input{
			Kind: FindNodeReq, Peer: peer, Request: 3, Key: []byte("a"), Target: PeerInfo{Peer: 9},
		},
		"put_record …deadbeef conn=2 query=4 value=v record=k→v publisher=…deadbeef expires=01-01T00:00:00 dialer supported n=5 quorum=all err=reset late=100ms": Input{
			Kind: PutRecord, Peer: peer, Conn: 2, Query: 4, Value: []byte("v"), Valid: Valid{record: rec, ok: true},
			Dialer: true, Supported: true, N: 5, Quorum: All, Late: Second / 10, Err: ErrReset,
		},
		"op_set_mode mode=server":          Input{Kind: OpSetMode, Mode: ModeServer},
		"op_put_record quorum=majority":    Input{Kind: OpPutRecord, Quorum: Majority},
		"op_put_record_to closer=[#1]":     Input{Kind: OpPutRecordTo, Closer: []PeerInfo{{Peer: 1}}},
		"address_changed addr=new old=old": Input{Kind: AddressChanged, Addr: []byte("new"), OldAddr: []byte("old")},
		"find_node …deadbeef query=1 key=0102030405060708…": Command{
			Kind: SendFindNode, Peer: peer, Query: 1, Key: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9},
		},
		"respond_get_record req=1 key=0001 record=k→v publisher=…deadbeef expires=01-01T00:00:00 closer=[…deadbeef]": Command{
			Kind: RespondGetRecord, Request: 1, Key: []byte{0, 1}, Record: rec, Found: true, Closer: []PeerInfo{peer},
		},
		"set_protocols mode=client": Command{Kind: SetProtocols, Mode: ModeClient},
		"routing_updated …deadbeef new bucket=5 old=#4": Event{
			Kind: RoutingUpdated, Peer: peer, New: true, Bucket: 5, Old: PeerInfo{Peer: 4},
		},
		"inbound_request ping …deadbeef": Event{Kind: InboundRequest, Inbound: PingReq, Peer: peer},
		"get_record query=2 key=k found candidates=[…deadbeef] err=not_found requests=3/2/1 hops=4 step=5 last": Event{
			Kind: QueryProgressed, Result: ResGetRecord, Query: 2, Key: []byte("k"), Found: true, Candidates: []PeerInfo{peer},
			Err: QueryNotFound, Stats: Stats{Requests: 3, Successes: 2, Failures: 1, Hops: 4}, Step: ProgressStep{5, true},
		},
		"mode_changed mode=client": Event{Kind: ModeChanged, Mode: ModeClient},
		"one":                      One,
		"12":                       Quorum(12),
	} {
		require.Equal(t, want, got.String())
	}
}
