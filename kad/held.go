package kad

import (
	"bytes"
	"slices"
)

// With Config.FilterRecords a PUT_VALUE or ADD_PROVIDER that could be stored is held: the application is told, and nothing is
// stored and nobody answered before its word. OpAccept stores by the usual rules and acknowledges, OpRefuse ends the request
// without a reply, as the end of PeerTimeout does: by then the asker has given up. So what was acknowledged is stored, always
// (libp2p-kad acknowledges records that its application may still throw away).
//
// The response stands in the Output of that later Step; the host routes it by its Peer and Request. When as many are held as
// may be, newcomers are refused: those that came first keep their chance, and a flood gains nothing by being last.

// heldRequests are those that wait, oldest first. They are few, 256 at the most with 66 KiB each, and nil for most nodes.
type heldRequests []heldRequest

type heldRequest struct {
	kind    InputKind // PutRecord or AddProvider
	request RequestID
	peer    Peer
	until   Time
	valid   Valid // PutRecord; like all of this the core's own memory
	key     []byte
	addrs   Addrs // AddProvider
}

// wake is when the first is refused for want of a word. All wait equally long, so it is the oldest.
func (h heldRequests) wake() Time {
	if len(h) == 0 {
		return 0
	}
	return h[0].until
}

// visit marks who waits.
func (h heldRequests) visit(mark func(Peer)) {
	for i := range h {
		mark(h[i].peer)
	}
}

// drop forgets the requests of a peer whose last connection is gone: their streams are, too.
func (h *heldRequests) drop(p Peer) {
	*h = slices.DeleteFunc(*h, func(r heldRequest) bool { return r.peer == p })
}

// take takes a request off the list; ok is false if it is not there.
func (h *heldRequests) take(id RequestID) (r heldRequest, ok bool) {
	i := slices.IndexFunc(*h, func(r heldRequest) bool { return r.request == id })
	if i < 0 {
		return heldRequest{}, false
	}
	r = (*h)[i]
	*h = slices.Delete(*h, i, i+1)
	return r, true
}

// hold keeps a request and tells the application of it. It returns nil, and the request is refused, if there is no room or
// the asker has no id to remember.
func (k *Kademlia) hold(now Time, r heldRequest, in *Input, out *Output) *Event {
	r.kind, r.request, r.until = in.Kind, in.Request, now+Time(k.cfg.PeerTimeout)
	if r.peer = k.intern(in.Peer); r.peer == 0 || len(k.held) >= k.cfg.Limits.Held {
		k.refuse(in, out)
		return nil
	}
	in.Peer.Peer = r.peer
	k.held = append(k.held, r)
	ev := k.inbound(in, out)
	ev.Request, ev.Held = in.Request, true
	return ev
}

// holdRecord holds a PUT_VALUE.
func (k *Kademlia) holdRecord(now Time, in *Input, out *Output) {
	v := Valid{record: in.Valid.record, rank: bytes.Clone(in.Valid.rank), ok: true}
	v.record.Key, v.record.Value = bytes.Clone(v.record.Key), bytes.Clone(v.record.Value)
	v.record.Publisher = bytes.Clone(v.record.Publisher)
	if ev := k.hold(now, heldRequest{valid: v}, in, out); ev != nil {
		k.tellRecord(ev, v.record, out)
	}
}

// holdProvider holds an ADD_PROVIDER. The addresses may be lent.
func (k *Kademlia) holdProvider(now Time, in *Input, addrs Addrs, out *Output) {
	r := heldRequest{key: bytes.Clone(in.Key), addrs: addrs.clone(maxProviderAddrBytes)}
	if ev := k.hold(now, r, in, out); ev != nil {
		k.tellProvider(ev, in.Peer.Peer, r.addrs, out)
	}
}

// answerHeld takes the application's word. Err says why what was accepted could not be stored; then it is refused.
func (k *Kademlia) answerHeld(now Time, op *Input, out *Output) {
	r, ok := k.held.take(op.Request)
	if !ok {
		out.Err = ErrUnknownRequest
		return
	}
	in := r.input()
	if op.Kind == OpRefuse {
		k.refuse(&in, out)
		return
	}
	if r.kind == PutRecord {
		out.Err = k.storeReceived(now, r.valid)
	} else {
		out.Err = k.storeProvider(now, &in, r.addrs)
	}
	switch {
	case out.Err != nil:
		k.refuse(&in, out)
	case r.kind == PutRecord:
		k.acknowledgePut(&in, r.valid.record, out)
	default:
		k.acknowledgeProvider(&in, r.addrs, out)
	}
}

// input is the request as it came.
func (r *heldRequest) input() Input {
	return Input{Kind: r.kind, Peer: PeerInfo{Peer: r.peer}, Request: r.request, Key: r.key, Valid: r.valid}
}

// expireHeld refuses those for whom no word came in time.
func (k *Kademlia) expireHeld(now Time, out *Output) {
	for len(k.held) > 0 && k.held[0].until <= now {
		in := k.held[0].input()
		k.held = slices.Delete(k.held, 0, 1)
		k.refuse(&in, out)
	}
}
