package wire

import (
	"strconv"
	"unicode/utf8"
)

// Decode reads one message (without its prefix) into m, which it resets first. m's lists are reused, so nothing is
// allocated once they are as long as the messages that come. All slices in m are views of b (see Message). The error is
// an *Error, and m is empty then.
//
// Fields come through next, save those which make up nearly all of a reply: entries of closerPeers and providerPeers of
// less than 128 bytes, and what they hold (Peer.decode). Those are read inline, which is four times as fast.
func Decode(b []byte, m *Message) error {
	closer, provider := m.CloserPeers, m.ProviderPeers
	m.restart()
	err := m.decode(b)
	if err != nil {
		m.Reset()
	}
	forget(closer, m.CloserPeers)
	forget(provider, m.ProviderPeers)
	if err != nil {
		return err // not in one statement: a nil *Error is no nil error
	}
	return nil
}

// forget clears what of an earlier list the later one in the same memory has not overwritten: else a short message
// would keep the buffer of a long one alive.
func forget(earlier, later []Peer) {
	if len(earlier) > len(later) {
		clear(earlier[len(later):])
	}
}

func (m *Message) decode(b []byte) *Error {
	for i := 0; i < len(b); {
		if tag := b[i]; (tag == tagCloser || tag == tagProvider) && i+1 < len(b) && b[i+1] < 0x80 {
			start := i + 2
			end := start + int(b[i+1])
			if end <= len(b) {
				if err := m.decodePeer(tag == tagProvider, b[start:end], i, start); err != nil {
					return err
				}
				i = end
				continue
			}
		}

		f, kind := next(b, i)
		if kind != nil {
			return &Error{Kind: kind, Field: m.path(f), Offset: i}
		}
		switch {
		case f.is(1, varintType):
			m.Type = Type(int32(f.number))
		case f.is(2, bytesType):
			m.Key = f.bytes
		case f.is(3, bytesType):
			m.HasRecord = true
			if err := m.Record.decode(f.bytes); err != nil {
				return err.within("record", f.end-len(f.bytes))
			}
		case f.is(8, bytesType), f.is(9, bytesType):
			if err := m.decodePeer(f.num == 9, f.bytes, i, f.end-len(f.bytes)); err != nil {
				return err
			}
		case f.is(10, varintType):
			m.ClusterLevelRaw = int32(f.number)
		}
		i = f.end
	}
	return nil
}

// path names a field of a message for an error.
func (m *Message) path(f field) string {
	switch f.num {
	case 1:
		return "type"
	case 2:
		return "key"
	case 3:
		return "record"
	case 8:
		return entry("closerPeers", len(m.CloserPeers))
	case 9:
		return entry("providerPeers", len(m.ProviderPeers))
	case 10:
		return "clusterLevelRaw"
	}
	return f.unknown()
}

// decodePeer adds an entry to one of the lists. at and content are the offsets of its tag and of b in the message.
func (m *Message) decodePeer(provider bool, b []byte, at, content int) *Error {
	list := &m.CloserPeers
	if provider {
		list = &m.ProviderPeers
	}
	n := len(*list)
	if len(m.CloserPeers)+len(m.ProviderPeers) >= MaxPeers {
		return &Error{Kind: ErrPeers, Field: entry(listName(provider), n), Offset: at}
	}
	if n < cap(*list) {
		*list = (*list)[:n+1]
	} else {
		*list = append(*list, Peer{})
	}
	if err := (*list)[n].decode(b, &m.scratch); err != nil {
		return err.within(entry(listName(provider), n), content)
	}
	return nil
}

func listName(provider bool) string {
	if provider {
		return "providerPeers"
	}
	return "closerPeers"
}

