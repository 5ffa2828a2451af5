package kad

// A table that is there from the beginning: the ideal one of a simulation, or one that was written down. Filling it by the
// protocol costs some 300 requests; this costs 20 µs.

// Seen is a peer of a table, and when it was last heard of.
type Seen struct {
	Peer Peer
	At   Time
}

// Restore gives peers places in the table of a node that has not been stepped yet, in their order, as long as their buckets
// have room: nearer ones last is quickest. Nobody is told, and nothing begins because of it: the node goes on as one that has
// run for a while, at any moment of its BootstrapInterval and of the jobs'. It returns how many have a place.
func (k *Kademlia) Restore(now Time, peers []Seen) int {
	k.table.grow(len(peers))
	for _, s := range peers {
		if res, _ := k.table.Insert(s.At, s.Peer, false, 0); res == Inserted && k.probing() {
			k.probes.next = earlier(k.probes.next, s.At+Time(k.cfg.ProbeInterval))
		}
	}
	if k.table.Len() > 0 {
		k.schedule.periodic = k.anywhere(now, k.cfg.BootstrapInterval)
	}
	k.started = true
	k.startJobs(now)
	for kind := range numJobs {
		k.jobs.list[kind].next = k.anywhere(now, k.interval(kind))
	}
	return k.table.Len()
}

// anywhere is any moment of an interval from now, 0 for one that is turned off.
func (k *Kademlia) anywhere(now Time, interval Duration) Time {
	if interval < 0 {
		return 0
	}
	return now + 1 + Time(k.rng.Uint64()%uint64(interval))
}

// grow makes room for n more peers and no more, where appending would double a slab of 5 KB.
func (t *Table) grow(n int) {
	entries := make([]entry, len(t.entries), len(t.entries)+n)
	copy(entries, t.entries)
	t.entries = entries
}
