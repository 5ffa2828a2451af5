package run_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad/wire"
)

// fake is a target that does what the key of a request says, so that a plan shows the executor everything that a peer
// may do. A key is a list of words with ; between them:
//
//	echo             the request itself as the reply, so that a plan chooses what it gets
//	type N           the same, of another type
//	count            an empty reply that tells the how manieth such request this is, as clusterLevelRaw
//	wait 50ms        before what follows
//	bytes HEX        as they are
//	eof, reset       ends the stream
//	meet 3           on the first process, waits until so many requests have come to this word
//	stay             on the first process, nothing until it ends
//	third            the words after it count from the third request on; eof before
//	drop             all connections end
//	crash            the process ends
//	hang             it never answers anybody again
//	nothing
//
// Any other key, such as that of a probe, gets those who have a seat.
type fake struct {
	options []string // of hello
	methods []string
	name    string
	remote  bool
	public  bool
	broken  string // new, hello, start: fails there
	seats   bool   // its table holds whoever connects

	onceOnly bool // only the first process crashes
	added    bool // its table holds whom add_address names

	results map[string]string // of operations by method, in JSON; "die" ends the process, any other word is an error's kind

	mu      sync.Mutex
	started []target.StartParams
	made    int
	starts  int
	dialled map[peer.ID]bool // who ever connected to a node that has stopped
}

func (f *fake) Name() string   { return f.name }
func (f *fake) String() string { return f.name + "=cmd:fake" }
func (f *fake) Remote() bool   { return f.remote }
func (f *fake) Private() bool  { return !f.public }

func (f *fake) New(context.Context) (target.Target, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	if f.broken == "new" {
		return nil, fmt.Errorf("%w: no such program", target.ErrUnreachable)
	}
	n := &fakeNode{fake: f, died: make(chan struct{}), counts: map[string]int{}, all: make(chan struct{})}
	n.first = f.made == 1
	return n, nil
}

// fakeNode is one process of a fake.
type fakeNode struct {
	*fake
	died   chan struct{}
	once   sync.Once
	hung   atomic.Bool
	puppet *target.Puppet
	stop   context.CancelFunc
	served sync.WaitGroup

	lock   sync.Mutex
	counts map[string]int
	first  bool // process of the fake
	table  []string
	met    int           // requests that have come to meet
	all    chan struct{} // closed when they are so many as it says
}

func (n *fakeNode) Hello(context.Context) (*target.Hello, error) {
	if n.broken == "hello" {
		return nil, fmt.Errorf("%w: rubbish", target.ErrProtocol)
	}
	return &target.Hello{Name: "fake-kad", Version: "v1.2.3", Methods: n.methods, Options: n.options}, nil
}

func (n *fakeNode) Start(_ context.Context, p target.StartParams) (*target.Started, error) {
	if n.broken == "start" {
		n.die()
		return nil, fmt.Errorf("%w: exit status 1", target.ErrDied)
	}
	if p.Alpha != 0 {
		return nil, target.BadParam("alpha", "it is 3")
	}
	seed, err := base64.RawURLEncoding.DecodeString(p.Seed)
	if err != nil {
		return nil, err
	}
	key, err := target.KeyFromSeed(seed)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.starts++
	n.started = append(n.started, p)
	n.mu.Unlock()
	n.puppet, err = target.NewPuppet(target.PuppetConfig{Key: key, Protocols: []string{p.Protocol}})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.served.Go(func() {
		for {
			s, err := n.puppet.Accept(ctx)
			if err != nil {
				return
			}
			n.served.Go(func() { n.serve(ctx, s) })
		}
	})
	started := &target.Started{Peer: n.puppet.ID().String()}
	for _, a := range n.puppet.Addrs() {
		started.Addrs = append(started.Addrs, a.String())
	}
	return started, nil
}

func (n *fakeNode) Call(_ context.Context, method string, params, result any) error {
	n.lock.Lock()
	defer n.lock.Unlock()
	text, operation := n.results[method]
	switch {
	case !slices.Contains(n.methods, method):
		return target.UnknownMethod(method)
	case method == "add_address":
		if n.added {
			n.table = append(n.table, params.(map[string]string)["peer"])
		}
		return nil
	case text == "die":
		n.die()
		return fmt.Errorf("%s: %w: exit status 2", method, target.ErrDied)
	case operation && text[0] != '{':
		return target.Failed(text, true, errors.New("as told"))
	case operation && result == nil:
		return nil
	case operation:
		return json.Unmarshal([]byte(text), result)
	}
	peers := append([]string{}, n.table...)
	for _, id := range n.seated() {
		peers = append(peers, id.String())
	}
	b, err := json.Marshal(map[string][]string{"peers": peers})
	if err != nil {
		return err
	}
	return json.Unmarshal(b, result)
}

