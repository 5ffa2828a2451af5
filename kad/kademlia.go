package kad

import (
	"encoding/binary"
	"math/rand/v2"
)

// Kademlia is a participant as pure state; see the package documentation for the loop that drives it.
//
// A node that does nothing is small: a million of them fit in 12 GiB. So what many share is behind a pointer (cfg, dir),
// what only a running query needs is in the query, and what only a Step needs is in the Output. And of a million nodes the one
// that is stepped next is in no cache: what answering a FIND_NODE reads stands first, in four cache lines.
type Kademlia struct {
	cfg      *Config    // complete; never written to
	dir      *Directory // private, or frozen and shared
	self     Peer
	wanted   Mode // as configured or set
	mode     Mode // what that amounts to at present
	stepping bool
	started  bool // it was stepped
	table    Table
	pacing   pacing // how long answers take
	probes   probes // of peers that were not heard of for long

	links     []link   // by handle: the peers that are connected
	queries   []*query // by id; those that run, and no others
	lastQuery QueryID  // ids are never used again, so a late answer cannot reach a younger query
	store     Store
	schedule  schedule     // of bootstraps
	jobs      jobs         // what is given out again
	held      heldRequests // wait for the application's word

	listen, external Addrs
	rng              rand.PCG // 16 bytes of state; the only source of chance: of bootstrap targets, and of when what runs by itself does
	nextSweep        Time     // of a private Directory; 0 before the first Step and for a frozen one
}

// New makes a participant with the given binary peer id and a MemoryStore. It does nothing until stepped. A frozen
// Directory must hold the id.
func New(id []byte, dir *Directory, cfg Config) (*Kademlia, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	self := dir.Intern(id)
	if self == 0 {
		return nil, ErrPeerID
	}
	full := cfg.WithDefaults()
	k := new(Kademlia)
	k.Init(self, dir, &full)
	return k, nil
}

// Init makes a participant in place. The configuration must be one of the presets or otherwise complete and checked; it
// is shared, as the Directory is, by however many nodes a simulation has.
func (k *Kademlia) Init(self Peer, dir *Directory, cfg *Config) {
	*k = Kademlia{cfg: cfg, dir: dir, self: self, wanted: cfg.Mode, store: nothing{}}
	size := cfg.BucketSize
	if size == 0 {
		size = cfg.K
	}
	k.table.init(dir, *dir.Key(self), size)
	// Each node draws from a stream of its own, whatever the order in which nodes are stepped.
	k.rng.Seed(cfg.Seed, binary.BigEndian.Uint64(k.table.local[8:]))
	k.mode = k.resolveMode()
}

// Wake is the moment by which Step wants a Tick; 0: nothing is due. It may lie in the past: then there was more to do
// than one Step does.
func (k *Kademlia) Wake() Time {
	at := earlier(k.table.NextPending(), k.store.NextExpiry())
	for _, q := range k.queries {
		at = earlier(at, q.wake())
	}
	at = earlier(at, earlier(k.held.wake(), k.probes.wake()))
	at = earlier(at, earlier(k.refreshWake(), k.jobsWake()))
	return earlier(at, k.nextSweep)
}

// Self is the local peer: its handle, id and addresses.
func (k *Kademlia) Self() PeerInfo { return k.dir.Info(k.self) }

// Mode is ModeClient or ModeServer: what the node is at present, ModeAuto resolved.
func (k *Kademlia) Mode() Mode { return k.mode }

// Config is the configuration with its defaults filled in.
func (k *Kademlia) Config() Config { return *k.cfg }

// Table is the routing table, to be looked at between two steps.
func (k *Kademlia) Table() *Table { return &k.table }

// Store is the record store, to be looked at between two steps. What is changed in it by hand must not refer to handles
// that the Directory does not have.
func (k *Kademlia) Store() Store { return k.keeping() }

// Holds says whether anything was ever stored: as long as it is false, the Store need not be looked at, nor be made.
func (k *Kademlia) Holds() bool { return k.store != Store(nothing{}) }

// keeping is the store for what is to be kept: the first such thing makes it.
func (k *Kademlia) keeping() Store {
	if !k.Holds() {
		k.store = NewMemoryStore(k.cfg.Limits)
	}
	return k.store
}

// SetStore replaces the store; before the first Step.
func (k *Kademlia) SetStore(s Store) { k.store = s }

// Directory is where handles are looked up.
func (k *Kademlia) Directory() *Directory { return k.dir }

// ClosestLocal appends the peers of the table that are nearest to the key's point, at most K, nearest first.
func (k *Kademlia) ClosestLocal(key []byte, dst []PeerInfo) []PeerInfo {
	return k.FindClosestLocal(key, nil, 0, dst)
}

// FindClosestLocal is what the table has for the peer with the id source that asks for a key: at most n peers (0, or more than
// K: K), without the source itself, if it is given. Those that have failed lately are among them, whom an answer would leave
// out as long as there are K others.
func (k *Kademlia) FindClosestLocal(key, source []byte, n int, dst []PeerInfo) []PeerInfo {
	if n <= 0 || n > k.cfg.K {
		n = k.cfg.K
	}
	target := KeyOf(key)
	for _, near := range k.table.Nearest(nil, &target, n, k.dir.Find(source)) {
		dst = append(dst, PeerInfo{})
		k.tell(&dst[len(dst)-1], near)
	}
	return dst
}

// tell writes what we say of a peer of the table into an empty PeerInfo, where it is to be: to put it together first and copy
// it then costs 10 ns, as the processor must wait for what it has just written in other pieces. An answer has twenty.
func (k *Kademlia) tell(info *PeerInfo, n Near) {
	k.dir.tell(info, n.Peer)
	if n.Connected {
		info.Connection = Connected
	}
}

// PeerAddresses are those by which a peer may be dialled: the confirmed ones first, then what running queries have heard.
// Empty: nothing is known of it.
func (k *Kademlia) PeerAddresses(id []byte) Addrs {
	p := k.dir.Find(id)
	if p == 0 {
		return nil
	}
	addrs := k.dir.Addrs(p)
	for _, q := range k.queries {
		addrs = addrs.Merge(q.heard.of(p))
	}
	return addrs
}
