package target

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-varint"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/kad/wire"
)

const testProto = "/ipfs/kad/1.0.0"

// testDeadline is where a test gives up; nothing waits for it when all is well.
func testDeadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// seeded is the Ed25519 key of a label.
func seeded(t *testing.T, label string) crypto.PrivKey {
	sum := sha256.Sum256([]byte(label))
	key, err := KeyFromSeed(sum[:])
	require.NoError(t, err)
	return key
}

func puppet(t *testing.T, cfg PuppetConfig) *Puppet {
	p, err := NewPuppet(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// pair is a connected pair: a dials b, and b takes streams of the test protocol.
func pair(t *testing.T, a, b PuppetConfig) (*Puppet, *Puppet) {
	b.Protocols = []string{testProto}
	pa, pb := puppet(t, a), puppet(t, b)
	require.NoError(t, pa.Connect(testDeadline(t), pb.Info()))
	return pa, pb
}

func frame(body []byte) []byte {
	return append(varint.ToUvarint(uint64(len(body))), body...)
}

func next(t *testing.T, s *Stream) Event {
	e, err := s.Next(testDeadline(t))
	require.NoError(t, err)
	return e
}

func TestPuppetsExchangeBytes(t *testing.T) {
	for _, c := range []struct{ over, security string }{{"tcp", ""}, {"tcp", "noise"}, {"tcp", "tls"}, {"quic", ""}} {
		t.Run(c.over+c.security, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			t.Run("", func(t *testing.T) {
				cfg := PuppetConfig{Over: c.over, Security: c.security}
				a, b := pair(t, cfg, cfg)
				ctx := testDeadline(t)
				s, err := a.Open(ctx, b.ID(), testProto)
				require.NoError(t, err)
				other, err := b.Accept(ctx)
				require.NoError(t, err)
				require.NoError(t, s.Write(ctx, []byte{2, 'h'})) // in parts
				require.NoError(t, s.Write(ctx, []byte{'i', 0, 3, 'x', 'y', 'z'}))
				for _, want := range []string{"hi", "", "xyz"} {
					e := next(t, other)
					require.Equal(t, Frame, e.Kind)
					require.Equal(t, want, string(e.Body))
					require.Equal(t, frame([]byte(want)), e.Raw)
				}
				long := frame(make([]byte, 100_000))
				require.NoError(t, other.Write(ctx, long))
				require.Equal(t, long, next(t, s).Raw)
				require.NoError(t, s.CloseWrite())
				require.Equal(t, EOF, next(t, other).Kind)
				_, err = other.Next(ctx)
				require.ErrorIs(t, err, ErrEnded)
				require.NoError(t, other.Close())
				require.Equal(t, EOF, next(t, s).Kind)
				require.Equal(t, 1, b.Dials())
				require.Len(t, slices.DeleteFunc(b.Heard().From(0), func(h Heard) bool { return h.Dial }), 3)
			})
		})
	}
}

func TestOpenErrors(t *testing.T) {
	a, b := pair(t, PuppetConfig{}, PuppetConfig{})
	ctx := testDeadline(t)
	_, err := a.Open(ctx, b.ID(), "/ipfs/kad/9.9.9")
	require.ErrorIs(t, err, ErrRefused)
	require.True(t, a.Connected(b.ID()), "a refusal leaves the connection")

	nobody := puppet(t, PuppetConfig{Kind: Nobody})
	for want := 1; want <= 2; want++ {
		require.ErrorIs(t, a.Connect(ctx, nobody.Info()), ErrDial)
		_, err = nobody.Heard().At(ctx, want-1)
		require.NoError(t, err)
		require.Equal(t, want, nobody.Dials(), "no back-off hides a dial")
	}
	_, err = nobody.Open(ctx, b.ID(), testProto)
	require.ErrorIs(t, err, ErrNoHost)
	stranger, err := peer.IDFromPrivateKey(seeded(t, "stranger"))
	require.NoError(t, err)
	_, err = a.Open(ctx, stranger, testProto)
	require.ErrorIs(t, err, ErrDial)

	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = a.Open(gone, b.ID(), testProto)
	require.ErrorIs(t, err, context.Canceled)
}

func TestStreamEnds(t *testing.T) {
	a, b := pair(t, PuppetConfig{}, PuppetConfig{})
	ctx := testDeadline(t)
	open := func(t *testing.T) (*Stream, *Stream) {
		s, err := a.Open(ctx, b.ID(), testProto)
		require.NoError(t, err)
		o, err := b.Accept(ctx)
		require.NoError(t, err)
		return s, o
	}
	t.Run("reset", func(t *testing.T) {
		s, o := open(t)
		require.NoError(t, s.Write(ctx, []byte{9, 'h'}))
		require.NoError(t, o.raw.ResetWithError(0x1003))
		e := next(t, s)
		require.Equal(t, Reset, e.Kind)
		require.EqualValues(t, 0x1003, e.Code)
		require.Empty(t, e.Raw)
		require.ErrorIs(t, s.Write(ctx, []byte{0}), ErrReset)
	})
	t.Run("reset within a frame", func(t *testing.T) {
		s, o := open(t)
		require.NoError(t, s.Write(ctx, []byte{0, 9, 'h'}))
		require.Equal(t, Frame, next(t, o).Kind)
		require.NoError(t, s.Reset())
		require.Equal(t, Closed, next(t, s).Kind)
		e := next(t, o)
		require.Equal(t, Reset, e.Kind)
		require.Subset(t, []byte{9, 'h'}, e.Raw)
	})
	t.Run("end within a frame", func(t *testing.T) {
		s, o := open(t)
		require.NoError(t, s.Write(ctx, []byte{9, 'h', 'i'}))
		require.NoError(t, s.CloseWrite())
		e := next(t, o)
		require.Equal(t, Unreadable, e.Kind)
		require.Equal(t, []byte{9, 'h', 'i'}, e.Raw)
		require.ErrorIs(t, e.Err, ErrUnreadable)
		require.Equal(t, EOF, next(t, o).Kind)
	})
	for name, prefix := range map[string][]byte{
		"not minimal": {0x80, 0x00}, "ten bytes": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"4 MiB and one": varint.ToUvarint(FrameLimit + 1),
	} {
		t.Run(name, func(t *testing.T) {
			s, o := open(t)
			require.NoError(t, s.Write(ctx, append(frame([]byte("ok")), prefix...)))
			require.Equal(t, Frame, next(t, o).Kind)
			e := next(t, o)
			require.Equal(t, Unreadable, e.Kind)
			require.Equal(t, prefix[0], e.Raw[0])
			require.NoError(t, s.CloseWrite())
			require.Equal(t, EOF, next(t, o).Kind)
		})
	}
	t.Run("connection", func(t *testing.T) {
		s, o := open(t)
		require.NoError(t, b.Disconnect(a.ID()))
		require.Equal(t, Reset, next(t, s).Kind)
		require.Contains(t, []EventKind{Reset, Closed}, next(t, o).Kind)
		require.ErrorIs(t, s.Write(ctx, []byte{0}), ErrReset)
	})
}

func TestLazyStreamIsReadOnlyWhileSomebodyWaits(t *testing.T) {
	a, b := pair(t, PuppetConfig{}, PuppetConfig{})
	ctx := testDeadline(t)
	s, err := a.OpenLazy(ctx, b.ID(), testProto)
	require.NoError(t, err)
	o, err := b.Accept(ctx)
	require.NoError(t, err)
	// More than the stream's window: the writer can end only when the other side reads.
	done := make(chan error, 1)
	const frames = 40
	go func() {
		for range frames {
			if err := o.Write(ctx, frame(make([]byte, 1<<20))); err != nil {
				done <- err
				return
			}
		}
		done <- o.CloseWrite()
	}()
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	for err == nil {
		_, err = s.Next(short)
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, ok := s.Peek()
	require.False(t, ok)
	for n := 0; ; n++ { // what was read of a frame before is not lost
		e := next(t, s)
		if e.Kind == EOF {
			break
		}
		require.Len(t, e.Body, 1<<20)
		require.Less(t, n, frames)
	}
	require.NoError(t, <-done)

	full, stop := context.WithCancel(ctx)
	written := make(chan error, 1)
	s2, err := a.OpenLazy(ctx, b.ID(), testProto)
	require.NoError(t, err)
	o2, err := b.Accept(ctx)
	require.NoError(t, err)
	require.NoError(t, s2.Write(ctx, frame(nil)))
	require.Equal(t, Frame, next(t, o2).Kind)
	go func() {
		var err error
		for err == nil {
			err = o2.Write(full, make([]byte, 1<<20))
		}
		written <- err
	}()
	stop()
	require.ErrorIs(t, <-written, context.Canceled)
}

func TestIdentify(t *testing.T) {
	claim := ma.StringCast("/ip4/8.8.8.8/tcp/4001")
	a, b := pair(t, PuppetConfig{}, PuppetConfig{Claims: []ma.Multiaddr{claim}})
	ctx := testDeadline(t)
	first, err := a.Identified(ctx, b.ID(), 0)
	require.NoError(t, err)
	require.Equal(t, Agent, first.Agent)
	require.Contains(t, first.Protocols, testProto)
	require.Equal(t, []ma.Multiaddr{claim}, first.Addrs)

	b.host.RemoveStreamHandler(testProto) // pushes
	pushed, err := a.Identified(ctx, b.ID(), first.Seq)
	require.NoError(t, err)
	require.NotContains(t, pushed.Protocols, testProto)
	asked, err := a.Identify(ctx, b.ID())
	require.NoError(t, err)
	require.Equal(t, pushed.Protocols, asked.Protocols)
	require.Equal(t, pushed.Addrs, asked.Addrs)

	plain, err := b.Identified(ctx, a.ID(), 0)
	require.NoError(t, err)
	require.NotContains(t, plain.Protocols, testProto)
	require.Equal(t, a.Addrs(), plain.Addrs)

	client := puppet(t, PuppetConfig{Kind: Client, Protocols: []string{testProto}})
	require.NoError(t, a.Connect(ctx, client.Info()))
	c, err := a.Identified(ctx, client.ID(), 0)
	require.NoError(t, err)
	require.NotContains(t, c.Protocols, testProto)
}

func TestPuppetDialsFromItsIP(t *testing.T) {
	for _, over := range []string{"tcp", "quic"} {
		a := puppet(t, PuppetConfig{IP: "127.0.0.7", Over: over})
		b := puppet(t, PuppetConfig{Over: over})
		require.Contains(t, a.Addrs()[0].String(), "/ip4/127.0.0.7/")
		ctx := testDeadline(t)
		require.NoError(t, a.Connect(ctx, b.Info()))
		h, err := b.Heard().At(ctx, 0)
		require.NoError(t, err)
		require.True(t, h.Dial)
		require.Equal(t, a.ID(), h.From)
		require.Contains(t, h.Addr.String(), "/ip4/127.0.0.7/", over)
	}
}

func TestNobodyCountsQUICDials(t *testing.T) {
	a, b := puppet(t, PuppetConfig{Over: "quic"}), puppet(t, PuppetConfig{Over: "quic", Kind: Nobody})
	ctx, cancel := context.WithCancel(testDeadline(t))
	go a.Connect(ctx, b.Info())
	_, err := b.Heard().At(ctx, 0)
	require.NoError(t, err)
	cancel()
	require.Equal(t, 1, b.Dials())
}

func TestServingPuppet(t *testing.T) {
	server := puppet(t, PuppetConfig{Kind: Serving})
	a := puppet(t, PuppetConfig{})
	ctx := testDeadline(t)
	known := []peer.AddrInfo{a.Info(), server.Info()}
	for i := range 40 {
		id, err := peer.IDFromPrivateKey(seeded(t, fmt.Sprint("known", i)))
		require.NoError(t, err)
		known = append(known, peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 1000+i))}})
	}
	server.Know(known)
	require.NoError(t, a.Connect(ctx, server.Info()))
	key := []byte("a key")
	place := func(id peer.ID) (d [32]byte) {
		x, y := sha256.Sum256(key), sha256.Sum256([]byte(id))
		for i := range d {
			d[i] = x[i] ^ y[i]
		}
		return d
	}
	want := slices.Clone(known[2:])
	slices.SortFunc(want, func(x, y peer.AddrInfo) int {
		a, b := place(x.ID), place(y.ID)
		return slices.Compare(a[:], b[:])
	})
	s, err := a.Open(ctx, server.ID(), testProto)
	require.NoError(t, err)
	ask := func(m wire.Message) wire.Message {
		require.NoError(t, s.Write(ctx, wire.AppendFrame(nil, &m)))
		e := next(t, s)
		require.Equal(t, Frame, e.Kind)
		var reply wire.Message
		require.NoError(t, wire.Decode(e.Body, &reply))
		require.Equal(t, m.Type, reply.Type)
		return reply
	}
	for _, typ := range []wire.Type{wire.FindNode, wire.GetValue, wire.GetProviders} {
		reply := ask(wire.Message{Type: typ, Key: key})
		require.Len(t, reply.CloserPeers, 20, typ)
		for i, p := range reply.CloserPeers {
			require.Equal(t, string(want[i].ID), string(p.ID))
			addr := want[i].Addrs[0].Bytes()
			require.Equal(t, append([]byte{0x12, byte(len(addr))}, addr...), []byte(p.Addrs))
		}
		require.Empty(t, reply.ProviderPeers)
		require.False(t, reply.HasRecord)
	}
	self := ask(wire.Message{Type: wire.FindNode, Key: []byte(server.ID())})
	require.Len(t, self.CloserPeers, 21)
	require.Equal(t, string(server.ID()), string(self.CloserPeers[0].ID))
	asker := ask(wire.Message{Type: wire.FindNode, Key: []byte(a.ID())})
	require.Len(t, asker.CloserPeers, 21)
	require.Equal(t, string(a.ID()), string(asker.CloserPeers[0].ID))
	put := ask(wire.Message{Type: wire.PutValue, Key: key, HasRecord: true, Record: wire.Record{Key: key, Value: []byte("v")}})
	require.Equal(t, "v", string(put.Record.Value))
	require.NoError(t, s.Write(ctx, wire.AppendFrame(nil, &wire.Message{Type: wire.AddProvider, Key: key})))
	ask(wire.Message{Type: wire.Ping}) // ADD_PROVIDER had no answer, or it would have come first
	heard := slices.DeleteFunc(server.Heard().From(0), func(h Heard) bool { return h.Dial })
	require.Len(t, heard, 8)
	require.Equal(t, a.ID(), heard[0].From)

	for name, bad := range map[string]wire.Message{
		"no key": {Type: wire.FindNode}, "unknown type": {Type: 99, Key: key},
		"record of another key": {Type: wire.PutValue, Key: key, HasRecord: true, Record: wire.Record{Key: []byte("other")}},
	} {
		s, err = a.Open(ctx, server.ID(), testProto)
		require.NoError(t, err)
		require.NoError(t, s.Write(ctx, wire.AppendFrame(nil, &bad)))
		require.Equal(t, Reset, next(t, s).Kind, name)
	}
	s, err = a.Open(ctx, server.ID(), testProto)
	require.NoError(t, err)
	require.NoError(t, s.CloseWrite())
	require.Equal(t, EOF, next(t, s).Kind)
}

