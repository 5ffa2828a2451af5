package wire

import "google.golang.org/protobuf/encoding/protowire"

// Tags of the fields that are written: the number times eight, and the wire type.
const (
	tagType     = 1<<3 + varintType
	tagKey      = 2<<3 + bytesType
	tagRecord   = 3<<3 + bytesType
	tagCloser   = 8<<3 + bytesType
	tagProvider = 9<<3 + bytesType
	tagCluster  = 10<<3 + varintType

	tagRecordKey       = 1<<3 + bytesType
	tagRecordValue     = 2<<3 + bytesType
	tagRecordTime      = 5<<3 + bytesType
	tagRecordPublisher = 666<<3 + bytesType
	tagRecordTTL       = 777<<3 + varintType

	tagPeerID         = 1<<3 + bytesType
	tagPeerConnection = 3<<3 + varintType
)

// Append appends the message (without a length prefix) to dst: fields in the order of their numbers, zero values left
// out. It writes what it is given: whether TimeReceived is UTF-8 and the whole small enough is the caller's care.
func Append(dst []byte, m *Message) []byte {
	if m.Type != 0 {
		dst = append(dst, tagType)
		dst = appendInt32(dst, int32(m.Type))
	}
	dst = appendBytes(dst, tagKey, m.Key)
	if m.HasRecord {
		dst = append(dst, tagRecord)
		dst = appendLen(dst, recordSize(&m.Record))
		dst = appendRecord(dst, &m.Record)
	}
	dst = appendPeers(dst, tagCloser, m.CloserPeers)
	dst = appendPeers(dst, tagProvider, m.ProviderPeers)
	if m.ClusterLevelRaw != 0 {
		dst = append(dst, tagCluster)
		dst = appendInt32(dst, m.ClusterLevelRaw)
	}
	return dst
}

// AppendFrame appends the message with its length before it. It leaves room for the length of most replies, two bytes, and
// moves the message where that was wrong: to measure it beforehand takes a quarter of the time.
func AppendFrame(dst []byte, m *Message) []byte {
	const room = 2
	start := len(dst) + room
	dst = Append(append(dst, make([]byte, room)...), m)
	size := len(dst) - start
	if have := lenSize(size); have != room {
		dst = append(dst, make([]byte, max(0, have-room))...)
		copy(dst[start-room+have:], dst[start:start+size])
		dst = dst[:start-room+have+size]
	}
	appendLen(dst[:start-room], size)
	return dst
}

// Size is the length of the encoded message in bytes, without its prefix: what Append would append.
func Size(m *Message) int {
	n := bytesSize(m.Key) + peersSize(m.CloserPeers) + peersSize(m.ProviderPeers)
	if m.Type != 0 {
		n += 1 + int32Size(int32(m.Type))
	}
	if m.HasRecord {
		s := recordSize(&m.Record)
		n += 1 + lenSize(s) + s
	}
	if m.ClusterLevelRaw != 0 {
		n += 1 + int32Size(m.ClusterLevelRaw)
	}
	return n
}

// PeerSize is what p adds to a message, in bytes: for those who must fit a reply under MaxSend.
func PeerSize(p *Peer) int {
	s := peerSize(p)
	return 1 + lenSize(s) + s
}

func appendPeers(dst []byte, tag byte, peers []Peer) []byte {
	for i := range peers {
		p := &peers[i]
		if size := peerSize(p); size < 0x80 && len(p.ID) != 0 {
			// The common peer: both lengths in one byte.
			dst = append(dst, tag, byte(size), tagPeerID, byte(len(p.ID)))
			dst = append(dst, p.ID...)
		} else {
			dst = append(dst, tag)
			dst = appendLen(dst, size)
			dst = appendBytes(dst, tagPeerID, p.ID)
		}
		dst = append(dst, p.Addrs...)
		if p.Connection != 0 {
			dst = append(dst, tagPeerConnection)
			dst = appendInt32(dst, p.Connection)
		}
	}
	return dst
}

func peersSize(peers []Peer) int {
	n := 0
	for i := range peers {
		n += PeerSize(&peers[i])
	}
	return n
}

func peerSize(p *Peer) int {
	n := bytesSize(p.ID) + len(p.Addrs)
	if p.Connection != 0 {
		n += 1 + int32Size(p.Connection)
	}
	return n
}

func appendRecord(dst []byte, r *Record) []byte {
	dst = appendBytes(dst, tagRecordKey, r.Key)
	dst = appendBytes(dst, tagRecordValue, r.Value)
	dst = appendBytes(dst, tagRecordTime, r.TimeReceived)
	if len(r.Publisher) != 0 {
		dst = protowire.AppendVarint(dst, tagRecordPublisher)
		dst = appendLen(dst, len(r.Publisher))
		dst = append(dst, r.Publisher...)
	}
	if r.TTL != 0 {
		dst = protowire.AppendVarint(dst, tagRecordTTL)
		dst = protowire.AppendVarint(dst, uint64(r.TTL))
	}
	return dst
}

func recordSize(r *Record) int {
	n := bytesSize(r.Key) + bytesSize(r.Value) + bytesSize(r.TimeReceived)
	if len(r.Publisher) != 0 {
		n += 1 + bytesSize(r.Publisher) // a tag of two bytes
	}
	if r.TTL != 0 {
		n += 2 + protowire.SizeVarint(uint64(r.TTL))
	}
	return n
}

// appendBytes appends a field of bytes under a tag of one byte, unless it is empty.
func appendBytes(dst []byte, tag byte, v []byte) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = append(dst, tag)
	dst = appendLen(dst, len(v))
	return append(dst, v...)
}

func bytesSize(v []byte) int {
	if len(v) == 0 {
		return 0
	}
	return 1 + lenSize(len(v)) + len(v)
}

func appendLen(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return protowire.AppendVarint(dst, uint64(n))
}

func lenSize(n int) int {
	if n < 0x80 {
		return 1
	}
	return protowire.SizeVarint(uint64(n))
}

// appendInt32 appends an int32 or an enum: a negative one takes ten bytes, being extended to 64 bits first.
func appendInt32(dst []byte, v int32) []byte { return protowire.AppendVarint(dst, uint64(int64(v))) }

func int32Size(v int32) int { return protowire.SizeVarint(uint64(int64(v))) }
