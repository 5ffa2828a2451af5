package p2p

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// asker is a stream that brings the same FIND_NODE so many times, and throws the answers away.
type asker struct {
	network.Stream
	conn  network.Conn
	frame []byte
	left  int
}

func (s *asker) Conn() network.Conn          { return s.conn }
func (s *asker) Write(b []byte) (int, error) { return len(b), nil }
func (s *asker) Close() error                { return nil }
func (s *asker) Reset() error                { return nil }

func (s *asker) Read(b []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	binary.BigEndian.PutUint64(s.frame[len(s.frame)-8:], uint64(s.left)) // another key each time
	return copy(b, s.frame), nil
}

// BenchmarkServing is a request without its transport: on a stream that is there, and on one of its own.
func BenchmarkServing(b *testing.B) {
	n, err := New(Config{Transports: []string{TCP}, Kad: kad.Config{Mode: kad.ModeServer, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}})
	require.NoError(b, err)
	require.NoError(b, n.Start(b.Context()))
	defer n.Close()
	for i := range uint64(200) {
		digest := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		_, err := n.AddAddress(peer.ID(append([]byte{0x12, 32}, digest[:]...)), ma.StringCast("/ip4/127.0.0.1/tcp/4001"))
		require.NoError(b, err)
	}
	conn := connTo("b", network.DirInbound, 1)
	frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: make([]byte, 32)})
	b.Run("stream", func(b *testing.B) {
		b.ReportAllocs()
		n.inbound.handle(&asker{conn: conn, frame: frame, left: b.N})
	})
	b.Run("streams", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			n.inbound.handle(&asker{conn: conn, frame: frame, left: 1})
		}
	})
}
