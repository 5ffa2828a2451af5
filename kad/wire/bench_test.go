package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kadbench/kadbench/kad/wire/internal/dhtpb"
)

// reply is a FIND_NODE reply as a peer of the public network gives it: 20 peers with ids of 38 bytes (Ed25519), each at
// three addresses of 8 to 11 bytes; 1,602 bytes.
func reply() *Message {
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(b []byte, n int) []byte {
		for range n {
			b = append(b, byte(random.Uint32()))
		}
		return b
	}
	m := &Message{Type: FindNode}
	for range 20 {
		ip := fill(nil, 4)
		tcp := append(append([]byte{0x04}, ip...), 0x06, 0x0f, 0xa1)                    // /ip4/…/tcp/4001
		quic := append(append([]byte{0x04}, ip...), 0x91, 0x02, 0x0f, 0xa1, 0xcd, 0x03) // /ip4/…/udp/4001/quic-v1
		p := Peer{
			ID:         fill([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, 32),
			Addrs:      MakeAddrs(tcp, quic),
			Connection: 1,
		}
		p.Addrs = p.Addrs.Append(append(append([]byte{0x04}, fill(nil, 4)...), 0x91, 0x02, 0x0f, 0xa1, 0xcc, 0x03)) // …/quic
		m.CloserPeers = append(m.CloserPeers, p)
	}
	return m
}

func BenchmarkDecodeReply(b *testing.B) {
	body := Append(nil, reply())
	var m Message
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(body, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeReplyGenerated(b *testing.B) {
	body := Append(nil, reply())
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var g dhtpb.Message
		if err := proto.Unmarshal(body, &g); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendReply(b *testing.B) {
	m := reply()
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], m)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkAppendReplyGenerated(b *testing.B) {
	g := generated(reply())
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = proto.MarshalOptions{}.MarshalAppend(buf[:0], g)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkAppendFrameReply(b *testing.B) {
	m := reply()
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendFrame(buf[:0], m)
	}
}

func BenchmarkReadFrameReply(b *testing.B) {
	frame := AppendFrame(nil, reply())
	stream := bytes.NewReader(nil)
	buf := make([]byte, 0, 4096)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		stream.Reset(frame)
		if _, err := ReadFrame(stream, buf, MaxReceive); err != nil {
			b.Fatal(err)
		}
	}
}
