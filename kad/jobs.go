package kad

import (
	"bytes"
	"slices"
)

// What a node gives out again by itself, so that it outlives those who hold it: its own records every PublicationInterval,
// its own provider records every ProvideInterval, and the records of others, whose holders come and go, every
// ReplicationInterval (the paper's 2.5; libp2p-kad L287-L314 for providers). Each key is a query as the operation would
// begin it, with a quorum of All and its place among Limits.Queries. What fails is tried again when the next interval
// is over.
//
// Of the K holders of a record one replicates it in an interval, not each: a record that has come since the last run was
// stored at the others too, so whoever got it leaves it out. What says so is the record's own Received, which stands in the
// store and nowhere else: a record that was refused leaves no trace (libp2p-kad keeps a set of keys, which also grows with
// what its store refuses).
//
// A run begins up to a tenth of its interval early, by the node's own chance, anew each time. For nodes that started at the
// same instant, as those of a simulation do, that spreads an hour's replication over six minutes, 18 s from one of 20
// holders to the next: each has the copy of the first before its own turn. Early and not late, since an interval is a
// promise: nothing is left alone for longer.

// jobKind names a job. Those of the node itself come first: they are promises to the application.
type jobKind uint8

const (
	jobPublish   jobKind = iota // own records: ResRepublishRecord
	jobProvide                  // own provider records: ResRepublishProvider
	jobReplicate                // others' records: nobody is told
	numJobs
)

// jobs are the three of a node, and how many queries they have under way.
type jobs struct {
	list    [numJobs]job
	running int
}

// job says when a job runs. A run that takes longer than its interval is followed by the next at once.
type job struct {
	next  Time // when its next run begins; 0: it is turned off, or no Step has been yet
	since Time // when the last one began; before the first, the first Step
	run   *run // what is under way, or nil
}

// run is what is left of a run: a snapshot, taken batch by batch in the order of the keys' bytes, which no change of the
// store upsets. What has gone meanwhile is skipped.
type run struct {
	last Time     // when the run before it began
	keys [][]byte // still to be done; they are the store's, which never overwrites them
	more bool     // there are others beyond these
}

// maxBatch is how many keys of a run are held at a time: as many records as a store holds by default, at 24 bytes each.
const maxBatch = 1024

// interval is how often a job runs; negative: never.
func (k *Kademlia) interval(kind jobKind) Duration {
	return [numJobs]Duration{k.cfg.PublicationInterval, k.cfg.ProvideInterval, k.cfg.ReplicationInterval}[kind]
}

// within is a moment of the last tenth of an interval from now, 0 for an interval that is turned off.
func (k *Kademlia) within(now Time, interval Duration) Time {
	if interval < 0 {
		return 0
	}
	early := k.rng.Uint64() % uint64(interval/10+1)
	return now + Time(interval) - Time(early)
}

// afterRestart is when what a node has brought with it from an earlier life is given out. Nobody knows how long it was away, and
// one that starts anew each night would never get to the end of an interval. The table is filled by then.
const afterRestart = 2 * Minute

// startJobs is called by the first Step: each job's first run comes one interval later, unless a journal has filled the store
// with something of the node's own.
func (k *Kademlia) startJobs(now Time) {
	for kind := range numJobs {
		j := &k.jobs.list[kind]
		j.since, j.next = now, k.within(now, k.interval(kind))
		var own run
		if kind != jobReplicate && j.next != 0 {
			k.collect(now, kind, &own, nil)
		}
		if len(own.keys) > 0 {
			j.next = earlier(j.next, k.within(now, afterRestart))
		}
	}
}

// jobsWake is when a job wants a Tick. While a run has all the queries that it may have, it waits for one of them to end.
func (k *Kademlia) jobsWake() Time {
	var at Time
	for i := range k.jobs.list {
		switch j := &k.jobs.list[i]; {
		case j.run == nil:
			at = earlier(at, j.next)
		case k.roomForJob():
			at = earlier(at, j.since)
		}
	}
	return at
}

