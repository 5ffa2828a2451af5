package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// ErrLog says that a file is not a results log, or that a line of it cannot be read; the error around it names the
// line.
var ErrLog = errors.New("not a results log")

// A Reader streams the entries of a log.
type Reader struct {
	path  string
	f     io.ReadCloser
	ended bool
	torn  bool
}

// Open opens a log, named by its file or by the directory of its run.
func Open(path string) (*Reader, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, FileName)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return &Reader{path: path, f: f}, nil
}

// Path is the file that is read.
func (r *Reader) Path() string { return r.path }

// Ended says, once all entries are read, whether the log has its summary: a killed run leaves none.
func (r *Reader) Ended() bool { return r.ended }

// Torn says, once all entries are read, whether the last line was cut short and passed over.
func (r *Reader) Torn() bool { return r.torn }

// Close closes the file.
func (r *Reader) Close() error { return r.f.Close() }

// Entries yields the entries in order, once. A result comes with its detail, as an Entry of type result with Result
// set; the detail lines themselves are not yielded. After an error (it names file and line) nothing follows.
func (r *Reader) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		br := bufio.NewReaderSize(r.f, 64<<10)
		var detail *Detail
		totals := false
		for n := 1; ; n++ {
			line, err := readLine(br)
			if err == io.EOF {
				r.torn = len(line) > 0
				if n == 1 {
					yield(Entry{}, r.error(n, "it is empty; the first line has type run"))
				}
				return
			}
			if err != nil {
				yield(Entry{}, fmt.Errorf("%s:%d: %w", r.path, n, err))
				return
			}
			e, err := parse(line)
			switch {
			case err != nil:
				yield(Entry{}, r.error(n, err.Error()))
				return
			case n == 1 && (e.Type != TypeRun || e.Run == nil):
				yield(Entry{}, r.error(n, fmt.Sprintf("the first line has type run, this one has type %q", e.Type)))
				return
			case r.ended && (!totals || e.Total == nil):
				yield(Entry{}, r.error(n, fmt.Sprintf("a line of type %q after the summary", e.Type)))
				return
			}
			r.ended = e.Type == TypeSummary
			totals = e.Total != nil // a load ends with one for each target
			switch e.Type {
			case TypeDetail:
				detail = e.Detail
				continue
			case TypeResult:
				if detail != nil {
					e.Result.Detail = *detail
				}
			}
			detail = nil
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (r *Reader) error(line int, what string) error {
	return fmt.Errorf("%s:%d: %w: %s", r.path, line, ErrLog, what)
}

// parse reads one line. The results, and the summaries of simulations and loads, have keys of their own and are read twice.
func parse(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("a JSON object was expected: %w", err)
	}
	switch {
	case e.Type == "":
		return e, errors.New("a line without a type")
	case e.Type == TypeResult:
		e.Result = new(Result)
		if err := json.Unmarshal(line, e.Result); err != nil {
			return e, fmt.Errorf("result: %w", err)
		}
		if e.Case == "" || e.Target == "" || e.Result.Verdict == "" {
			return e, errors.New("result: case, target and verdict were expected")
		}
	case e.Type == TypeSummary && e.Summary == nil:
		if e.Target != "" {
			e.Total = new(BenchSummary)
			if err := json.Unmarshal(line, e.Total); err != nil {
				return e, fmt.Errorf("summary of %s: %w", e.Target, err)
			}
			break
		}
		e.Closing = new(SimulationSummary)
		if err := json.Unmarshal(line, e.Closing); err != nil || e.Closing.Plan == "" {
			return e, errors.New("summary: its counts were expected")
		}
	case e.Type == TypeSimulation && (e.Simulation == nil || e.Simulation.Plan == ""):
		return e, errors.New("simulation: its plan was expected")
	case e.Type == TypeSample && e.Sample == nil:
		return e, errors.New("sample: its figures were expected")
	case e.Type == TypeOutcome && e.Outcome == nil:
		return e, errors.New("outcome: its figures were expected")
	case e.Type == TypeBench && (e.Bench == nil || e.Bench.Plan == "" || e.Bench.Target == ""):
		return e, errors.New("bench: its plan and target were expected")
	case e.Type == TypeTurn:
		return e, e.Turn.check()
	case e.Type == TypeMeasured:
		return e, e.Measured.check()
	}
	return e, nil
}

// readLine reads one line without its end. It returns io.EOF, with what stands there, where no line end follows.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		if len(line)+len(part) > MaxLine {
			return nil, fmt.Errorf("%w: a line longer than %d bytes", ErrLog, MaxLine)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(line, []byte("\n")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}
