package record

import "time"

// The lines of a simulation. Each run of a world, one point of a plan's sweep, begins with a line of type simulation, has
// a line of type sample for each point of its time series, and ends with one of type outcome. Runs may stand in a log
// one inside the other: Number says which line belongs to which. A run without an outcome was cut off: what there is of
// it are its samples.
const (
	TypeSimulation = "simulation"
	TypeSample     = "sample"
	TypeOutcome    = "outcome"
)

// Simulation opens one run of a world.
type Simulation struct {
	Number int       `json:"number"` // in the log, from 0
	Plan   string    `json:"plan"`   // its id: sim/sweep
	File   string    `json:"file,omitempty"`
	Prose  string    `json:"prose,omitempty"`  // what the plan is about, in a sentence or two
	Point  []Setting `json:"point,omitempty"`  // what the sweep chose, in the order of its words; none without a sweep
	World  []Setting `json:"world,omitempty"`  // what else is worth telling: tables, k, alpha, link, churn, load, in order
	Repeat string    `json:"repeat,omitempty"` // the command that repeats this run alone

	// Target is whose nodes these are, on real sockets and in real time; "" in a simulation. Several: ref+go.
	Target string `json:"target,omitempty"`

	Seed   uint64        `json:"seed"`
	Nodes  int           `json:"nodes"`
	Shards int           `json:"shards"`
	For    time.Duration `json:"for,omitempty"` // simulated time that is planned
}

// Setting is a parameter and its value, as a plan writes them.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Sample is a point of a run's time series. Times count from the beginning of the simulated time.
type Sample struct {
	Number    int           `json:"number"`
	At        time.Duration `json:"at"`
	Up        int           `json:"up"`               // nodes that are there
	Entries   float64       `json:"entries"`          // peers in a table, mean over those nodes
	Dead      float64       `json:"dead"`             // share of the entries that are not there or cannot be reached, 0 to 1
	Missing   float64       `json:"missing"`          // share of the K closest servers that nodes lack in their tables, 0 to 1
	Records   int           `json:"records"`          // record keys that somebody who is there holds
	Expected  int           `json:"expected"`         // record keys that were published and have not expired
	Providers int           `json:"providers"`        // provider keys that somebody who is there holds
	Queries   int           `json:"queries"`          // that run
	Events    uint64        `json:"events,omitempty"` // so far
	// Since is what became of the operations that ended since the sample before, one for each kind; none where none ended.
	Since []Since `json:"since,omitempty"`
}

// Since sums up the operations of one kind that ended between two samples.
type Since struct {
	Kind   string  `json:"kind"`
	Ended  int     `json:"ended"`
	OK     int     `json:"ok"`
	P50    float64 `json:"p50_ms"` // of their latency
	P90    float64 `json:"p90_ms"`
	Recall float64 `json:"recall,omitempty"` // lookups: mean, 0 to 1
}

// Outcome closes one run of a world: its figures and what it cost.
type Outcome struct {
	Number  int           `json:"number"`
	Digest  string        `json:"digest"`            // 16 hexadecimal digits
	Until   time.Duration `json:"until"`             // simulated time that passed
	Stopped bool          `json:"stopped,omitempty"` // interrupted at Until: the figures are of what had ended by then
	Error   string        `json:"error,omitempty"`   // what broke the run off, if something did

	Figures []Figures     `json:"figures"`        // one for each kind of operation that was asked, in the order of sim.OpKind
	Load    *Distribution `json:"load,omitempty"` // requests that a node has answered, over all nodes
	// Busiest is the share of all requests that the busiest hundredth of the nodes answered, 0 to 1.
	Busiest float64   `json:"busiest,omitempty"`
	Needs   []NeedGot `json:"needs,omitempty"`
	Cost    Cost      `json:"cost"`
}

