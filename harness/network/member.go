package network

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/harness/target"
	"github.com/kadbench/kadbench/kad"
)

// member is a place in the network: a node that is there or not, always with the same identity.
type member struct {
	handle kad.Peer // from 1
	kind   Kind
	server bool
	seed   [32]byte
	id     peer.ID
	key    [32]byte // where it lies
	stays  stays

	changing sync.Mutex // held while it comes or goes
	mu       sync.Mutex // of what follows
	node     Node       // nil: it is not there
	since    kad.Duration
	foul     bool // it does harm
	port     int  // where it listened when it was there last
	ctx      context.Context
	end      context.CancelFunc // of its operations
}

// there is the node, nil if it is not there, and the context of its operations.
func (m *member) there() (Node, context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node, m.ctx
}

// honest says whether it is there and does no harm.
func (m *member) honest() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node != nil && !m.foul
}

// purposes keep draws for different ends apart.
const (
	forClient = iota + 1
	forStays
	forWho
	forSeeds
	forFault // and the fault's number
)

// chance are the draws for one purpose about one thing.
func (r *run) chance(purpose, about uint64) *rand.Rand {
	return rand.New(rand.NewPCG(r.cfg.Seed^purpose<<48, about))
}

// cast decides who there will be.
func (r *run) cast() error {
	c := &r.cfg
	for i := range c.Nodes {
		m := &member{handle: kad.Peer(i + 1), kind: c.Kinds[i%len(c.Kinds)]}
		m.seed = sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("kadbench network"), c.Seed), uint64(i)))
		key, err := target.KeyFromSeed(m.seed[:])
		if err != nil {
			return err
		}
		if m.id, err = peer.IDFromPrivateKey(key); err != nil {
			return err
		}
		m.key = sha256.Sum256([]byte(m.id))
		m.server = i < c.Seeds || r.chance(forClient, uint64(i)).Uint32N(uint32(sim.One)) >= uint32(c.Clients)
		joins := time.Duration(0)
		if i >= c.Growth.First {
			joins = time.Duration(c.Growth.Every) * time.Duration((i-c.Growth.First)/c.Growth.Batch+1)
		}
		churn := c.Churn
		if i < c.Seeds {
			churn = sim.Churn{}
		}
		m.stays = staysOf(churn, joins, c.For, r.chance(forStays, uint64(i)))
		r.members = append(r.members, m)
	}
	return nil
}

// introductions is how many seeds a newcomer is told of, as in a simulation.
const introductions = 3

// open starts a node and connects it to some seeds that are there.
func (r *run) open(ctx context.Context, m *member) error {
	spec := r.cfg.Node
	spec.Seed, spec.Server = m.seed, m.server
	if spec.Port = m.port; r.mem != nil {
		h, err := r.mem.Host(m.seed)
		if err != nil {
			return err
		}
		spec.Host, spec.owned = h, true
	}
	n, err := m.kind.New(ctx, spec)
	if err != nil {
		return fmt.Errorf("node %d: %w", m.handle, err)
	}
	m.mu.Lock()
	m.node, m.since, m.foul, m.port = n, r.now(), false, portOf(n.Info())
	m.ctx, m.end = context.WithCancel(context.Background())
	m.mu.Unlock()
	var errs []error
	for i, seed := range r.seedsFor(m) {
		if err := n.Connect(ctx, seed); err != nil {
			errs = append(errs, fmt.Errorf("node %d: %w", m.handle, err))
		}
		if i+1 == introductions {
			break
		}
	}
	if len(errs) == introductions { // one that is full or lost keeps nobody out
		return errors.Join(errs...)
	}
	return nil
}

// seedsFor are seeds that are there, but for the node itself, in an order of chance.
func (r *run) seedsFor(m *member) (infos []peer.AddrInfo) {
	for _, i := range r.chance(forSeeds, uint64(m.handle)).Perm(r.cfg.Seeds) {
		if n, _ := r.members[i].there(); n != nil && r.members[i] != m {
			infos = append(infos, n.Info())
		}
	}
	return infos
}