func TestPuppetHearsOnlySoMuch(t *testing.T) {
	a, b := pair(t, PuppetConfig{}, PuppetConfig{})
	ctx := testDeadline(t)
	s, err := a.Open(ctx, b.ID(), testProto)
	require.NoError(t, err)
	other, err := b.Accept(ctx)
	require.NoError(t, err)
	go func() { // else the reader would stop at pendingLimit
		for err := error(nil); err == nil; {
			_, err = other.Next(ctx)
		}
	}()
	big := frame(make([]byte, FrameLimit))
	for range heardBytes/len(big) + 1 {
		if err = s.Write(ctx, big); err != nil {
			break
		}
	}
	require.Equal(t, Reset, next(t, s).Kind)
	require.LessOrEqual(t, b.Heard().Len(), 1+heardBytes/len(big))
	require.True(t, b.Connected(a.ID()))
}

func TestManyPuppets(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) {
		const many = 60
		server := puppet(t, PuppetConfig{Kind: Serving})
		began := time.Now()
		all := make([]*Puppet, many)
		for i := range all {
			all[i] = puppet(t, PuppetConfig{Kind: Serving})
		}
		made := time.Since(began)
		ctx := testDeadline(t)
		var wg sync.WaitGroup
		for _, p := range all {
			wg.Go(func() {
				if err := p.Connect(ctx, server.Info()); err != nil {
					t.Error(err)
				}
				if _, err := server.Identified(ctx, p.ID(), 0); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		t.Logf("%d puppets made in %v, connected and identified in %v", many, made, time.Since(began)-made)
		require.Equal(t, many, server.Dials())
	})
}

func TestPuppetConfigCheck(t *testing.T) {
	for want, cfg := range map[string]PuppetConfig{
		"expected tcp or quic":                    {Over: "udp"},
		"expected noise or tls":                   {Security: "plaintext"},
		"QUIC has TLS built in":                   {Over: "quic", Security: "noise"},
		"expected an IP address":                  {IP: "localhost"},
		"expected raw, serving, client or nobody": {Kind: 9},
		"k=-1: expected a positive number":        {K: -1},
	} {
		_, err := NewPuppet(cfg)
		require.ErrorContains(t, err, want)
	}
}
