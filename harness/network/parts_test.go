package network

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// TestStays: over many nodes, the share that is there is that of the medians at each moment, and the length of a stay has the
// median that was asked for.
func TestStays(t *testing.T) {
	for _, c := range []sim.Churn{
		{Kind: sim.Exponential, Median: kad.Duration(30 * time.Second), Away: kad.Duration(10 * time.Second)},
		{Kind: sim.Weibull, Shape: 700_000, Median: kad.Duration(30 * time.Second), Away: kad.Duration(10 * time.Second)},
		{Kind: sim.LogNormal, Sigma: 800_000, Median: kad.Duration(30 * time.Second), Away: kad.Duration(10 * time.Second)},
	} {
		const nodes, end = 4000, 2 * time.Minute
		up, upAtEnd, joined, before := 0, 0, 0, 0
		for i := range nodes {
			s := staysOf(c, 0, end, rand.New(rand.NewPCG(1, uint64(i))))
			at, is := time.Duration(0), s.up
			if s.up {
				up++
			}
			for _, ch := range s.changes {
				require.Greater(t, ch.at, at)
				require.Less(t, ch.at, end)
				require.NotEqual(t, is, ch.up)
				at, is = ch.at, ch.up
			}
			if is {
				upAtEnd++
			}
			later := staysOf(c, time.Second, end, rand.New(rand.NewPCG(2, uint64(i))))
			require.False(t, later.up)
			require.Equal(t, change{time.Second, true}, later.changes[0])
			joined++
			if len(later.changes) > 1 && later.changes[1].at < 31*time.Second {
				before++
			}
		}
		assert.InDelta(t, 0.75, float64(up)/nodes, 0.03, "%+v", c)
		assert.InDelta(t, 0.75, float64(upAtEnd)/nodes, 0.03, "%+v", c)
		assert.InDelta(t, 0.5, float64(before)/float64(joined), 0.03, "%+v", c)
	}
	assert.Equal(t, stays{up: true}, staysOf(sim.Churn{}, 0, time.Hour, nil))
	assert.Equal(t, stays{changes: []change{{time.Minute, true}}}, staysOf(sim.Churn{}, time.Minute, time.Hour, nil))
}

// TestShares: whose the innermost known function is, his is the sample.
func TestShares(t *testing.T) {
	stack := func(n int64, functions ...string) *profile.Sample {
		s := &profile.Sample{Value: []int64{n / 5, n}}
		for _, f := range functions {
			s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: f}}}})
		}
		return s
	}
	p := &profile.Profile{Sample: []*profile.Sample{
		stack(10, "runtime.mallocgc", "github.com/kadbench/kadbench/kad.(*Table).Add", "github.com/libp2p/go-libp2p/p2p/net/swarm.(*Swarm).x"),
		stack(20, "crypto/internal/fips140/aes.encrypt", "github.com/libp2p/go-libp2p-kad-dht.(*IpfsDHT).x"),
		stack(30, "runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker"),
		stack(25, "runtime.futex", "runtime.schedule"),
		stack(15, "runtime.memmove", "github.com/kadbench/kadbench/harness/network.(*countedStream).Read", "github.com/kadbench/kadbench/kad/p2p.(*clientStream).read"),
		{Value: []int64{0, 0}, Location: []*profile.Location{{}}},
	}}
	shares, samples := sharesOf(p)
	assert.Equal(t, []record.Share{{What: "kademlia", Of: 0.1}, {What: "transport", Of: 0.2}, {What: "collector", Of: 0.3}, {What: "harness", Of: 0.15}, {What: "other", Of: 0.25}}, shares)
	assert.EqualValues(t, 20, samples)
}

// TestAnswering: the ends of frames are found however they come, what negotiates a protocol is no answer, and a body is kept
// whole where that was asked for.
func TestAnswering(t *testing.T) {
	var stream []byte
	frame := func(body []byte) { stream = append(binary.AppendUvarint(stream, uint64(len(body))), body...) }
	frame([]byte("/multistream/1.0.0\n"))
	frame([]byte("/ipfs/kad/1.0.0\n"))
	frame(bytes.Repeat([]byte{8}, 300))
	frame(nil)
	frame([]byte{8, 4})
	for _, as := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader} {
		for _, keep := range []bool{false, true} {
			var a answering
			var got []string
			b, r := make([]byte, 200), as(bytes.NewReader(stream))
			for n, err := r.Read(b); err == nil; n, err = r.Read(b) {
				for part := b[:n]; len(part) > 0; {
					var whole answer
					if part, whole = a.take(part, keep); whole.size > 0 {
						got = append(got, fmt.Sprintf("%d %x", whole.size, whole.body))
						a.drop()
					}
				}
			}
			want := []string{"302 ", "3 "}
			if keep {
				want = []string{"302 " + strings.Repeat("08", 300), "3 0804"}
			}
			assert.Equal(t, want, got)
			assert.Nil(t, a.pieces, "between frames nothing is held")
		}
	}
}

