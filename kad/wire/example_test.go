package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"

	"github.com/kadbench/kadbench/kad/wire"
)

// A request on its way: written as a frame, read from a stream, decoded.
func Example() {
	var stream bytes.Buffer
	stream.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte("a key")}))

	body, err := wire.ReadFrame(bufio.NewReader(&stream), make([]byte, 0, 4096), wire.MaxReceive)
	if err != nil {
		fmt.Println(err)
		return
	}
	var m wire.Message
	if err := wire.Decode(body, &m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %q in %d bytes\n", m.Type, m.Key, len(body))
	// Output: FIND_NODE "a key" in 9 bytes
}

func ExampleAddrs_All() {
	p := wire.Peer{Addrs: wire.MakeAddrs([]byte{4, 127, 0, 0, 1, 6, 0x0f, 0xa1}, []byte{4, 192, 0, 2, 1, 6, 0x0f, 0xa1})}
	for addr := range p.Addrs.All() {
		fmt.Printf("% x\n", addr)
	}
	// Output:
	// 04 7f 00 00 01 06 0f a1
	// 04 c0 00 02 01 06 0f a1
}

// A refusal names the field and the byte, and can be told from others.
func ExampleError() {
	var m wire.Message
	err := wire.Decode([]byte{0x08, 0x01, 0x1a, 0x03, 0x2a, 0x01, 0xff}, &m)
	fmt.Println(err)
	fmt.Println(errors.Is(err, wire.ErrUTF8))
	// Output:
	// wire: record.timeReceived at byte 4: not valid UTF-8
	// true
}
