package kad

import "slices"

// Of providers only this node's own record and those that were announced here are stored. What a search finds is told and
// forgotten: a node that answered with hearsay could be made to spread it.

// startProviding announces this node as a provider at the K peers nearest to the key. Its own record has no addresses:
// they are taken from the present whenever somebody asks.
func (k *Kademlia) startProviding(now Time, in *Input, out *Output) {
	rec := ProviderRecord{Key: in.Key, Provider: k.self, Received: now}
	if k.cfg.ProviderTTL > 0 {
		rec.Expires = now + Time(k.cfg.ProviderTTL)
	}
	if k.busy(out) { // before anything is stored: what is refused leaves no trace
		return
	}
	if out.Err = k.provideHere(rec); out.Err != nil {
		return
	}
	if q := k.begin(now, ResStartProviding, in.Key, out); q != nil {
		k.look(now, q, SendFindNode, KeyOf(q.key), k.cfg.K, out)
		k.advance(now, q, out)
	}
}

// provideHere stores this node's own provider record. A full list ignores newcomers, but not the node itself: whoever
// fills the list of a key must not keep us from telling that we have it. The one that came last makes room.
func (k *Kademlia) provideHere(rec ProviderRecord) error {
	err := k.store.AddProvider(rec)
	list := k.store.Providers(rec.Key, nil)
	if err != nil || slices.ContainsFunc(list, func(r ProviderRecord) bool { return r.Provider == k.self }) {
		return err
	}
	k.store.RemoveProvider(rec.Key, list[len(list)-1].Provider)
	return k.store.AddProvider(rec)
}

// endProviding goes on from finding the nearest to telling them, and from that to the end. A peer counts when the message
// is on the wire, not when it is handed over: one that cannot be dialled has not been told. With nobody to tell, the
// node provides by itself.
func (k *Kademlia) endProviding(now Time, q *query, late bool, out *Output) (over bool) {
	if q.phase == looking && !late && len(q.closest) > 0 {
		k.give(now, q, SendAddProvider, q.closest)
		return false
	}
	out.handles = out.handles[:0]
	if q.phase == storing {
		out.handles = q.fixed.Result(out.handles)
	}
	ev := k.event(now, q, true, out)
	ev.Peers = k.infos(q, out.handles, out)
	switch {
	case late:
		ev.Err = QueryTimeout
	case q.phase == storing && len(out.handles) == 0:
		ev.Err = QueryQuorumFailed
	}
	return true
}

// getProviders looks for providers of a key; those that this node knows of are told first.
func (k *Kademlia) getProviders(now Time, in *Input, out *Output) {
	q := k.begin(now, ResGetProviders, in.Key, out)
	if q == nil {
		return
	}
	k.look(now, q, SendGetProviders, KeyOf(q.key), k.cfg.K, out)
	first := len(out.peers)
	k.appendProviders(now, q.key, out)
	if own := out.since(first); len(own) > 0 {
		k.event(now, q, false, out).Providers = own
	}
	k.advance(now, q, out)
}

// maxProviders is how many providers of one answer are told: as many as a frame of 64 KiB can name.
const maxProviders = 1024

// providersFound tells the application of the providers of one answer, each once, with their addresses. They are not
// remembered: whoever wants to reach one is told how.
func (k *Kademlia) providersFound(now Time, q *query, named []PeerInfo, out *Output) {
	first := len(out.peers)
	for _, info := range named[:min(len(named), maxProviders)] {
		if p := k.lookup(info); p != 0 {
			info.Peer, info.ID = p, k.dir.ID(p)
		} else {
			info.Peer, info.ID = 0, out.keep(info.ID)
		}
		info.Addrs = out.keep(info.Addrs)
		same := func(x PeerInfo) bool { return string(x.ID) == string(info.ID) }
		if len(info.ID) > 0 && !slices.ContainsFunc(out.peers[first:], same) {
			out.peers = append(out.peers, info)
		}
	}
	if found := out.since(first); len(found) > 0 {
		k.event(now, q, false, out).Providers = found
	}
}
