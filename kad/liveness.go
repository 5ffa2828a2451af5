package kad

import "slices"

// Who does not answer leaves the table. A peer whose requests or dials fail EvictAfter times in a row is evicted, and its
// place goes to whoever waits for it (ipfs-kad L314; libp2p-kad never evicts for this, and tables fill with the dead). A
// peer that was not heard of for ProbeInterval is asked whether it lives: a FIND_NODE of our own id, of which nobody is
// told. After a failure the question follows within seconds, so a dead peer leaves soon and a living one is cleared soon.
//
// What counts:
//   - An answer ends the row. A connection does not: whoever accepts connections and answers nothing is of no use.
//   - Failures of one second are one failure: requests that were under way together fail together.
//   - A request that was reset, or answered by rubbish, says as much of the request as of the peer. Only when a probe meets
//     that end is it a failure: each server can answer that one.
//   - The silence of a peer within a query does not count by itself. The host gives up a request after PeerTimeout and says so;
//     where there is none, as in a simulation, the probe finds out within ProbeInterval. So nothing counts twice.
//   - ErrUnsupported evicts at once: it is no server (any more). ErrRefused is our own, and counts for nobody.
//
// A node that has lost its own network must not empty its table: then everybody fails. So a failure is believed only if
// somebody has given a sign of life since the peer's failure before; one that is not believed starts the row anew. Who sets
// EvictAfter to 1 wants no second failure: then a sign of life in the last PeerTimeout before the first will do. No
// table can be emptied by this, since the last peer that is silent has nobody to testify against it. On an idle node nobody
// would testify in either case, so after a failure a witness is asked: the peer that was heard of most recently.

// maxProbes is how many probes may be unanswered at once: with 10 s for each they hold 8 of a host's dials at the most.
const maxProbes = 8

// probeSpread is into how many parts ProbeInterval is cut: one probe begins in each, so that a table which was filled in a
// second, 160 peers of it, is not asked in a second ten minutes later, but over a minute and a half.
const probeSpread = 1024

// probeAgain is how long after a failure the peer is asked again; it doubles with each, up to ProbeInterval.
const probeAgain = 5 * Second

// together is how long after a failure others of the same peer are the same one.
const together = Time(Second)

// probes are the questions to peers of the table, and those of whom doubts are known. Both lists are short, and empty for
// most.
type probes struct {
	asked    []probe
	suspects []suspect
	evicted  []Peer // for their silence, the newest last; nil until there is one
	next     Time   // when the next probe may begin; 0: none is due ever
	life     Time   // when anybody last gave a sign of life
	witness  bool   // one is wanted
}

type probe struct {
	peer     Peer
	query    QueryID
	deadline Time
}

// suspect is a peer of the table that has failed since its last answer.
type suspect struct {
	peer     Peer
	failures uint8 // in a row, that are believed
	tries    uint8 // in a row, believed or not
	last     Time  // failure
	again    Time  // when it is to be probed
}

// wake is when the next probe is due, or an unanswered one has failed.
func (p *probes) wake() Time {
	var at Time
	if len(p.asked) < maxProbes {
		at = p.next
	}
	for i := range p.asked {
		at = earlier(at, p.asked[i].deadline)
	}
	return at
}

// visit marks the peers that are referred to.
func (p *probes) visit(mark func(Peer)) {
	for i := range p.asked {
		mark(p.asked[i].peer)
	}
	for i := range p.suspects {
		mark(p.suspects[i].peer)
	}
	for _, e := range p.evicted {
		mark(e)
	}
}

func (p *probes) suspect(peer Peer) *suspect {
	for i := range p.suspects {
		if p.suspects[i].peer == peer {
			return &p.suspects[i]
		}
	}
	return nil
}

// clear forgets that a peer has failed: it has answered, or it has left the table. So suspects are peers of the table, and who
// enters it anew has no past.
func (p *probes) clear(peer Peer) {
	p.suspects = slices.DeleteFunc(p.suspects, func(s suspect) bool { return s.peer == peer })
}

