package p2p

import (
	"bufio"
	"context"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// TestDozing: what happens to a stream that rests without a reader, over TCP and yamux, the next request finds out; it is
// answered all the same.
func TestDozing(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(s network.Stream) error
		fresh     bool // the next request is asked on a new stream
	}{
		"nothing":              {meanwhile: func(network.Stream) error { return nil }},
		"a second answer":      {meanwhile: func(s network.Stream) error { return writeAnswer(s) }, fresh: true},
		"the peer ends it":     {meanwhile: network.Stream.Close, fresh: true},
		"the peer resets it":   {meanwhile: network.Stream.Reset, fresh: true},
		"the connection ended": {meanwhile: func(s network.Stream) error { return s.Conn().Close() }, fresh: true},
	} {
		t.Run(name, func(t *testing.T) {
			n := running(t, Config{Transports: []string{TCP}, Kad: kad.Config{Mode: kad.ModeServer, BootstrapInterval: -1, BootstrapThrottle: -1, ProbeInterval: -1}})
			defer n.Close()
			h, err := NewHost(Config{Transports: []string{TCP}})
			require.NoError(t, err)
			defer h.Close()
			opened := make(chan network.Stream, 9)
			h.SetStreamHandler(DefaultProtocol, func(s network.Stream) {
				opened <- s
				r := bufio.NewReader(s)
				for {
					if _, err := wire.ReadFrame(r, nil, wire.MaxReceive); err != nil || writeAnswer(s) != nil {
						return
					}
				}
			})
			to := *host.InfoFromHost(h)
			require.Equal(t, kad.ErrNone, findNode(n, to, 20*time.Second))
			s := <-opened
			require.Eventually(t, func() bool {
				n.outbound.mu.Lock()
				defer n.outbound.mu.Unlock()
				if len(n.outbound.resting) == 0 {
					return false
				}
				st := n.outbound.resting[0]
				st.mu.Lock()
				defer st.mu.Unlock()
				return !st.reading
			}, 20*time.Second, time.Millisecond)

			require.NoError(t, test.meanwhile(s))
			// What comes over a connection comes in its order: when we have answered, we have what was sent before. Nothing comes
			// over one that has ended.
			if ask, err := h.NewStream(network.WithNoDial(context.Background(), ""), n.ID(), DefaultProtocol); err == nil {
				_, err = ask.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.Ping}))
				require.NoError(t, err)
				_, err = wire.ReadFrame(ask, nil, wire.MaxReceive)
				require.NoError(t, err)
				_ = ask.Reset()
			}
			require.Equal(t, kad.ErrNone, findNode(n, to, 20*time.Second))
			assert.Equal(t, test.fresh, len(opened) == 1)
		})
	}
}

func writeAnswer(s network.Stream) error {
	_, err := s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode}))
	return err
}

// TestSurplusThatBlocks: a stream at rest that has to end for another's may keep us waiting for its peer, and then the answer
// on the other is not kept waiting.
func TestSurplusThatBlocks(t *testing.T) {
	n := idleNode(t)
	o := &n.outbound
	goOn := make(chan struct{})
	reset := func() { <-goOn }
	for i := range maxResting + 1 {
		p := string(rune('a' + i))
		o.park(&clientStream{o: o, s: &fake{reset: reset}, peer: peer.ID(p)})
		reset = func() {}
	}
	assert.Len(t, o.resting, maxResting)
	assert.Len(t, o.peers, maxResting)
	close(goOn)
	o.close()
	n.work.Wait()
}

// TestComingAndGoing: the end of connections is held back from the core while requests run, but not of any number: a peer that
// comes and goes all the time, and always answers late, would have each of them remembered.
func TestComingAndGoing(t *testing.T) {
	n := idleNode(t)
	o := &n.outbound
	q := o.queue("p")
	q.running = 1
	held := 0
	for id := range kad.ConnID(100) {
		if o.holdBack("p", id) {
			held++
		}
	}
	assert.Equal(t, maxHeldBack, held)
	assert.Len(t, q.closed, maxHeldBack)
}

// TestSlowToHear: an ADD_PROVIDER that its peer reads only after we have ceased to wait for that is there all the same.
func TestSlowToHear(t *testing.T) {
	for _, over := range []string{TCP, QUIC} {
		t.Run(over, func(t *testing.T) {
			n := running(t, Config{Transports: []string{over}, Kad: quiet(nil).Kad})
			defer n.Close()
			h, err := NewHost(Config{Transports: []string{over}})
			require.NoError(t, err)
			defer h.Close()
			told, heard := make(chan struct{}), make(chan error, 1)
			h.SetStreamHandler(DefaultProtocol, func(s network.Stream) {
				<-told
				// Over the same connection, so that we know what became of the stream meanwhile.
				ping, err := h.NewStream(context.Background(), n.ID(), identify.ID)
				if err == nil {
					_, err = io.ReadAll(ping)
				}
				if err == nil {
					_, err = wire.ReadFrame(bufio.NewReader(s), nil, wire.MaxReceive)
				}
				heard <- err
				_ = s.Reset()
			})
			why, _ := ask(n, kad.SendAddProvider, *host.InfoFromHost(h), 20*time.Second)
			require.Equal(t, kad.ErrNone, why)
			close(told)
			require.NoError(t, <-heard)
		})
	}
}
