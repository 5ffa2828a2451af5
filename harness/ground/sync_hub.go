package ground

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxHeld is what a hub keeps, in bytes: the items of 1,000 instances that publish 500 kB each. It forgets none while a run may
// go on, since whoever comes late reads a topic from its beginning.
const maxHeld = 512 << 20

// idle is how long nobody is connected before a service forgets everything: as long as a run may take at the most, so that none
// can be in between two of its instances.
const idle = DefaultTimeout

// overhead is what an item, a state or a topic takes beside its bytes.
const overhead = 64

// hub holds the states and topics of runs: what a sync service is behind its sockets.
type hub struct {
	mu     sync.Mutex
	states map[string]*state
	topics map[string]*topic
	held   int    // bytes
	last   string // the state that was entered last

	clients int // that are connected, of a service on sockets
	quiet   *time.Timer
}

type state struct {
	count   int
	waiting map[int]*barrier // by the count that they wait for
}

// barrier is those who wait for the same count.
type barrier struct {
	reached chan struct{}
	waiters int
}

type topic struct {
	items [][]byte
	more  chan struct{} // closed when another item has come
}

func newHub() *hub { return &hub{states: map[string]*state{}, topics: map[string]*topic{}} }

// enter and leave count the clients.
func (h *hub) enter() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients++
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients--; h.clients > 0 {
		return
	}
	if h.quiet == nil {
		h.quiet = time.AfterFunc(idle, h.forget)
	}
	h.quiet.Reset(idle)
}

// forget makes room, unless somebody has come meanwhile: whoever is the last to leave winds the clock up again.
func (h *hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients == 0 {
		h.states, h.topics, h.held, h.last = map[string]*state{}, map[string]*topic{}, 0, ""
	}
}

// hold counts what is kept from now on.
func (h *hub) hold(bytes int) error {
	if bytes += overhead; h.held+bytes > maxHeld {
		return fmt.Errorf("%w: %d bytes of items are the most it keeps", ErrSync, maxHeld)
	}
	h.held += bytes
	return nil
}

func (h *hub) state(key string) (*state, error) {
	s := h.states[key]
	if s == nil {
		if err := h.hold(len(key)); err != nil {
			return nil, err
		}
		s = &state{waiting: map[int]*barrier{}}
		h.states[key] = s
	}
	return s, nil
}

func (h *hub) topic(key string) (*topic, error) {
	t := h.topics[key]
	if t == nil {
		if err := h.hold(len(key)); err != nil {
			return nil, err
		}
		t = &topic{more: make(chan struct{})}
		h.topics[key] = t
	}
	return t, nil
}

// signal enters a state and returns how many have.
func (h *hub) signal(key string) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.state(key)
	if err != nil {
		return 0, err
	}
	s.count++
	h.last = key
	if b := s.waiting[s.count]; b != nil {
		close(b.reached)
		delete(s.waiting, s.count)
	}
	return s.count, nil
}

// wait returns when n have entered a state, at once if they have already.
func (h *hub) wait(ctx context.Context, key string, n int) error {
	h.mu.Lock()
	s, err := h.state(key)
	if err != nil || s.count >= n {
		h.mu.Unlock()
		return err
	}
	b := s.waiting[n]
	if b == nil {
		b = &barrier{reached: make(chan struct{})}
		s.waiting[n] = b
	}
	b.waiters++
	h.mu.Unlock()
	select {
	case <-b.reached:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if b.waiters--; b.waiters == 0 && s.waiting[n] == b {
		delete(s.waiting, n)
	}
	return context.Cause(ctx)
}

// publish appends an item, which nobody may change any more, and returns how many there are.
func (h *hub) publish(key string, item []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, err := h.topic(key)
	if err == nil {
		err = h.hold(len(item))
	}
	if err != nil {
		return 0, err
	}
	t.items = append(t.items, item)
	close(t.more)
	t.more = make(chan struct{})
	return len(t.items), nil
}

// follow hands over the items of a topic from the first on, each when it is there, until each returns an error or ctx ends.
func (h *hub) follow(ctx context.Context, key string, each func(item []byte) error) error {
	for next := 0; ; {
		h.mu.Lock()
		t, err := h.topic(key)
		if err != nil {
			h.mu.Unlock()
			return err
		}
		items, more := t.items[next:], t.more
		h.mu.Unlock()
		for _, item := range items {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := each(item); err != nil {
				return err
			}
		}
		if next += len(items); len(items) > 0 {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