// take ends the probe of a peer; false if there is none.
func (p *probes) take(peer Peer) bool {
	for i := range p.asked {
		if p.asked[i].peer == peer {
			p.asked = slices.Delete(p.asked, i, i+1)
			return true
		}
	}
	return false
}

// probing says whether peers that fail are ever evicted, and so whether it is of use to ask.
func (k *Kademlia) probing() bool { return k.cfg.EvictAfter > 0 && k.cfg.ProbeInterval > 0 }

// entered notes that a peer has got a place in the table. All ways into the table lead here.
func (k *Kademlia) entered(now Time, p Peer) {
	k.peerEntered(now)
	k.probes.forgetEvicted(p)
	if k.probing() {
		k.probes.next = earlier(k.probes.next, now+Time(k.cfg.ProbeInterval))
	}
}

// signOfLife notes that somebody was heard of, whoever it was: our own network works.
func (k *Kademlia) signOfLife(now Time) { k.probes.life, k.probes.witness = now, false }

// peerAnswered ends a peer's row of failures: it has answered a request. One that was evicted for its silence while its
// connection stood has proved itself anew by that: its handler, which said once that it serves, will not say so again.
func (k *Kademlia) peerAnswered(now Time, p Peer, out *Output) {
	k.signOfLife(now)
	k.table.Touch(now, p)
	k.probes.clear(p)
	if i, ok := k.linkAt(p); ok && k.links[i].silent {
		k.links[i].silent = false
		k.admit(now, p, k.dir.Addrs(p), out)
	}
}

// probeReply takes what belongs to a probe and not to a query.
func (k *Kademlia) probeReply(now Time, in *Input, out *Output) bool {
	p := in.Peer.Peer
	for _, a := range k.probes.asked {
		if a.query != in.Query || a.peer != p {
			continue
		}
		switch in.Kind {
		case FindNodeRes:
			k.probes.take(p)
			k.peerAnswered(now, p, out)
		case QueryError:
			k.peerFailed(now, p, in.Err, out)
		}
		return true
	}
	return false
}

// peerFailed notes that a peer could not be dialled or did not answer, and why, as the host tells it. A host that tells one
// failure twice, as that of a dial and of a request, does no harm.
func (k *Kademlia) peerFailed(now Time, p Peer, why ErrorKind, out *Output) {
	probed := k.probes.take(p)
	switch why {
	case ErrRefused:
		return
	case ErrUnsupported:
		k.evict(now, p, out)
		return
	case ErrReset, ErrInvalid:
		if !probed {
			return
		}
	}
	if present, _ := k.table.Contains(p); !present || k.cfg.EvictAfter < 0 {
		return
	}
	s := k.probes.suspect(p)
	switch {
	case s == nil:
		if k.cfg.EvictAfter == 1 && k.probes.life != 0 && now < k.probes.life+Time(k.cfg.PeerTimeout) {
			k.evictSilent(now, p, out)
			return
		}
		k.probes.suspects = append(k.probes.suspects, suspect{peer: p, failures: 1})
		s = &k.probes.suspects[len(k.probes.suspects)-1]
	case now < s.last+together:
		return
	case k.probes.life <= s.last:
		s.failures = 0
	default:
		s.failures++
		if int(s.failures) >= k.cfg.EvictAfter {
			k.evictSilent(now, p, out)
			return
		}
	}
	s.last = now
	if k.probing() {
		s.again = now + Time(min(probeAgain<<s.tries, k.cfg.ProbeInterval))
		s.tries = min(s.tries+1, 30)
		k.probes.witness = true
		k.probes.next = earlier(k.probes.next, now+together)
	}
}

