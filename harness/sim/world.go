package sim

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/kadbench/kadbench/internal/usage"
	"github.com/kadbench/kadbench/kad"
)

// World is a simulated network. It is driven from one goroutine, by Run; the shards' goroutines work for it within a window.
type World struct {
	cfg    Config
	start  kad.Time
	now    kad.Time
	until  kad.Time
	window kad.Time // the shortest delay
	turn   int      // which of the two outboxes is being filled

	dir      *kad.Directory
	servers  kad.Config
	clients  kad.Config
	kads     []kad.Kademlia // by handle; 0 is nobody
	nodes    []node
	since    []kad.Time // since when a node is there, 0 if it is not, as of the last window's end; what the shards may read of others
	everyone *index
	links    *links
	sessions *sessions
	foes     *foes
	shards   []*shard
	sizes    sizes

	// What each message needs, taken out of the configuration once.
	timeout, dialTimeout, idle kad.Time
	legs                       kad.Time // one-way delays of a request on a new connection
	bucket                     int      // size of a bucket
	codec                      bool
	tracing                    bool

	plan      agenda
	published map[uint64]publication // by key number of Put; read by the shards, written between windows
	result    Result
	samples   sampler
	ready     time.Time
	panicked  error
	mu        sync.Mutex
}

// New makes the nodes and their tables. It can take minutes for a million of them.
func New(ctx context.Context, cfg Config) (*World, error) {
	began := time.Now()
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	w := &World{cfg: cfg, start: Start, now: Start, until: Start + kad.Time(cfg.For), sizes: newSizes(), published: map[uint64]publication{}, codec: cfg.Wire, tracing: len(cfg.Trace) > 0}
	hugePages(cfg.Memory())
	var err error
	if w.links, err = newLinks(&cfg); err != nil {
		return nil, err
	}
	if w.sessions, err = newSessions(&cfg); err != nil {
		return nil, err
	}
	w.settle()
	w.plan.init(w)
	if w.foes, err = newFoes(ctx, &cfg, w.plan.first()); err != nil {
		return nil, err
	}
	w.intern()
	if err := w.cast(ctx); err != nil {
		return nil, err
	}
	w.samples.init(w)
	w.result = Result{Seed: cfg.Seed, Nodes: cfg.Nodes, Shards: len(w.shards), Ready: time.Since(began), Heap: heap()}
	return w, nil
}

// settle takes out of the configuration what is needed often.
func (w *World) settle() {
	c := &w.cfg
	w.window = kad.Time(w.links.least())
	w.servers = c.kademlia(kad.ModeServer)
	w.clients = c.kademlia(kad.ModeClient)
	w.timeout = kad.Time(w.servers.PeerTimeout)
	w.dialTimeout = kad.Time(c.Links.DialTimeout)
	if w.dialTimeout == 0 {
		w.dialTimeout = kad.Time(5 * kad.Second)
	}
	w.idle = kad.Time(c.Links.Idle)
	dials := max(c.Links.Dial, 0)
	if c.Links.Dial == 0 {
		dials = 1
	}
	w.legs = kad.Time(1 + 2*dials)
	w.bucket = w.servers.BucketSize
	if w.bucket == 0 {
		w.bucket = w.servers.K
	}
	shards := c.Shards
	if shards == 0 {
		shards = runtime.GOMAXPROCS(0)
	}
	shards = min(shards, c.Nodes)
	for i := range shards {
		s := &shard{w: w, index: i, messages: slab{messages: make([]message, 1)}}
		s.outgoing = [2][][]parcel{make([][]parcel, shards), make([][]parcel, shards)}
		w.shards = append(w.shards, s)
	}
}

// shardOf is which shard a node belongs to.
func (w *World) shardOf(p kad.Peer) int { return int(p) % len(w.shards) }