const (
	// enterTimeout is how long whoever was just connected may take to enter the table: identify is one round trip.
	enterTimeout = 10 * time.Second
	enterTick    = 5 * time.Millisecond
)

// awaitTable waits until somebody is in a node's table: that comes a moment after a connection.
func awaitTable(ctx context.Context, n Node) error {
	for waited := time.Duration(0); len(n.Table()) == 0 && waited < enterTimeout; waited += enterTick {
		if err := sleep(ctx, enterTick); err != nil {
			return err
		}
	}
	return nil
}

// settle lets a node that is connected look for itself.
func (r *run) settle(ctx context.Context, m *member) error {
	n, _ := m.there()
	if n == nil {
		return nil
	}
	if err := awaitTable(ctx, n); err != nil {
		return err
	}
	if err := n.Bootstrap(ctx); err != nil {
		return fmt.Errorf("node %d: bootstrap: %w", m.handle, err)
	}
	return nil
}

// come lets a node come, or come back as a new one with its old id, beside all else that happens.
func (r *run) come(ctx context.Context, m *member) {
	r.deeds.Go(func() {
		m.changing.Lock()
		defer m.changing.Unlock()
		if n, _ := m.there(); n != nil {
			return
		}
		err := r.open(ctx, m)
		if err == nil {
			err = r.settle(ctx, m)
		}
		if err != nil && ctx.Err() == nil {
			r.mu.Lock()
			if r.result.Failed == nil {
				r.result.Failed = err
			}
			r.mu.Unlock()
		}
	})
}

// leave lets a node go: its operations end, and its connections.
func (r *run) leave(m *member) {
	r.deeds.Go(func() {
		m.changing.Lock()
		defer m.changing.Unlock()
		r.shut(m)
	})
}

func (r *run) shut(m *member) {
	m.mu.Lock()
	n, end := m.node, m.end
	m.node = nil
	m.mu.Unlock()
	if n == nil {
		return
	}
	end()
	used := r.usedBy(n)
	_ = n.Close() // it is gone either way
	r.mu.Lock()
	r.used += used
	r.gone = r.gone.plus(n.Stats())
	r.mu.Unlock()
}

// leaveAll ends all operations.
func (r *run) leaveAll() {
	for _, m := range r.members {
		m.mu.Lock()
		if m.end != nil {
			m.end()
		}
		m.mu.Unlock()
	}
}

// close takes the network down.
func (r *run) close() {
	r.leaveAll()
	r.deeds.Wait()
	var done sync.WaitGroup
	turns := make(chan struct{}, together)
	for _, m := range r.members {
		turns <- struct{}{}
		done.Go(func() {
			defer func() { <-turns }()
			r.shut(m)
		})
	}
	done.Wait()
}

// hit are the nodes that a fault hits.
func (r *run) hit(fault int, share sim.PPM) iter.Seq[*member] {
	return func(yield func(*member) bool) {
		for i, m := range r.members[r.cfg.Seeds:] {
			if r.chance(forFault+uint64(fault), uint64(i)).Uint32N(uint32(sim.One)) < uint32(share) && !yield(m) {
				return
			}
		}
	}
}

// strike lets a fault begin for one node.
func (r *run) strike(m *member, f Fault) {
	if f.Kind == Crash {
		r.leave(m)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.node.(counter)
	if !ok {
		return // it is not there
	}
	m.foul = true
	mood := &n.counted().mood
	mood.silent.Store(f.Kind == Silent)
	if f.Kind == Slow {
		mood.late.Store(int64(lateBy))
	}
}

// portOf is where a node listens, 0 if it has no port.
func portOf(info peer.AddrInfo) (port int) {
	for _, a := range info.Addrs {
		for _, p := range []int{ma.P_TCP, ma.P_UDP} {
			if v, err := a.ValueForProtocol(p); err == nil {
				_, _ = fmt.Sscan(v, &port)
			}
		}
	}
	return port
}
