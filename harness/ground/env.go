package ground

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	tgruntime "github.com/testground/sdk-go/runtime"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// env is where an instance's events and points go.
type env interface {
	Recorder
	start()
	// end records how the case ended: nil is a success.
	end(err error)
	// crash records a panic. It is called in the goroutine that panicked, for the sake of its stack.
	crash(v any)
	// refused is the first point that was no point.
	refused() error
	close() error
}

// maxText is the longest message or error, in bytes. As JSON each may take six: so it fits in an item, by which others hear of
// it, and in a line of 64 KiB, the longest that Testground reads of an instance.
const maxText = 4 << 10

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + fmt.Sprintf(" … (%d bytes)", len(s))
}

// strict holds back what is no point: the files of Testground would hold a line that nobody can read, or none.
type strict struct {
	mu    sync.Mutex
	first error
}

// take records a point by one caller at a time.
func (s *strict) take(name string, v float64, record func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !word(name) || strings.Contains(name, "-"):
		s.refuse(fmt.Errorf("point %q: expected a name of letters, digits, . and _", name))
	case math.IsNaN(v) || math.IsInf(v, 0):
		s.refuse(fmt.Errorf("point %s: %v: expected a number", name, v))
	default:
		record()
	}
}

func (s *strict) refuse(err error) {
	if s.first == nil {
		s.first = err
	}
}

func (s *strict) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// sdk is the env of an instance that has a process of its own: Testground's RunEnv, which writes to stdout too, where the
// daemon reads it, and sends metrics to InfluxDB.
type sdk struct {
	strict
	*tgruntime.RunEnv
}

func (s *sdk) Point(name string, v float64) {
	s.take(name, v, func() { s.R().RecordPoint(name, v) })
}

func (s *sdk) Message(format string, args ...any) {
	s.RecordMessage("%s", clip(fmt.Sprintf(format, args...)))
}

func (s *sdk) start() { s.RecordStart() }

func (s *sdk) end(err error) {
	if err == nil {
		s.RecordSuccess()
	} else {
		s.RecordFailure(fmt.Errorf("%s", clip(err.Error())))
	}
}

func (s *sdk) crash(v any)  { s.RecordCrash(clip(fmt.Sprint(v))) }
func (s *sdk) close() error { return s.Close() }

// files is the env of an instance that shares its process: the same lines in the same files, nothing on stdout, and no
// goroutine. A RunEnv each would mix the lines of all instances on stdout and stop the world for the memory of each.
type files struct {
	strict
	params       *tgruntime.RunParams
	log          *zap.Logger
	out, results *os.File
	points       *json.Encoder
}

// openFiles makes the directory of an instance and the files in it.
func openFiles(p *tgruntime.RunParams) (*files, error) {
	if err := os.MkdirAll(p.TestOutputsPath, 0o755); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	f := &files{params: p}
	var err error
	if f.out, err = os.Create(filepath.Join(p.TestOutputsPath, "run.out")); err == nil {
		f.results, err = os.Create(filepath.Join(p.TestOutputsPath, "results.out"))
	}
	if err != nil {
		f.out.Close()
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	f.points = json.NewEncoder(f.results)
	form := zap.NewProductionEncoderConfig()
	form.LevelKey, form.NameKey, form.CallerKey = "", "", ""
	form.EncodeTime = zapcore.EpochNanosTimeEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(form), zapcore.Lock(f.out), zapcore.InfoLevel)
	f.log = zap.New(core, zap.ErrorOutput(zapcore.AddSync(io.Discard))).With(zap.String("group_id", p.TestGroupID), zap.String("run_id", p.TestRun))
	return f, nil
}

func (f *files) event(e tgruntime.Event) { f.log.Info("", zap.Object("event", e)) }

func (f *files) Point(name string, v float64) {
	f.take(name, v, func() {
		if err := f.points.Encode(tgruntime.NewMetric(name, tgruntime.Point(v))); err != nil {
			f.refuse(fmt.Errorf("point %s: %w", name, err)) // a full disk, most often
		}
	})
}

func (f *files) Message(format string, args ...any) {
	f.event(tgruntime.Event{MessageEvent: &tgruntime.MessageEvent{Message: clip(fmt.Sprintf(format, args...))}})
}

func (f *files) start() {
	f.event(tgruntime.Event{StartEvent: &tgruntime.StartEvent{Runenv: f.params}})
}

func (f *files) end(err error) {
	if err == nil {
		f.event(tgruntime.Event{SuccessEvent: &tgruntime.SuccessEvent{TestGroupID: f.params.TestGroupID}})
	} else {
		f.event(tgruntime.Event{FailureEvent: &tgruntime.FailureEvent{TestGroupID: f.params.TestGroupID, Error: clip(err.Error())}})
	}
}

func (f *files) crash(v any) {
	f.event(tgruntime.Event{CrashEvent: &tgruntime.CrashEvent{TestGroupID: f.params.TestGroupID, Error: clip(fmt.Sprint(v)), Stacktrace: stack()}})
}

func (f *files) close() error {
	err := f.out.Close()
	if e := f.results.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutput, err)
	}
	return nil
}