// roomForJob says whether a job may begin a query: at most half of those that may run at once are theirs, so that the
// application always finds a place.
func (k *Kademlia) roomForJob() bool {
	l := &k.cfg.Limits
	return k.jobs.running < min(l.JobQueries, l.Queries/2) && len(k.queries) < l.Queries
}

// work does what is due of the jobs, Limits.JobStarts keys in one Step; Wake then lies in the past. Each key that is looked
// at counts, so that a run whose keys have all gone is no long Step either.
func (k *Kademlia) work(now Time, out *Output) {
	starts := k.cfg.Limits.JobStarts
	for kind := range numJobs {
		j := &k.jobs.list[kind]
		if j.run == nil && j.next != 0 && j.next <= now {
			j.run = &run{last: j.since}
			j.since, j.next = now, k.within(now, k.interval(kind))
			k.collect(now, kind, j.run, nil)
		}
		for ; starts > 0 && j.run != nil && len(j.run.keys) > 0 && k.roomForJob(); starts-- {
			key := j.run.keys[0]
			j.run.keys = j.run.keys[1:]
			k.giveOut(now, kind, j.run, key, out)
			if len(j.run.keys) == 0 && j.run.more {
				k.collect(now, kind, j.run, key)
			}
		}
		if j.run != nil && len(j.run.keys) == 0 {
			j.run = nil
		}
	}
}

// collect takes the next keys of a run: the first maxBatch after a given one of those that are to be given out.
func (k *Kademlia) collect(now Time, kind jobKind, r *run, after []byte) {
	r.keys, r.more = nil, false
	add := func(key []byte) {
		if bytes.Compare(key, after) <= 0 {
			return
		}
		if r.keys = append(r.keys, key); len(r.keys) == 2*maxBatch {
			r.cut()
		}
	}
	if kind == jobProvide {
		for p := range k.store.AllProviders() {
			if p.Provider == k.self {
				add(p.Key)
			}
		}
	} else {
		for rec := range k.store.Records() {
			if k.toGiveOut(now, kind, r, &rec) {
				add(rec.Key)
			}
		}
	}
	r.cut()
}

// cut sorts a run's keys and leaves what is beyond a batch for later.
func (r *run) cut() {
	slices.SortFunc(r.keys, bytes.Compare)
	if len(r.keys) > maxBatch {
		clear(r.keys[maxBatch:])
		r.keys, r.more = r.keys[:maxBatch], true
	}
}

// toGiveOut says whether a record belongs to a run of its job.
func (k *Kademlia) toGiveOut(now Time, kind jobKind, r *run, rec *StoredRecord) bool {
	own := bytes.Equal(rec.Publisher, k.dir.ID(k.self))
	return !expired(rec.Expires, now) && own == (kind == jobPublish) && (own || rec.Received < r.last)
}

// giveOut begins the query for one key, unless what it stands for has gone since the run began or, of a record of another,
// has just come from another holder.
func (k *Kademlia) giveOut(now Time, kind jobKind, r *run, key []byte, out *Output) {
	if kind == jobProvide {
		if own, ok := k.ownProvider(key); ok && !expired(own.Expires, now) {
			k.provideAgain(now, own, out)
		}
		return
	}
	rec, ok := k.store.Get(key)
	if !ok || !k.toGiveOut(now, kind, r, &rec) {
		return
	}
	res := ResNone
	if kind == jobPublish {
		res = ResRepublishRecord
	}
	q := k.newJob(now, res, key, out)
	// What is stored is replaced and never overwritten, so the query may refer to it.
	q.quorum, q.record.Record = All, rec.Record
	q.record.Key, q.record.Received = q.key, 0
	q.record.Expires = k.sentExpiry(now, rec.Expires)
	k.advance(now, q, out)
}

// newJob begins a query of a job, with a lookup of the peers nearest to its key.
func (k *Kademlia) newJob(now Time, kind ResultKind, key []byte, out *Output) *query {
	q := k.newQuery(now, kind, key, out)
	q.job = true
	k.jobs.running++
	k.look(now, q, SendFindNode, KeyOf(q.key), k.cfg.K, out)
	return q
}
