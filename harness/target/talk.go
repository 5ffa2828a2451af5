package target

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// serveIdle ends an inbound stream on which nothing came and nothing is open: go's servers wait 60 s.
	serveIdle = 60 * time.Second
	// waitingLimit is how many requests may wait on one stream for their turn; clients send one at a time. A stream that
	// brings more is reset.
	waitingLimit = 256
	// givenUp: an end that comes so long after a request is that of a client which gave up. One that only ends its
	// writing does so together with the request.
	givenUp = time.Second
	// lateNews is by how much the news of a stream's end may come later than a request which was sent after it, on another
	// connection: the end counts so much earlier, so that no client seems to have more open than it has.
	lateNews = 100 * time.Millisecond
)

// talk is an inbound stream of a serving puppet. One goroutine reads it, so that its end is heard while an answer is held
// back; another answers, one request after the other.
type talk struct {
	*Puppet
	raw  network.Stream
	name string
	from peer.ID
	ctx  context.Context // ends with the stream

	todo chan turn

	mu   sync.Mutex
	open []*Request // heard, and not over
	left bool       // we ended or reset it
}

// turn is a request and what answers it.
type turn struct {
	*Request
	acts []Act
}

// serve answers one inbound stream until it ends.
func (p *Puppet) serve(raw network.Stream, name string, from peer.ID) {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	t := &talk{Puppet: p, raw: raw, name: name, from: from, ctx: ctx, todo: make(chan turn, waitingLimit)}
	t.tell(Note{At: time.Now(), Kind: Opened})
	var answering sync.WaitGroup
	answering.Go(t.answers)
	clean := t.read()
	close(t.todo)
	if !clean {
		cancel()
	}
	answering.Wait()
	if clean {
		t.linger()
	}
	t.over(time.Now())
	if clean {
		raw.Close()
	}
	raw.Reset() // after Close, does nothing
}

// read hears what comes until the end; true for a clean one, between two frames.
func (t *talk) read() bool {
	var cut frames
	buf := make([]byte, readSize)
	for {
		t.raw.SetReadDeadline(time.Now().Add(serveIdle))
		n, err := t.raw.Read(buf)
		now := time.Now()
		ok := true
		cut.feed(buf[:n], func(raw, body []byte) {
			ok = ok && t.hear(&Request{At: now, From: t.from, Stream: t.name, Body: body, Raw: raw})
		})
		switch {
		case !ok:
			return t.leave(Reset)
		case cut.bad != nil:
			t.tell(Note{At: now, Kind: Ended, Event: Event{Kind: Unreadable, Raw: cut.rest(), Err: cut.bad}})
			return t.leave(Reset)
		case err == nil, isTimeout(err) && t.busy():
		case isTimeout(err):
			return t.leave(Reset)
		case err == io.EOF && len(cut.rest()) == 0:
			t.tell(Note{At: now, Kind: Ended, Event: Event{Kind: EOF}})
			t.forget(now)
			return true
		case err == io.EOF:
			bad := fmt.Errorf("%w: the stream ended %d bytes into a frame", ErrUnreadable, len(cut.rest()))
			t.tell(Note{At: now, Kind: Ended, Event: Event{Kind: Unreadable, Raw: cut.rest(), Err: bad}})
			return t.leave(Reset)
		default:
			t.over(now.Add(-lateNews))
			if t.ctx.Err() == nil {
				t.tell(Note{At: now, Kind: Ended, Event: Event{Kind: Reset, Raw: cut.rest(), Err: err}})
			}
			return false
		}
	}
}

