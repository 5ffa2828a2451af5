package p2p

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

// disk is a datastore that fails at random, before a write, in its midst or after it, and that may lose its power then: of
// what was not synced some is there after, and some is not.
type disk struct {
	datastore.Batching // as it looks
	mu                 sync.Mutex
	rng                *rand.Rand
	steady             bool // it does not fail
	synced             map[datastore.Key][]byte
	unsynced           []change
	off                bool // all fails
}

type change struct {
	key   datastore.Key
	value []byte // nil: deleted
}

func newDisk(rng *rand.Rand) *disk {
	return &disk{Batching: memory(), rng: rng, synced: map[datastore.Key][]byte{}}
}

// fails says whether this step does, and now and then the power with it.
func (d *disk) fails() bool {
	if d.steady || d.off {
		return d.off
	}
	d.off = d.rng.IntN(60) == 0
	return d.off || d.rng.IntN(10) == 0
}

func (d *disk) apply(c change) {
	if d.unsynced = append(d.unsynced, c); c.value == nil {
		_ = d.Batching.Delete(context.Background(), c.key)
	} else {
		_ = d.Batching.Put(context.Background(), c.key, c.value)
	}
}

func (d *disk) Batch(context.Context) (datastore.Batch, error) { return &diskBatch{d: d}, nil }

func (d *disk) Sync(context.Context, datastore.Key) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails() {
		return errDisk
	}
	for _, c := range d.unsynced {
		d.synced[c.key] = c.value
	}
	d.unsynced = nil
	return nil
}

func (d *disk) lost() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.off
}

// restarted is the disk after its power was lost.
func (d *disk) restarted() *disk {
	r := newDisk(d.rng)
	for _, c := range d.unsynced {
		if d.rng.IntN(2) == 0 {
			d.synced[c.key] = c.value
		}
	}
	for key, value := range d.synced {
		if value != nil {
			r.synced[key] = value
			_ = r.Batching.Put(context.Background(), key, value)
		}
	}
	return r
}

type diskBatch struct {
	d       *disk
	changes []change
}

func (b *diskBatch) Put(_ context.Context, key datastore.Key, value []byte) error {
	b.changes = append(b.changes, change{key, value})
	return nil
}

func (b *diskBatch) Delete(_ context.Context, key datastore.Key) error {
	b.changes = append(b.changes, change{key, nil})
	return nil
}

func (b *diskBatch) Commit(context.Context) error {
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	for _, c := range b.changes {
		if b.d.fails() {
			return errDisk
		}
		b.d.apply(c)
	}
	return nil
}

// life is a node that dies and comes back, and what is known of its store.
type life struct {
	t     *testing.T
	rng   *rand.Rand
	host  host.Host
	disk  *disk
	n     *Node
	ahead time.Duration // of the clock: things expire by Advance
	steps int

	model  holding         // what was acknowledged
	unsure map[string]bool // entries of which a change has failed, and no later one of any entry has succeeded
}

// holding is what a store says of each entry: a name that tells records from providers, and what is under it.
type holding map[string][]held

type held struct {
	text    string
	expires kad.Time
}

// alive leaves out what has expired.
func (h holding) alive(now kad.Time) holding {
	alive := holding{}
	for name, list := range h {
		for _, one := range list {
			if !over(one.expires, now) {
				alive[name] = append(alive[name], one)
			}
		}
	}
	return alive
}

func (l *life) holds() holding {
	h := holding{}
	for _, r := range l.n.Store().Records() {
		h[string(r.Key)] = []held{{fmt.Sprintf("%s %d %s", r.Value, coreTime(r.Received), r.Publisher), coreTime(r.Expires)}}
	}
	for _, key := range []string{"p", "q"} {
		for _, p := range l.n.Store().Providers([]byte(key)) {
			h[key] = append(h[key], held{fmt.Sprintf("%s %d", p.Provider, coreTime(p.Received)), coreTime(p.Expires)})
		}
	}
	return h.alive(l.n.clock.now())
}

