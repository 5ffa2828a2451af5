package target

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Watcher is told what a puppet hears and does of its own accord, and may say what a serving puppet answers. Its
// functions are called from many goroutines; each stream's notes come in their order.
type Watcher struct {
	// Answer says what goes out instead of the honest answer, one act after another; nil: the honest answer. It is called
	// when the request is heard, before anything after it on the same stream is.
	Answer func(*Request) []Act
	// Note takes what happened. False says that it is too much: the stream is reset.
	Note func(Note) bool
}

// Watch sets who watches from now on; nil for nobody.
func (p *Puppet) Watch(w *Watcher) { p.watcher.Store(w) }

// NoteKind says what a Note tells.
type NoteKind int

const (
	Dialled  NoteKind = iota // a peer connected: From, Addr
	Opened                   // a peer opened a stream: Stream, From, Protocol
	Asked                    // a frame came: Request
	Answered                 // bytes went out: Stream, Bytes
	Ended                    // the peer ended or broke the stream, or what came is no frame: Stream, Event
	Left                     // the puppet ended (EOF) or reset (Reset) the stream: Stream, Event.Kind
)

// Note is one thing that happened to a puppet.
type Note struct {
	At       time.Time
	Kind     NoteKind
	From     peer.ID      // "" for a dial to Nobody, which makes no handshake
	Addr     ma.Multiaddr // of a dial: where it came from
	Stream   string       // names the stream
	Protocol string
	Request  *Request
	Bytes    []byte
	Event    Event
}

// Request is a frame that a peer sent to a serving puppet, whatever is in it.
type Request struct {
	At     time.Time // when its last byte was read
	From   peer.ID
	Stream string
	Body   []byte // without its length
	Raw    []byte // as it came

	over atomic.Pointer[time.Time]
}

// Over says when the request was over: answered, or its stream ended or broken. The zero time: it is open.
func (r *Request) Over() time.Time {
	if at := r.over.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// end notes when the request was over, not before it came; the first end counts.
func (r *Request) end(at time.Time) {
	if at.Before(r.At) {
		at = r.At
	}
	r.over.CompareAndSwap(nil, &at)
}

// How is what an Act does.
type How int

const (
	Write    How = iota // Bytes, as they are
	Honestly            // what the puppet would have done without a Watcher
	Nothing             // no answer; the stream stays open
	EndWrite            // the clean end of the stream
	Break               // its reset
)

// Act is one thing that a puppet does in answer to a request.
type Act struct {
	How   How
	Bytes []byte
	After time.Duration   // waits first
	Until <-chan struct{} // then waits until this is closed; nil: does not
}
