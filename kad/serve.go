package kad

import (
	"bytes"
	"slices"
)

// How each of the six requests is answered. A request that is refused gets Reset and no reply. Each request has exactly one
// response, in the Output of its own Step (but for those that are held, see held.go), and one that was served exactly one
// InboundRequest event. Nothing here asks anybody, starts a query or changes the table: a request costs its sender more
// than it costs us. Nothing is allocated either, once the Output is warm, but for what is stored or held.

// maxSoughtKey is the longest key that is looked for. A key is hashed under the host's lock: 16 KiB take some 12 µs, and the
// 4 MiB that fit in a frame 3 ms. No peer id, CID or name has more than a few hundred bytes, and libp2p-kad, whose frames
// end at 16 KiB, could never ask for more.
const maxSoughtKey = 16 << 10

// sought says whether a key is one that is looked for: not empty (libp2p-kad L490), and not too long.
func sought(key []byte) bool { return len(key) > 0 && len(key) <= maxSoughtKey }

// serveFindNode answers with the K nearest of the table, without the asker and this node. Whoever's id is the key is
// added if anything is known of it, be it a client or reachable at private addresses only (ipfs-kad L427-L432). Peers
// without an address are of no use to the asker and left out.
func (k *Kademlia) serveFindNode(now Time, in *Input, out *Output) {
	if !sought(in.Key) {
		k.refuse(in, out)
		return
	}
	asker := in.Peer.Peer
	first := len(out.peers)
	k.appendCloser(now, in.Key, asker, out)
	k.appendNamed(in, asker, first, out)

	cmd := k.respond(RespondFindNode, in, out)
	cmd.Closer = out.since(first)
	k.inbound(in, out).NumCloser = len(cmd.Closer)
}

// appendCloser adds the K nearest peers of the table to the arena, without those of whom it is doubtful whether they live
// (ipfs-kad L307-L308: unresponsive nodes are not to be served): in the first seconds after many have died, whoever asks several
// of us would hear of the same dead from all. Where fewer than K are beyond doubt, the doubtful are told, too.
func (k *Kademlia) appendCloser(now Time, key []byte, asker Peer, out *Output) {
	target := KeyOf(key)
	out.handles = k.doubtful(now, append(out.handles[:0], asker))
	out.near = k.table.Nearest(out.near[:0], &target, k.cfg.K, out.handles...)
	if len(out.near) < k.cfg.K && len(out.handles) > 1 {
		out.near = k.table.Nearest(out.near[:0], &target, k.cfg.K, asker)
	}
	for _, n := range out.near {
		if k.dir.frozen || len(k.dir.Addrs(n.Peer)) > 0 {
			out.peers = append(out.peers, PeerInfo{})
			k.tell(&out.peers[len(out.peers)-1], n)
		}
	}
}

// appendNamed adds the peer whose id the key is, unless it is among those after first.
func (k *Kademlia) appendNamed(in *Input, asker Peer, first int, out *Output) {
	if len(in.Key) > maxIDBytes {
		return
	}
	named := k.dir.Find(in.Key)
	if k.dir.frozen {
		k.appendNamedHandle(named, asker, first, out)
		return
	}
	info := PeerInfo{Peer: named, ID: in.Key, Addrs: in.Target.Addrs}
	switch {
	case named == 0:
	case named == k.self:
		info = k.Self()
	default:
		for _, p := range out.peers[first:] {
			if p.Peer == named {
				return
			}
		}
		info.ID = k.dir.ID(named)
		info.Addrs = out.merge(k.dir.Addrs(named), in.Target.Addrs)
		if named == asker {
			info.Addrs = out.merge(info.Addrs, in.Peer.Addrs)
		}
		if k.connected(named) {
			info.Connection = Connected
		}
	}
	if len(info.Addrs) > 0 {
		out.peers = append(out.peers, info)
	}
}

// appendNamedHandle is appendNamed where a frozen Directory knows everybody: this node knows itself, the asker, and whom it is
// connected to or has in its table.
func (k *Kademlia) appendNamedHandle(named, asker Peer, first int, out *Output) {
	if named == 0 {
		return
	}
	if named != k.self && named != asker && !k.connected(named) {
		if present, _ := k.table.Contains(named); !present {
			return
		}
	}
	if !slices.ContainsFunc(out.peers[first:], func(p PeerInfo) bool { return p.Peer == named }) {
		out.peers = append(out.peers, k.dir.Info(named))
	}
}

// serveGetRecord answers with the record, unless it has expired, and always with the nearest peers (libp2p-kad L494).
func (k *Kademlia) serveGetRecord(now Time, in *Input, out *Output) {
	if !sought(in.Key) {
		k.refuse(in, out)
		return
	}
	first := len(out.peers)
	k.appendCloser(now, in.Key, in.Peer.Peer, out)
	rec, ok := k.store.Get(in.Key)
	ok = ok && !expired(rec.Expires, now)

	cmd := k.respond(RespondGetRecord, in, out)
	cmd.Closer = out.since(first)
	if cmd.Found = ok; ok {
		cmd.Record = rec.Record
	}
	ev := k.inbound(in, out)
	ev.NumCloser, ev.Found = len(cmd.Closer), ok
}

