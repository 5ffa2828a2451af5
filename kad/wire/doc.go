// Package wire turns the messages of /ipfs/kad/1.0.0 into bytes and back (libp2p-kad L397-L486, ipfs-kad L637-L727).
//
// A stream carries frames: the length of a message as an unsigned varint, then the message in protobuf. A server's loop:
//
//	r := bufio.NewReader(stream)                 // one read for prefix and body
//	var m wire.Message                           // reused, as are in and out: once warm nothing is allocated
//	in, out := make([]byte, 4096), make([]byte, 0, 4096)
//	for {
//		body, err := wire.ReadFrame(r, in, wire.MaxReceive)
//		if err == io.EOF {
//			return nil                           // the peer closed between two frames
//		}
//		if err != nil {
//			return err                           // reset the stream
//		}
//		if err := wire.Decode(body, &m); err != nil {
//			return err
//		}
//		out = wire.AppendFrame(out[:0], answer(&m))
//		stream.Write(out)
//	}
//
// # Memory
//
// Decode copies nothing: every slice of a Message is a view of the bytes that were decoded, so it lives as long as that
// buffer is left alone, and no longer than the next Decode into the same Message. Who wants to keep a part clones it.
//
// # What is read, what is written
//
// Reading is lenient as proto3 is, and agrees with the code generated from dht.proto (the tests hold it to that): the
// last of a repeated scalar wins, lists accumulate, a record given twice is merged, unknown fields and known fields of
// the wrong wire type are skipped, enums are open, a missing type is PUT_VALUE, explicit zeros are taken. Numbers are
// cut to 32 bits. What proto3 calls malformed is refused, and so is timeReceived which is not UTF-8.
//
// Writing is strict: fields in the order of their numbers, zero values left out, every length in its shortest form.
//
// Whether a message makes sense (a type of 99, an empty key) is not judged here.
//
// # Errors
//
// A refusal is an *Error: what (a named error, for errors.Is), in which field, at which byte.
package wire
