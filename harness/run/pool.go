package run

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/target"
)

const (
	// maxCrashes is how often in a row a target may fail to start before the run gives up on it.
	maxCrashes = 3
	// startTimeout bounds the start of a node; node.js takes 1.2 s, and eight start side by side on two cores.
	startTimeout = 20 * time.Second
	// DefaultProtocol is spoken unless the plan says otherwise.
	DefaultProtocol = "/ipfs/kad/1.0.0"
)

// errUnsupported: the target cannot do what the case asks for; its text says what.
var errUnsupported = errors.New("unsupported")

// node is a running node of a target.
type node struct {
	name     string // of the target
	id       peer.ID
	addrs    []ma.Multiaddr
	protocol string
	target   target.Target
	hello    *target.Hello
	remote   bool // only an address

	mu      sync.Mutex
	crowded map[string]bool // the cases that run on it now: whether another ran beside them

	gone chan struct{} // closed when the run gave the node up, because it does not answer
	once sync.Once
}

// giveUp ends all cases on a node that does not answer.
func (n *node) giveUp() { n.once.Do(func() { close(n.gone) }) }

// enter and leave keep count of who runs on the node; leave says whether anybody ran beside the case.
func (n *node) enter(caseID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.crowded == nil {
		n.crowded = map[string]bool{}
	}
	for id := range n.crowded {
		n.crowded[id] = true
	}
	n.crowded[caseID] = len(n.crowded) > 0
}

func (n *node) leave(caseID string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	crowded := n.crowded[caseID]
	delete(n.crowded, caseID)
	return crowded
}

func (n *node) lost() bool {
	select {
	case <-n.gone:
		return true
	default:
		return n.died()
	}
}

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.id, Addrs: n.addrs} }

// offers says whether the target's hello names a method.
func (n *node) offers(method string) bool { return slices.Contains(n.hello.Methods, method) }

// speaks says whether the node listens with a transport: tcp or quic.
func (n *node) speaks(transport string) bool {
	for _, a := range n.addrs {
		if strings.Contains(a.String(), "/"+map[string]string{"tcp": "tcp", "quic": "quic-v1"}[transport]) {
			return true
		}
	}
	return false
}

// puppet makes a puppet that can reach the node: over a transport which it listens on, and from an address that it can
// dial back. errUnsupported: the plan wants another.
func (n *node) puppet(c target.PuppetConfig) (*target.Puppet, error) {
	switch {
	case c.Over == "" && !n.speaks("tcp"):
		c.Over = "quic"
	case c.Over != "" && !n.speaks(c.Over):
		return nil, fmt.Errorf("%w: the target does not listen on %s", errUnsupported, c.Over)
	}
	here, err := n.here()
	if err != nil {
		return nil, err
	}
	if here != "" && c.IP != "" {
		return nil, fmt.Errorf("%w: the target is not on this machine, a peer at %s cannot reach it", errUnsupported, c.IP)
	}
	if c.IP == "" {
		c.IP = here
	}
	return target.NewPuppet(c)
}

// here is this machine's address towards a node that is not on it; empty for loopback.
func (n *node) here() (string, error) {
	for _, a := range n.addrs {
		if manet.IsIPLoopback(a) {
			return "", nil
		}
	}
	for _, a := range n.addrs {
		to, err := manet.ToNetAddr(a)
		if err != nil {
			continue
		}
		c, err := net.Dial("udp", to.String()) // sends nothing: it only asks for the route
		if err != nil {
			continue
		}
		defer c.Close()
		host, _, err := net.SplitHostPort(c.LocalAddr().String())
		return host, err
	}
	return "", fmt.Errorf("no route to any of %s", n.addrs)
}

// died says whether the target ended by itself.
func (n *node) died() bool {
	select {
	case <-n.target.Died():
		return true
	default:
		return false
	}
}

// pool keeps the processes of one target. A node of its own costs a start and a stop; the process stays for the next.
type pool struct {
	factory target.Factory
	hello   *target.Hello
	seed    uint64
	profile string // given to start; empty where the target takes none

	mu      sync.Mutex
	idle    []target.Target
	crashes int   // failed starts in a row
	lost    error // why the target was given up

	seats sync.Mutex // of an address: cases that seat go one at a time
}

func newPool(f target.Factory, seed uint64) *pool { return &pool{factory: f, seed: seed} }

// meet asks the target who it is. A target that cannot be made or asked is an ErrTarget.
func (p *pool) meet(ctx context.Context) error {
	t, err := p.process(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if p.hello, err = t.Hello(ctx); err != nil {
		log := t.Log()
		t.Close()
		return fmt.Errorf("%w %s: hello: %w%s", ErrTarget, p.factory.Name(), err, logTail(log))
	}
	p.put(t)
	return nil
}

// process takes an idle process or makes one.
func (p *pool) process(ctx context.Context) (target.Target, error) {
	p.mu.Lock()
	for len(p.idle) > 0 {
		t := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		select {
		case <-t.Died():
			t.Close()
		default:
			p.mu.Unlock()
			return t, nil
		}
	}
	p.mu.Unlock()
	t, err := p.factory.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrTarget, p.factory.Name(), err)
	}
	return t, nil
}