// doubtful appends those of whom it is not known whether they still live: they have failed since their last answer, or a
// lookup has just lost patience with them.
func (k *Kademlia) doubtful(now Time, dst []Peer) []Peer {
	for i := range k.probes.suspects {
		dst = append(dst, k.probes.suspects[i].peer)
	}
	for i := range k.pacing.stragglers {
		if p := k.pacing.stragglers[i].peer; k.pacing.doubts(now, p, k.cfg) {
			dst = append(dst, p)
		}
	}
	return dst
}

// evictSilent evicts a peer that has failed too often. It may have its place again when it answers.
func (k *Kademlia) evictSilent(now Time, p Peer, out *Output) {
	if i, ok := k.linkAt(p); ok {
		k.links[i].silent = true
	}
	k.evict(now, p, out)
	k.probes.rememberEvicted(p)
}

// evict takes a peer out of the table and tells the application: by RoutingUpdated if somebody waits for the place, else by
// PeerEvicted.
func (k *Kademlia) evict(now Time, p Peer, out *Output) {
	present, _ := k.table.Contains(p)
	k.probes.clear(p)
	k.probes.forgetEvicted(p)
	if !k.table.Remove(p) || !present { // it only waited
		return
	}
	b := k.table.bucketOf(p)
	if next := k.table.takePlace(now, b); next != 0 {
		k.entered(now, next)
		k.routingUpdated(next, p, true, out)
		return
	}
	ev := out.event(PeerEvicted)
	ev.Peer, ev.Bucket = k.dir.Info(p), b
}

// probe gives up on those who have not answered in time, and asks the next whose time has come.
func (k *Kademlia) probe(now Time, out *Output) {
	ps := &k.probes
	for i := 0; i < len(ps.asked); {
		if a := ps.asked[i]; a.deadline <= now {
			k.peerFailed(now, a.peer, ErrTimeout, out) // it takes the probe off the list
			continue
		}
		i++
	}
	if ps.next == 0 || now < ps.next || len(ps.asked) >= maxProbes {
		return
	}
	p, due := k.nextProbe()
	if due != 0 && due <= now {
		k.askWhetherAlive(now, p, out)
		_, due = k.nextProbe()
	}
	if ps.next = due; due != 0 {
		ps.next = max(due, now+Time(k.cfg.ProbeInterval/probeSpread))
	}
}

// nextProbe is the peer whose probe is due first, and when. A witness, if one is wanted, is due at once. It looks at all
// peers of the table, 160 in a network of millions, once for each probe.
func (k *Kademlia) nextProbe() (first Peer, due Time) {
	ps := &k.probes
	var witness entry
	for _, e := range k.table.entries {
		at := e.seen() + Time(k.cfg.ProbeInterval)
		if i := slices.IndexFunc(ps.asked, func(a probe) bool { return a.peer == e.peer }); i >= 0 {
			at = ps.asked[i].deadline // to be looked at again by then, however it ends
		} else if s := ps.suspect(e.peer); s != nil {
			at = s.again
		} else if witness.peer == 0 || e.status > witness.status {
			witness = e
		}
		if due == 0 || at < due {
			first, due = e.peer, at
		}
	}
	if ps.witness && witness.peer != 0 {
		return witness.peer, 1
	}
	return first, due
}

// askWhetherAlive sends a probe. It is no query: it has an id of its own, but is not among those that run, and its answer
// teaches nothing else. Its time is twice that of a request, so that the host, which knows more, is first to tell that it
// failed.
func (k *Kademlia) askWhetherAlive(now Time, p Peer, out *Output) {
	k.probes.witness = false
	k.lastQuery++
	k.probes.asked = append(k.probes.asked, probe{p, k.lastQuery, now + 2*Time(k.cfg.PeerTimeout)})
	cmd := out.command(SendFindNode)
	cmd.Query, cmd.Key, cmd.Peer = k.lastQuery, k.dir.ID(k.self), k.dir.Info(p)
	if k.connected(p) {
		cmd.Peer.Connection = Connected
	}
}