// step changes something, and sees that it is all there if it was acknowledged, and else not at all.
func (l *life) step() {
	l.steps++
	s, record, key := l.n.Store(), fmt.Sprint("/v/", l.rng.IntN(3)), string("pq"[l.rng.IntN(2)])
	who := peer.AddrInfo{ID: l.n.id}
	if i := l.rng.IntN(4); i > 0 {
		who.ID = peer.ID(append([]byte{0x12, 32, byte(i)}, make([]byte, 31)...))
		who.Addrs = []ma.Multiaddr{ma.StringCast(fmt.Sprint("/ip4/8.8.8.8/tcp/", l.steps))}
	}
	var expires time.Time
	if l.rng.IntN(3) == 0 {
		expires = wallTime(l.n.clock.now() + kad.Time(1+l.rng.IntN(100))*kad.Time(time.Minute))
	}
	var name string
	var err error
	before := l.holds()
	switch do := l.rng.IntN(10); {
	case do < 4:
		name, err = record, s.Put(StoredRecord{Key: []byte(record), Value: fmt.Appendf(nil, "ok %06d", l.steps), Expires: expires, Publisher: l.n.id})
	case do < 5:
		name, err = record, s.Remove([]byte(record))
	case do < 8:
		name, err = key, s.AddProvider(StoredProvider{Key: []byte(key), Provider: who, Expires: expires})
	case do < 9:
		name, err = key, s.RemoveProvider([]byte(key), who.ID)
	default:
		d := time.Duration(l.rng.IntN(40)) * time.Minute
		l.ahead += d
		l.n.Advance(d) // what expires is acknowledged to nobody
		require.Equal(l.t, before.alive(l.n.clock.now()), l.holds())
		return
	}
	after := l.holds()
	if err != nil {
		require.ErrorIs(l.t, err, ErrJournal)
		require.Equal(l.t, before, after)
		l.unsure[name] = true
		return
	}
	l.model, l.unsure = after, map[string]bool{}
	if before, after := maps.Clone(before), maps.Clone(after); true {
		delete(before, name)
		delete(after, name)
		require.Equal(l.t, before, after)
	}
}

// start starts the node on what the disk has kept, and sees that what was acknowledged is there.
func (l *life) start() {
	n, err := New(Config{Host: l.host, Validators: Namespaces("v"), Datastore: l.disk,
		Kad: kad.Config{ReplicationInterval: -1, PublicationInterval: -1, ProvideInterval: -1}}) // which refresh what is ours
	require.NoError(l.t, err)
	n.clock.advance(l.ahead)
	require.NoError(l.t, n.Start(l.t.Context()))
	l.n = n
	want, got := l.model.alive(n.clock.now()), l.holds()
	l.model = maps.Clone(got)
	for name := range l.unsure { // as it was, or as the change that failed would have had it
		delete(want, name)
		delete(got, name)
	}
	require.Equal(l.t, want, got)
	l.unsure = map[string]bool{}
	assert.Zero(l.t, n.Journal().Corrupt)
}

// end closes the node in peace, or takes the power away.
func (l *life) end(peace bool) {
	l.disk.mu.Lock()
	if peace = peace && !l.disk.off; peace {
		l.disk.steady, l.unsure = true, map[string]bool{} // what failed is written with the last
	} else {
		l.disk.off = true
	}
	l.disk.mu.Unlock()
	require.NoError(l.t, l.n.Close())
	l.disk = l.disk.restarted()
}

// Whatever fails, and whenever the power is lost: what was acknowledged is there after, with all that belongs to it, and what
// was not is either as it was or as it was to be.
func TestJournalCrash(t *testing.T) {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics())
	require.NoError(t, err)
	defer h.Close()
	lives, failures := 0, 0
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		l := &life{t: t, rng: rng, host: h, disk: newDisk(rand.New(rand.NewPCG(seed, 4))), unsure: map[string]bool{}}
		for range 4 {
			l.start()
			for i := 0; i < 40 && !l.disk.lost(); i++ {
				l.step()
			}
			failures += l.n.Journal().Failures
			l.end(rng.IntN(3) == 0)
			lives++
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
	t.Logf("%d lives, %d writes failed", lives, failures)
	assert.Greater(t, failures, lives)
}
