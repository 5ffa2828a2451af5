package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

func full() *Message {
	m := reply()
	m.Key = []byte("/v/key")
	m.HasRecord = true
	m.Record = Record{Key: m.Key, Value: bytes.Repeat([]byte("v"), 300), TimeReceived: []byte("2026-01-02T03:04:05Z"), Publisher: []byte("peer"), TTL: 60}
	m.ProviderPeers = append(m.ProviderPeers, m.CloserPeers[:3]...)
	m.ClusterLevelRaw = -1
	return m
}

// TestAppendIsCanonical: the generated message writes the same bytes, as both write fields in order and lengths shortest.
func TestAppendIsCanonical(t *testing.T) {
	for _, m := range []*Message{{}, {Type: Ping}, {HasRecord: true}, reply(), full(), {Type: -1, CloserPeers: []Peer{{}, {Connection: -1}}}} {
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(generated(m))
		require.NoError(t, err)
		got := Append(nil, m)
		assert.Equal(t, string(want), string(got))
		assert.Equal(t, len(want), Size(m))

		framed := AppendFrame([]byte("before"), m)
		assert.Equal(t, "before", string(framed[:6]))
		body, err := ReadFrame(bytes.NewReader(framed[6:]), nil, MaxReceive)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, body))
	}
}

func TestPeerSize(t *testing.T) {
	m := full()
	sum := 0
	for i := range m.CloserPeers {
		sum += PeerSize(&m.CloserPeers[i])
	}
	without := *m
	without.CloserPeers = nil
	assert.Equal(t, Size(m)-Size(&without), sum)
}

// TestNoAllocation: once warm, a message is read and written without the heap; interleaved addresses included.
func TestNoAllocation(t *testing.T) {
	body := Append(nil, full())
	body = append(body, 0x42, 0x0a, addrsTag, 1, 'a', tagPeerConnection, 1, addrsTag, 3, 'b', 'c', 'd')
	var m Message
	buf := make([]byte, 0, 8192)
	frame := AppendFrame(nil, full())
	stream := bytes.NewReader(nil)
	for name, f := range map[string]func(){
		"Decode":      func() { require.NoError(t, Decode(body, &m)) },
		"Append":      func() { buf = Append(buf[:0], &m) },
		"AppendFrame": func() { buf = AppendFrame(buf[:0], &m) },
		"ReadFrame": func() {
			stream.Reset(frame)
			_, err := ReadFrame(stream, buf, MaxReceive)
			require.NoError(t, err)
		},
		"Addrs.All": func() {
			n := 0
			for a := range m.CloserPeers[0].Addrs.All() {
				n += len(a)
			}
			if n == 0 {
				t.Error("no addresses")
			}
		},
	} {
		require.NoError(t, Decode(body, &m))
		assert.Zero(t, testing.AllocsPerRun(100, f), name)
	}
}

// TestDecodeViews: what is read aliases the input, and appending to one view cannot reach the next.
func TestDecodeViews(t *testing.T) {
	body := Append(nil, full())
	var m Message
	require.NoError(t, Decode(body, &m))
	_ = append(m.CloserPeers[0].ID, "overflow"...)
	_ = append(m.CloserPeers[0].Addrs, "overflow"...)
	_ = append(m.Record.Value, "overflow"...)
	assert.Equal(t, Append(nil, full()), body, "an append through a view changed the input")
	body[bytes.Index(body, []byte("/v/key"))] = '!'
	assert.Equal(t, "!v/key", string(m.Key), "not a view")
}

// TestGatheredAddrs: gathered addresses of several peers stay apart, also while their memory moves.
func TestGatheredAddrs(t *testing.T) {
	var body []byte
	const peers = 300
	for i := range peers {
		a := strings.Repeat(string(rune('a'+i%26)), 1+i%50)
		p := append([]byte{tagPeerConnection, 1}, MakeAddrs([]byte(a))...)
		p = append(p, tagPeerConnection, 2)
		p = append(p, MakeAddrs([]byte(a+"!"))...)
		body = append(append(body, tagCloser), byte(len(p)))
		body = append(body, p...)
	}
	var m Message
	for range 2 {
		require.NoError(t, Decode(body, &m))
		require.Len(t, m.CloserPeers, peers)
		for i, p := range m.CloserPeers {
			a := strings.Repeat(string(rune('a'+i%26)), 1+i%50)
			require.Equal(t, MakeAddrs([]byte(a), []byte(a+"!")), p.Addrs)
			require.Equal(t, int32(2), p.Connection)
		}
	}
}