// intern gives every node its handle, its id and its address, and freezes the directory. After the nodes stand the ghosts:
// peers that liars name and that will never be there.
func (w *World) intern() {
	n := w.cfg.Nodes + w.foes.ghosts
	w.dir = kad.NewDirectory()
	for p := kad.Peer(1); int(p) <= n; p++ {
		id := w.idOf(p)
		w.dir.SetAddrs(w.dir.Intern(id), kad.Addrs(nil).Add(address(p)))
	}
	w.dir.Freeze()
	w.kads = make([]kad.Kademlia, n+1)
	w.nodes = make([]node, n+1)
	w.since = make([]kad.Time, n+1)
	for p := w.cfg.Nodes + 1; p <= n; p++ {
		w.nodes[p].gone = true
	}
	w.foes.sort(w.dir)
}

// initKad makes a node's core anew: its table and store are empty.
func (w *World) initKad(p kad.Peer) {
	cfg := &w.servers
	if w.nodes[p].client {
		cfg = &w.clients
	}
	w.kads[p].Init(p, w.dir, cfg)
}

// kademlia is the configuration of the nodes' cores.
func (c *Config) kademlia(mode kad.Mode) kad.Config {
	k := c.Kad
	k.Seed, k.Mode = c.Seed, mode
	return k.WithDefaults()
}

// Run lets the simulated time pass until all operations have ended. A World runs once. When ctx ends it stops between two
// windows and returns what there is, Stopped set.
func (w *World) Run(ctx context.Context) (*Result, error) {
	w.ready = time.Now()
	cpu := usage.CPU()
	team := newTeam(w)
	defer team.dismiss()
	for w.panicked == nil {
		if ctx.Err() != nil {
			w.result.Stopped = true
			break
		}
		at, over := w.nextMoment()
		if over {
			break
		}
		w.now = at
		w.samples.take(w) // one of this very moment, before a fault strikes in it
		end := w.plan.prepare(at, at+w.window)
		team.work(end)
		w.collect(end)
	}
	if !w.result.Stopped && w.panicked == nil && w.now < w.until {
		w.now = w.until
		w.samples.take(w)
	}
	w.finish()
	w.result.CPU = usage.CPU() - cpu
	w.result.Ran = time.Since(w.ready)
	w.result.PeakRSS = usage.PeakMemory()
	return &w.result, w.panicked
}

// nextMoment is when something happens next. It is over when all operations have ended and their time is up, when nothing
// will ever happen again, or when operations do not end (maxOverrun).
func (w *World) nextMoment() (at kad.Time, over bool) {
	at = w.plan.next()
	for _, s := range w.shards {
		if t := s.next(); t != 0 && t < at {
			at = t
		}
	}
	switch {
	case at == never:
		return 0, true
	case at < w.until:
		return at, false
	}
	return at, w.plan.running == 0 || at > w.until+kad.Time(maxOverrun)
}

// maxOverrun is how long after its time a run waits for the operations that have begun: longer than any query may take, of
// which a put or a provide has two phases of 60 s, and a bootstrap one for each of 14 buckets.
const maxOverrun = 20 * kad.Minute

// collect does between two windows what concerns all shards.
func (w *World) collect(end kad.Time) {
	w.turn = 1 - w.turn
	w.now = end
	for _, s := range w.shards {
		for _, c := range s.changes {
			w.since[c.node] = c.since
		}
		s.changes = s.changes[:0]
	}
	w.tell()
	w.result.Windows++
	w.samples.take(w)
	w.progress()
	if w.cfg.Inspect != nil {
		w.cfg.Inspect(&Snapshot{w})
	}
}

// finish judges what has ended last and sums up.
func (w *World) finish() {
	for _, s := range w.shards {
		s.judge()
		s.abandon()
	}
	w.tell()
	r := &w.result
	r.Until = kad.Duration(w.now - w.start)
	for _, s := range w.shards {
		r.Events += s.events
		r.Steps += s.steps
		r.Sent += s.sent
		r.Lost += s.lost
		r.Bytes += s.bytes
	}
	r.LoadOf = make([]uint32, w.cfg.Nodes+1)
	digest := w.cfg.Seed
	for p := 1; p <= w.cfg.Nodes; p++ {
		n := &w.nodes[p]
		digest = fold(digest, n.digest)
		r.LoadOf[p] = n.answered
		if n.up {
			r.Entries += uint64(w.kads[p].Table().Len())
		}
	}
	r.Digest = digest
	r.Samples = w.samples.list
}
