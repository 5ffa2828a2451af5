package plan

import "time"

// This file holds what a plan says of a world, simulated or real. Shares and chances are in parts per million, times are in
// nanoseconds, and what is not written is 0: the default of whoever carries the plan out.

// Off is a period that was turned off, where 0 is the default.
const Off time.Duration = -1

// Simulation is a world, simulated or real, with what happens in it: one point of a plan's sweep.
type Simulation struct {
	World  World
	Links  Links   // Kind "" without a link line
	Churn  Churn   // Kind "": nobody leaves
	Faults []Fault // adversaries among them
	Loads  []Workload
	Needs  []Need
	Point  []Setting // what the sweep chose, in the order of its words; empty without a sweep
}

// Setting is one choice of a sweep: alpha=3.
type Setting struct{ Name, Value string }

type (
	// World is who is there.
	World struct {
		Nodes   int
		Seed    uint64 // 1 if it is not written
		Shards  int
		Tables  string // "ideal" or "grown"; "ideal" if it is not written
		Preset  string // of each node: "current", "classic", "amino"; "current" if it is not written
		Clients uint32 // share of the nodes
		Seeds   int
		First   int // how many are there at first; 0: all
		Batch   int // how many join at once; 1 if only first= is written
		Every   time.Duration
		Sample  time.Duration
		Wire    bool

		// Real: on sockets of loopback and in real time. Without Nodes the plan loads its target with requests; with them
		// it is a network of nodes of the targets' implementations.
		Real      bool
		Transport string // "tcp", "quic", "mem" (a network alone)
		Security  string // of a load over tcp: "noise", "tls"; else ""
		Table     int    // synthetic peers that a target under load is offered before; 0: its table stays as it is
		Check     uint32 // share of the answers that are compared with the true nearest
		Rounds    int    // turns of each target; 0: one, or five where there are several targets

		K, Alpha, Bucket int
		Beta             int  // -1: off, all K nearest must have answered
		Disjoint         bool // paths=disjoint
		Evict            int  // -1: off

		Refresh, Probe, Replication, Publication, Provide time.Duration // Off: never
		ExpiryRecord, ExpiryProvider, ExpiryAddress       time.Duration // Off: they live for ever
		Patience, Timeout, Deadline                       time.Duration // of a peer, of a request, of a whole query
	}

	// Links is how messages travel.
	Links struct {
		Kind        string        // "constant", "uniform", "regions"
		Low, High   time.Duration // constant: Low
		Table       string        // regions: "amino", or the fixture whose text is the table
		Own         bool          // regions: Table is a fixture
		Jitter      time.Duration
		Loss        uint32 // of each message
		Unreachable uint32 // share of the servers
		Slow        uint32 // share of the nodes
		SlowBy      time.Duration
		Dial        int // round trips; -1: none (dial=0)
		DialTimeout time.Duration
		Idle        time.Duration // 0: no connection is kept
	}

	// Churn is how long nodes stay and are away.
	Churn struct {
		Kind   string // "exponential", "weibull", "lognormal", "trace"
		Median time.Duration
		Away   time.Duration
		Shape  uint32 // weibull, in millionths
		Sigma  uint32 // lognormal, in millionths
		Trace  string // the fixture whose text is the trace
	}

	// Fault is something that happens to many nodes at once, or a share of them that does harm from the start.
	Fault struct {
		Kind      string // "exit", "crash", "partition", "loss"; or one of an adversary
		Adversary bool   // "silent", "slow", "liar", "poisoner", "sybil", "eclipse", "flooder"
		Share     uint32
		At, Until time.Duration
		Key       *Expr  // sybil; nil: the key of the first operation
		Node      uint32 // eclipse; 0: the last that does no harm
		Rate      Rate   // flooder
	}

	// Workload is a stream of operations, or of requests. Either Count or For ends it.
	Workload struct {
		// Of requests on sockets:
		Closed      bool          // no rate: each stream asks anew as soon as it was answered
		Warmup      time.Duration // before what is measured, under the same load
		Connections int           // each from a peer of its own
		Streams     int           // of each connection, at most so many requests at once
		Reuse       string        // "streams", "connections" (a stream for each request), "nothing" (a connection, too)

		Rate    Rate          // zero: Count operations over For, or all at once without it
		To      Rate          // the rate at the end of For; zero: Rate throughout
		Poisson bool          // else at even distances
		From    time.Duration // since the beginning
		For     time.Duration
		Count   uint64
		Mix     []Part // each operation is of one part, by their weights; a load line without a rate adds one to the line above
	}

	// Part is one kind of operation in a stream.
	Part struct {
		Kind      string // "lookup", "provide", "find", "put", "get", "bootstrap"; or a message type, FIND_NODE
		Size      int    // of the value of a PUT_VALUE, in bytes
		Weight    uint32 // 0: 1
		Key       string // "uniform", "zipf", "hot"; "uniform" if it is not written
		Keys      uint64 // how many different keys; 0: never the same twice
		Skew      uint32 // zipf, in millionths
		Share     uint32 // hot: of the operations
		HotOf     uint64 // hot: among so many keys
		Published bool   // find and get: only keys that this plan's load has published
		Lag       time.Duration
		Node      uint32 // who is asked; 0: somebody by chance
	}

	// Needs are the figures that must come out.
	Needs struct{ All []Need }

	// Sweep runs the product of its axes.
	Sweep struct{ Axes []Axis }
)

// Axis is a word of another line and the values that it takes in turn.
type Axis struct {
	Name   string // alpha, loss, median; of faults and loads with the kind: liar.share, lookup.rate
	Values []string
}

// Rate is so many in each span of time; the zero value is none.
type Rate struct {
	Count int
	Per   time.Duration
}

// Need is one figure and its bound.
type Need struct {
	Pos    Pos
	Of     string // the kind of load it is about; "": all operations
	Figure string // as Figures lists them: recall, success, took, hops, rpcs, survival, digest, …
	Stat   string // of a figure with a distribution: p50, p99, mean, max, …; else ""
	N      int    // recall@N
	Op     Op     // OpLess, OpAtMost, OpGreater, OpAtLeast, OpEqual
	Unit   Unit
	Value  int64
	Digest string // figure digest: 16 hexadecimal digits, or @name of a fixture whose text has them
	Text   string // as written
}

// Unit is what the number of a need counts.
type Unit uint8

const (
	UnitShare Unit = iota // parts per million
	UnitTime              // nanoseconds
	UnitCount             // millionths: hops.mean<3.5 is 3,500,000
	UnitDigest
	UnitRate // millionths of one a second
	UnitSize // bytes
)

func (World) stmt()    {}
func (Links) stmt()    {}
func (Churn) stmt()    {}
func (Fault) stmt()    {}
func (Workload) stmt() {}
func (Needs) stmt()    {}
func (Sweep) stmt()    {}
