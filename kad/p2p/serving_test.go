package p2p_test

import (
	"bufio"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/kad/wire"
)

// TestTurns: with one request at a time on a connection, another stream waits until the first is answered.
func TestTurns(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n, err := p2p.New(p2p.Config{Host: hosts[0], Kad: kad.Config{Mode: kad.ModeServer}, Limits: p2p.Limits{InboundRequests: 1}})
		require.NoError(t, err)
		require.NoError(t, n.Start(t.Context()))
		defer n.Close()
		require.NoError(t, hosts[1].Connect(t.Context(), *host.InfoFromHost(hosts[0])))
		var rs [2]*raw
		for i := range rs {
			s, err := hosts[1].NewStream(t.Context(), hosts[0].ID(), p2p.DefaultProtocol)
			require.NoError(t, err)
			rs[i] = &raw{t: t, s: s, r: bufio.NewReader(s)}
			rs[i].write(ping).want(wire.Ping)
		}
		rs[0].write(ping[:1])
		after(time.Second)
		rs[1].write(ping)
		go func() {
			after(20 * time.Second)
			rs[0].write(ping[1:])
		}()
		within(t, 19*time.Second, 21*time.Second, func() { rs[1].want(wire.Ping) })
		rs[0].want(wire.Ping)

		after(45 * time.Second) // both are silent
		rs[0].write(ping[:1])
		after(5 * time.Second)
		rs[1].write(ping)
		go func() {
			after(50 * time.Second)
			rs[0].write(ping[1:])
		}()
		within(t, 49*time.Second, 51*time.Second, func() { rs[1].want(wire.Ping) }) // who waits for its turn is not silent
		rs[0].want(wire.Ping)
	})
}

// TestCloseWhileServing: the end of a node waits for none of its streams, whatever each of them waits for: the next request, the
// rest of one, an application that decides, a peer that reads, or a place.
func TestCloseWhileServing(t *testing.T) {
	virtual(t, 2, func(t *testing.T, hosts []host.Host) {
		n, err := p2p.New(p2p.Config{Host: hosts[0], Validators: p2p.Namespaces("v"), Limits: p2p.Limits{InboundRequests: 3},
			Kad: kad.Config{Mode: kad.ModeServer, FilterRecords: true}})
		require.NoError(t, err)
		require.NoError(t, n.Start(t.Context()))
		events := n.Events()
		require.NoError(t, hosts[1].Connect(t.Context(), *host.InfoFromHost(hosts[0])))
		stream := func() *raw {
			s, err := hosts[1].NewStream(t.Context(), hosts[0].ID(), p2p.DefaultProtocol)
			require.NoError(t, err)
			r := &raw{t: t, s: s, r: bufio.NewReader(s)}
			r.write(ping).want(wire.Ping)
			return r
		}
		idle, half, held, unread, waiting := stream(), stream(), stream(), stream(), stream()
		require.NoError(t, n.Store().Put(p2p.StoredRecord{Key: []byte("/v/large"), Value: append([]byte("ok "), make([]byte, 60<<10)...)}))
		half.write(ping[:1])
		held.send(record("/v/held", "ok held"))
		for ev := range events {
			if ev.Held {
				break
			}
		}
		go func() { // it asks for 60 MB and reads nothing
			get := wire.AppendFrame(nil, &wire.Message{Type: wire.GetValue, Key: []byte("/v/large")})
			for range 1000 {
				if _, err := unread.s.Write(get); err != nil {
					return
				}
			}
		}()
		after(time.Second)
		waiting.write(ping)
		go func() {
			after(time.Second)
			assert.NoError(t, n.Close())
		}()
		within(t, 900*time.Millisecond, 2*time.Second, waiting.refused) // it got no place
		idle.refused()
		half.refused()
		held.refused()
	})
}