// servePutRecord stores a validated record unless a better one is stored, and echoes it (libp2p-kad L498-L500). One that is
// too large for any store here is refused before its key is hashed.
func (k *Kademlia) servePutRecord(now Time, in *Input, out *Output) {
	rec := in.Valid.record
	if !in.Valid.ok || len(rec.Key) > k.cfg.Limits.RecordKeyBytes || len(rec.Value) >= k.cfg.Limits.RecordBytes {
		k.refuse(in, out)
		return
	}
	if k.cfg.FilterRecords {
		k.holdRecord(now, in, out)
		return
	}
	if k.storeReceived(now, in.Valid) != nil {
		k.refuse(in, out)
		return
	}
	k.acknowledgePut(in, rec, out)
	k.tellRecord(k.inbound(in, out), rec, out)
}

// acknowledgePut echoes what was stored.
func (k *Kademlia) acknowledgePut(in *Input, rec Record, out *Output) {
	cmd := k.respond(RespondPutRecord, in, out)
	cmd.Key, cmd.Record, cmd.Found = rec.Key, rec, true
}

// tellRecord puts the record of a request into its event.
func (k *Kademlia) tellRecord(ev *Event, rec Record, out *Output) {
	ev.Key = out.keep(rec.Key)
	ev.Record = Record{Key: ev.Key, Value: out.keep(rec.Value), Publisher: out.keep(rec.Publisher), Expires: rec.Expires}
}

// minDecayedTTL is the least that a record lives here however many nodes are nearer to its key. Halving alone would end
// at nothing, and what was acknowledged would be gone before its writer could read it back.
const minDecayedTTL = 10 * Minute

// storeReceived stores what another node put here. It lives for RecordTTL, halved for each node beyond K that we know to
// be nearer to its key, so that copies far from it fade soon (the paper's 2.5); never longer than its sender said.
func (k *Kademlia) storeReceived(now Time, v Valid) error {
	rec := v.record
	if bytes.Equal(rec.Publisher, k.dir.ID(k.self)) {
		return nil // our own comes back: what we have of it is at least as new
	}
	old, ok := k.store.Get(rec.Key)
	if ok && !expired(old.Expires, now) {
		order := bytes.Compare(v.rank, old.Rank)
		own := bytes.Equal(old.Publisher, k.dir.ID(k.self))
		switch {
		case order < 0 || order == 0 && own && !bytes.Equal(rec.Value, old.Value):
			return ErrWorseRecord
		case order == 0 && own:
			return nil // somebody gives us what we published: it stays ours, and as long as we said
		}
	}
	if ttl := k.cfg.RecordTTL; ttl > 0 {
		if !k.cfg.FlatExpiry {
			target := KeyOf(rec.Key)
			beyond := max(0, k.table.countBetween(&target, k.cfg.K+62)-k.cfg.K)
			ttl = max(ttl>>beyond, min(ttl, minDecayedTTL))
		}
		rec.Expires = earlier(rec.Expires, now+Time(ttl))
	}
	if ok && bytes.Equal(v.rank, old.Rank) && bytes.Equal(rec.Value, old.Value) && !expired(old.Expires, now) {
		rec.Expires = later(rec.Expires, old.Expires) // or anybody could end a record by a copy that is about to expire
	}
	if expired(rec.Expires, now) {
		return nil // it was too late when it came: acknowledged, as libp2p-kad does, and forgotten
	}
	rec.Received = now
	return k.keeping().Put(StoredRecord{Record: rec, Rank: v.rank})
}

// serveGetProviders answers with the providers and the nearest peers (libp2p-kad L503). The asker is listed if it is one
// of them. Addresses are told for ProviderAddrTTL after they were announced; then only those that the table vouches for.
func (k *Kademlia) serveGetProviders(now Time, in *Input, out *Output) {
	if len(in.Key) == 0 || len(in.Key) > k.cfg.Limits.ProviderKeyBytes {
		k.refuse(in, out)
		return
	}
	first := len(out.peers)
	k.appendCloser(now, in.Key, in.Peer.Peer, out)
	mid := len(out.peers)
	k.appendProviders(now, in.Key, out)

	cmd := k.respond(RespondGetProviders, in, out)
	cmd.Closer, cmd.Providers = out.peers[first:mid:mid], out.since(mid)
	ev := k.inbound(in, out)
	ev.NumCloser, ev.NumProviders = len(cmd.Closer), len(cmd.Providers)
}

