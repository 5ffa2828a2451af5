package kad

import "fmt"

// Config of a Kademlia. The zero value is Current: libp2p-kad's present defaults. Durations are nanoseconds; 0 is the default,
// and a negative one turns the matter off: a job never runs, what has a TTL never expires. The three timeouts cannot be turned
// off.
type Config struct {
	Seed uint64 // of every random choice

	Mode  Mode
	K     int // replication factor and size of an answer; 20
	Alpha int // requests in flight of one lookup; Current 3 (libp2p-kad), Amino 10
	Beta  int // 0: a lookup ends when the K nearest have answered; n: when the n nearest have, then the K nearest are asked

	BucketSize int // how many peers a bucket of the table holds; 0: K, whatever that is

	// DisjointPaths makes a lookup follow Alpha paths that share no peer (S/Kademlia), so that one liar cannot end it.
	DisjointPaths bool

	QueryTimeout Duration // of a whole phase; 60 s
	PeerTimeout  Duration // of one request within a query; 10 s

	// Patience is how long a peer that was asked keeps its place among those in flight; for twice as long the end of a lookup
	// waits for it, if it is among the nearest; its answer counts as long as the query runs. 0: what the answers of others
	// make usual (their mean time and four mean deviations), 250 ms at least, 2 s before the first answer. Negative:
	// PeerTimeout, which is the most in any case.
	Patience Duration

	RecordTTL           Duration // Current and Amino 48 h, Classic 36 h
	ProviderTTL         Duration // 48 h; Classic 24 h
	ProviderAddrTTL     Duration // 24 h
	ReplicationInterval Duration // 1 h
	PublicationInterval Duration // 22 h; Classic 24 h
	ProvideInterval     Duration // 12 h; Amino 22 h
	BootstrapInterval   Duration // 5 min; Amino 10 min
	BootstrapThrottle   Duration // an automatic bootstrap waits until no newcomer has come to the table for so long; 500 ms
	ProbeInterval       Duration // a peer of the table that was not heard of for so long is asked whether it lives; 10 min
	PendingTimeout      Duration // of a pending entry of a full bucket; 60 s

	ManualInserts   bool // RoutablePeer is told instead of inserting
	FilterRecords   bool // PUT_VALUE and ADD_PROVIDER are held until the application accepts or refuses them
	QuorumEndsGet   bool // Classic: a get ends at its quorum
	AutoCache       bool // Classic: a get that found a record sends it to its cache candidates
	CacheCandidates int  // how many of the nearest that lack the record a get names at its end; 1, negative none
	EvictAfter      int  // failures in a row after which a peer leaves the table, if others answer meanwhile; 2, negative never
	EchoAddProvider bool // answer ADD_PROVIDER with an echo (plans/README.md, ruling 1, says none)
	NoCorrection    bool // a get does not send the best record to those of the nearest that lack it (libp2p-kad L191)
	FlatExpiry      bool // Amino: a received record's TTL does not halve for each node beyond the K nearest

	// Group gives the network group of an address (p2p: its /16 or its autonomous system), 0 for one that counts for
	// nobody; nil: no limit of diversity. It is called inside Step: a pure function of the bytes, as a Validator's rank is.
	Group func(addr []byte) uint64

	Limits Limits
}

// Limits of a Kademlia. 0 is the default.
type Limits struct {
	Records          int // 1024, as libp2p-kad's MemoryStore: 65 MiB of values at the most
	RecordBytes      int // 66,560: a value of this size or more is refused, as libp2p-kad's MemoryStore does
	RecordKeyBytes   int // 1024: a namespace and a name take less than 100 bytes
	ProviderKeys     int // 1024, as libp2p-kad's MemoryStore; what this node provides displaces what others do
	ProvidersPerKey  int // 20: as many as an answer can carry; newcomers are ignored when it is full (Sybils cannot evict)
	ProviderKeyBytes int // 80: ipfs-kad L493
	Queries          int // 1024 at once: each takes about 30 KiB at its largest
	JobQueries       int // 100 of them at once for the jobs, as libp2p-kad, and never more than half: the rest is the application's
	JobStarts        int // 10 new ones of the jobs in one Step, as libp2p-kad: a Step stays short
	Held             int // 256 requests that wait for the application's word, each with one record
	GroupPeers       int // 3 peers of one Group in the table (ipfs-kad L289)
	GroupBucketPeers int // 2 of them in one bucket
}

// Spans of time.
const (
	Second Duration = 1e9
	Minute          = 60 * Second
	Hour            = 60 * Minute
)

// Bounds of what Check accepts.
const (
	maxK     = 255 // 256 buckets of it are counted in 16 bits
	maxAlpha = 255
	// maxSpan is a hundred years: any moment of this century and a span added to it still fit a Time, which ends in 2262.
	maxSpan = 100 * 365 * 24 * Hour
)

// Current is libp2p-kad's present behaviour: 48 h / 22 h / 48 h, streaming get, client until reachable.
func Current() Config { return Config{}.WithDefaults() }

// Classic is the behaviour of libp2p-kad's first years: 36 h / 24 h / 24 h, the quorum ends a get, always a server.
func Classic() Config {
	return Config{
		Mode:                ModeServer,
		RecordTTL:           36 * Hour,
		ProviderTTL:         24 * Hour,
		PublicationInterval: 24 * Hour,
		QuorumEndsGet:       true,
		AutoCache:           true,
	}.WithDefaults()
}

