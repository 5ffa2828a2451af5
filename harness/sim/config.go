package sim

import "github.com/kadbench/kadbench/kad"

// Config describes a simulated world. All of it is data: the same Config gives the same run, on any number of shards.
// Chances and shares are in parts per million, times in nanoseconds: nothing that decides when something happens is a
// floating-point number, which processors may round differently.
type Config struct {
	Seed   uint64
	Nodes  int // that take part from the beginning or join later; at most MaxNodes
	Shards int // goroutines that share the nodes; 0: as many as there are processors. It never changes a result

	Tables  Tables     // ideal from the start, or grown by the protocol
	Kad     kad.Config // of each node; its Mode counts for servers, its Seed is replaced by Seed
	Clients PPM        // share of the nodes that are clients: they ask and are never asked
	Seeds   int        // nodes that never leave and by which the others come in (the first handles); 0: 8, or all if there are fewer
	IDs     [][]byte   // of the nodes, by handle less one, where a run is held against other hosts; nil: drawn from Seed
	Growth  Growth     // how many of the nodes are there at first and how the rest joins; zero: all from the start

	Links       Links
	Churn       Churn
	Faults      []Fault
	Adversaries []Adversary

	Load   Schedule     // what is asked of whom, and when; nil: nothing
	For    kad.Duration // how much simulated time there is for operations to begin; the run ends when the last of them has
	Sample kad.Duration // of the time series; 0: a hundredth of For, a minute at least

	Wire    bool            // encode and decode every message; the result is the same, it only takes longer
	Trace   []kad.Peer      // nodes whose inputs and outputs go to Observer.Step
	Inspect func(*Snapshot) // called between two windows, while the world stands still; nil: never
	Watch   Observer
}

// PPM is a share or a chance in parts per million.
type PPM uint32

// One is certainty.
const One PPM = 1_000_000

// MaxNodes bounds a world: a handle has 32 bits, and 16 million nodes would need 100 GiB.
const MaxNodes = 1 << 24

// Start is when a simulation begins: 2026-01-01 00:00 UTC. It is fixed, so that what depends on the date repeats.
const Start kad.Time = 1_767_225_600e9

// Tables says what the nodes know at the beginning.
type Tables uint8

const (
	// Ideal tables hold in each bucket K peers chosen by chance among all servers that belong there, or all if they are fewer.
	Ideal Tables = iota
	// Grown tables begin with a few of the Seeds and fill by the protocol itself.
	Grown
)

// Growth lets a world begin with First nodes; each Every another Batch joins until all Nodes are there.
type Growth struct {
	First int
	Batch int
	Every kad.Duration
}

// LinkKind is how long a message takes.
type LinkKind uint8

const (
	Constant LinkKind = iota // Low
	Uniform                  // between Low and High, drawn for each pair of peers
	Regions                  // as Table says for the regions of the two, drawn for each pair of peers
)

// Links say how messages travel. Each delay is one way, and 1 ms at the least (MinDelay): a window of the simulation is as
// long as the shortest delay.
type Links struct {
	Kind        LinkKind
	Low, High   kad.Duration // Constant: Low; zero: 50 ms
	Table       *LatencyTable
	Jitter      kad.Duration // at most so much is added to each message by itself
	Loss        PPM          // of each message
	Unreachable PPM          // share of the servers that nobody can dial (behind a NAT, and not aware of it)
	Slow        PPM          // share of the nodes that answer late
	SlowBy      kad.Duration // by so much; zero: 2 s
	Dial        int          // round trips before the first request on a new connection; 0: one, negative: none
	DialTimeout kad.Duration // when a dial of a dead or unreachable peer is given up; zero: 5 s, as QUIC's handshake
	Idle        kad.Duration // a connection that carried nothing for so long is closed; 0: none is kept, each request dials
}

// MinDelay is the shortest delay there may be.
const MinDelay kad.Duration = 1e6

// SessionKind is a distribution of how long a node stays.
type SessionKind uint8

const (
	NoChurn     SessionKind = iota
	Exponential             // arrivals and departures are a Poisson process
	Weibull                 // Shape < 1: who has stayed long stays longer
	LogNormal               // Sigma of the logarithm
	Trace                   // sessions as recorded
)

// Churn says how long nodes stay and how long they are away. A node that comes back is a new one with its old id: its
// table and store are empty. Seeds stay for ever.
type Churn struct {
	Kind   SessionKind
	Median kad.Duration // of a session
	Away   kad.Duration // median of the time between two sessions, of the same distribution; 0: as Median
	Shape  PPM          // Weibull; 0: 0.5
	Sigma  PPM          // LogNormal; 0: 1
	Trace  *SessionTrace
}

// FaultKind is something that happens to many nodes at once.
type FaultKind uint8

const (
	Exit      FaultKind = iota // Share of the nodes leave at At, without a word, and never return
	Crash                      // Share of the nodes vanish at At and return at Until as new ones
	Partition                  // from At to Until nothing passes between Share of the nodes and the rest
	Lossy                      // from At to Until each message is lost with the chance Share
)

// Fault is one such event. Times count from Start.
type Fault struct {
	Kind      FaultKind
	Share     PPM
	At, Until kad.Duration
}

// AdversaryKind is a way to do harm.
type AdversaryKind uint8

const (
	Silent   AdversaryKind = iota // accepts everything and answers nothing
	Slow                          // answers just before its asker gives up
	Liar                          // names closer peers that do not exist
	Poisoner                      // answers each get with an invalid record, and keeps nothing
	Sybil                         // nodes whose ids lie around Key
	Eclipse                       // nodes whose ids lie around the node Victim, and which name only each other
	Flooder                       // sends its neighbours Rate requests a second
)

// Adversary is a share of the nodes that behave so from the start. Those of different lines are different nodes.
type Adversary struct {
	Kind   AdversaryKind
	Share  PPM
	Key    []byte   // Sybil: the key around which they lie; none: that of the first operation
	Victim kad.Peer // Eclipse; 0: the last honest node
	Rate   int      // Flooder; 0: 10
}

// OpKind is what a node is asked to do.
type OpKind uint8

const (
	Lookup    OpKind = iota // the K closest peers to a key
	Provide                 // announce oneself for a key, and from then on as the configuration says
	Find                    // the providers of a key
	Put                     // publish a record
	Get                     // find a record
	Bootstrap               // look for oneself
)

// Operation is one shot of a load.
type Operation struct {
	At   kad.Duration // since Start
	Kind OpKind
	// Key is the number of the key; equal numbers are equal keys. Those of Provide and Find, and of Put and Get, are about
	// the same things.
	Key uint64
	// Node is who is asked; 0: one by chance among those that are there and honest.
	Node kad.Peer
}

// Schedule is a load as data: operations in the order of their times. It is asked from one goroutine.
type Schedule interface {
	Next() (op Operation, ok bool)
}
