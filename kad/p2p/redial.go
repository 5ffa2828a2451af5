package p2p

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// How long redial waits after an attempt that brought nobody: from one second, in which a server is started again, to five
// minutes, the interval of bootstraps; twice as long each time, and each time between half and one and a half of it, so
// that the nodes which one server's end has left alone do not all come back to it at once.
const (
	minRedial = time.Second
	maxRedial = 5 * time.Minute
)

// redial dials the bootstrap peers whenever the table is empty: then nothing else leads back into the network. It rests
// while the table holds anybody, and begins at once when a listen address comes, since then there is a network again.
type redial struct {
	empty atomic.Bool   // the table, after the last Step
	hurry atomic.Bool   // a listen address has come
	stir  chan struct{} // one of the two has changed
}

// see notes whether the table is empty. It is called under Node.mu after each Step.
func (r *redial) see(empty bool) {
	if r.empty.Swap(empty) != empty {
		r.wake()
	}
}

// network notes that a listen address has come.
func (r *redial) network() {
	r.hurry.Store(true)
	r.wake()
}

func (r *redial) wake() {
	select {
	case r.stir <- struct{}{}:
	default:
	}
}

// rejoin dials the given peers until Close, all at once, as redial says.
func (n *Node) rejoin(peers []peer.AddrInfo) {
	r := &n.redial
	ring := time.NewTimer(0)
	defer ring.Stop()
	wait, resting := minRedial, false
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-r.stir:
			switch {
			case !r.empty.Load():
				ring.Stop()
				wait, resting = minRedial, true
				continue
			case r.hurry.Swap(false):
				wait = minRedial
			case resting: // the table has become empty: those who left it may be back in a moment
				ring.Reset(jitter(wait))
				resting = false
				continue
			default: // nothing new
				continue
			}
		case <-ring.C:
			if !r.empty.Load() {
				wait, resting = minRedial, true
				continue
			}
			r.hurry.Store(false)
		}
		resting = false
		n.dialAll(n.ctx, peers, func() {})
		ring.Reset(jitter(wait))
		wait = min(2*wait, maxRedial)
	}
}

// join is what Bootstrap does while the table is empty: it dials the bootstrap peers, and waits for those who are connected
// and not identified yet, until one has entered or all have been tried.
func (n *Node) join(ctx context.Context) error {
	if !n.redial.empty.Load() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	if !n.background(func() {
		defer close(over)
		defer context.AfterFunc(n.ctx, cancel)()
		n.dialAll(ctx, append(n.bootstrapPeers(), n.unidentified()...), func() {
			if !n.redial.empty.Load() {
				cancel()
			}
		})
	}) {
		return ErrClosed
	}
	<-over
	return nil
}

// dialAll dials peers at once and waits until each has been reached and identified, or has failed, RequestTimeout at the
// longest. Who is connected already is not dialled again. done is called after each.
func (n *Node) dialAll(ctx context.Context, peers []peer.AddrInfo, done func()) {
	var all sync.WaitGroup
	for _, p := range peers {
		all.Go(func() {
			// We wait between attempts ourselves; go-libp2p would refuse for longer and longer.
			if s, ok := n.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
				s.Backoff().Clear(p.ID)
			}
			ctx, cancel := context.WithTimeout(ctx, n.limits.RequestTimeout)
			defer cancel()
			_ = n.connect(ctx, p) // whom it reaches, and what they speak, the connection's hooks tell
			done()
		})
	}
	all.Wait()
}

// jitter is between half of d and one and a half of it.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// bootstrapPeers are the peers of Config.Bootstrap, each once with all its addresses; Check has seen that they can be
// parsed.
func (n *Node) bootstrapPeers() []peer.AddrInfo {
	var peers []peer.AddrInfo
	at := make(map[peer.ID]int)
	for _, a := range n.cfg.Bootstrap {
		info, err := peer.AddrInfoFromString(a)
		if err != nil || info.ID == n.id {
			continue
		}
		if i, ok := at[info.ID]; ok {
			peers[i].Addrs = append(peers[i].Addrs, info.Addrs...)
			continue
		}
		at[info.ID] = len(peers)
		peers = append(peers, *info)
	}
	return peers
}
