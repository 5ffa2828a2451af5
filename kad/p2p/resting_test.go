package p2p

import (
	"bufio"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// piped is a stream over a pipe, whose deadlines hold as yamux's do.
type piped struct {
	network.Stream
	pipe net.Conn
}

func (s *piped) Conn() network.Conn                { return nil }
func (s *piped) Read(b []byte) (int, error)        { return s.pipe.Read(b) }
func (s *piped) Write(b []byte) (int, error)       { return s.pipe.Write(b) }
func (s *piped) SetDeadline(t time.Time) error     { return s.pipe.SetDeadline(t) }
func (s *piped) SetReadDeadline(t time.Time) error { return s.pipe.SetReadDeadline(t) }
func (s *piped) Reset() error                      { return s.pipe.Close() }

// TestDoze: the reader of a stream that rests ends, and the next request is answered on the same stream, at whatever moment
// of the rest it comes; a stream that nobody uses is closed.
func TestDoze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := idleNode(t)
		o := &n.outbound
		ours, theirs := net.Pipe()
		delay := time.Duration(0)
		go func() {
			r := bufio.NewReader(theirs)
			for {
				if _, err := wire.ReadFrame(r, nil, wire.MaxReceive); err != nil {
					return
				}
				pass(delay)
				_, _ = theirs.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode}))
			}
		}()
		st := &clientStream{o: o, s: &piped{pipe: ours}, peer: "p", dozes: true, replies: make(chan []byte, 1)}
		reading := func() bool {
			synctest.Wait()
			st.mu.Lock()
			defer st.mu.Unlock()
			return st.reading
		}
		ask := func() {
			t.Helper()
			r := &request{kind: kad.SendFindNode, peer: "p", key: []byte("k"), deadline: time.Now().Add(10 * time.Second)}
			_, why, again := st.ask(t.Context(), r)
			require.Equal(t, kad.ErrNone, why)
			require.False(t, again)
		}
		ask()
		for _, after := range []time.Duration{rest, rest + 1, 2 * rest, maxRest - 1} {
			assert.True(t, reading(), "what comes unasked is noticed while it rests")
			pass(after)
			if after > rest {
				assert.False(t, reading())
			}
			// The peer takes longer than a rest: a reader that were lulled under a request would lose its answer.
			delay = 3 * rest
			require.Same(t, st, o.take(&request{kind: kad.SendFindNode, peer: "p"}), "after %v", after)
			ask()
		}

		// A timer of the rest before, which waited for the lock all the while, does not touch the rest that has just begun.
		st.lull()
		st.expire()
		assert.True(t, reading())
		assert.Len(t, o.resting, 1)

		// Nor a request for which the stream was taken just as it expired.
		pass(maxRest - 1)
		require.Same(t, st, o.take(&request{kind: kad.SendFindNode, peer: "p"}))
		st.expire()
		ask()

		pass(maxRest)
		synctest.Wait()
		assert.Empty(t, o.resting)
		assert.Nil(t, o.take(&request{kind: kad.SendFindNode, peer: "p"}))
		_, err := theirs.Write([]byte{0})
		assert.Error(t, err, "it is closed")
		n.work.Wait()
	})
}
