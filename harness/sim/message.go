package sim

import "github.com/kadbench/kadbench/kad"

// message is something under way to a node: a request, its answer, or the word that there will be none. It is a value of
// 160 bytes which moves from one shard's memory to another's; what hardly any message has is behind extra.
//
// Keys, records and whatever else is behind a pointer belong to the core that sent them, which replaces and never
// overwrites them; so shards may share them.
type message struct {
	kind    kad.InputKind // as the receiver will be stepped with it; of what the world does: see deed
	err     kad.ErrorKind
	deed    deed
	dialled bool   // the asker was not connected when it asked
	client  bool   // the asker serves nobody
	n       uint8  // of closer
	session uint32 // of the asker when it asked: one that has come back meanwhile takes no answer to a former life
	asker   kad.Peer
	query   kad.QueryID // the asker's
	asked   kad.Time    // when
	key     []byte
	extra   *extra
	closer  [inlinePeers]kad.Peer
}

// inlinePeers is K, the peer whose id the key is, and one to spare: what a usual answer names.
const inlinePeers = 22

// extra is what few messages have.
type extra struct {
	record    kad.Record
	ttl       uint32 // seconds that it is to live; 0: not told
	found     bool
	closer    []kad.Peer // those beyond inlinePeers
	providers []kad.Peer
	operation Operation
	number    uint64 // of the operation
}

// deed is what the world does to a node; none for messages.
type deed uint8

const (
	noDeed    deed = iota
	toJoin         // it comes
	toLeave        // it leaves without a word
	toOperate      // its application asks for something
	toHarm         // an adversary's own time has come
)

// peers appends the closer peers that a message names.
func (m *message) peers(dst []kad.Peer) []kad.Peer {
	dst = append(dst, m.closer[:m.n]...)
	if m.extra != nil {
		dst = append(dst, m.extra.closer...)
	}
	return dst
}

// name adds a closer peer.
func (m *message) name(p kad.Peer) {
	if m.n < inlinePeers {
		m.closer[m.n] = p
		m.n++
		return
	}
	m.more().closer = append(m.more().closer, p)
}

// more is the extra of a message, which is made if there is none.
func (m *message) more() *extra {
	if m.extra == nil {
		m.extra = new(extra)
	}
	return m.extra
}

// slab holds the messages that are under way to the nodes of one shard. The places of those that have arrived are used
// again, the last one first: it is still in the processor's cache. Place 0 is nobody's.
type slab struct {
	messages []message
	free     []uint32
}

// put takes a message in and returns its place.
func (s *slab) put(m *message) uint32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.messages[i] = *m
		return i
	}
	s.messages = append(s.messages, *m)
	return uint32(len(s.messages) - 1)
}

// drop frees the place of a message.
func (s *slab) drop(i uint32) {
	s.messages[i].key, s.messages[i].extra = nil, nil
	s.free = append(s.free, i)
}
