package target

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad/wire"
)

// script answers each request by the acts of its key.
type script struct {
	acts map[string][]Act

	mu    sync.Mutex
	notes []NoteKind
	heard []*Request
	asked chan struct{}
}

func (s *script) watcher() *Watcher {
	return &Watcher{
		Answer: func(r *Request) []Act {
			var m wire.Message
			wire.Decode(r.Body, &m)
			return s.acts[string(m.Key)]
		},
		Note: func(n Note) bool {
			s.mu.Lock()
			s.notes = append(s.notes, n.Kind)
			if n.Request != nil {
				s.heard = append(s.heard, n.Request)
			}
			s.mu.Unlock()
			if n.Request != nil {
				s.asked <- struct{}{}
			}
			return true
		},
	}
}

func TestAPuppetAnswersAsItIsTold(t *testing.T) {
	server, client := puppet(t, PuppetConfig{Kind: Serving}), puppet(t, PuppetConfig{})
	ctx := testDeadline(t)
	release := make(chan struct{})
	s := &script{asked: make(chan struct{}, 16), acts: map[string][]Act{
		"bytes":  {{Bytes: []byte{1, 'x'}}, {Bytes: []byte{1, 'y'}, After: time.Millisecond}},
		"held":   {{Until: release, How: Honestly}},
		"silent": {{How: Nothing}},
		"end":    {{Bytes: []byte{1, 'z'}}, {How: EndWrite}},
		"break":  {{How: Break}},
	}}
	server.Watch(s.watcher())
	require.NoError(t, client.Connect(ctx, server.Info()))
	open := func() *Stream {
		st, err := client.Open(ctx, server.ID(), testProto)
		require.NoError(t, err)
		return st
	}
	ask := func(st *Stream, key string) *Request {
		require.NoError(t, st.Write(ctx, wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte(key)})))
		<-s.asked
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.heard[len(s.heard)-1]
	}

	st := open()
	r := ask(st, "bytes")
	require.Equal(t, "x", string(next(t, st).Body))
	require.False(t, r.Over().IsZero(), "over before its answer is read")
	require.Equal(t, "y", string(next(t, st).Body))
	ask(st, "anything else")
	require.Equal(t, Frame, next(t, st).Kind, "honestly")

	// What comes while an answer is held waits for its turn.
	held := ask(st, "held")
	after := ask(st, "bytes")
	require.True(t, held.Over().IsZero())
	require.True(t, after.Over().IsZero())
	close(release)
	require.Greater(t, len(next(t, st).Body), 1)
	require.Equal(t, "x", string(next(t, st).Body))

	// Silence lasts, on a stream that its peer has half closed too, until the peer breaks it off; then the request is over.
	st = open()
	silent := ask(st, "silent")
	ask(st, "bytes")
	require.Equal(t, "x", string(next(t, st).Body))
	require.True(t, silent.Over().IsZero())
	require.NoError(t, st.Reset())
	require.Eventually(t, func() bool { return !silent.Over().IsZero() }, 10*time.Second, time.Millisecond)

	st = open()
	ask(st, "end")
	require.Equal(t, "z", string(next(t, st).Body))
	require.Equal(t, EOF, next(t, st).Kind)
	late := ask(st, "bytes")
	require.Equal(t, late.At, late.Over(), "nobody answers it")

	st = open()
	broken := ask(st, "break")
	require.Equal(t, Reset, next(t, st).Kind)
	require.False(t, broken.Over().IsZero())

	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(t, []NoteKind{Dialled, Opened, Asked, Answered}, s.notes[:4])
}