func entry(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// decode reads a peer over whatever p held. This is the quick way, for the form in which peers are written: id, addrs,
// connection, each tag and length in one byte. decodeAny reads everything else.
func (p *Peer) decode(b []byte, scratch *[]byte) *Error {
	var id []byte
	var connection int32
	i := 0
	if len(b) > 1 && b[0] == tagPeerID && b[1] < 0x80 && 2+int(b[1]) <= len(b) {
		i = 2 + int(b[1])
		id = b[2:i:i]
	}
	from := i
	for i+1 < len(b) && b[i] == addrsTag && b[i+1] < 0x80 {
		i += 2 + int(b[i+1])
	}
	to := i
	if i+2 == len(b) && b[i] == tagPeerConnection && b[i+1] < 0x80 {
		connection = int32(b[i+1])
		i += 2
	}
	if i != len(b) {
		return p.decodeAny(b, scratch)
	}
	p.ID, p.Addrs, p.Connection = id, Addrs(b[from:to:to]), connection
	return nil
}

// decodeAny reads a peer in any form. Addresses one after another in canonical form stay where they are; others are
// gathered in scratch.
func (p *Peer) decodeAny(b []byte, scratch *[]byte) *Error {
	*p = Peer{}
	from, to := 0, 0 // the run of addresses in b, as long as there is one run
	gathered := -1   // where p's addresses begin in scratch, once there are more

	for i := 0; i < len(b); {
		f, kind := next(b, i)
		if kind != nil {
			return &Error{Kind: kind, Field: peerPath(f, b[:i]), Offset: i}
		}
		switch {
		case f.is(1, bytesType):
			p.ID = f.bytes
		case f.is(2, bytesType):
			canonical := f.end-i == 1+lenSize(len(f.bytes))+len(f.bytes)
			switch {
			case gathered >= 0:
				*scratch = Addrs(*scratch).Append(f.bytes)
			case canonical && to == 0:
				from, to = i, f.end
			case canonical && to == i:
				to = f.end
			default:
				gathered = len(*scratch)
				*scratch = append(*scratch, b[from:to]...)
				*scratch = Addrs(*scratch).Append(f.bytes)
			}
		case f.is(3, varintType):
			p.Connection = int32(f.number)
		}
		i = f.end
	}

	if gathered >= 0 {
		// Should scratch move as it grows for a later peer, this view keeps the old memory: it stays right.
		to = len(*scratch)
		p.Addrs = Addrs((*scratch)[gathered:to:to])
	} else {
		p.Addrs = Addrs(b[from:to:to])
	}
	return nil
}

// peerPath names a field of a peer for an error; before is what was read of the peer.
func peerPath(f field, before []byte) string {
	switch f.num {
	case 1:
		return "id"
	case 2:
		var p Peer
		var scratch []byte
		_ = p.decodeAny(before, &scratch) // was read without an error a moment ago
		return entry("addrs", p.Addrs.Len())
	case 3:
		return "connection"
	}
	return f.unknown()
}

// decode reads a record into r, over what is there: a record given twice is merged.
func (r *Record) decode(b []byte) *Error {
	for i := 0; i < len(b); {
		f, kind := next(b, i)
		if kind == nil && f.is(5, bytesType) && !utf8.Valid(f.bytes) {
			kind = ErrUTF8
		}
		if kind != nil {
			return &Error{Kind: kind, Field: recordPath(f), Offset: i}
		}
		switch {
		case f.is(1, bytesType):
			r.Key = f.bytes
		case f.is(2, bytesType):
			r.Value = f.bytes
		case f.is(5, bytesType):
			r.TimeReceived = f.bytes
		case f.is(666, bytesType):
			r.Publisher = f.bytes
		case f.is(777, varintType):
			r.TTL = uint32(f.number)
		}
		i = f.end
	}
	return nil
}

func recordPath(f field) string {
	switch f.num {
	case 1:
		return "key"
	case 2:
		return "value"
	case 5:
		return "timeReceived"
	case 666:
		return "publisher"
	case 777:
		return "ttl"
	}
	return f.unknown()
}
