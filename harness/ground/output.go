package ground

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testground/sdk-go/runtime"
)

// ErrOutput is a directory that holds no outputs of a run, or more than one run's.
var ErrOutput = errors.New("outputs")

// Limits of what is read back.
const (
	longestLine  = 64 << 10 // Testground reads no longer one from an instance, so none is written
	maxPoints    = 1 << 22  // of a run, 40 bytes each in memory; 1,000 instances have 4,000 each
	maxInstances = 10_000   // of a run
)

// Run is what the outputs of a run tell, whoever ran it.
type Run struct {
	Dir            string
	Plan, Case, ID string
	Instances      []Outcome // by group and index
}

// Outcome is what became of an instance.
type Outcome struct {
	Group string
	Index int // of its directory, in its group, from 0 on
	// Seq and GroupSeq are from 1 on, in the order in which instances came; 0: it had none yet.
	Seq, GroupSeq int
	Count         int // of all instances of the run
	Params        map[string]string
	State         State
	Error         string // of one that failed, was aborted or crashed
	Began, Ended  time.Time
	Points        []Point
}

// State is how an instance ended.
type State string

// The states. Aborted instances failed because another one had; incomplete ones say nothing about their end.
const (
	OK         State = "ok"
	Failed     State = "failed"
	Aborted    State = "aborted"
	Crashed    State = "crashed"
	Incomplete State = "incomplete"
)

// Point is one measurement.
type Point struct {
	At    time.Time
	Name  string
	Value float64
}

// Load reads what the instances of a run wrote: of the run in this directory, or of the only one below it.
func Load(dir string) (*Run, error) {
	r := &Run{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() != "run.out" || d.IsDir():
			return nil
		}
		of := filepath.Dir(filepath.Dir(filepath.Dir(path))) // <run>/<group>/<index>/run.out
		switch {
		case r.Dir == "":
			r.Dir = of
		case r.Dir != of:
			return fmt.Errorf("%s holds more than one run: name one of them, as %s", dir, of)
		case len(r.Instances) == maxInstances:
			return fmt.Errorf("%s holds more than %d instances", of, maxInstances)
		}
		return r.load(filepath.Dir(path))
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	case r.Dir == "":
		return nil, fmt.Errorf("%w: %s: expected <group>/<index>/run.out of a run in it", ErrOutput, dir)
	}
	slices.SortFunc(r.Instances, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Index, b.Index))
	})
	count := len(r.Instances)
	for _, o := range r.Instances {
		count = max(count, o.Count)
	}
	for i := range r.Instances { // one whose file was cut off before its start has left no count
		r.Instances[i].Count = cmp.Or(r.Instances[i].Count, count)
	}
	r.Case = cmp.Or(r.Case, "unknown")
	return r, nil
}

// load reads one instance.
func (r *Run) load(dir string) error {
	index, err := strconv.Atoi(filepath.Base(dir))
	if err != nil || index < 0 {
		return fmt.Errorf("%s: expected the directory of an instance to be its number", dir)
	}
	o := life{Outcome: Outcome{Group: filepath.Base(filepath.Dir(dir)), Index: index, State: Incomplete}}
	if err := eachLine(filepath.Join(dir, "run.out"), o.event); err != nil {
		return err
	}
	left := maxPoints
	for _, i := range r.Instances {
		left -= len(i.Points)
	}
	err = eachLine(filepath.Join(dir, "results.out"), func(line []byte) error {
		if p, ok := point(line); ok {
			if left--; left < 0 {
				return fmt.Errorf("more than %d points", maxPoints)
			}
			o.Points = append(o.Points, p)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if r.ID == "" {
		r.Plan, r.Case, r.ID = o.plan, o.name, o.run
	}
	r.Instances = append(r.Instances, o.Outcome)
	return nil
}

// eachLine calls for each line of a file. What is longer than a line may be is passed over, as Testground does.
func eachLine(path string, each func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := lines(f, each); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// lines calls for each line that is not too long, and says whether one was.
func lines(from io.Reader, each func([]byte) error) (long bool, err error) {
	in := bufio.NewReaderSize(from, longestLine)
	for within := false; ; {
		line, err := in.ReadSlice('\n')
		if !within && err == nil {
			if err := each(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return long, err
			}
		}
		switch {
		case err == io.EOF: // a torn last line tells nothing
			return long, nil
		case err != nil && err != bufio.ErrBufferFull:
			return long, err
		}
		within = err != nil
		long = long || within
	}
}

// life is an instance as its events tell it, line by line.
type life struct {
	Outcome
	plan, name, run string
	ended           bool // it has said how it ended
}

// abortedBy begins the error of an instance that failed because another one had.
const abortedBy = "aborted: "

// claimed is the message of an instance that has its numbers, in the words of Testground's own.
const claimed = "claimed sequence numbers; global=%d, group(%s)=%d"

// event takes a line of run.out, which is one of stdout too. A line that is no event tells nothing.
func (l *life) event(line []byte) error {
	var e struct {
		TS    int64          `json:"ts"`
		Run   string         `json:"run_id"`
		Event *runtime.Event `json:"event"`
	}
	if json.Unmarshal(line, &e) != nil || e.Event == nil {
		return nil
	}
	at := time.Unix(0, e.TS)
	if l.Began.IsZero() {
		l.Began = at
	}
	l.Ended = at
	end := func(s State, err string) {
		l.ended = true
		if l.State != Crashed && (l.State != Failed || s == Crashed) { // a failure before or after a success counts
			l.State, l.Error = s, err
		}
	}
	switch v := e.Event; {
	case v.StartEvent != nil && v.Runenv != nil:
		l.plan, l.name, l.run = v.Runenv.TestPlan, v.Runenv.TestCase, e.Run
		l.Params, l.Count = v.Runenv.TestInstanceParams, v.Runenv.TestInstanceCount
	case v.MessageEvent != nil && l.Seq == 0:
		l.claimed(v.Message)
	case v.SuccessEvent != nil:
		end(OK, "")
	case v.FailureEvent != nil:
		why, aborted := strings.CutPrefix(v.FailureEvent.Error, abortedBy)
		if aborted {
			end(Aborted, why)
		} else {
			end(Failed, why)
		}
	case v.CrashEvent != nil:
		end(Crashed, v.CrashEvent.Error)
	}
	return nil
}

// claimed finds the numbers of the instance in its message.
func (l *life) claimed(message string) {
	before, after, ok := strings.Cut(message, "(") // a group's name may hold anything
	i := strings.LastIndex(after, ")=")
	if !ok || i < 0 {
		return
	}
	var seq, group int
	if _, err := fmt.Sscanf(before, strings.Split(claimed, "(")[0], &seq); err != nil || seq < 1 {
		return
	}
	if _, err := fmt.Sscanf(after[i:], ")=%d", &group); err == nil && group > 0 {
		l.Seq, l.GroupSeq = seq, group
	}
}

// point takes a line of results.out. Of Testground's metrics only points are single measurements.
func point(line []byte) (Point, bool) {
	var m struct {
		TS       int64
		Type     string
		Name     string
		Measures struct{ Value *float64 }
	}
	if json.Unmarshal(line, &m) != nil || m.Type != "point" || m.Measures.Value == nil {
		return Point{}, false
	}
	return Point{time.Unix(0, m.TS), m.Name, *m.Measures.Value}, true
}
