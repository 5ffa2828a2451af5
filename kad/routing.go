package kad

// Who enters the table and who leaves it. A peer enters when it is known to serve the protocol (it answered a request of
// ours, or identify says so) and an address of it is known; so clients never do (libp2p-kad L95). The application may
// enter a peer by its address without such proof.

// protocolConfirmed takes the proof that a peer serves: it answered on a stream that we opened. If we dialled it, the address
// is proved as well. Where an inbound connection comes from proves nothing: that port is gone with the connection. It is
// proved once in the life of a connection: a peer that the application has removed comes back by a new one, or when identify
// tells something new; one that was evicted for its silence by its next answer, too.
func (k *Kademlia) protocolConfirmed(now Time, p Peer, in *Input, out *Output) {
	addr := in.Addr
	i, ok := k.linkAt(p)
	if ok && !k.links[i].confirm(in.Conn) {
		return
	}
	if ok && len(addr) == 0 {
		addr = k.links[i].dialled(in.Conn)
	} else if !in.Dialer {
		addr = nil
	}
	k.admit(now, p, k.dir.Addrs(p).Add(addr), out)
}

// protocolsChanged takes what identify says: whether the peer serves the protocol and where it listens. What it listens
// on replaces what we knew, but for the addresses by which we did reach it. The addresses of a client are kept too: they
// are told to whoever asks for its id.
func (k *Kademlia) protocolsChanged(now Time, p Peer, in *Input, out *Output) {
	addrs := k.dir.Addrs(p)
	if announced := in.Peer.Addrs.clone(maxAddrBytes); len(announced) > 0 {
		addrs = announced
		if i, ok := k.linkAt(p); ok {
			for _, c := range k.links[i].conns {
				addrs = addrs.Add(k.links[i].dialled(c.id))
			}
		}
	}
	if in.Supported {
		k.admit(now, p, addrs, out)
		return
	}
	k.dir.SetAddrs(p, addrs)
	k.evict(now, p, out)
}

// admit gives a peer that serves the protocol a place in the table, and tells what became of it: RoutingUpdated if it has
// one or its addresses there changed, PendingRoutablePeer if it waits, RoutablePeer if there is none for it, UnroutablePeer
// if nobody could be told where it is.
func (k *Kademlia) admit(now Time, p Peer, addrs Addrs, out *Output) {
	fresh := string(addrs) != string(k.dir.Addrs(p))
	k.dir.SetAddrs(p, addrs)
	present, _ := k.table.Contains(p)
	switch {
	case len(k.dir.Addrs(p)) == 0:
		out.event(UnroutablePeer).Peer = k.dir.Info(p)
		return
	case present:
		k.table.Touch(now, p)
		if fresh {
			k.routingUpdated(p, 0, false, out)
		}
		return
	case k.cfg.ManualInserts:
		out.event(RoutablePeer).Peer = k.dir.Info(p)
		return
	}
	switch res, lru := k.insert(now, p, addrs); res {
	case Inserted:
		k.routingUpdated(p, 0, true, out)
	case InsertPending:
		out.event(PendingRoutablePeer).Peer = k.dir.Info(p)
		k.dialHead(lru, out)
	case InsertFull:
		out.event(RoutablePeer).Peer = k.dir.Info(p)
	}
}

// insert gives a peer a place, or lets it wait for one, unless its network has as many as it may have: to those the table is
// full.
func (k *Kademlia) insert(now Time, p Peer, addrs Addrs) (res Insertion, lru Peer) {
	connected := k.connected(p)
	if k.cfg.Group != nil && k.table.hasRoom(p, connected) && !k.diverse(p, k.table.bucketOf(p), addrs) {
		return InsertFull, 0
	}
	if res, lru = k.table.Insert(now, p, connected, k.cfg.PendingTimeout); res == Inserted {
		k.entered(now, p)
	}
	return res, lru
}

// dialHead asks the host to see whether the peer whose place somebody wants still lives. It is never connected: nobody
// waits for the place of one that is.
func (k *Kademlia) dialHead(p Peer, out *Output) { out.command(Dial).Peer = k.dir.Info(p) }

// routingUpdated tells that a peer has entered the table (fresh), in the place of old if that is not 0, or that its
// addresses there have changed.
func (k *Kademlia) routingUpdated(p, old Peer, fresh bool, out *Output) {
	ev := out.event(RoutingUpdated)
	ev.Peer, ev.New, ev.Bucket = k.dir.Info(p), fresh, k.table.bucketOf(p)
	if old != 0 {
		ev.Old = k.dir.Info(old)
	}
}

// applyPending gives the places to those that have waited long enough.
func (k *Kademlia) applyPending(now Time, out *Output) {
	for {
		p, evicted, more := k.table.ApplyPending(now)
		if !more {
			return
		}
		if p != 0 {
			k.probes.clear(evicted)
			k.entered(now, p)
			k.routingUpdated(p, evicted, true, out)
		}
	}
}

// addAddress enters a peer by the application's word. It is connected or not, as the case may be; so it may have to wait
// for a place, and without a connection it cannot even do that. The address of a peer that is refused is not kept.
func (k *Kademlia) addAddress(now Time, p Peer, addr []byte, out *Output) {
	if len(addr) == 0 && len(k.dir.Addrs(p)) == 0 {
		out.Update = UpdateFailed
		return
	}
	res, lru := k.insert(now, p, k.dir.Addrs(p).Add(addr))
	switch res {
	case InsertFull:
		out.Update = UpdateFailed
		return
	case InsertPending:
		out.Update = UpdatePending
		k.dialHead(lru, out)
	default:
		out.Update = UpdateSuccess
	}
	old := k.dir.Addrs(p)
	k.dir.SetAddrs(p, old.Add(addr))
	if res == Inserted || res == Present && len(k.dir.Addrs(p)) != len(old) {
		k.routingUpdated(p, 0, res == Inserted, out)
	}
}

// removeAddress forgets an address; with its last one the peer goes too, be it in place or waiting. An address that is not
// known is none of its own, so nothing happens.
func (k *Kademlia) removeAddress(p Peer, addr []byte, out *Output) {
	addrs := k.dir.Addrs(p)
	if !addrs.Contains(addr) {
		return
	}
	if left := addrs.Remove(addr); len(left) > 0 {
		k.dir.SetAddrs(p, left)
		return
	}
	k.removePeer(p, out)
	k.dir.SetAddrs(p, nil)
}

// removePeer takes a peer out, be it in place or waiting, and returns what was known of it. Its addresses stay in the
// Directory as long as anything else refers to it.
func (k *Kademlia) removePeer(p Peer, out *Output) {
	k.table.Entries(k.table.bucketOf(p), func(e EntryView) bool {
		if e.Peer == p {
			out.Removed = &e
		}
		return out.Removed == nil
	})
	k.table.Remove(p)
	k.probes.clear(p)
}
