package run

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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

// pool keeps the processes of one target. A node of its own costs a start and a stop; the process stays for the next.
type pool struct {
	factory target.Factory
	hello   *target.Hello
	seed    uint64
	profile string // given to start; empty where the target takes none
	puppets string // Config.Puppets

	mu      sync.Mutex
	idle    []target.Target
	crashes int   // failed starts in a row
	lost    error // why the target was given up

	seats   sync.Mutex // of an address: cases that seat go one at a time
	company *company   // and share their puppets
}

func newPool(f target.Factory, seed uint64, puppets string) *pool {
	return &pool{factory: f, seed: seed, puppets: puppets}
}

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
		return p.lose(fmt.Errorf("hello: %w%s", err, logTail(log)))
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
		return nil, p.lose(err)
	}
	return t, nil
}

func (p *pool) put(t target.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, t)
}

// start starts a node with the parameters of a plan's target line; nil is for the node that cases share.
func (p *pool) start(ctx context.Context, of *plan.Plan) (*node, error) {
	return p.startScaled(ctx, of, p.scale(of))
}

// startScaled is start for a node whose periods are divided.
func (p *pool) startScaled(ctx context.Context, of *plan.Plan, scale time.Duration) (*node, error) {
	params, err := p.params(of, scale)
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
			n.scale = scale
			return n, nil
		case errors.Is(err, errUnsupported), ctx.Err() != nil:
			return nil, err
		}
		p.count(err)
	}
}

// lostTarget is an ErrTarget whose text says once which target it is.
type lostTarget struct {
	given string
	err   error
}

func (e *lostTarget) Error() string {
	text := e.err.Error()
	if i := strings.Index(text, ": target "); i >= 0 && strings.HasPrefix(text, "target ") {
		text = text[i+2:] // the target's error names the target too
	}
	return "target " + e.given + ": " + strings.TrimPrefix(text, "target ")
}

func (e *lostTarget) Is(other error) bool { return other == ErrTarget }
func (e *lostTarget) Unwrap() error       { return e.err }

func (p *pool) lose(err error) error { return &lostTarget{p.factory.String(), err} }

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
		p.lost = p.lose(fmt.Errorf("did not start, %d times in a row: %w", maxCrashes, err))
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
	n := &node{
		name: p.factory.Name(), id: info.ID, addrs: info.Addrs, protocol: params.Protocol, target: t, hello: p.hello,
		remote: p.factory.Remote(), puppets: p.puppets, gone: make(chan struct{}),
	}
	if n.remote {
		if p.company == nil {
			p.company = newCompany(n.id)
		}
		n.company = p.company
	}
	return n, nil
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
	p.company.close()
	ended.Wait()
	p.idle = nil
}

// params are those of start. Every node of a run has the same identity, so that --seed brings all puppets back to the
// places where they were.
func (p *pool) params(of *plan.Plan, scale time.Duration) (target.StartParams, error) {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("kadbench target "), p.seed))
	s := target.StartParams{
		Seed: base64.RawURLEncoding.EncodeToString(seed[:]), Mode: "server", Protocol: DefaultProtocol, Profile: p.profile,
	}
	if of == nil || of.Target() == nil {
		return s, nil
	}
	for _, f := range of.Target().Params {
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
			s.Expiry[period] = (&node{scale: scale}).period(d).Milliseconds()
		}
		if err != nil {
			return s, fmt.Errorf("%s: %s=%s: %w", f.Pos, f.Name, text, err)
		}
	}
	return s, nil
}

// scale is by what the periods of a case's node are divided, if time passes in it and the target has no clock.
func (p *pool) scale(of *plan.Plan) time.Duration {
	if of == nil || !uses(of, "clock") || slices.Contains(p.hello.Methods, "advance_clock") {
		return 0
	}
	return clockScale
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
