package kad

import "bytes"

// How much of what is due one Tick does, so that no Step takes long; the rest makes Wake lie in the past.
const (
	expirePerTick = 256        // records and provider keys: about 0.1 ms
	sweepInterval = 5 * Minute // of a private Directory: longer than any request or query
)

// Step takes one input and says in out what is to be done. It is the only way to change a Kademlia. It must not be called
// while another Step of the same Kademlia runs; it panics if it notices.
func (k *Kademlia) Step(now Time, in Input, out *Output) {
	if k.stepping {
		panic("kad: Step called while another Step runs")
	}
	k.stepping = true
	out.reset(k.dir.frozen)
	k.step(now, &in, out)
	k.stepping = false
}

// step sends each kind of input to the file that knows it: requests to serve.go, their answers to reply.go, operations to
// operations.go, what happens to peers to routing.go and link.go.
func (k *Kademlia) step(now Time, in *Input, out *Output) {
	if k.nextSweep == 0 && !k.dir.frozen {
		k.nextSweep = now + Time(sweepInterval)
	}
	if !k.started {
		k.started = true
		k.startJobs(now)
	}
	if in.Late > 0 {
		k.excuse(min(in.Late, k.cfg.PeerTimeout))
	}
	in.Peer.Peer = k.lookup(in.Peer) // once for all that follows
	switch in.Kind {
	case InNone:

	case FindNodeReq:
		k.serveFindNode(now, in, out)
	case GetProvidersReq:
		k.serveGetProviders(now, in, out)
	case AddProvider:
		k.serveAddProvider(now, in, out)
	case GetRecord:
		k.serveGetRecord(now, in, out)
	case PutRecord:
		k.servePutRecord(now, in, out)
	case PingReq:
		k.servePing(in, out)

	case FindNodeRes, GetProvidersRes, GetRecordRes, PutRecordRes, AddProviderRes, QueryError:
		k.reply(now, in, out)

	case ListenAddr:
		k.listen = k.listen.Add(in.Addr)
		k.ownAddrsChanged(out)
		k.listensAnew(now)
	case ListenAddrExpired:
		k.listen = k.listen.Remove(in.Addr)
		k.ownAddrsChanged(out)
	case ExternalAddr:
		k.external = k.external.Add(in.Addr)
		k.ownAddrsChanged(out)
	case ExternalAddrExpired:
		k.external = k.external.Remove(in.Addr)
		k.ownAddrsChanged(out)
	case ListenerError, ListenerClosed:
		// Its addresses expire one by one; the fact itself changes nothing.

	case Tick:
		k.tick(now, out)

	case OpGetClosestPeers, OpGetRecord, OpPutRecord, OpPutRecordTo, OpRemoveRecord, OpBootstrap,
		OpStartProviding, OpStopProviding, OpGetProviders, OpSetMode, OpFinish, OpCancel, OpAccept, OpRefuse:
		k.operate(now, in, out)

	default:
		k.hook(now, in, out)
	}
}

// hook takes what happens to a peer outside requests, and the operations on the table.
func (k *Kademlia) hook(now Time, in *Input, out *Output) {
	p := k.intern(in.Peer)
	if p == 0 {
		out.Err = ErrPeerID
	}
	// Nobody is connected to itself or stands in its own table; our addresses come by ListenAddr and ExternalAddr alone.
	if p == 0 || p == k.self {
		if in.Kind == OpAddAddress {
			out.Update = UpdateFailed
		}
		return
	}
	switch in.Kind {
	case ProtocolConfirmed:
		k.protocolConfirmed(now, p, in, out)
	case ProtocolsChanged:
		k.protocolsChanged(now, p, in, out)
	case ConnectionEstablished:
		k.connectionEstablished(now, p, in)
	case ConnectionClosed:
		k.connectionClosed(now, p, in, out)
	case InConnected:
		k.connect(now, p)
	case InDisconnected:
		k.disconnect(now, p, out)
	case AddressChanged:
		k.addressChanged(p, in)
	case AddressFailed:
		k.addressFailed(p, in.Addr)
	case DialFailed:
		if in.Err == ErrRefused { // nobody tried: nothing is known, and requests under way have an end of their own
			return
		}
		k.failEverywhere(now, p, out)
		k.table.HeadFailed(now, p)
		k.applyPending(now, out)
		k.peerFailed(now, p, ErrDial, out)
	case OpAddAddress:
		k.addAddress(now, p, in.Addr, out)
	case OpRemoveAddress:
		k.removeAddress(p, in.Addr, out)
	case OpRemovePeer:
		k.removePeer(p, out)
	}
}

// intern is the handle of a peer that the node has to remember.
func (k *Kademlia) intern(p PeerInfo) Peer {
	if len(p.ID) > 0 {
		return k.dir.Intern(p.ID)
	}
	return k.lookup(p)
}

// lookup is the handle of a peer if there is one, else 0: what merely asks us is not remembered. A host that remembers a
// handle may give it beside the id, which saves the search; if the handle has got another meaning since, the id counts.
func (k *Kademlia) lookup(p PeerInfo) Peer {
	known := k.dir.known(p.Peer)
	switch {
	case known && (len(p.ID) == 0 || bytes.Equal(p.ID, k.dir.ID(p.Peer))):
		return p.Peer
	case len(p.ID) > 0:
		return k.dir.Find(p.ID)
	}
	return 0
}

// tick does what is due: all of it, but for records and providers, of which it does so many at a time.
func (k *Kademlia) tick(now Time, out *Output) {
	k.applyPending(now, out)
	k.store.Expire(now, expirePerTick)
	// Queries end while we walk, so walk by id.
	for id, ok := k.queryAfter(0); ok; id, ok = k.queryAfter(id) {
		if q := k.query(id); q.wake() <= now {
			k.advance(now, q, out)
		}
	}
	k.expireHeld(now, out)
	k.probe(now, out)
	k.refresh(now, out)
	k.work(now, out)
	if k.nextSweep != 0 && k.nextSweep <= now {
		k.nextSweep = now + Time(sweepInterval)
		k.dir.sweep(k.visit)
	}
}

// visit marks all peers that the node refers to from one Step to the next. Whatever else holds a handle that long must be
// added here, or the handle may come to mean somebody else.
func (k *Kademlia) visit(mark func(Peer)) {
	mark(k.self)
	k.table.visit(mark)
	for i := range k.links {
		mark(k.links[i].peer)
	}
	for _, q := range k.queries {
		q.visit(mark)
	}
	k.held.visit(mark)
	k.pacing.visit(mark)
	k.probes.visit(mark)
	for r := range k.store.AllProviders() {
		mark(r.Provider)
	}
}

// ownAddrsChanged draws the consequences of a change of listen or external addresses: external ones, which others have
// confirmed, are told first.
func (k *Kademlia) ownAddrsChanged(out *Output) {
	k.dir.SetAddrs(k.self, k.external.Merge(k.listen))
	k.setMode(k.wanted, out)
}

// setMode sets what is wanted and tells the host if what it amounts to has changed.
func (k *Kademlia) setMode(wanted Mode, out *Output) {
	k.wanted = wanted
	if m := k.resolveMode(); m != k.mode {
		k.mode = m
		out.command(SetProtocols).Mode = m
		out.event(ModeChanged).Mode = m
	}
}

// resolveMode: a node that is to decide by itself serves once it has an external address, so that nobody's table fills
// with peers that cannot be reached (libp2p-kad L72-L106).
func (k *Kademlia) resolveMode() Mode {
	if k.wanted == ModeAuto {
		if len(k.external) > 0 {
			return ModeServer
		}
		return ModeClient
	}
	return k.wanted
}
