package record

import "time"

// Entry is one line of a results log. Type says which fields it has: run, case, frame, stream, result, summary, note.
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
	Event  string `json:"event,omitempty"` // opened, half, closed, reset, eof, refused
	Bytes  []byte `json:"bytes,omitempty"` // base64
	Size   int    `json:"size,omitempty"`  // true length, where Bytes is cut
	Line   string `json:"line,omitempty"`  // file:line of the plan

	Result  *Result  `json:"-"`
	Run     *Run     `json:"run,omitempty"`
	Summary *Summary `json:"summary,omitempty"`
}

// Verdict of one case for one target in one profile.
type Verdict string

const (
	Pass        Verdict = "pass"
	Warn        Verdict = "warn"
	Fail        Verdict = "fail"
	XFail       Verdict = "xfail"
	XPass       Verdict = "xpass"
	Unsupported Verdict = "unsupported"
	Skipped     Verdict = "skipped"
	Errored     Verdict = "error"
)

// Result is a line of type result.
type Result struct {
	Type      string            `json:"type"`
	Target    string            `json:"target"`
	Case      string            `json:"case"`
	Catalogue []string          `json:"catalogue"`
	Profile   string            `json:"profile"`
	Level     string            `json:"level"`
	Verdict   Verdict           `json:"verdict"`
	Why       string            `json:"why"`
	Took      time.Duration     `json:"took,omitempty"`
	Failure   *Failure          `json:"failure,omitempty"`
	Measured  map[string]string `json:"measured,omitempty"`
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
	Targets map[string]string `json:"targets"` // name: version as hello said
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
