package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// stream is a stream of the script by its name. What came is looked at by place, so that every alternative of a want
// sees the same events, and taken when the line has chosen one.
type stream struct {
	name  string
	from  *member
	proto string
	raw   *target.Stream // nil when it could not be opened
	fault error          // why it could not

	mu    sync.Mutex
	ahead []target.Event // came, and no line has taken it
	end   *target.Event  // the end, once it came: it stays
	log   func(record.Entry)
	since func(time.Time) int64 // the log's time
}

// errSilent: no event came in time.
var errSilent = errors.New("nothing came")

// at waits for event i after those taken. Behind the end there is the end again. errSilent when ctx ends before.
func (s *stream) at(ctx context.Context, i int) (target.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.ahead) <= i {
		if s.end != nil {
			return *s.end, nil
		}
		e, err := s.raw.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return target.Event{}, errSilent
			}
			return target.Event{}, fmt.Errorf("stream %s: %w", s.name, err)
		}
		s.note(e)
		if e.Kind == target.Frame || e.Kind == target.Unreadable {
			s.ahead = append(s.ahead, e)
			continue
		}
		s.end = &e
	}
	return s.ahead[i], nil
}

// frames reports what has come besides the end, without waiting.
func (s *stream) came() (target.Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drain()
	if len(s.ahead) == 0 {
		return target.Event{}, false
	}
	return s.ahead[0], true
}

// drain moves what has come already.
func (s *stream) drain() {
	for s.raw != nil && s.end == nil {
		if _, ok := s.raw.Peek(); !ok {
			return
		}
		e, err := s.raw.Next(context.Background()) // does not wait: Peek saw it
		if err != nil {
			return
		}
		s.note(e)
		if e.Kind == target.Frame || e.Kind == target.Unreadable {
			s.ahead = append(s.ahead, e)
		} else {
			s.end = &e
		}
	}
}

// take drops the first n events; the end cannot be taken away.
func (s *stream) take(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = s.ahead[min(n, len(s.ahead)):]
}

// write puts bytes on the stream. That the target ended the stream meanwhile is for the next want to judge.
func (s *stream) write(ctx context.Context, b []byte, line string) error {
	if s.raw == nil {
		return nil // the next want says why
	}
	s.log(record.Entry{Type: record.TypeFrame, Dir: record.Sent, Bytes: b, Line: line})
	if err := s.raw.Write(ctx, b); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// finish ends the stream at the end of a case or of a round.
func (s *stream) finish() {
	if s.raw == nil {
		return
	}
	s.mu.Lock()
	s.drain()
	s.mu.Unlock()
	s.raw.Reset()
}

// note logs what came, at the time when it came: a line may take it later.
func (s *stream) note(e target.Event) {
	entry := record.Entry{Type: record.TypeStream, At: s.since(e.At), Event: e.Kind.String(), Bytes: e.Raw}
	if e.Kind == target.Frame || e.Kind == target.Unreadable {
		entry.Type, entry.Event, entry.Dir = record.TypeFrame, "", record.Received
	}
	if e.Err != nil {
		entry.Text = e.Err.Error()
	}
	s.log(entry)
}