// hear takes a request; false when it is one too many.
func (t *talk) hear(r *Request) bool {
	if !t.note(Heard{At: r.At, From: r.From, Protocol: string(t.raw.Protocol()), Stream: r.Stream, Body: r.Body, Raw: r.Raw}) {
		return false
	}
	if t.gone() {
		r.end(r.At) // nobody will answer it
	} else {
		t.mu.Lock()
		t.open = append(t.open, r)
		t.mu.Unlock()
	}
	if !t.tell(Note{At: r.At, Kind: Asked, Request: r}) {
		return false
	}
	acts := []Act{{How: Honestly}}
	if w := t.watcher.Load(); w != nil && w.Answer != nil {
		if other := w.Answer(r); other != nil {
			acts = other
		}
	}
	select {
	case t.todo <- turn{r, acts}:
		return true
	default:
		return false
	}
}

// answers answers the requests in their order.
func (t *talk) answers() {
	var out []byte
	for next := range t.todo {
		for _, a := range next.acts {
			if !t.await(a) {
				break
			}
			out = t.act(next.Request, a, out[:0])
		}
	}
}

// await waits until an act is due; false when the stream has ended before.
func (t *talk) await(a Act) bool {
	if a.After > 0 {
		timer := time.NewTimer(a.After)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-t.ctx.Done():
			return false
		}
	}
	if a.Until != nil {
		select {
		case <-a.Until:
		case <-t.ctx.Done():
			return false
		}
	}
	return t.ctx.Err() == nil
}

// act does one thing; out is room for bytes.
func (t *talk) act(r *Request, a Act, out []byte) []byte {
	ok := true
	switch a.How {
	case Write:
		out = append(out, a.Bytes...)
	case Honestly:
		if out, ok = t.honest(out, r.Body, t.from); !ok {
			t.leave(Reset)
			return out
		}
		if len(out) == 0 {
			t.done(r) // nothing is expected
		}
	case EndWrite:
		t.leave(EOF)
	case Break:
		t.leave(Reset)
	}
	if len(out) > 0 && !t.gone() {
		// Before the bytes go: whoever acts upon them must not seem to act before they came.
		t.done(r)
		t.tell(Note{At: time.Now(), Kind: Answered, Bytes: append([]byte(nil), out...)})
		t.raw.SetWriteDeadline(time.Now().Add(serveIdle))
		if _, err := t.raw.Write(out); err != nil {
			t.leave(Reset)
		}
	}
	return out
}

// leave ends or breaks the stream from our side, once; the answer is that of a read which ends unclean.
func (t *talk) leave(how EventKind) bool {
	t.over(time.Now())
	t.mu.Lock()
	left := t.left
	t.left = true
	t.mu.Unlock()
	if !left {
		t.tell(Note{At: time.Now(), Kind: Left, Event: Event{Kind: how}})
	}
	if how == EOF {
		t.raw.CloseWrite()
	} else {
		t.raw.Reset()
	}
	return false
}

func (t *talk) gone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left
}

// linger keeps a stream open whose peer ended its writing and whose request has no answer: an end would be one. The
// peer's reset cannot be heard any more; it stays until the puppet ends.
func (t *talk) linger() {
	if t.busy() && !t.gone() {
		<-t.ctx.Done()
	}
}

// tell hands a note to the watcher.
func (t *talk) tell(n Note) bool {
	w := t.watcher.Load()
	if w == nil || w.Note == nil {
		return true
	}
	n.Stream, n.From, n.Protocol = t.name, t.from, string(t.raw.Protocol())
	return w.Note(n)
}

// busy says whether a request is open: then the stream stays, whatever does not come.
func (t *talk) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open) > 0
}

// done ends one request.
func (t *talk) done(r *Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, o := range t.open {
		if o == r {
			t.open = append(t.open[:i], t.open[i+1:]...)
			break
		}
	}
	r.end(time.Now())
}

// over ends all requests of the stream.
func (t *talk) over(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.open {
		r.end(at)
	}
	t.open = nil
}

// forget ends those requests whose client gave up: it ended the stream long after it had asked.
func (t *talk) forget(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.open {
		if at.Sub(r.At) > givenUp {
			r.end(at.Add(-lateNews))
		}
	}
}
