package record

import "time"

// The types of a line. A reader passes over types it does not know: a later version may add some.
const (
	TypeRun       = "run"       // the first line
	TypeTarget    = "target"    // a target said who it is: Target, Text (name and version)
	TypeCase      = "case"      // a case began or ended: Event
	TypeFrame     = "frame"     // bytes went over a stream: Dir, Bytes, Size
	TypeStream    = "stream"    // a stream opened or ended: Event
	TypeOperation = "operation" // an operation of the target began or ended: Event, Stream (its name), Text
	TypePeers     = "peers"     // who took part in a case, at its end: Peers
	TypeNote      = "note"      // something a reader of the log should know: Text
	TypeDetail    = "detail"    // what stands beside the result in the very next line
	TypeResult    = "result"    // one verdict
	TypeSummary   = "summary"   // the last line
)

// The directions of a frame, seen from the harness.
const (
	Sent     = "sent"     // to the target
	Received = "received" // from the target
)

// Entry is one line of a results log. Type says which fields it has.
type Entry struct {
	Type string `json:"type"`
	At   int64  `json:"at,omitempty"` // microseconds since the run began

	Target  string `json:"target,omitempty"`
	Case    string `json:"case,omitempty"`
	Attempt int    `json:"attempt,omitempty"`

	// frame and stream: what went over a stream, to (sent) or from (received) the target.
	Stream string `json:"stream,omitempty"`
	Peer   string `json:"peer,omitempty"`
	Dir    string `json:"dir,omitempty"`   // sent, received
	Event  string `json:"event,omitempty"` // opened, half, closed, reset, eof, refused; begin, end of a case
	Bytes  []byte `json:"bytes,omitempty"` // base64; at most MaxBytes are kept
	Size   int    `json:"size,omitempty"`  // true length, where Bytes is cut
	Line   string `json:"line,omitempty"`  // file:line of the plan

	Text string `json:"text,omitempty"` // of a note or a target

	Peers map[string]string `json:"peers,omitempty"` // the peer ids of a case, as text, by their names in its plan; T too

	Result  *Result  `json:"-"` // written and read as a line of its own; see Result
	Detail  *Detail  `json:"detail,omitempty"`
	Run     *Run     `json:"run,omitempty"`
	Summary *Summary `json:"summary,omitempty"`

	Simulation *Simulation        `json:"simulation,omitempty"`
	Sample     *Sample            `json:"sample,omitempty"`
	Outcome    *Outcome           `json:"outcome,omitempty"`
	Closing    *SimulationSummary `json:"-"` // of type summary on the stdout of a simulation, in the place of Summary

	Bench    *Bench        `json:"bench,omitempty"`
	Turn     *Turn         `json:"turn,omitempty"`
	Measured *Measured     `json:"measured,omitempty"`
	Total    *BenchSummary `json:"-"` // of type summary on the stdout of a load, one for each target, in the place of Summary
}

// Verdict of one case for one target in one profile.
type Verdict string

const (
	Pass        Verdict = "pass"
	Warn        Verdict = "warn"        // a should was missed
	Fail        Verdict = "fail"        // a must was missed
	XFail       Verdict = "xfail"       // failed as it was known to
	XPass       Verdict = "xpass"       // passed though it was known to fail; counts as failed
	Unsupported Verdict = "unsupported" // the target cannot do what the case needs
	Skipped     Verdict = "skipped"     // not run: slow, filtered, or the target was gone
	Errored     Verdict = "error"       // the harness itself failed
)

// Result is a line of type result: one verdict of one case for one target in one profile. Its line has exactly the
// eight keys below, all of them always, so that scripts may rely on it; Detail stands in a line of its own before it,
// and the Reader joins the two again.
type Result struct {
	Type      string   `json:"type"`
	Target    string   `json:"target"`
	Case      string   `json:"case"`
	Catalogue []string `json:"catalogue"`
	Profile   string   `json:"profile"`
	Level     string   `json:"level"`
	Verdict   Verdict  `json:"verdict"`
	Why       string   `json:"why"` // one line; of a pass only what a clause of level may or info would have had otherwise

	Detail `json:"-"`
}

// Detail is what a report shows beside a verdict.
type Detail struct {
	Took     time.Duration     `json:"took,omitempty"` // nanoseconds
	Failure  *Failure          `json:"failure,omitempty"`
	Measured map[string]string `json:"measured,omitempty"` // captures of a case at level info
}

// Failure is what a report shows of a case that did not pass.
type Failure struct {
	Line   string `json:"line"`   // file:line of the plan
	Prose  string `json:"prose"`  // what the peer must do
	Clause string `json:"clause"` // document, lines, and the requirement
	Want   string `json:"want"`
	Got    string `json:"got"`
	Diff   string `json:"diff,omitempty"`   // not wanted: A; missing: S12
	Bytes  string `json:"bytes,omitempty"`  // hex of the part in question
	Where  string `json:"where,omitempty"`  // third of closerPeers, bytes 81–129
	Repeat string `json:"repeat,omitempty"` // the command
	Log    string `json:"log,omitempty"`    // tail of the target's stderr
}

// Run opens a log: what is needed to repeat it.
type Run struct {
	Version string            `json:"version"`
	Command []string          `json:"command"`
	Seed    uint64            `json:"seed"`
	Started time.Time         `json:"started"`
	Go      string            `json:"go"`
	OS      string            `json:"os"`
	CPUs    int               `json:"cpus"`
	Targets map[string]string `json:"targets"` // name: as given on the command line; a target line tells its version
}

// Summary closes a log. An unexpected pass counts as failed.
type Summary struct {
	Passed      int    `json:"passed"`
	Failed      int    `json:"failed"`
	Warned      int    `json:"warned"`
	Expected    int    `json:"expected"`
	Unsupported int    `json:"unsupported"`
	Skipped     int    `json:"skipped"`
	Errors      int    `json:"errors"`
	Profile     string `json:"profile"`
	Log         string `json:"log"`
	Exit        int    `json:"exit"`
}