func TestLimits(t *testing.T) {
	var m Message
	empty := []byte{tagCloser, 0}
	most := append(bytes.Repeat(empty, MaxPeers-1), tagProvider, 0)
	require.NoError(t, Decode(most, &m))
	assert.Len(t, m.CloserPeers, MaxPeers-1)

	err := Decode(append(most, empty...), &m)
	require.ErrorIs(t, err, ErrPeers)
	assert.EqualError(t, err, "wire: closerPeers[65535] at byte 131072: more than 65536 peers")
	assert.Empty(t, m.CloserPeers, "an error leaves the message empty")

	groups := func(n int) []byte {
		return append(bytes.Repeat([]byte{0x7b}, n), bytes.Repeat([]byte{0x7c}, n)...)
	}
	assert.NoError(t, Decode(groups(100), &m))
	assert.ErrorIs(t, Decode(groups(101), &m), ErrGroupDepth)
}

// TestReset: memory of a usual message is kept, that of a huge one given back, and no earlier buffer stays alive.
func TestReset(t *testing.T) {
	var m Message
	require.NoError(t, Decode(Append(nil, full()), &m))
	kept := cap(m.CloserPeers)
	m.Reset()
	assert.Equal(t, kept, cap(m.CloserPeers))
	assert.Empty(t, generatedText(&m))
	for _, p := range m.CloserPeers[:kept] {
		assert.Zero(t, p)
	}

	require.NoError(t, Decode(Append(nil, reply()), &m))
	require.NoError(t, Decode(Append(nil, &Message{CloserPeers: reply().CloserPeers[:2]}), &m))
	for _, p := range m.CloserPeers[2:kept] {
		assert.Zero(t, p, "Decode left a view of an earlier buffer")
	}

	require.NoError(t, Decode(bytes.Repeat([]byte{tagCloser, 0}, keepPeers+1), &m))
	assert.Greater(t, cap(m.CloserPeers), keepPeers)
	require.NoError(t, Decode(nil, &m))
	assert.Zero(t, cap(m.CloserPeers))
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct{ hex, want string }{
		{"\x1a\x06\x0a\x01a\x2a\x01\xff", "wire: record.timeReceived at byte 5: not valid UTF-8"},
		{"\x42\x00\x42\x08\x12\x01a\x18\x01\x12\x05a", "wire: closerPeers[1].addrs[1] at byte 9: cut short: less is left than the field needs"},
		{"\x4a\x02\x0e\x00", "wire: providerPeers[0].id at byte 2: wire type 6 or 7, which do not exist"},
		{"\x50", "wire: clusterLevelRaw at byte 0: cut short: less is left than the field needs"},
		{"\x1a\x03\xd2\x29\x05", "wire: record.publisher at byte 2: cut short: less is left than the field needs"},
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff", "wire: type at byte 0: cut short: less is left than the field needs"},
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "wire: type at byte 0: varint of more than 64 bits"},
		{"\x1a\x02\xc8\x30", "wire: record.ttl at byte 2: cut short: less is left than the field needs"},
	} {
		var m Message
		assert.EqualError(t, Decode([]byte(c.hex), &m), c.want)
	}
}

func TestType(t *testing.T) {
	for typ := PutValue; typ <= Ping; typ++ {
		got, ok := ParseType(typ.String())
		assert.True(t, ok)
		assert.Equal(t, typ, got)
	}
	assert.Equal(t, "FIND_NODE", FindNode.String())
	assert.Equal(t, "TYPE(99)", Type(99).String())
	assert.Equal(t, "TYPE(-1)", Type(-1).String())
	_, ok := ParseType("TYPE(99)")
	assert.False(t, ok)
}

func TestAddrs(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 200)
	a := MakeAddrs([]byte("a"), nil, long)
	assert.Equal(t, 3, a.Len())
	var got []string
	for addr := range a.All() {
		got = append(got, string(addr))
	}
	assert.Equal(t, []string{"a", "", string(long)}, got)
	for range a.All() {
		break // may stop early
	}
	assert.Zero(t, Addrs(nil).Len())

	// Malformed ones, which only a caller can make, end early.
	for _, bad := range []string{"\x0a\x01a", "\x12", "\x12\x02a", "\x12\x80", "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		mixed := append(MakeAddrs([]byte("a")), bad...)
		assert.Equal(t, 1, mixed.Len(), "%x", bad)
		n := 0
		for range mixed.All() {
			n++
		}
		assert.Equal(t, 1, n, "%x", bad)
	}
}
