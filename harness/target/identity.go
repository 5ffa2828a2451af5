package target

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-varint"
	"google.golang.org/protobuf/proto"
)

// KeyFromSeed is the identity which the control protocol gives a target for a seed: the Ed25519 key of these 32 bytes
// (RFC 8032).
func KeyFromSeed(seed []byte) (crypto.PrivKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("seed of %d bytes: expected %d", len(seed), ed25519.SeedSize)
	}
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
}

// identifyLimit is the most that identify may tell: go-libp2p takes 10 messages of 8 KiB.
const identifyLimit = 10 * 8 << 10

// Identity is what a peer tells about itself.
type Identity struct {
	Protocols []string
	Addrs     []ma.Multiaddr
	Agent     string
	Observed  ma.Multiaddr // where it sees us
	Seq       int          // which telling of this peer this was: 1 for the first, more after pushes; 0: asked by Identify
}

// Identified waits for a telling of the peer after the seq-th: 0 for the last one known, the Seq of an Identity for
// the next push. A connection must exist or come.
func (p *Puppet) Identified(ctx context.Context, id peer.ID, after int) (Identity, error) {
	if p.host == nil {
		return Identity{}, ErrNoHost
	}
	last, err := p.host.told.wait(ctx, id, after)
	if err != nil {
		return Identity{}, fmt.Errorf("identify of %s: %w", id, err)
	}
	return last, nil
}

// Identify asks a peer anew, on a stream of its own: what it tells at this moment, whether or not it pushed.
func (p *Puppet) Identify(ctx context.Context, id peer.ID) (Identity, error) {
	if p.host == nil {
		return Identity{}, ErrNoHost
	}
	ctx, cancel := context.WithTimeout(ctx, OpenTimeout)
	defer cancel()
	s, err := p.host.negotiate(ctx, id, identify.ID)
	if err != nil {
		return Identity{}, fmt.Errorf("identify of %s: %w", id, err)
	}
	defer s.Reset()
	stop := context.AfterFunc(ctx, func() { s.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	m, err := readIdentify(s)
	if err != nil {
		return Identity{}, fmt.Errorf("identify of %s: %w", id, err)
	}
	out := Identity{Protocols: m.Protocols, Agent: m.GetAgentVersion()}
	for _, b := range m.ListenAddrs {
		if a, err := ma.NewMultiaddrBytes(b); err == nil {
			out.Addrs = append(out.Addrs, a)
		}
	}
	if a, err := ma.NewMultiaddrBytes(m.ObservedAddr); err == nil {
		out.Observed = a
	}
	return out, nil
}

// identities keeps what each peer told last in identify, at first and by pushes.
type identities struct {
	sub  event.Subscription
	done chan struct{}

	mu   sync.Mutex
	last map[peer.ID]told
	more chan struct{} // closed and replaced at each telling
}

type told struct {
	id  Identity
	err error // of the last attempt
}

func followIdentify(bus event.Bus) (*identities, error) {
	sub, err := bus.Subscribe([]any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerIdentificationFailed)},
		eventbus.BufSize(64))
	if err != nil {
		return nil, err
	}
	f := &identities{sub: sub, done: make(chan struct{}), last: make(map[peer.ID]told), more: make(chan struct{})}
	go func() {
		defer close(f.done)
		for e := range sub.Out() {
			switch e := e.(type) {
			case event.EvtPeerIdentificationCompleted:
				f.put(e.Peer, Identity{Protocols: protocol.ConvertToStrings(e.Protocols), Addrs: e.ListenAddrs,
					Agent: e.AgentVersion, Observed: e.ObservedAddr}, nil)
			case event.EvtPeerIdentificationFailed:
				f.put(e.Peer, Identity{}, e.Reason)
			}
		}
	}()
	return f, nil
}

func (f *identities) put(p peer.ID, id Identity, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.last[p].id
	if err != nil {
		f.last[p] = told{before, err}
	} else {
		id.Seq = before.Seq + 1
		f.last[p] = told{id, nil}
	}
	close(f.more)
	f.more = make(chan struct{})
}

func (f *identities) wait(ctx context.Context, p peer.ID, after int) (Identity, error) {
	for {
		f.mu.Lock()
		t, more := f.last[p], f.more
		f.mu.Unlock()
		if t.id.Seq > after {
			return t.id, nil
		}
		if t.err != nil {
			return Identity{}, t.err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Identity{}, ctx.Err()
		}
	}
}

func (f *identities) Close() {
	f.sub.Close()
	<-f.done
}

// readIdentify merges the messages of an identify stream: large ones come in parts.
func readIdentify(s network.Stream) (*pb.Identify, error) {
	r := bufio.NewReader(io.LimitReader(s, identifyLimit))
	m := new(pb.Identify)
	for parts := 0; ; parts++ {
		n, err := varint.ReadUvarint(r)
		if err == io.EOF && parts > 0 {
			return m, nil
		}
		if err != nil {
			return nil, fmt.Errorf("length of part %d: %w", parts+1, err)
		}
		if n > identifyLimit {
			return nil, fmt.Errorf("part %d has %d bytes: expected at most %d", parts+1, n, identifyLimit)
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, fmt.Errorf("part %d of %d bytes: %w", parts+1, n, err)
		}
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(body, m); err != nil {
			return nil, fmt.Errorf("part %d: %w", parts+1, err)
		}
	}
}
