package sim

import (
	"time"

	"github.com/kadbench/kadbench/kad"
)

// Row is what became of one operation. Rows come in the same order in each run: that of their ends, and by node then.
type Row struct {
	Op       Operation
	Node     kad.Peer     // who did it
	Began    kad.Duration // since Start; later than Op.At if nobody was there to do it
	Took     kad.Duration // until its last event
	First    kad.Duration // Get and Find: until the first record or provider; 0: none
	Requests uint32       // sent
	Failed   uint32       // of them, unanswered in time: dead, lost or unreachable
	Hops     uint32       // the longest chain of peers that led to a peer of the result; 0: none
	Bytes    uint64       // of its requests and their answers, as the wire format has them
	Blind    bool         // nobody has counted Requests, Failed, Hops and Bytes: of a real node that does not tell them
	Found    int          // peers (Lookup, Put: who stored it), providers or records
	True     int          // Lookup: how many of the closest peers that there are, K at most, it named; see Sought
	Sought   int          // Lookup: how many there are to name: the closest servers that lived from Began to its end, K at most
	OK       bool         // Lookup: it ended by itself; Find: a provider that lives; Get: the best record; Put, Provide: somebody took it
	TimedOut bool         // it ended by its deadline
	Censored bool         // the run, or the node, ended before it did

	number uint64 // of the operation, from 1: it tells those of one node and moment apart
}

// Sample is a point of the time series.
type Sample struct {
	At        kad.Duration // since Start
	Up        int          // nodes that are there
	Entries   float64      // peers in a table, mean over 1,000 of those nodes
	Dead      float64      // share of their entries that are not there or cannot be reached
	Missing   float64      // share of the K closest servers that nodes lack in their tables, over 200 of them
	Expected  int          // record keys that were published and have not expired
	Records   int          // of them, those that somebody who is there holds
	Providers int          // provider keys that somebody who is there holds
	Queries   int          // that run
	Events    uint64       // so far
}

// Result is what a whole run was. Counts are exact; how long it took is of the machine.
type Result struct {
	Seed    uint64
	Nodes   int
	Shards  int
	Digest  uint64
	Events  uint64       // steps for a delivered message or a due wake
	Steps   uint64       // all calls of Kademlia.Step
	Sent    uint64       // messages
	Lost    uint64       // of them, lost on the way or sent to the dead
	Bytes   uint64       // of all messages, as the wire format has them
	Until   kad.Duration // simulated time that passed
	Windows uint64
	Entries uint64 // of all tables at the end
	Samples []Sample
	// LoadOf is how many requests each node has answered; by handle, 0 is nobody.
	LoadOf []uint32

	Ready      time.Duration // wall time until the first event
	Ran        time.Duration // wall time from then on
	CPU        time.Duration // processor time of the process from then on
	Heap       uint64        // bytes in use by the nodes when all were made
	PeakRSS    uint64        // bytes, of the process
	Stopped    bool          // interrupted
	Unfinished int           // operations that had not ended
}

// Observer is told what happens, always from one goroutine and between two windows. Each function may be nil.
type Observer struct {
	Row      func(Row)
	Sample   func(Sample)
	Progress func(Progress)
	// Step is told of the traced nodes' steps, as text in the format of the core's own tests.
	Step func(at kad.Duration, node kad.Peer, in string, out []string)
}

// Progress is how far a run has come.
type Progress struct {
	Made       int // nodes, while they are being made
	Nodes      int
	At, Until  kad.Duration
	Events     uint64
	Operations uint64
}
