package network

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/tcpreuse"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// lateTCP is go-libp2p's TCP on which the connections that it dials are late by so much in each direction. Bytes keep their
// order, and the bandwidth is what the queues let through.
func lateTCP(delay time.Duration) any {
	return func(u transport.Upgrader, m network.ResourceManager, shared *tcpreuse.ConnMgr) (*tcp.TcpTransport, error) {
		return tcp.NewTCPTransport(lateUpgrader{u, delay}, m, shared)
	}
}

// lateUpgrader puts the delay below the handshakes.
type lateUpgrader struct {
	transport.Upgrader
	delay time.Duration
}

func (u lateUpgrader) Upgrade(ctx context.Context, t transport.Transport, c manet.Conn, d network.Direction, p peer.ID, s network.ConnManagementScope) (transport.CapableConn, error) {
	if d == network.DirOutbound {
		if err := sleep(ctx, 2*u.delay); err != nil { // the handshake of TCP is a round trip
			return nil, errors.Join(err, c.Close())
		}
		c = lateAt{newLateConn(c, u.delay), c}
	}
	return u.Upgrader.Upgrade(ctx, t, c, d, p, s)
}

const (
	// latePieces are under way in one direction at the most: each of 64 KiB at most, those of a lookup of hundreds
	// of bytes. Then whoever writes waits, and TCP holds back whoever sends.
	latePieces = 256
)

// piece is bytes, or the end, with the moment from which they are there.
type piece struct {
	at  time.Time
	b   []byte
	err error
}

// lateAt knows its addresses as go-libp2p writes them.
type lateAt struct {
	*lateConn
	at manet.Conn
}

func (l lateAt) LocalMultiaddr() ma.Multiaddr  { return l.at.LocalMultiaddr() }
func (l lateAt) RemoteMultiaddr() ma.Multiaddr { return l.at.RemoteMultiaddr() }

// lateConn delays what is written to a connection, and what is read from it.
type lateConn struct {
	net.Conn
	delay    time.Duration
	out, in  chan piece
	closed   chan struct{}
	closing  sync.Once
	broken   chan struct{} // closed when out is not read any more
	reading  sync.Mutex
	rest     []byte // of the piece that is being read
	last     error  // the end was read
	waiting  *piece // taken from in, its time has not come
	deadline chan struct{}
	dmu      sync.Mutex
	until    time.Time
}

func newLateConn(c net.Conn, delay time.Duration) *lateConn {
	l := &lateConn{Conn: c, delay: delay, out: make(chan piece, latePieces), in: make(chan piece, latePieces),
		closed: make(chan struct{}), broken: make(chan struct{}), deadline: make(chan struct{})}
	go l.send()
	go l.receive()
	return l
}

// send writes each piece when its time has come, and closes the connection after the last.
func (l *lateConn) send() {
	defer l.Conn.Close()
	defer close(l.broken)
	for {
		select {
		case p := <-l.out:
			time.Sleep(time.Until(p.at)) // at most delay
			if _, err := l.Conn.Write(p.b); err != nil {
				return
			}
		case <-l.closed:
			for len(l.out) > 0 {
				p := <-l.out
				time.Sleep(time.Until(p.at))
				if _, err := l.Conn.Write(p.b); err != nil {
					return
				}
			}
			return
		}
	}
}

func (l *lateConn) receive() {
	for {
		b := make([]byte, 4096)
		n, err := l.Conn.Read(b)
		select {
		case l.in <- piece{time.Now().Add(l.delay), b[:n], err}:
		case <-l.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

func (l *lateConn) Write(b []byte) (int, error) {
	p := piece{at: time.Now().Add(l.delay), b: append([]byte(nil), b...)}
	select {
	case <-l.closed:
		return 0, net.ErrClosed
	case <-l.broken:
		return 0, net.ErrClosed
	default:
	}
	select {
	case l.out <- p:
		return len(b), nil
	case <-l.closed:
	case <-l.broken:
	}
	return 0, net.ErrClosed
}

func (l *lateConn) Read(b []byte) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	for len(l.rest) == 0 {
		if l.last != nil {
			return 0, l.last
		}
		if err := l.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// next waits for the next piece and its time; the deadline may move meanwhile.
func (l *lateConn) next() error {
	for {
		l.dmu.Lock()
		moved, until := l.deadline, l.until
		l.dmu.Unlock()
		var end <-chan time.Time
		if !until.IsZero() {
			timer := time.NewTimer(time.Until(until))
			end = timer.C
		}
		in, due := l.in, (<-chan time.Time)(nil)
		if l.waiting != nil {
			timer := time.NewTimer(time.Until(l.waiting.at))
			in, due = nil, timer.C
		}
		select {
		case p := <-in:
			l.waiting = &p
		case <-due:
			l.rest, l.last, l.waiting = l.waiting.b, l.waiting.err, nil
			return nil
		case <-end:
			return os.ErrDeadlineExceeded
		case <-moved:
		case <-l.closed:
			return net.ErrClosed
		}
	}
}

// SetReadDeadline holds for Read alone: the connection below is read on.
func (l *lateConn) SetReadDeadline(t time.Time) error {
	l.dmu.Lock()
	defer l.dmu.Unlock()
	l.until = t
	close(l.deadline)
	l.deadline = make(chan struct{})
	return nil
}

func (l *lateConn) SetDeadline(t time.Time) error {
	_ = l.SetReadDeadline(t)
	return l.SetWriteDeadline(t)
}

// Close lets what was written still arrive.
func (l *lateConn) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}
