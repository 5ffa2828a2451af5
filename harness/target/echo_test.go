package target

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/kad/wire"
)

// echoed starts an echo over one transport, and connects a puppet to it.
func echoed(t *testing.T, over string) (Target, *Puppet, peer.ID) {
	f, err := Parse("floor=echo:")
	require.NoError(t, err)
	require.Equal(t, "floor true false", fmt.Sprint(f.Name(), " ", f.Private(), " ", f.Remote()))
	ctx := testDeadline(t)
	node, err := f.New(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, node.Close()) })
	hello, err := node.Hello(ctx)
	require.NoError(t, err)
	require.Contains(t, hello.Options, "constant")
	started, err := node.Start(ctx, StartParams{Seed: SeedText([32]byte{1}), Mode: "server", Protocol: testProto, Transports: []string{over}})
	require.NoError(t, err)
	info, err := started.Info()
	require.NoError(t, err)
	a := puppet(t, PuppetConfig{Over: over})
	require.NoError(t, a.Connect(ctx, info))
	return node, a, info.ID
}

// TestEchoAnswersEverything: each type of request gets the same twenty peers, ADD_PROVIDER nothing, on one stream.
func TestEchoAnswersEverything(t *testing.T) {
	for _, over := range []string{"tcp", "quic"} {
		t.Run(over, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			t.Run("", func(t *testing.T) {
				node, a, id := echoed(t, over)
				ctx := testDeadline(t)
				var offered []string
				for i := range 25 {
					p, err := peer.IDFromPrivateKey(seeded(t, fmt.Sprint(i)))
					require.NoError(t, err)
					offered = append(offered, string(p))
					for port := range 5 {
						var got UpdateResult
						require.NoError(t, node.Call(ctx, "add_address", AddressParams{Peer: p.String(), Addr: fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 4001+port)}, &got))
						require.Equal(t, i < 20, *got.Update == "success", i)
					}
				}
				s, err := a.Open(ctx, id, testProto)
				require.NoError(t, err)
				for _, kind := range []wire.Type{wire.FindNode, wire.GetValue, wire.AddProvider, wire.GetProviders, wire.Ping, wire.PutValue, wire.FindNode} {
					request := wire.Message{Type: kind, Key: []byte("key")}
					if kind == wire.PutValue { // longer than what is read at once
						request.HasRecord, request.Record = true, wire.Record{Key: request.Key, Value: make([]byte, 100_000)}
					}
					require.NoError(t, s.Write(ctx, wire.AppendFrame(nil, &request)))
					if kind == wire.AddProvider {
						continue // the next answer is of the next type: none came
					}
					var m wire.Message
					require.NoError(t, wire.Decode(next(t, s).Body, &m))
					require.Equal(t, kind, m.Type)
					require.Len(t, m.CloserPeers, 20)
					for i, p := range m.CloserPeers {
						require.Equal(t, offered[i], string(p.ID))
						require.Equal(t, 3, p.Addrs.Len())
					}
				}
				require.NoError(t, s.CloseWrite())
				require.Equal(t, EOF, next(t, s).Kind)
			})
		})
	}
}

// TestEchoEndsBadStreams: what is no request ends its stream, and the next one is served.
func TestEchoEndsBadStreams(t *testing.T) {
	_, a, id := echoed(t, "tcp")
	ctx := testDeadline(t)
	for _, bad := range [][]byte{{0}, {2, 0x08, 6}, {2, 0x08, 0xff}, binary.AppendUvarint(nil, echoFrame+1), binary.AppendUvarint(nil, 1<<63)} {
		s, err := a.Open(ctx, id, testProto)
		require.NoError(t, err)
		require.NoError(t, s.Write(ctx, bad))
		require.Equal(t, Reset, next(t, s).Kind, "% x", bad)
	}
	s, err := a.Open(ctx, id, testProto)
	require.NoError(t, err)
	require.NoError(t, s.Write(ctx, []byte{1, 0x12}), "a type that is left out is PUT_VALUE")
	require.Equal(t, Frame, next(t, s).Kind)
	require.NoError(t, s.Write(ctx, []byte{2, 0x08, 5}))
	var m wire.Message
	require.NoError(t, wire.Decode(next(t, s).Body, &m))
	require.Equal(t, wire.Ping, m.Type)
	require.Empty(t, m.CloserPeers, "nobody was offered")
}

// TestEchoTakesNothingMore: what is given behind it, or to its start, is refused.
func TestEchoTakesNothingMore(t *testing.T) {
	_, err := Parse("echo:loud")
	require.ErrorIs(t, err, ErrForm)
	f, err := Parse("echo:")
	require.NoError(t, err)
	require.Equal(t, "echo", f.Name())
	ctx := testDeadline(t)
	node, err := f.New(ctx)
	require.NoError(t, err)
	defer node.Close()
	var known *Error
	_, err = node.Start(ctx, StartParams{Seed: SeedText([32]byte{1}), Mode: "server", Protocol: testProto, K: 5})
	require.ErrorAs(t, err, &known)
	require.ErrorContains(t, err, "k")
	require.ErrorIs(t, node.Call(ctx, "bootstrap", nil, nil), ErrUnsupported)
	require.Error(t, node.Call(ctx, "add_address", AddressParams{}, nil), "it was not started")
}

// FuzzEcho: whatever comes, it ends, and answers no more than one frame for each that it was sent.
func FuzzEcho(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x02\x08\x04", "\x02\x08\x04\x02\x08\x02\x01\x12", "\x80\x80\x80\x02\x08\x04", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		f.Add([]byte(seed))
	}
	e := new(Echo)
	e.encode()
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		err := e.carry(bytes.NewReader(in), &out)
		frames := 0
		for rest := in; ; frames++ { // those that are whole
			size, n := binary.Uvarint(rest)
			if n <= 0 || size == 0 || size > uint64(len(rest)-n) {
				break
			}
			rest = rest[n+int(size):]
		}
		answers := 0
		for rest := out.Bytes(); len(rest) > 0; answers++ {
			size, n := binary.Uvarint(rest)
			var m wire.Message
			require.NoError(t, wire.Decode(rest[n:n+int(size)], &m))
			rest = rest[n+int(size):]
		}
		require.LessOrEqual(t, answers, frames, "%v", err)
	})
}
