package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// closeGrace is how long a program may take to end after its stdin was closed. A node with hundreds of connections was
// seen to need 2 s to close them.
const closeGrace = 10 * time.Second

// channel is a target behind the control protocol: a program (cmd:), or the reference in this process (ref:).
type channel struct {
	name   string
	client *client
	hello  Hello
	limits limits

	pipes *Pipes
	how   func() string // how the other side ended, in words
	log   func() string

	mu      sync.Mutex
	closing chan struct{} // closed under mu when we begin to close it: what ends then has not died
	reason  error
	died    chan struct{}
	closed  func() error
}

// limits are those of this page, to be shortened in tests.
type limits struct{ call, operation, grace time.Duration }

var standard = limits{CallTimeout, OperationTimeout, closeGrace}

func (l limits) of(method string) time.Duration {
	if isOperation(method) {
		return l.operation
	}
	return l.call
}

// newChannel speaks with a target that was started and has it say hello.
func newChannel(ctx context.Context, name string, p *Pipes, how, log func() string, l limits) (Target, error) {
	t := &channel{name: name, limits: l, pipes: p, how: how, log: log,
		closing: make(chan struct{}), died: make(chan struct{})}
	t.closed = sync.OnceValue(t.close)
	t.mu.Lock() // until client is set: it may break at once
	t.client = newClient(p.In, p.Out, func(err error) {
		t.end(err)
		p.Out.Close()
	})
	t.mu.Unlock()
	if err := t.greet(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// greet says hello, and closes the target if that fails.
func (t *channel) greet(ctx context.Context) error {
	err := t.Call(ctx, "hello", HelloParams{Version}, &t.hello)
	if err == nil {
		err = t.hello.check()
	}
	if err != nil {
		t.pipes.Kill()
		t.Close()
	}
	return err
}

func (h *Hello) check() error {
	if h.Name == "" || h.Version == "" {
		return fmt.Errorf("%w: hello: expected a name and a version", ErrProtocol)
	}
	for _, m := range Methods {
		if m.Always && m.Name != "hello" && !slices.Contains(h.Methods, m.Name) {
			return fmt.Errorf("%w: hello: methods lack %s: each target has it", ErrProtocol, m.Name)
		}
	}
	return nil
}

// end notes why the target died, once, and makes sure that it is dead. Nothing is noted when we close it ourselves.
func (t *channel) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosing() || t.reason != nil {
		return
	}
	ended := err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded)
	if ended {
		// It closed its stdout: most often because it ended. If it lives on, it is of no use.
		select {
		case <-t.pipes.Exited:
		case <-time.After(drain):
			ended, err = false, errors.New("it closed its stdout and went on")
		}
	}
	t.pipes.Kill()
	select {
	case <-t.pipes.Exited:
	case <-time.After(t.limits.grace):
		err = fmt.Errorf("%w; it could not be killed", err)
	}
	if ended {
		err = errors.New(t.how())
	}
	t.reason = fmt.Errorf("%w: %w", ErrDied, err)
	close(t.died)
}

// Name implements Target.
func (t *channel) Name() string { return t.name }

// Hello implements Target: it was said when the target was made.
func (t *channel) Hello(context.Context) (*Hello, error) {
	h := t.hello
	return &h, nil
}

// Start implements Target, and checks what the target says: where it listens, and that it has the seed's identity.
func (t *channel) Start(ctx context.Context, p StartParams) (*Started, error) {
	var s Started
	if err := t.Call(ctx, "start", p, &s); err != nil {
		return nil, err
	}
	if err := s.check(p.Seed); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return &s, nil
}

func (s *Started) check(seed string) error {
	id, err := peer.Decode(s.Peer)
	if err != nil {
		return fmt.Errorf("%w: peer %q: %w", ErrProtocol, s.Peer, err)
	}
	var b Bytes
	if err := b.UnmarshalText([]byte(seed)); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	key, err := KeyFromSeed(b)
	if err != nil {
		return err
	}
	if want, err := peer.IDFromPrivateKey(key); err != nil || id != want {
		return fmt.Errorf("%w: peer %s: expected %s, the Ed25519 identity of the seed", ErrProtocol, id, want)
	}
	if len(s.Addrs) == 0 {
		return fmt.Errorf("%w: no addrs: expected where the peer listens", ErrProtocol)
	}
	_, err = s.Info()
	return err
}

// Info is the started peer as a dialler wants it, whether or not its addresses end in its id.
func (s *Started) Info() (peer.AddrInfo, error) {
	id, err := peer.Decode(s.Peer)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: peer %q: %w", ErrProtocol, s.Peer, err)
	}
	info := peer.AddrInfo{ID: id}
	for _, text := range s.Addrs {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return info, fmt.Errorf("%w: addr %q: %w", ErrProtocol, text, err)
		}
		a, last := peer.SplitAddr(a)
		if last != "" && last != id {
			return info, fmt.Errorf("%w: addr %q: expected peer %s", ErrProtocol, text, id)
		}
		info.Addrs = append(info.Addrs, a)
	}
	return info, nil
}

// Call implements Target.
func (t *channel) Call(ctx context.Context, method string, params, result any) error {
	t.mu.Lock()
	client := t.client
	t.mu.Unlock()
	limit := t.limits.of(method)
	inTime, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := client.call(inTime, method, params, result)
	var answered *Error
	switch {
	case err == nil || errors.As(err, &answered) && !errors.Is(err, ErrProtocol):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case inTime.Err() != nil:
		t.end(fmt.Errorf("%w: %s took more than %v", ErrHung, method, limit))
	case errors.Is(err, ErrProtocol), errors.Is(err, ErrHung):
		t.end(err)
	}
	return fmt.Errorf("%s: %w", method, t.why())
}

// why waits for the reason of a target's end, after the client broke.
func (t *channel) why() error {
	<-t.client.broken
	select {
	case <-t.died:
	case <-t.closing: // then end may note no reason any more
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reason == nil {
		return fmt.Errorf("%w: it was closed", ErrDied)
	}
	return t.reason
}

func (t *channel) isClosing() bool {
	select {
	case <-t.closing:
		return true
	default:
		return false
	}
}

// Stop implements Target.
func (t *channel) Stop(ctx context.Context) error { return t.Call(ctx, "stop", nil, nil) }

// Died implements Target.
func (t *channel) Died() <-chan struct{} { return t.died }

// Log implements Target.
func (t *channel) Log() string { return t.log() }

// Close implements Target: it closes stdin, upon which a target ends with 0. An error says that it did not.
func (t *channel) Close() error { return t.closed() }

func (t *channel) close() error {
	t.mu.Lock()
	died := t.reason != nil
	close(t.closing)
	t.mu.Unlock()
	t.pipes.In.Close()
	if died {
		return nil // reported where it died
	}
	select {
	case <-t.pipes.Exited:
		if err := t.pipes.State(); err != nil {
			return fmt.Errorf("target %s: %s: expected exit status 0 when stdin ends", t.name, t.how())
		}
		return nil
	case <-time.After(t.limits.grace):
		t.pipes.Kill()
		return fmt.Errorf("target %s: went on for %v after its stdin was closed: killed", t.name, t.limits.grace)
	}
}
