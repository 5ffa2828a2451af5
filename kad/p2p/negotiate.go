package p2p

import (
	"context"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multistream"

	"github.com/kadbench/kadbench/kad"
)

// newStream opens a stream over an existing connection without a round trip of its own: the protocol is proposed together
// with the first request, and that the peer speaks it shows in the reply, or in its absence (kad.ErrUnsupported). Nor does
// it wait for identify, as Host.NewStream would on a fresh connection: what that would tell, the reply tells too. So a peer
// that has to be dialled answers in two round trips over QUIC, where it would be three or four.
func (o *outbound) newStream(ctx context.Context, r *request) (*clientStream, kad.ErrorKind) {
	s, err := o.n.host.Network().NewStream(network.WithNoDial(ctx, "kad: the connection is there"), r.peer)
	if err != nil {
		return nil, kindOf(err)
	}
	lazy := &lazyStream{Stream: s}
	proposed := o.n.protocols[0]
	if known, err := o.n.host.Peerstore().SupportsProtocols(r.peer, o.n.protocols...); err == nil && len(known) > 0 {
		proposed, lazy.known = known[0], o.n.hasIdentified(s.Conn())
	}
	if err := s.SetProtocol(proposed); err != nil {
		_ = s.Reset()
		return nil, kindOf(err)
	}
	lazy.conn = multistream.NewMSSelect(s, proposed)
	return o.client(lazy, r), kad.ErrNone
}

// unsettled says whether a request may have failed only because the protocol that went with it was not the peer's. Its no
// may not reach us: go-libp2p says it, takes the request for another proposal, and resets the stream, and over QUIC the
// reset overtakes the no. A peer that agreed before, or that has said on this very connection by identify that it speaks what
// we propose, had another reason. (What the host knows from an earlier connection may be out of date.)
//
// A reset may overtake a yes as well, so a peer that read the request and then reset may get it a second time. That does no
// harm with any of them: to put the very same record, or to announce the same provider, twice changes nothing.
func (st *clientStream) unsettled(why kad.ErrorKind) bool {
	lazy, ok := st.s.(*lazyStream)
	switch {
	case !ok || lazy.agreed.Load():
		return false
	case why == kad.ErrUnsupported:
		return len(st.o.n.protocols) > 1
	}
	return why == kad.ErrReset && !lazy.known
}

// negotiated opens a stream to a peer that did not agree to what we proposed: it waits for the peer's word.
func (o *outbound) negotiated(ctx context.Context, r *request) (*clientStream, kad.ErrorKind) {
	s, err := o.n.host.NewStream(network.WithNoDial(ctx, "kad: the connection is there"), r.peer, o.n.protocols...)
	if err != nil {
		return nil, kindOf(err)
	}
	return o.client(s, r), kad.ErrNone
}

// lazyStream negotiates with the first Write, which does not wait for the peer's word.
type lazyStream struct {
	network.Stream
	conn   multistream.LazyConn
	known  bool        // identify has said on this connection that the peer speaks what we propose
	agreed atomic.Bool // it has said so on this stream
}

// agree waits for the peer's word on the proposal.
func (s *lazyStream) agree() error {
	if s.agreed.Load() {
		return nil
	}
	if _, err := s.conn.Read(nil); err != nil { // the negotiation alone
		return err
	}
	s.agreed.Store(true)
	return nil
}

func (s *lazyStream) Read(b []byte) (int, error) {
	if err := s.agree(); err != nil {
		return 0, err
	}
	return s.conn.Read(b)
}

func (s *lazyStream) Write(b []byte) (int, error) { return s.conn.Write(b) }