// Figures are what became of the operations of one kind.
type Figures struct {
	Kind       string `json:"kind"`                 // lookup, provide, find, put, get, bootstrap
	Count      uint64 `json:"count"`                // that began
	TimedOut   uint64 `json:"timed_out,omitempty"`  // ended by their deadline
	Unfinished uint64 `json:"unfinished,omitempty"` // had not ended when the run did, or whose node left before

	Success *Ratio `json:"success,omitempty"` // operations that came to a good end
	Recall  *Ratio `json:"recall,omitempty"`  // lookups: closest peers that were named, of those there were to name
	At      int    `json:"at,omitempty"`      // recall@20: how many are to be named, K

	Took     *Distribution `json:"took_ms,omitempty"`
	First    *Distribution `json:"first_ms,omitempty"` // get and find: until the first record or provider
	Hops     *Distribution `json:"hops,omitempty"`
	Requests *Distribution `json:"requests,omitempty"`
	Failed   *Distribution `json:"failed,omitempty"` // of the requests, unanswered in time: dead peers met
	Bytes    *Distribution `json:"bytes,omitempty"`

	// Misses are operations that did not find what there was, MaxMisses at most; Missed is how many there were.
	Misses []Miss `json:"misses,omitempty"`
	Missed uint64 `json:"missed,omitempty"`
}

// MaxMisses of each kind are listed: more than a person reads. Each has under 200 bytes, so that the outcome of six kinds
// stays a tenth of MaxLine.
const MaxMisses = 100

// Miss is one operation that did not find what there was.
type Miss struct {
	At     time.Duration `json:"at"` // when it was due
	Node   uint32        `json:"node"`
	Key    uint64        `json:"key"` // its number
	Found  int           `json:"found"`
	True   int           `json:"true,omitempty"` // of Sought
	Sought int           `json:"sought,omitempty"`
	Why    string        `json:"why,omitempty"` // deadline, no provider, …
}

// Ratio is a share with its confidence interval: N of Of, the true share being between Low and High with 95 %.
type Ratio struct {
	N    uint64  `json:"n"`
	Of   uint64  `json:"of"`
	Low  float64 `json:"low"` // 0 to 1
	High float64 `json:"high"`
}

// Value is the share, 0 to 1; 0 of nothing.
func (r *Ratio) Value() float64 {
	if r == nil || r.Of == 0 {
		return 0
	}
	return float64(r.N) / float64(r.Of)
}

// Distribution is how a figure is spread over operations or nodes. Its unit is in the name of the field that has it:
// milliseconds where that ends with _ms, bytes or counts otherwise.
type Distribution struct {
	N         uint64     `json:"n"`
	Mean      float64    `json:"mean"`
	Min       float64    `json:"min"`
	Max       float64    `json:"max"`
	Quantiles []Quantile `json:"quantiles"`       // p50, p90, p99, and what needs ask for, in order
	Curve     []Point    `json:"curve,omitempty"` // value by percentile, rising in both, MaxPoints at most
	Bins      []Bin      `json:"bins,omitempty"`  // a histogram without gaps, MaxPoints at most
}

// MaxPoints of a curve or a histogram: as many as a plot of 800 pixels can show apart.
const MaxPoints = 200

// Quantile is a percentile with its 95 % confidence interval.
type Quantile struct {
	P    float64 `json:"p"` // 50, 90, 99, 99.9
	V    float64 `json:"v"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Few says that there are not enough samples to tell it: V, Low and High are 0 then.
	Few bool `json:"few,omitempty"`
	// AtLeast says that operations which had not ended stand above: V is a lower bound.
	AtLeast bool `json:"at_least,omitempty"`
}

// Quantile finds a percentile by its number; nil where it is not there.
func (d *Distribution) Quantile(p float64) *Quantile {
	if d == nil {
		return nil
	}
	for i := range d.Quantiles {
		if d.Quantiles[i].P == p {
			return &d.Quantiles[i]
		}
	}
	return nil
}

// Point of a curve: so many percent of the values are at most V.
type Point struct {
	P float64 `json:"p"` // 0 to 100
	V float64 `json:"v"`
}

// Bin of a histogram: N values from From up to and without To. Of counts, To is From+1 where each count has its own bin.
type Bin struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	N    uint64  `json:"n"`
}

// NeedGot is a need of the plan with what came.
type NeedGot struct {
	Text string `json:"text"`           // as the plan has it: recall@20>0.99
	Line string `json:"line,omitempty"` // file:line of the plan
	Got  string `json:"got"`            // recall@20 0.9987 of 12000 lookups
	// Verdict is pass or fail; skipped: there were not enough samples to say, or the run was stopped before.
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why,omitempty"`
}