// appendProviders adds the unexpired providers of a key to the arena.
func (k *Kademlia) appendProviders(now Time, key []byte, out *Output) {
	out.providers = k.store.Providers(key, out.providers[:0])
	for i := range out.providers {
		r := &out.providers[i]
		if expired(r.Expires, now) {
			continue
		}
		info := k.dir.Info(r.Provider)
		info.ID = k.dir.ID(r.Provider) // those of several answers are told apart by it
		switch {
		case r.Provider == k.self:
			info.Addrs = k.Self().Addrs
		case k.cfg.ProviderAddrTTL < 0 || now < r.Received+Time(k.cfg.ProviderAddrTTL):
			info.Addrs = out.merge(r.Addrs, info.Addrs)
		default:
			if present, _ := k.table.Contains(r.Provider); !present {
				info.Addrs = nil
			}
		}
		if k.connected(r.Provider) {
			info.Connection = Connected
		}
		out.peers = append(out.peers, info)
	}
}

// maxOwnEntries is how many entries of one ADD_PROVIDER that name the sender are read. One is usual; a frame of 4 MiB could
// hold thousands, which would be merged under the host's lock.
const maxOwnEntries = 16

// maxProviderAddrBytes is what is kept of the addresses in one provider record, some 30 of them: with 20 providers for each
// of 1024 keys 40 MiB at the most.
const maxProviderAddrBytes = 2 << 10

// names says whether an entry of a message names a peer: by its id, and by its handle only where there is no id.
func (k *Kademlia) names(entry *PeerInfo, p Peer) bool {
	if p == 0 {
		return false
	}
	if len(entry.ID) > 0 {
		return bytes.Equal(entry.ID, k.dir.ID(p))
	}
	return entry.Peer == p
}

// serveAddProvider stores the entries that name the sender: a node can announce nobody but itself (ipfs-kad L494). If
// none does, the message is refused (ipfs-kad L498).
func (k *Kademlia) serveAddProvider(now Time, in *Input, out *Output) {
	asker := k.intern(in.Peer)
	var addrs Addrs
	matches := 0
	for i := range in.Providers {
		if p := &in.Providers[i]; k.names(p, asker) && matches < maxOwnEntries {
			matches++
			addrs = addrs.Merge(p.Addrs)
		}
	}
	if matches == 0 || asker == k.self || len(in.Key) > k.cfg.Limits.ProviderKeyBytes {
		k.refuse(in, out)
		return
	}
	if len(addrs) > maxProviderAddrBytes {
		addrs = addrs.clone(maxProviderAddrBytes)
	}
	in.Peer.Peer = asker
	if k.cfg.FilterRecords {
		k.holdProvider(now, in, addrs, out)
		return
	}
	if k.storeProvider(now, in, addrs) != nil {
		k.refuse(in, out)
		return
	}
	k.acknowledgeProvider(in, addrs, out)
	k.tellProvider(k.inbound(in, out), asker, addrs, out)
}

// storeProvider stores that the asker provides what has the key.
func (k *Kademlia) storeProvider(now Time, in *Input, addrs Addrs) error {
	return k.keeping().AddProvider(ProviderRecord{
		Key: in.Key, Provider: in.Peer.Peer, Addrs: addrs, Received: now, Expires: k.providerExpiry(now),
	})
}

// acknowledgeProvider ends an ADD_PROVIDER that was stored.
func (k *Kademlia) acknowledgeProvider(in *Input, addrs Addrs, out *Output) {
	cmd := k.respond(RespondAddProvider, in, out)
	if k.cfg.EchoAddProvider {
		cmd.Providers = k.providerInfo(in.Peer.Peer, addrs, out)
	}
}

// tellProvider puts the provider of a request into its event.
func (k *Kademlia) tellProvider(ev *Event, asker Peer, addrs Addrs, out *Output) {
	ev.Providers, ev.NumProviders = k.providerInfo(asker, addrs, out), 1
}

func (k *Kademlia) providerInfo(p Peer, addrs Addrs, out *Output) []PeerInfo {
	first := len(out.peers)
	out.peers = append(out.peers, PeerInfo{Peer: p, ID: k.dir.ID(p), Addrs: addrs})
	return out.since(first)
}

// servePing answers, though nobody has to any more (libp2p-kad L511): whoever still pings wants to know
// whether we live.
func (k *Kademlia) servePing(in *Input, out *Output) {
	k.respond(RespondPing, in, out)
	k.inbound(in, out)
}

// respond starts the response to a request.
func (k *Kademlia) respond(kind CommandKind, in *Input, out *Output) *Command {
	cmd := out.command(kind)
	cmd.Request, cmd.Key = in.Request, in.Key
	if p := in.Peer.Peer; p != 0 {
		cmd.Peer = k.dir.Info(p)
	} else {
		cmd.Peer = PeerInfo{ID: in.Peer.ID}
	}
	return cmd
}

// refuse ends a request without a reply (libp2p-kad L391).
func (k *Kademlia) refuse(in *Input, out *Output) { k.respond(Reset, in, out) }

// inbound tells the application of a request that was served.
func (k *Kademlia) inbound(in *Input, out *Output) *Event {
	ev := out.event(InboundRequest)
	ev.Inbound, ev.Key = in.Kind, out.keep(in.Key)
	if p := in.Peer.Peer; p != 0 {
		ev.Peer = k.dir.Info(p)
	} else {
		ev.Peer = PeerInfo{ID: out.keep(in.Peer.ID)}
	}
	return ev
}