// Amino is the IPFS network's: ten requests in flight, a lookup that is settled by its three nearest and then asks the K
// nearest, records that expire after 48 h wherever they are. Holders do not replicate: neither of the two specifications
// has them do so and go-libp2p-kad-dht's do not, so whoever wants a record to live publishes it again, and a get mends
// the holders that it meets (ipfs-kad L617).
func Amino() Config {
	return Config{
		Alpha:               10,
		Beta:                3,
		ReplicationInterval: -1,
		ProvideInterval:     22 * Hour,
		BootstrapInterval:   10 * Minute,
		FlatExpiry:          true,
	}.WithDefaults()
}

// WithDefaults is the configuration with what is 0 filled in, as Init wants it.
func (c Config) WithDefaults() Config {
	def := func(field *int, n int) {
		if *field == 0 {
			*field = n
		}
	}
	span := func(field *Duration, d Duration) {
		if *field == 0 {
			*field = d
		}
	}
	def(&c.K, 20)
	def(&c.Alpha, 3)
	span(&c.QueryTimeout, Minute)
	span(&c.PeerTimeout, 10*Second)
	span(&c.RecordTTL, 48*Hour)
	span(&c.ProviderTTL, 48*Hour)
	span(&c.ProviderAddrTTL, 24*Hour)
	span(&c.ReplicationInterval, Hour)
	span(&c.PublicationInterval, 22*Hour)
	span(&c.ProvideInterval, 12*Hour)
	span(&c.BootstrapInterval, 5*Minute)
	span(&c.BootstrapThrottle, Second/2)
	span(&c.ProbeInterval, 10*Minute)
	span(&c.PendingTimeout, Minute)
	def(&c.CacheCandidates, 1)
	def(&c.EvictAfter, 2)
	def(&c.Limits.Records, 1024)
	def(&c.Limits.RecordBytes, 66_560)
	def(&c.Limits.RecordKeyBytes, 1024)
	def(&c.Limits.ProviderKeys, 1024)
	def(&c.Limits.ProvidersPerKey, 20)
	def(&c.Limits.ProviderKeyBytes, 80)
	def(&c.Limits.Queries, 1024)
	def(&c.Limits.JobQueries, 100)
	def(&c.Limits.JobStarts, 10)
	def(&c.Limits.Held, 256)
	def(&c.Limits.GroupPeers, 3)
	def(&c.Limits.GroupBucketPeers, 2)
	return c
}

// Check says what is wrong with a configuration: a wrapped ErrConfig that names the field.
func (c Config) Check() error {
	c = c.WithDefaults()
	for _, f := range []struct {
		name      string
		have      int
		low, high int
	}{
		{"Mode", int(c.Mode), int(ModeAuto), int(ModeServer)},
		{"K", c.K, 1, maxK},
		{"BucketSize", c.BucketSize, 0, maxK},
		{"Alpha", c.Alpha, 1, maxAlpha},
		{"Beta", c.Beta, 0, c.K},
		{"Limits.Records", c.Limits.Records, 1, 1 << 30},
		{"Limits.RecordBytes", c.Limits.RecordBytes, 1, 1 << 30},
		{"Limits.RecordKeyBytes", c.Limits.RecordKeyBytes, 1, 1 << 20},
		{"Limits.ProviderKeys", c.Limits.ProviderKeys, 1, 1 << 30},
		{"Limits.ProvidersPerKey", c.Limits.ProvidersPerKey, 1, 1 << 16},
		{"Limits.ProviderKeyBytes", c.Limits.ProviderKeyBytes, 1, 1 << 20},
		{"CacheCandidates", c.CacheCandidates, -1, c.K},
		{"EvictAfter", c.EvictAfter, -1, 7},
		{"Limits.Queries", c.Limits.Queries, 1, 1 << 20},
		{"Limits.JobQueries", c.Limits.JobQueries, 1, 1 << 20},
		{"Limits.JobStarts", c.Limits.JobStarts, 1, 1 << 20},
		{"Limits.Held", c.Limits.Held, 1, 1 << 16},
		{"Limits.GroupPeers", c.Limits.GroupPeers, 1, 1 << 16},
		{"Limits.GroupBucketPeers", c.Limits.GroupBucketPeers, 1, 1 << 16},
	} {
		if f.have < f.low || f.have > f.high {
			return fmt.Errorf("%w: %s is %d, want %d to %d", ErrConfig, f.name, f.have, f.low, f.high)
		}
	}
	for _, f := range []struct {
		name string
		have Duration
		off  bool // may it be turned off? Nothing may wait forever
	}{
		{"QueryTimeout", c.QueryTimeout, false},
		{"PeerTimeout", c.PeerTimeout, false},
		{"Patience", c.Patience, true},
		{"PendingTimeout", c.PendingTimeout, false},
		{"RecordTTL", c.RecordTTL, true},
		{"ProviderTTL", c.ProviderTTL, true},
		{"ProviderAddrTTL", c.ProviderAddrTTL, true},
		{"ReplicationInterval", c.ReplicationInterval, true},
		{"PublicationInterval", c.PublicationInterval, true},
		{"ProvideInterval", c.ProvideInterval, true},
		{"BootstrapInterval", c.BootstrapInterval, true},
		{"BootstrapThrottle", c.BootstrapThrottle, true},
		{"ProbeInterval", c.ProbeInterval, true},
	} {
		if f.have < 0 && !f.off {
			return fmt.Errorf("%w: %s is %d ns, want 0 (the default) or more", ErrConfig, f.name, f.have)
		}
		if f.have > maxSpan {
			return fmt.Errorf("%w: %s is %d ns, want 100 years at most", ErrConfig, f.name, f.have)
		}
	}
	return nil
}
