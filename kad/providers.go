package kad

import (
	"bytes"
	"cmp"
	"slices"
)

// Of providers only this node's own record and those that were announced here are stored. What a search finds is told and
// forgotten: a node that answered with hearsay could be made to spread it.

// startProviding announces this node as a provider at the K peers nearest to the key, and again every ProvideInterval. Its
// own record has no addresses: they are taken from the present whenever somebody asks.
func (k *Kademlia) startProviding(now Time, in *Input, out *Output) {
	if k.busy(out) { // before anything is stored: what is refused leaves no trace
		return
	}
	rec := ProviderRecord{Key: in.Key, Provider: k.self, Received: now, Expires: k.providerExpiry(now)}
	if out.Err = k.provideHere(rec); out.Err != nil {
		return
	}
	if q := k.begin(now, ResStartProviding, in.Key, out); q != nil {
		k.look(now, q, SendFindNode, KeyOf(q.key), k.cfg.K, out)
		k.advance(now, q, out)
	}
}

// provideAgain is the job's. The node's own record ends ProviderTTL after its last announcement as those of others do; so
// it lives for as long as it is announced, and dies if the job is turned off.
func (k *Kademlia) provideAgain(now Time, own ProviderRecord, out *Output) {
	own.Received, own.Expires = now, k.providerExpiry(now)
	_ = k.keeping().AddProvider(own) // it is there: it takes no room
	k.advance(now, k.newJob(now, ResRepublishProvider, own.Key, out), out)
}

// providerExpiry is when a provider record that is announced now ends; 0: never.
func (k *Kademlia) providerExpiry(now Time) Time {
	if k.cfg.ProviderTTL < 0 {
		return 0
	}
	return now + Time(k.cfg.ProviderTTL)
}

// ownProvider is this node's own provider record for a key.
func (k *Kademlia) ownProvider(key []byte) (ProviderRecord, bool) {
	for _, r := range k.store.Providers(key, nil) {
		if r.Provider == k.self {
			return r, true
		}
	}
	return ProviderRecord{}, false
}

// provideHere stores this node's own provider record. The limits of the store hold for others; the node itself finds room
// as long as they take any: whoever fills the list of a key, or the store with keys, must not keep us from telling what
// we have. In a list the one that came last makes room; of keys that others alone provide, the one farthest from us.
func (k *Kademlia) provideHere(rec ProviderRecord) error {
	err := k.keeping().AddProvider(rec)
	if err == ErrMaxProviderKeys && k.dropFarthestKey() {
		err = k.keeping().AddProvider(rec)
	}
	if err != nil {
		return err
	}
	list := k.store.Providers(rec.Key, nil)
	if slices.ContainsFunc(list, func(r ProviderRecord) bool { return r.Provider == k.self }) {
		return nil
	}
	k.store.RemoveProvider(rec.Key, list[len(list)-1].Provider)
	return k.keeping().AddProvider(rec)
}

// dropFarthestKey forgets the key farthest from this node among those that it does not provide itself; false if there is
// none. It hashes 1024 keys at the most by default, which takes 0.1 ms, and only when the store is full.
func (k *Kademlia) dropFarthestKey() bool {
	var farthest, last []byte
	var far Key
	foreign := false // whether last is provided by others alone, as far as it has been seen
	consider := func() {
		if foreign {
			if at := KeyOf(last); farthest == nil || k.table.local.Compare(&far, &at) < 0 {
				farthest, far = last, at
			}
		}
	}
	for r := range k.store.AllProviders() { // key by key
		if !bytes.Equal(r.Key, last) {
			consider()
			last, foreign = r.Key, true
		}
		foreign = foreign && r.Provider != k.self
	}
	consider()
	for _, r := range k.store.Providers(farthest, nil) {
		k.store.RemoveProvider(farthest, r.Provider)
	}
	return farthest != nil
}

// endProviding goes on from finding the nearest to telling them, and from that to the end. A peer counts when the message
// is on the wire, not when it is handed over: one that cannot be dialled has not been told. With nobody to tell, the
// node provides by itself.
func (k *Kademlia) endProviding(now Time, q *query, late bool, out *Output) (over bool) {
	if q.phase == looking && !late && !q.cancelled && len(q.closest) > 0 {
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

// getProviders looks for providers of a key; those that this node knows of are told first. If N of them are enough for the
// application, the Step that has brought so many ends the query and asks nobody more; the first one asks nobody at all if
// this node knows of N.
func (k *Kademlia) getProviders(now Time, in *Input, out *Output) {
	q := k.begin(now, ResGetProviders, in.Key, out)
	if q == nil {
		return
	}
	q.enough = min(max(in.N, 0), maxProviders)
	k.look(now, q, SendGetProviders, KeyOf(q.key), k.cfg.K, out)
	first := len(out.peers)
	k.appendProviders(now, q.key, out)
	k.tellProviders(now, q, out.since(first), out)
	k.advance(now, q, out)
}

// tellProviders tells the application of providers, and ends a query that has enough.
func (k *Kademlia) tellProviders(now Time, q *query, found []PeerInfo, out *Output) {
	if len(found) == 0 {
		return
	}
	k.event(now, q, false, out).Providers = found
	q.providers += len(found)
	for i := range found {
		if len(q.named) == q.enough {
			break
		}
		key := KeyOf(found[i].ID)
		if at := key.Prefix64(); !slices.Contains(q.named, at) {
			q.named = append(q.named, at)
		}
	}
	if q.enough > 0 && len(q.named) == q.enough {
		q.search.Finish()
	}
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
		if len(info.ID) > 0 {
			info.Addrs = out.keep(info.Addrs)
			out.peers = append(out.peers, info)
		}
	}
	out.peers = out.peers[:first+onlyFirst(out.peers[first:])]
	k.tellProviders(now, q, out.since(first), out)
}

// onlyFirst moves those peers to the front that no other before them is the same as, in their order, and says how many they
// are. Repetitions are found by sorting, so that 1024 peers, who may all be made up, take 0.2 ms and not 5.
func onlyFirst(peers []PeerInfo) int {
	order := make([]int, len(peers))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(peers[a].ID, peers[b].ID), a-b)
	})
	again := make([]bool, len(peers))
	for i := 1; i < len(order); i++ {
		again[order[i]] = bytes.Equal(peers[order[i]].ID, peers[order[i-1]].ID)
	}
	n := 0
	for i := range peers {
		if !again[i] {
			peers[n] = peers[i]
			n++
		}
	}
	return n
}
