package p2p

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/wire"
)

// readAhead of an inbound stream. It holds any request but a PUT_VALUE or an ADD_PROVIDER with several addresses, so that
// one Read brings a whole request; what is longer is read into its own place. A stream that is idle costs this much, and a
// node has one from each peer that has it in its table.
const readAhead = 128

// roomOfStack is what serving a request takes of it, and some more: kad.Step has its input on it.
const roomOfStack = 4 << 10

// inbound serves the streams that peers open.
type inbound struct {
	n     *Node
	mu    sync.Mutex
	on    bool
	conns map[network.Conn]*inboundConn // of connections with open streams
	idle  idleness
}

// inboundConn bounds what one connection may ask of us.
type inboundConn struct {
	peer    []byte // its binary id
	streams []*inboundStream
	serving places // one for each request that is being served
}

// inboundStream is one stream, served by one goroutine: any number of requests, one after another.
type inboundStream struct {
	n      *Node
	s      network.Stream
	conn   *inboundConn
	r      *bufio.Reader
	handle kad.Peer     // what the core last called it; the core looks whether it still does
	seen   atomic.Int64 // the step of idleness at its last sign of life
}

func (in *inbound) init(n *Node) {
	in.n = n
	in.conns = make(map[network.Conn]*inboundConn)
}

func (in *inbound) open() {
	in.mu.Lock()
	in.on = true
	in.mu.Unlock()
}

// reset ends all streams and accepts no more. A peer that does not read can make us wait for as long as go-libp2p lets
// it, so the connections do not wait for one another, and nobody waits under a lock.
func (in *inbound) reset() {
	in.mu.Lock()
	in.on = false
	in.unwatch()
	var conns [][]network.Stream
	for _, c := range in.conns {
		var streams []network.Stream
		for _, st := range c.streams {
			streams = append(streams, st.s)
		}
		conns = append(conns, streams)
	}
	in.mu.Unlock()
	var ended sync.WaitGroup
	for _, streams := range conns {
		ended.Go(func() {
			for _, s := range streams {
				_ = s.Reset()
			}
		})
	}
	ended.Wait()
}

// handle is the stream handler: go-libp2p calls it on a goroutine of the stream's own.
func (in *inbound) handle(s network.Stream) {
	deepen(0)
	st := in.admit(s)
	if st == nil {
		_ = s.Reset()
		return
	}
	if st.serve() {
		_ = s.Close()
	} else {
		_ = s.Reset()
	}
	in.release(st)
}

// deepen makes room on the stack of a goroutine that has just begun. A stack grows by being copied frame by frame, and
// down in the core there are twenty of them: that took a tenth of what a stream for one request takes.
//
//go:noinline
func deepen(i int) byte {
	var room [roomOfStack]byte
	return room[i]
}

// admit counts a stream in, unless its connection has as many as it may or we are no server any more.
func (in *inbound) admit(s network.Stream) *inboundStream {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.on {
		return nil
	}
	c := in.conns[s.Conn()]
	if c == nil {
		c = &inboundConn{
			peer: []byte(s.Conn().RemotePeer()),
		}
		c.serving.init(in.n.limits.InboundRequests, in.n.limits.InboundStreams)
		in.conns[s.Conn()] = c
	}
	if len(c.streams) >= in.n.limits.InboundStreams {
		return nil
	}
	st := &inboundStream{
		n:    in.n,
		s:    s,
		conn: c,
		r:    bufio.NewReaderSize(s, readAhead),
	}
	st.renew()
	c.streams = append(c.streams, st)
	in.watch()
	in.n.work.Add(1)
	return st
}

func (in *inbound) release(st *inboundStream) {
	in.mu.Lock()
	i := slices.Index(st.conn.streams, st)
	st.conn.streams = slices.Delete(st.conn.streams, i, i+1)
	if len(st.conn.streams) == 0 {
		delete(in.conns, st.s.Conn())
	}
	in.mu.Unlock()
	in.n.work.Done()
}

// serve answers requests until the peer ends the stream between two of them, which is a clean end (true), or something
// is wrong (false): bytes that cannot be read, a request that is refused, silence, or a reply that is not read.
func (st *inboundStream) serve() (clean bool) {
	for {
		// Waiting for a request takes neither a place nor a buffer.
		if _, err := st.r.Peek(1); err != nil {
			return err == io.EOF
		}
		if !st.conn.serving.try() {
			st.seen.Store(heldStep)
			if !st.conn.serving.await(st.n.ctx.Done()) {
				return false
			}
			st.renew()
		}
		x := exchanges.Get().(*exchange)
		ok := st.exchange(x)
		x.release()
		st.conn.serving.give()
		if !ok {
			return false
		}
	}
}

// exchange reads one request, answers it and says whether the stream goes on.
func (st *inboundStream) exchange(x *exchange) bool {
	if !frameBuffered(st.r) {
		// The rest of the frame has IdleTimeout from its first byte on.
		st.renew()
		if length := frameLength(st.r); length > keepBuffer && length <= st.n.limits.ReceiveBytes {
			// Connections come in any number, so what all of them can make us hold is go-libp2p's to bound.
			scope := st.s.Scope()
			if scope.ReserveMemory(length, network.ReservationPriorityAlways) != nil {
				return false
			}
			defer scope.ReleaseMemory(length)
		}
	}
	body, err := wire.ReadFrame(st.r, x.body, st.n.limits.ReceiveBytes)
	if err != nil {
		return false
	}
	x.body = body[:0]
	if wire.Decode(body, &x.request) != nil {
		return false
	}
	if !x.input(st) {
		return false
	}
	now, held, stored := st.n.serveStep(x)
	st.renew()
	answer := x.answer()
	if held != nil {
		answer = st.awaitAnswer(x.in.Request, held)
	} else if !st.written(stored) {
		return false
	}
	if answer == nil || answer.Kind == kad.Reset {
		return false
	}
	st.handle = answer.Peer.Peer
	if !x.reply(answer, now, st.n.limits.SendBytes) {
		return true // ADD_PROVIDER
	}
	_, err = st.s.Write(x.frame)
	return err == nil
}

// frameLength is the length of the frame that has begun in r, or 0 if that is longer than any limit may be, or cut off.
func frameLength(r *bufio.Reader) int {
	for n := 1; n <= 4; n++ {
		prefix, err := r.Peek(n) // waits for no byte that is not the frame's
		if err != nil {
			break
		}
		if prefix[n-1] < 0x80 {
			length, _ := binary.Uvarint(prefix)
			return int(length)
		}
	}
	return 0
}

// frameBuffered says whether a whole frame of at most 127 bytes lies in r: the common request.
func frameBuffered(r *bufio.Reader) bool {
	b, err := r.Peek(1)
	return err == nil && b[0] < 0x80 && r.Buffered() > int(b[0])
}
