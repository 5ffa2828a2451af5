package record

import "time"

// The lines of a load on sockets. A plan loads each of its targets in turn, round after round. Each target of each plan,
// and of each point of its sweep, has a line of type bench before its first turn, a line of type turn for each, and one of
// type measured behind its last; Number says which belong together. What was interrupted has no line of type measured.
const (
	TypeBench    = "bench"
	TypeTurn     = "turn"
	TypeMeasured = "measured"
)

// Bench opens what one target is asked.
type Bench struct {
	Number  int       `json:"number"` // in the log, from 0
	Plan    string    `json:"plan"`   // its id: load/find-node
	File    string    `json:"file,omitempty"`
	Prose   string    `json:"prose,omitempty"`
	Target  string    `json:"target"`            // as the command named it
	Version string    `json:"version,omitempty"` // name and version of the implementation, as it says
	Point   []Setting `json:"point,omitempty"`   // what the sweep chose
	World   []Setting `json:"world,omitempty"`   // what else is worth telling: transport, streams, table, load
	Repeat  string    `json:"repeat,omitempty"`  // the command that repeats this run

	Seed   uint64 `json:"seed"`
	Rounds int    `json:"rounds"` // that are planned
}

// Turn is one target under load for a while.
type Turn struct {
	Number  int           `json:"number"`
	Round   int           `json:"round"`             // from 1
	At      time.Duration `json:"at"`                // since the run began
	Offered float64       `json:"offered,omitempty"` // requests a second that were due; 0: as many as were answered (closed)
	Tally
	// Void says why a turn does not count: the machine was busy with something else. It is done again.
	Void string `json:"void,omitempty"`
}

// Tally is what became of the requests of one turn, or of all turns of a target that count.
type Tally struct {
	Span     time.Duration `json:"span"`     // that was measured, without warming up
	Requests uint64        `json:"requests"` // that were due in it
	Answered uint64        `json:"answered"`
	Errors   uint64        `json:"errors"`   // streams that failed, answers that were no answers
	Timeouts uint64        `json:"timeouts"` // given up; their latency is censored there
	Late     uint64        `json:"late"`     // begun more than a millisecond after they were due, and not for want of a stream: the generator's fault
	Dropped  uint64        `json:"dropped"`  // never sent: no stream was free before their timeout
	Checked  uint64        `json:"checked"`  // answers that were compared with the true nearest
	Wrong    uint64        `json:"wrong"`    // of them

	PerSecond float64       `json:"per_second"`           // requests that were answered
	Due       *Distribution `json:"due_ms,omitempty"`     // from the moment a request was due to its answer
	Service   *Distribution `json:"service_ms,omitempty"` // from the moment it was sent
	Start     *Distribution `json:"start_ms,omitempty"`   // from due to sent
	Bytes     float64       `json:"bytes"`                // of an answer, mean

	ServerCPU *float64 `json:"server_cpu_us,omitempty"` // microseconds a request; nil: the target is not a process of this machine
	ClientCPU float64  `json:"client_cpu_us"`
	Foreign   *float64 `json:"foreign,omitempty"` // processors that others kept busy meanwhile, of those there are, 0 to 1; nil: nobody knows

	Why     []Count  `json:"why,omitempty"`     // the errors by their text, MaxWhy at most
	Seconds []Second `json:"seconds,omitempty"` // the time series
}

// MaxWhy texts of errors are kept: more than that is one error with numbers in it.
const MaxWhy = 10

// Count is how often something happened.
type Count struct {
	What string `json:"what"`
	N    uint64 `json:"n"`
}

// Second is what ended within one second of a turn.
type Second struct {
	At       int     `json:"at"` // the first is 0
	Answered uint64  `json:"answered"`
	Errors   uint64  `json:"errors,omitempty"` // with timeouts and what was dropped
	P50      float64 `json:"p50_ms"`           // from due; of a closed load from when it was sent
	P99      float64 `json:"p99_ms"`
}

// Measured closes what one target was asked: its turns that count, together. A spread is over turns, the distributions are
// over all requests.
type Measured struct {
	Number int     `json:"number"`
	Turns  int     `json:"turns"`
	Tally          // the sum of the turns; PerSecond, ServerCPU and Foreign are medians of theirs
	Rates  Spread  `json:"rates"`                // requests a second
	CPU    *Spread `json:"server_cpu,omitempty"` // microseconds a request

	// Against compares with the first target of the run, round by round, so that what else the machine did hits both.
	Against *Against `json:"against,omitempty"`
	// Max is the highest rate at which all needs held, where that was sought; 0: at none.
	Max   *float64  `json:"max,omitempty"`
	Tries []Try     `json:"tries,omitempty"` // the rates that were tried for it, in order
	Needs []NeedGot `json:"needs,omitempty"`
	Error string    `json:"error,omitempty"` // what broke it off
}

// Spread is the median of some turns, with the interval that holds the true one with 95 % (or as near as so few turns
// tell), and the least and the most.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// Against is a target beside the first one: quotients of this one's figure by the first's, one for each round.
type Against struct {
	Target string  `json:"target"` // the first
	Rate   Spread  `json:"rate"`   // 2: this one answers twice as many
	CPU    *Spread `json:"server_cpu,omitempty"`
}

// Try is one rate that was tried.
type Try struct {
	Rate float64 `json:"rate"` // requests a second
	Held bool    `json:"held"`
	Why  string  `json:"why,omitempty"` // the need that was missed
}

// BenchSummary is a line at the end of `kadbench bench --json`, one for each target. It has exactly these keys, all of them
// always; what there is no figure for is null.
type BenchSummary struct {
	Type      string           `json:"type"` // summary
	Target    string           `json:"target"`
	PerSecond float64          `json:"requests_per_second"`
	Due       BenchPercentiles `json:"due_ms"`
	Service   BenchPercentiles `json:"service_ms"`
	Errors    uint64           `json:"errors"` // timeouts too
	Late      uint64           `json:"late"`
	Dropped   uint64           `json:"dropped"`
	ServerCPU *float64         `json:"server_cpu_us_per_request"`
}

// BenchPercentiles are null where there were too few requests to tell them.
type BenchPercentiles struct {
	P50 *float64 `json:"p50"`
	P99 *float64 `json:"p99"`
}