// Cost is what a run took of the machine, and the exact counts that this is measured by. What is 0 is left out: where
// nodes on sockets are processes of their own nobody knows what they sent and what memory they have.
type Cost struct {
	Events          uint64        `json:"events,omitempty"` // steps for a delivered message or a due wake
	Steps           uint64        `json:"steps,omitempty"`
	Sent            uint64        `json:"sent,omitempty"` // messages
	Lost            uint64        `json:"lost,omitempty"` // of them
	Bytes           uint64        `json:"bytes,omitempty"`
	Entries         uint64        `json:"entries,omitempty"` // of all tables at the end
	Ready           time.Duration `json:"ready"`             // wall time until the first event
	Ran             time.Duration `json:"ran"`               // wall time from then on
	CPU             time.Duration `json:"cpu,omitempty"`     // processor time from then on
	EventsPerSecond float64       `json:"events_per_second,omitempty"`
	CPUPerEvent     float64       `json:"cpu_us_per_event,omitempty"`
	BytesPerNode    float64       `json:"bytes_per_node,omitempty"`
	PeakRSS         uint64        `json:"peak_rss_bytes,omitempty"`

	Nodes *NodeCost `json:"nodes,omitempty"` // of a network on sockets
}

// NodeCost is what a network on sockets took, for each of its nodes where nothing else is said. What nobody knows is left
// out: heap, goroutines, dials and shares where some nodes are processes of their own, connections where all are, processor
// time where one runs on another machine.
type NodeCost struct {
	Heap        float64 `json:"heap_bytes,omitempty"` // after a collection, at the end
	Goroutines  float64 `json:"goroutines,omitempty"`
	Connections float64 `json:"connections,omitempty"` // counted at both ends, of a node that is no process
	Entries     float64 `json:"entries,omitempty"`     // of its table
	// BootstrapCPU is processor time in milliseconds until all nodes had joined, OperationCPU for each operation of the
	// load, that of the nodes' background jobs included.
	BootstrapCPU float64  `json:"bootstrap_cpu_ms,omitempty"`
	OperationCPU float64  `json:"operation_cpu_ms,omitempty"`
	Dials        *float64 `json:"dials,omitempty"` // connections opened for each operation of the load
	// Shares is where the processor time of the load went, as samples tell: kademlia, transport, collector, harness, other.
	Shares  []Share `json:"shares,omitempty"`
	Samples uint64  `json:"samples,omitempty"` // by which Shares are told
}

// Share is a part of a whole, 0 to 1.
type Share struct {
	What string  `json:"what"`
	Of   float64 `json:"of"`
}

// SimulationSummary is the last line of `kadbench sim --json`. It has exactly these keys, all of them always; what there
// is no figure for is null. Of several runs it is the last one's.
type SimulationSummary struct {
	Type            string           `json:"type"` // summary
	Plan            string           `json:"plan"`
	Seed            uint64           `json:"seed"`
	Nodes           int              `json:"nodes"`
	Shards          int              `json:"shards"`
	Digest          string           `json:"digest"` // 16 hexadecimal digits
	Lookups         uint64           `json:"lookups"`
	Recall          *float64         `json:"recall"`
	Latency         SummaryQuantiles `json:"latency_ms"`
	Events          uint64           `json:"events"`
	EventsPerSecond float64          `json:"events_per_second"`
	BytesPerNode    float64          `json:"bytes_per_node"`
	PeakRSS         uint64           `json:"peak_rss_bytes"`
}

// SummaryQuantiles are percentiles of the lookups' latency, null where there were too few.
type SummaryQuantiles struct {
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
	P99 *float64 `json:"p99"`
}
