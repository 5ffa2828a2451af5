package p2p

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// fake is a stream whose every call is the test's.
type fake struct {
	network.Stream
	read  func([]byte) (int, error)
	write func() error
	reset func()
	conn  network.Conn
}

func (f *fake) Read(b []byte) (int, error)  { return f.read(b) }
func (f *fake) Write(b []byte) (int, error) { return len(b), f.write() }
func (f *fake) SetDeadline(time.Time) error { return nil }
func (f *fake) Reset() error                { f.reset(); return nil }
func (f *fake) Conn() network.Conn          { return f.conn }

func idleNode(t *testing.T) *Node {
	n, err := New(Config{Transports: []string{TCP}})
	require.NoError(t, err)
	return n
}

// TestResetThatBlocks: go-libp2p may keep us waiting when a stream is reset whose peer does not read. Nobody else waits
// with us.
func TestResetThatBlocks(t *testing.T) {
	n := idleNode(t)
	o := &n.outbound
	for range maxIdle {
		o.park(&clientStream{o: o, s: &fake{reset: func() {}}, peer: "p"})
	}
	resetting, goOn := make(chan struct{}), make(chan struct{})
	one := &clientStream{o: o, peer: "p", s: &fake{reset: func() { close(resetting); <-goOn }}}
	parked := make(chan struct{})
	go func() {
		defer close(parked)
		o.park(one)
	}()
	<-resetting
	if assert.True(t, o.mu.TryLock(), "park resets under the lock") {
		o.mu.Unlock()
	}
	close(goOn)
	<-parked
	o.close()
}

// TestReplyThatNobodyTakes: a rested stream brings a frame just when the request cannot be written. The reader ends all
// the same.
func TestReplyThatNobodyTakes(t *testing.T) {
	n := idleNode(t)
	frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode})
	asked, read, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	unread := bytes.NewReader(frame)
	s := &fake{
		read: func(b []byte) (int, error) {
			<-asked
			if unread.Len() > 0 {
				return unread.Read(b)
			}
			close(read) // the reader has taken the whole frame
			<-over
			return 0, io.EOF
		},
		write: func() error {
			close(asked)
			<-read
			return errors.New("gone")
		},
		reset: func() {},
	}
	st := &clientStream{o: &n.outbound, s: s, peer: "p", replies: make(chan []byte, 1), used: true, reading: true}
	n.work.Go(st.read)
	_, why, again := st.ask(context.Background(), &request{kind: kad.SendFindNode, peer: "p", key: []byte("k")})
	assert.Equal(t, kad.ErrReset, why)
	assert.True(t, again)
	close(over)
	n.work.Wait()
}

// TestAnswerAndEnd: a peer that answers and ends the stream in one go has answered.
func TestAnswerAndEnd(t *testing.T) {
	frame := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode})
	st := &clientStream{replies: make(chan []byte, 1), asking: true, peer: "p", s: &fake{read: bytes.NewReader(frame).Read, reset: func() {}}}
	n := idleNode(t)
	st.o = &n.outbound
	st.read()
	body, replied := <-st.replies
	assert.True(t, replied)
	assert.Equal(t, frame[1:], body)
	_, replied = <-st.replies
	assert.False(t, replied)
	assert.ErrorIs(t, st.err, io.EOF)
}

// TestConnectionEnds: who hears from a stream that its connection has ended finds it closed, be it in the middle of a reply; a
// stream that is reset says nothing of the connection.
func TestConnectionEnds(t *testing.T) {
	n := idleNode(t)
	half := wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte("key")})[:3]
	for _, told := range [][]byte{nil, half} {
		for cause, over := range map[error]bool{&network.ConnError{Remote: true}: true, &network.StreamError{Remote: true}: false} {
			conn := connTo("p", network.DirOutbound, 1)
			begun := io.MultiReader(bytes.NewReader(told), iotest.ErrReader(cause))
			st := &clientStream{o: &n.outbound, peer: "p", replies: make(chan []byte, 1),
				s: &fake{read: begun.Read, write: func() error { return nil }, reset: func() {}, conn: conn}}
			_, why, again := st.ask(t.Context(), &request{kind: kad.SendFindNode, peer: "p", key: []byte("k")})
			assert.Equal(t, kad.ErrReset, why)
			assert.False(t, again, "it had not rested")
			assert.Equal(t, over, conn.closed, "%v after %d bytes", cause, len(told))
			n.work.Wait()
		}
	}
}
