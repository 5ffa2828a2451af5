package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/record"
	"github.com/kadbench/kadbench/harness/target"
)

// stream is a stream of the script by its name. What came is looked at by place, so that every alternative of a want
// sees the same events, and taken when the line has chosen one.
type stream struct {
	name  string
	from  *member
	proto string
	line  *plan.Line     // which opened it
	raw   *target.Stream // nil when it could not be opened
	fault error          // why it could not

	wanted bool // a want has looked at it

	mu    sync.Mutex
	ahead []target.Event // came, and no line has taken it
	end   *target.Event  // the end, once it came: it stays
	log   func(record.Entry)
	since func(time.Time) int64 // the log's time
}

// dialTries: libp2p gives a dial on this machine 5 s, whatever the machine has to do; one that ran out of time is tried
// again, until as much time has gone as a want has.
const dialTries = 3

// errSilent: no event came in time.
var errSilent = errors.New("nothing came")

// open opens a stream of a member to the target. That the target does not agree is for the next want to judge; the error is
// our own trouble.
func (s *script) open(ctx context.Context, l *plan.Line, name string, m *member, proto string, lazy bool) (*stream, error) {
	st := &stream{name: name, from: m, proto: proto, line: l, since: s.world.log.Since, log: s.noting(name, m.Name)}
	if err := s.dial(ctx, m.puppet); err != nil {
		st.fault = err
	} else if lazy {
		st.raw, st.fault = m.puppet.OpenLazy(ctx, s.node.id, proto)
	} else {
		st.raw, st.fault = m.puppet.Open(ctx, s.node.id, proto)
	}
	switch {
	case ctx.Err() != nil:
		if st.raw != nil {
			st.raw.Reset()
		}
		return nil, context.Cause(ctx)
	case st.fault == nil:
		st.log(record.Entry{Type: record.TypeStream, Event: "opened", Text: proto})
		return st, nil
	case ours(st.fault):
		return nil, st.fault
	}
	st.log(record.Entry{Type: record.TypeStream, Event: "refused", Text: st.fault.Error()})
	if errors.Is(st.fault, target.ErrRefused) {
		st.fault = target.ErrRefused
	}
	st.end = &target.Event{Kind: target.Reset, At: time.Now(), Err: st.fault}
	return st, nil
}

// dial makes sure of a puppet's connection to the node.
func (w *world) dial(ctx context.Context, p *target.Puppet) (err error) {
	for range dialTries {
		err = p.Connect(ctx, w.node.info())
		var late net.Error
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) && !(errors.As(err, &late) && late.Timeout()) {
			break
		}
	}
	return err
}

// ours says whether an error is a limit of this machine, which no target is to be blamed for.
func ours(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// stream finds a stream by name.
func (w *world) stream(name string) (*stream, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.streams[name]
	if !ok {
		return nil, fmt.Errorf("no stream %q is open", name)
	}
	return s, nil
}

// unopened fails for a stream that could not be opened and that no want has looked at: what a line shows by other streams
// would be shown by nothing. Streams of known are not looked at.
func (s *script) unopened(known map[string]*stream) (o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.streams)) {
		if st := s.streams[name]; known[name] != st {
			o.merge(s.never(st))
		}
	}
	return o
}

// never is the failure of a stream that could not be opened, if no want has judged that.
func (s *script) never(st *stream) (o outcome) {
	if st == nil || st.fault == nil || st.wanted {
		return o
	}
	f := s.failure(st.line, "a stream", s.describe(*st.end))
	f.silent = !errors.Is(st.fault, target.ErrRefused)
	return fails(f)
}

// dropped says whether the target ended the connection of a stream, as one that crashes does.
func (w *world) dropped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, st := range w.streams {
		if st.raw != nil && st.end != nil && st.end.Kind == target.Reset && !st.from.puppet.Connected(w.node.id) {
			return true
		}
	}
	return false
}

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