func (p *pool) put(t target.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, t)
}

// start starts a node with the parameters of a plan's target line; nil is the node that cases share.
func (p *pool) start(ctx context.Context, d *plan.PeerDecl) (*node, error) {
	params, err := p.params(d)
	if err != nil {
		return nil, err
	}
	for {
		if err := p.given(); err != nil {
			return nil, err
		}
		n, err := p.try(ctx, params)
		switch {
		case err == nil:
			p.count(nil)
			return n, nil
		case errors.Is(err, errUnsupported), ctx.Err() != nil:
			return nil, err
		}
		p.count(err)
	}
}

// given is why the target was given up, or nil.
func (p *pool) given() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// giveUp ends the run against this target.
func (p *pool) giveUp(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == nil {
		p.lost = err
	}
}

// count keeps the score of failed starts.
func (p *pool) count(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.crashes = 0
		return
	}
	p.crashes++
	if p.crashes >= maxCrashes && p.lost == nil {
		p.lost = fmt.Errorf("%w %s: did not start %d times in a row: %w", ErrTarget, p.factory.Name(), maxCrashes, err)
	}
}

func (p *pool) try(ctx context.Context, params target.StartParams) (*node, error) {
	t, err := p.process(ctx)
	if err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	started, err := t.Start(timed, params)
	if err != nil {
		if why, ok := unsupported(err); ok {
			p.put(t)
			return nil, fmt.Errorf("%w: start: %s", errUnsupported, why)
		}
		log := t.Log()
		t.Close()
		return nil, fmt.Errorf("start: %w%s", err, logTail(log))
	}
	info, err := started.Info()
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("start: %w", err)
	}
	return &node{
		name: p.factory.Name(), id: info.ID, addrs: info.Addrs, protocol: params.Protocol, target: t, hello: p.hello,
		remote: p.factory.Remote(), gone: make(chan struct{}),
	}, nil
}

// stop ends a node and keeps its process, unless that died or does not stop.
func (p *pool) stop(n *node) {
	if n.lost() {
		n.target.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := n.target.Stop(ctx); err != nil {
		n.target.Close()
		return
	}
	p.put(n.target)
}

// close ends all processes which are idle.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ended sync.WaitGroup
	for _, t := range p.idle {
		ended.Go(func() { t.Close() })
	}
	ended.Wait()
	p.idle = nil
}

// params are those of start. Every node of a run has the same identity, so that --seed brings all puppets back to the
// places where they were.
func (p *pool) params(d *plan.PeerDecl) (target.StartParams, error) {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("kadbench target "), p.seed))
	s := target.StartParams{
		Seed: base64.RawURLEncoding.EncodeToString(seed[:]), Mode: "server", Protocol: DefaultProtocol, Profile: p.profile,
	}
	if d == nil {
		return s, nil
	}
	for _, f := range d.Params {
		text := f.Value.Text
		var err error
		switch name := f.Name; name {
		case "mode":
			s.Mode = text
		case "protocol":
			s.Protocol = text
		case "k":
			s.K, err = strconv.Atoi(text)
		case "alpha":
			s.Alpha, err = strconv.Atoi(text)
		case "beta":
			s.Beta, err = strconv.Atoi(text)
		case "listen":
			s.Listen = text
		case "transports":
			s.Transports = strings.Split(text, ",")
		case "namespaces":
			s.Namespaces = strings.Split(text, ",")
		case "filter":
			s.Filter = text
		case "background":
			s.Background, err = strconv.ParseBool(text)
		default:
			period, ok := strings.CutPrefix(name, "expiry.")
			if !ok {
				return s, fmt.Errorf("%s: %s is not a parameter of start", f.Pos, name)
			}
			var d time.Duration
			d, err = time.ParseDuration(text)
			if s.Expiry == nil {
				s.Expiry = map[string]int64{}
			}
			s.Expiry[period] = d.Milliseconds()
		}
		if err != nil {
			return s, fmt.Errorf("%s: %s=%s: %w", f.Pos, f.Name, text, err)
		}
	}
	return s, nil
}

// unsupported reads the answers by which a target says that it cannot do something.
func unsupported(err error) (string, bool) {
	var e *target.Error
	if errors.As(err, &e) && (e.Code == -32601 || e.Code == -32602) {
		return e.Message, true
	}
	if errors.Is(err, target.ErrUnsupported) {
		return err.Error(), true
	}
	return "", false
}

// logTail is what a target wrote last, for the end of an error.
func logTail(log string) string {
	log = strings.TrimSpace(log)
	if log == "" {
		return ""
	}
	lines := strings.Split(log, "\n")
	return "\n  its log: " + strings.Join(lines[max(0, len(lines)-10):], "\n           ")
}