// FuzzAnswering: bytes of a peer never make it panic or hang, and who a message names is what the wire format says.
func FuzzAnswering(f *testing.F) {
	f.Add([]byte{2, 8, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add(wire.Append(nil, &wire.Message{Type: wire.FindNode, Key: []byte("k"), CloserPeers: []wire.Peer{{ID: []byte("a"), Addrs: wire.MakeAddrs([]byte("x"))}, {ID: []byte("b")}}}))
	f.Add([]byte{0x43, 0x44, 0x42, 2, 0x0a, 0}) // a group, where it ends
	f.Fuzz(func(t *testing.T, b []byte) {
		c := chainsTo("k", 20, nil)
		c.answer("somebody", b)
		if hops := c.longest(nil); hops != 1 {
			t.Fatalf("who was asked has %d hops", hops)
		}
		agrees(t, b)
		var a answering
		for len(b) > 0 {
			rest, whole := a.take(b, true)
			if len(rest) >= len(b) || uint64(len(whole.body)) > whole.size {
				t.Fatalf("%d of %d bytes left, of an answer of %d a body of %d", len(rest), len(b), whole.size, len(whole.body))
			}
			if b = rest; whole.size > 0 {
				a.drop()
			}
		}
	})
}

// agrees wants a message's type and key and whom it names to be what the wire format finds in it, once it is written as it should be.
func agrees(t *testing.T, body []byte) {
	closerPeers(body, func([]byte) {})
	about(body)
	var m wire.Message
	if wire.Decode(body, &m) != nil {
		return
	}
	body = wire.Append(nil, &m)
	got, want := []string{}, []string{}
	assert.True(t, closerPeers(body, func(id []byte) { got = append(got, string(id)) }))
	for _, p := range m.CloserPeers {
		if len(p.ID) > 0 {
			want = append(want, string(p.ID))
		}
	}
	assert.Equal(t, want, got)
	kind, key := about(body)
	assert.Equal(t, m.Type, kind)
	assert.Equal(t, string(m.Key), string(key))
}

func TestAbout(t *testing.T) {
	for _, m := range []wire.Message{
		{Type: wire.FindNode, Key: []byte("key")},
		{Type: wire.PutValue, Key: []byte("/v/x"), HasRecord: true, Record: wire.Record{Key: []byte("/v/x"), Value: []byte("ok")}},
		{Type: wire.AddProvider, Key: []byte("hash"), ProviderPeers: []wire.Peer{{ID: []byte("id")}}},
		{Type: wire.Ping},
	} {
		frame := wire.AppendFrame(nil, &m)
		_, n := binary.Uvarint(frame)
		kind, key := about(frame[n:])
		assert.Equal(t, m.Type, kind)
		assert.Equal(t, string(m.Key), string(key))
		agrees(t, frame[n:])
		for i := range frame[n:] {
			agrees(t, frame[n:n+i]) // what is cut off is no harm
		}
	}
}

// TestLateConn: each direction is late by the delay, in order; deadlines hold; what was written arrives after Close.
func TestLateConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = 50 * time.Millisecond
		near, far := net.Pipe()
		late := newLateConn(near, delay)
		began := time.Now()
		for _, text := range []string{"one ", "two"} {
			_, err := late.Write([]byte(text))
			require.NoError(t, err)
		}
		b := make([]byte, 7)
		_, err := io.ReadFull(far, b)
		require.NoError(t, err)
		assert.Equal(t, "one two", string(b))
		assert.Equal(t, delay, time.Since(began))

		began = time.Now()
		_, err = far.Write([]byte("answer"))
		require.NoError(t, err)
		require.NoError(t, late.SetReadDeadline(time.Now().Add(delay/2)))
		_, err = late.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, late.SetReadDeadline(time.Time{}))
		n, err := late.Read(b[:3])
		require.NoError(t, err)
		assert.Equal(t, "ans", string(b[:n]))
		assert.Equal(t, delay, time.Since(began))
		n, err = late.Read(b)
		require.NoError(t, err)
		assert.Equal(t, "wer", string(b[:n]))

		_, err = late.Write([]byte("last"))
		require.NoError(t, err)
		require.NoError(t, late.Close())
		_, err = late.Write([]byte("never"))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = late.Read(b)
		require.ErrorIs(t, err, net.ErrClosed)
		got, err := io.ReadAll(far)
		require.NoError(t, err)
		assert.Equal(t, "last", string(got))
	})
}

// TestMem: a host that has gone is nobody's, and another may take its place.
func TestMem(t *testing.T) {
	m := NewMem(0)
	a, err := m.Host([32]byte{1})
	require.NoError(t, err)
	defer a.Close()
	for range 2 {
		b, err := m.Host([32]byte{2})
		require.NoError(t, err)
		k, err := Find("go")
		require.NoError(t, err)
		na, err := k.New(t.Context(), Spec{Host: a, Server: true})
		require.NoError(t, err)
		nb, err := k.New(t.Context(), Spec{Host: b, Server: true})
		require.NoError(t, err)
		require.NoError(t, na.Connect(t.Context(), nb.Info()))
		require.NoError(t, nb.Close()) // the host is the caller's
		require.NoError(t, b.Connect(t.Context(), na.Info()))
		require.NoError(t, b.Close())
		require.Error(t, b.Connect(t.Context(), na.Info()), "it is closed")
		require.Error(t, na.Connect(t.Context(), nb.Info()), "nobody is there")
		require.NoError(t, na.Close())
	}
}