// seated are those who connected, if that gives them a seat.
func (n *fakeNode) seated() (ids []peer.ID) {
	for _, h := range n.puppet.Heard().From(0) {
		if h.Dial && n.seats {
			ids = append(ids, h.From)
		}
	}
	return ids
}

func (n *fakeNode) Stop(context.Context) error {
	if n.stop == nil {
		return nil
	}
	n.stop()
	n.puppet.Close()
	n.served.Wait()
	n.stop = nil
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dialled == nil {
		n.dialled = map[peer.ID]bool{}
	}
	for _, h := range n.puppet.Heard().From(0) {
		if h.Dial {
			n.dialled[h.From] = true
		}
	}
	return nil
}

func (n *fakeNode) Close() error {
	return n.Stop(context.Background())
}

func (n *fakeNode) Died() <-chan struct{} { return n.died }
func (n *fakeNode) Log() string           { return "fake: a last word\n" }
func (n *fakeNode) die()                  { n.once.Do(func() { close(n.died) }) }

// serve answers one stream.
func (n *fakeNode) serve(ctx context.Context, s *target.Stream) {
	for {
		e, err := s.Next(ctx)
		if err != nil || e.Kind != target.Frame {
			if e.Kind == target.EOF {
				s.Close()
			}
			return
		}
		var m wire.Message
		if err := wire.Decode(e.Body, &m); err != nil {
			s.Reset()
			return
		}
		if n.hung.Load() {
			continue
		}
		if !n.answer(ctx, s, string(m.Key), e.Body) {
			return
		}
	}
}

func (n *fakeNode) answer(ctx context.Context, s *target.Stream, key string, body []byte) bool {
	n.lock.Lock()
	n.counts[key]++
	count := n.counts[key]
	n.lock.Unlock()
	frame := func(b []byte) { s.Write(ctx, append(varint(len(b)), b...)) }
	for i, words := range strings.Split(key, ";") {
		word, arg, _ := strings.Cut(strings.TrimSpace(words), " ")
		switch word {
		case "third":
			if count < 3 {
				s.Close()
				return false
			}
		case "echo":
			frame(body)
		case "type":
			var m wire.Message
			wire.Decode(body, &m)
			kind, _ := strconv.Atoi(arg)
			m.Type = wire.Type(kind)
			frame(wire.Append(nil, &m))
		case "count":
			frame(wire.Append(nil, &wire.Message{Type: wire.FindNode, ClusterLevelRaw: int32(count)}))
		case "wait":
			d, _ := time.ParseDuration(arg)
			select {
			case <-time.After(d):
			case <-ctx.Done():
			}
		case "meet":
			many, _ := strconv.Atoi(arg)
			n.lock.Lock()
			if n.met++; n.first && n.met == many {
				close(n.all)
			}
			n.lock.Unlock()
			if n.first {
				select {
				case <-n.all:
				case <-ctx.Done():
				}
			}
		case "stay":
			if n.first {
				<-ctx.Done()
				return false
			}
		case "bytes":
			b, _ := hex.DecodeString(arg)
			s.Write(ctx, b)
		case "eof":
			s.Close()
			return false
		case "reset":
			s.Reset()
			return false
		case "drop":
			for _, h := range n.puppet.Heard().From(0) {
				if h.Dial {
					n.puppet.Disconnect(h.From)
				}
			}
		case "crash":
			if n.onceOnly && !n.first {
				frame(body)
				return true
			}
			n.die()
			return false
		case "hang":
			n.hung.Store(true)
			return true
		case "nothing":
		default:
			if i > 0 {
				continue
			}
			m := wire.Message{Type: wire.FindNode, Key: []byte(key)}
			for _, id := range n.seated() {
				m.CloserPeers = append(m.CloserPeers, wire.Peer{ID: []byte(id)})
			}
			frame(wire.Append(nil, &m))
		}
	}
	return true
}

func varint(n int) []byte {
	var b bytes.Buffer
	for ; n >= 0x80; n >>= 7 {
		b.WriteByte(byte(n) | 0x80)
	}
	b.WriteByte(byte(n))
	return b.Bytes()
}
