package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/check"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// hearingLimit and hearingBytes bound what all puppets of a case hear together: a walk of 100 puppets by ten operations is
// a few thousand requests of 60 bytes. Beyond it streams are reset.
const (
	hearingLimit = 200_000
	hearingBytes = 64 << 20
)

// heard is one thing that the target did to a puppet: a request or a dial.
type heard struct {
	to      *member
	at      time.Time
	request *target.Request                // nil: a dial
	message func() (*check.Message, error) // the request, decoded once
}

// hearing is all that the target did to the puppets of a case, in the order in which it came.
type hearing struct {
	mu    sync.Mutex
	items []*heard
	bytes int
	more  chan struct{} // closed and replaced at each change, of an operation's end too
	holds []hold
}

// hold is an answer that waits until a puppet is heard.
type hold struct {
	peer string
	come chan struct{}
}

// since are the items from place i on, and what is closed when there are more, or an operation has ended.
func (h *hearing) since(i int) ([]*heard, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.more == nil {
		h.more = make(chan struct{})
	}
	return slices.Clone(h.items[i:]), h.more
}

// wake lets those look again who wait.
func (h *hearing) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed()
}

func (h *hearing) changed() {
	if h.more != nil {
		close(h.more)
		h.more = nil
	}
}

// until is closed once the puppet is heard after now: has got a request, or for nobody a dial.
func (h *hearing) until(peer string) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	come := make(chan struct{})
	h.holds = append(h.holds, hold{peer, come})
	return come
}

// add takes one thing; false when it is too much.
func (h *hearing) add(one *heard) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if one.request != nil {
		h.bytes += len(one.request.Raw)
	}
	if len(h.items) >= hearingLimit || h.bytes > hearingBytes {
		return false
	}
	h.items = append(h.items, one)
	if one.request != nil || one.to.puppet.Kind() == target.Nobody {
		h.holds = slices.DeleteFunc(h.holds, func(o hold) bool {
			if o.peer == one.to.Name {
				close(o.come)
			}
			return o.peer == one.to.Name
		})
	}
	h.changed()
	return true
}

// watch has a puppet tell the case what it hears, and ask it what it answers.
func (w *world) watch(m *member) {
	m.puppet.Watch(&target.Watcher{
		Answer: func(r *target.Request) []target.Act {
			if r.From != w.node.id {
				return nil
			}
			return w.answer(m, r)
		},
		Note: func(n target.Note) bool { return w.noted(m, n) },
	})
}

// noted keeps and logs what happened to a puppet. Strangers, who may come to one that an address knows, are passed over.
func (w *world) noted(m *member, n target.Note) bool {
	if n.From != w.node.id && n.From != peer.ID("") {
		return true
	}
	log := record.Entry{Type: record.TypeStream, At: w.log.Since(n.At), Peer: m.Name, Dir: record.Received}
	if n.Stream != "" {
		log.Stream = m.Name + n.Stream
	}
	fits := true
	switch n.Kind {
	case target.Dialled:
		log.Event, log.Text = "dialled", fmt.Sprint(n.Addr)
		fits = w.hearing.add(&heard{to: m, at: n.At})
	case target.Opened:
		log.Event, log.Text = "opened", n.Protocol
	case target.Asked:
		log.Type, log.Bytes = record.TypeFrame, n.Request.Raw
		fits = w.hearing.add(&heard{to: m, at: n.At, request: n.Request, message: sync.OnceValues(func() (*check.Message, error) {
			return check.NewMessage(n.Request.Body)
		})})
	case target.Answered:
		log.Type, log.Dir, log.Bytes = record.TypeFrame, record.Sent, n.Bytes
	case target.Left:
		log.Event, log.Dir = map[bool]string{true: "half", false: "reset"}[n.Event.Kind == target.EOF], record.Sent
	case target.Ended:
		log.Event, log.Bytes = n.Event.Kind.String(), n.Event.Raw
		if n.Event.Err != nil {
			log.Text = n.Event.Err.Error()
		}
	}
	w.record(log)
	return fits
}

// is says whether what was heard is of a type: of a request, or "dial".
func (h *heard) is(kind string) bool {
	if h.request == nil || kind == "dial" {
		return h.request == nil && kind == "dial"
	}
	m, err := h.message()
	want, ok := check.TypeOf(kind)
	return err == nil && ok && m.Type == want
}

// describe is one thing for people.
func (h *heard) describe(names check.Namer) string {
	if h.request == nil {
		return h.to.Name + " dial"
	}
	m, err := h.message()
	if err != nil {
		return fmt.Sprintf("%s a frame of %d bytes which is no message: %v", h.to.Name, len(h.request.Body), err)
	}
	return h.to.Name + " " + check.Summary(m, names)
}

// place puts the bytes of a request into a failure: those of a span, or all.
func (h *heard) place(f *failure, what string, span check.Span) {
	if h.request == nil {
		return
	}
	f.Where = fmt.Sprintf("to %s, stream %s%s", h.to.Name, h.to.Name, h.request.Stream)
	if where := check.Where(what, span); where != "" {
		f.Where = where + ", " + f.Where
	} else {
		span = check.Span{To: len(h.request.Body)}
	}
	f.Bytes = check.Hex(h.request.Body, span)
}

// tally counts what was heard by its type: "2 dial, 3 FIND_NODE"; "nothing".
func tally(items []*heard) string {
	counts := map[string]int{}
	for _, h := range items {
		kind := "dial"
		if h.request != nil {
			kind = "unreadable"
			if m, err := h.message(); err == nil {
				kind = m.Head()
			}
		}
		counts[kind]++
	}
	var words []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}
