package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// FileName is the log's name within the directory of a run.
const FileName = "results.jsonl"

// Limits of a log.
const (
	// MaxBytes of a frame are kept; Size has the true length. 64 KiB holds every answer seen in practice (20 peers are
	// about 2 KB), and keeps a suite full of 4 MiB frames from filling a disk.
	MaxBytes = 64 << 10
	// MaxText of any one text (a got, the tail of a log) is kept: more than a person reads.
	MaxText = 16 << 10
	// MaxLine bounds a line for the reader: a frame is 88 KiB in base64, a detail ten texts and what a case measured.
	MaxLine = 1 << 20
	// MaxInput bounds one saved input; a plan is a few KB, a plan with a 4 MiB fixture still fits.
	MaxInput = 16 << 20
	// MaxLog is where frames and streams are no longer logged (one note says so). Verdicts are always written.
	MaxLog = 1 << 30
)

// Errors of a Writer.
var (
	ErrClosed = errors.New("log: already closed")
	ErrInput  = errors.New("log: input too large")
)

// file is what a Writer needs of an *os.File.
type file interface {
	io.WriteCloser
	Truncate(size int64) error
}

// A Writer appends to a results log. Its methods are safe for concurrent use. A nil Writer drops everything, so that
// what runs without a log needs no second path.
type Writer struct {
	dir   string
	began time.Time

	mu     sync.Mutex
	f      file
	buf    bytes.Buffer
	enc    *json.Encoder
	size   int64
	full   bool // MaxLog was reached
	closed bool
	err    error // of the first write that failed; told again by Close
}

// Create makes dir, dir/inputs and dir/results.jsonl, and writes the line of type run. A log that stands there already
// is replaced. The zero fields of run are filled in where this process knows them.
func Create(dir string, run Run) (*Writer, error) {
	if err := os.MkdirAll(filepath.Join(dir, "inputs"), 0o755); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	if run.Started.IsZero() {
		run.Started = time.Now()
	}
	if run.Go == "" {
		run.Go, run.OS, run.CPUs = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU()
	}
	w := &Writer{dir: dir, began: run.Started, f: f}
	w.enc = json.NewEncoder(&w.buf)
	w.enc.SetEscapeHTML(false) // `recall<=20` shall read as it was written
	if err := w.Write(Entry{Type: TypeRun, Run: &run}); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// Path is the log's path, empty for a nil Writer.
func (w *Writer) Path() string {
	if w == nil {
		return ""
	}
	return filepath.Join(w.dir, FileName)
}

// Write appends one entry of any type but result. It stamps At where that is 0, cuts Bytes and long texts to the
// limits of a log, and leaves e and what it points to unchanged.
func (w *Writer) Write(e Entry) error {
	if w == nil {
		return nil
	}
	if len(e.Bytes) > MaxBytes {
		if e.Size == 0 {
			e.Size = len(e.Bytes)
		}
		e.Bytes = e.Bytes[:MaxBytes]
	}
	e.Text = clip(e.Text)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full && (e.Type == TypeFrame || e.Type == TypeStream) {
		return nil
	}
	if w.size > MaxLog && !w.full {
		w.full = true
		note := Entry{Type: TypeNote, At: w.now(), Text: fmt.Sprintf("the log reached %d bytes: no more frames are kept", MaxLog)}
		if err := w.append(note); err != nil {
			return err
		}
		if e.Type == TypeFrame || e.Type == TypeStream {
			return nil
		}
	}
	if e.At == 0 {
		e.At = w.now()
	}
	return w.append(e)
}

// Result appends a verdict, preceded by its detail where it has one. The two lines are adjacent, whoever else writes.
func (w *Writer) Result(r Result) error {
	if w == nil {
		return nil
	}
	r.Type, r.Why = TypeResult, clip(r.Why)
	if r.Catalogue == nil {
		r.Catalogue = []string{} // a list in the contract, never null
	}
	lines := []any{r}
	if d := r.Detail; d.Took != 0 || d.Failure != nil || len(d.Measured) > 0 {
		d.Failure = d.Failure.clip()
		d.Measured = maps.Clone(d.Measured)
		for name, value := range d.Measured {
			d.Measured[name] = clip(value)
		}
		lines = []any{Entry{Type: TypeDetail, At: w.now(), Target: r.Target, Case: r.Case, Detail: &d}, r}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(lines...)
}

// Input saves one input of the run as dir/inputs/name. The name is a path with slashes; what would lead out of the
// directory is dropped from it.
func (w *Writer) Input(name string, data []byte) error {
	if w == nil {
		return nil
	}
	if len(data) > MaxInput {
		return fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrInput, name, len(data), MaxInput)
	}
	var parts []string
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' || r == ':' }) {
		if part != "." && part != ".." {
			parts = append(parts, part)
		}
	}
	path := filepath.Join(append([]string{w.dir, "inputs"}, parts...)...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("log: input: %w", err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("log: input: %w", err)
	}
	return nil
}

// Close writes the line of type summary and closes the file. It returns the first error that any write met.
func (w *Writer) Close(s Summary) error {
	if w == nil {
		return nil
	}
	if s.Log == "" {
		s.Log = w.Path()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	w.append(Entry{Type: TypeSummary, At: w.now(), Summary: &s})
	w.closed = true
	if err := w.f.Close(); err != nil && w.err == nil {
		w.err = fmt.Errorf("log: %w", err)
	}
	return w.err
}

// append writes the values as lines, in one write, under the lock. After a short write it cuts the file back to the
// last whole line.
func (w *Writer) append(lines ...any) error {
	if w.closed {
		return ErrClosed
	}
	w.buf.Reset()
	for _, v := range lines {
		if err := w.enc.Encode(v); err != nil {
			return fmt.Errorf("log: %w", err)
		}
	}
	n, err := w.f.Write(w.buf.Bytes())
	if err != nil {
		err = fmt.Errorf("log: %w", err)
		if w.err == nil {
			w.err = err
		}
		w.f.Truncate(w.size) // best effort: the reader tolerates a torn last line
		return err
	}
	w.size += int64(n)
	return nil
}

// Since is Entry.At of a moment, for an entry that is written later than it happened. It is 0 for a nil Writer.
func (w *Writer) Since(t time.Time) int64 {
	if w == nil {
		return 0
	}
	return max(1, t.Sub(w.began).Microseconds())
}

func (w *Writer) now() int64 { return w.Since(time.Now()) }

// clip cuts a text to MaxText and says so.
func clip(s string) string {
	if len(s) <= MaxText {
		return s
	}
	return strings.ToValidUTF8(s[:MaxText], "") + fmt.Sprintf(" … (%d bytes)", len(s))
}

// clip is a copy with each text within MaxText.
func (f *Failure) clip() *Failure {
	if f == nil {
		return nil
	}
	c := *f
	for _, s := range []*string{&c.Line, &c.Prose, &c.Clause, &c.Want, &c.Got, &c.Diff, &c.Bytes, &c.Where, &c.Repeat, &c.Log} {
		*s = clip(*s)
	}
	return &c
}
