package kad

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// giver is a configuration in which the jobs alone run, at intervals that differ.
func giver() Config {
	cfg := quiet(Config{Mode: ModeServer})
	cfg.ReplicationInterval, cfg.PublicationInterval, cfg.ProvideInterval = Hour, 22*Hour, 12*Hour
	return cfg
}

// hold stores a record, as the publisher says: this node itself if it is empty.
func (l *lone) hold(key, publisher string, expires Time) {
	if publisher == "" {
		publisher = "local"
	}
	rec := Record{Key: []byte(key), Value: []byte("v"), Publisher: []byte(publisher), Received: l.now, Expires: expires}
	require.NoError(l.t, l.k.Store().Put(StoredRecord{Record: rec}))
}

// runs are the queries that ran since the last call, by kind, with how many.
func (l *lone) runs() map[ResultKind]int {
	n := map[ResultKind]int{}
	for _, e := range l.ended {
		n[e.Result]++
	}
	l.ended = nil
	return n
}

// A job is not under way before its interval is over, and never if it is turned off.
func TestNewJobDoesNotRun(t *testing.T) {
	l := newLone(t, giver())
	require.Zero(t, l.k.jobs.running)
	for kind := range numJobs {
		j := &l.k.jobs.list[kind]
		require.Nil(t, j.run)
		require.Equal(t, loneStart, j.since)
		interval := Time(l.k.interval(kind))
		require.LessOrEqual(t, j.next, loneStart+interval)
		require.GreaterOrEqual(t, j.next, loneStart+interval-interval/10)
	}
	require.Equal(t, l.k.jobs.list[jobReplicate].next, l.k.jobsWake())
	l.hold("own", "", 0)
	l.step(Input{Kind: OpStartProviding, Key: []byte("own")})
	l.runs()
	l.pass(10*Hour + 47*Minute)
	require.Empty(t, l.runs())
	l.pass(12 * Hour)
	require.Equal(t, map[ResultKind]int{ResRepublishRecord: 1, ResRepublishProvider: 1}, l.runs())

	off := newLone(t, quiet(Config{Mode: ModeServer}))
	off.hold("own", "", 0)
	require.Zero(t, off.k.jobsWake())
	off.pass(100 * Hour)
	require.Empty(t, off.runs())
}

// Nodes that start at the same instant do not begin their runs at the same instant, nor one node all of its own in step.
func TestJobsOfManyNodesSpread(t *testing.T) {
	moments := map[Time]bool{}
	cfg := giver()
	for i := range 100 {
		k, err := New(fmt.Appendf(nil, "node %d", i), NewDirectory(), cfg)
		require.NoError(t, err)
		k.Step(loneStart, Input{Kind: Tick}, new(Output))
		moments[k.jobs.list[jobReplicate].next/Time(Second)] = true
	}
	require.Greater(t, len(moments), 70, "of 360 seconds")
}

// A node that starts with something of its own in its store, as a journal brings it, gives it out soon and from then on at its
// intervals; what it holds for others has time. Without anything of its own nothing is soon.
func TestOwnKeysAfterRestart(t *testing.T) {
	for _, have := range []string{"", "record", "provider", "record of another", "provider, but no job"} {
		cfg := giver()
		if have == "provider, but no job" {
			cfg.ProvideInterval = -1
		}
		l := &lone{t: t, k: newNode(t, cfg), now: loneStart}
		var want map[ResultKind]int
		switch have {
		case "record":
			l.hold("k", "", 0)
			want = map[ResultKind]int{ResRepublishRecord: 1}
		case "record of another":
			l.hold("k", "another", 0)
		case "provider", "provider, but no job":
			own := ProviderRecord{Key: []byte("k"), Provider: l.k.self, Received: 1, Expires: l.now + Time(Hour)}
			require.NoError(t, l.k.Store().AddProvider(own))
			if cfg.ProvideInterval > 0 {
				want = map[ResultKind]int{ResRepublishProvider: 1}
			}
		}
		l.step(Input{Kind: Tick})
		l.peer()
		l.runs()
		l.pass(afterRestart - afterRestart/10 - 1)
		require.Empty(t, l.runs(), have)
		l.pass(afterRestart/10 + 1)
		if got := l.runs(); want != nil || len(got) > 0 {
			require.Equal(t, want, got, have)
		}
		l.pass(10 * Hour)
		got := l.runs()
		delete(got, ResNone) // the record of another is replicated
		require.Empty(t, got, have)
		l.pass(12 * Hour)
		got = l.runs()
		delete(got, ResNone)
		require.Equal(t, len(want), len(got), have)
	}
}

// Records: own ones are published, those of others replicated with the end that they have, and what has expired is gone.
func TestRunPutRecordJob(t *testing.T) {
	cfg := giver()
	cfg.PublicationInterval = Hour
	l := newLone(t, cfg)
	l.peer()
	l.now++
	for i := range 10 {
		l.hold(fmt.Sprintf("own %d", i), "", 0)
		l.hold(fmt.Sprintf("own that ends %d", i), "", l.now+Time(50*Hour))
		l.hold(fmt.Sprintf("other's %d", i), "other", l.now+Time(50*Hour))
		l.hold(fmt.Sprintf("expired %d", i), "other", l.now+Time(Minute))
	}
	for r := range l.k.Store().Records() { // as if a journal had brought them
		r.Received = 1
		require.NoError(t, l.k.Store().Put(r))
	}
	l.hang = true
	ends := map[string]Time{}
	var events int
	for n, end := 0, l.now+Time(Hour); l.now < end; n++ {
		require.Less(t, n, 1000)
		l.now = min(end, max(l.now, l.k.Wake()))
		l.step(Input{Kind: Tick})
		events += len(l.out.Events)
		for _, q := range l.k.queries {
			if _, seen := ends[string(q.key)]; !seen {
				ends[string(q.key)] = q.record.Expires - l.now
			}
			require.Equal(t, All, q.quorum)
			require.Equal(t, "v", string(q.record.Value))
			require.Zero(t, q.record.Received)
			if q.kind == ResNone {
				require.Equal(t, "other", string(q.record.Publisher))
			} else {
				require.Equal(t, ResRepublishRecord, q.kind)
				require.Equal(t, "local", string(q.record.Publisher))
			}
		}
	}
	require.Len(t, ends, 30)
	for key, left := range ends {
		if key[:4] == "own " && key[4] < 'a' {
			require.Equal(t, Time(48*Hour), left, key)
		} else {
			require.Less(t, left, Time(50*Hour), key)
			require.Greater(t, left, Time(48*Hour), key)
		}
	}
	own, _ := l.k.Store().Get([]byte("own 1"))
	require.Zero(t, own.Expires, "what is stored here stays as it is")
	require.Zero(t, l.k.jobs.running+events-20, "20 of the node's own have told of their end, and all have ended")
	_, ok := l.k.Store().Get([]byte("expired 1"))
	require.False(t, ok)
}

// Provider records: those of this node are announced again, those of others and those that have expired are not. The own
// ones live for as long as they are announced, and no longer.
func TestRunAddProviderJob(t *testing.T) {
	cfg := giver()
	cfg.ProviderTTL = 13 * Hour
	l := newLone(t, cfg)
	l.peer()
	for i := range 10 {
		other := PeerInfo{ID: []byte("other"), Addrs: Addrs("\x12\x01x")}
		key := fmt.Appendf(nil, "key %d", i)
		l.step(Input{Kind: AddProvider, Peer: other, Key: key, Providers: []PeerInfo{other}})
		if i%2 == 0 {
			l.step(Input{Kind: OpStartProviding, Key: key})
		}
	}
	l.runs()
	l.pass(12 * Hour)
	require.Equal(t, map[ResultKind]int{ResRepublishProvider: 5}, l.runs())
	l.pass(100 * Hour)
	require.InDelta(t, 5*8, l.runs()[ResRepublishProvider], 5)
	require.Len(t, slices.Collect(l.k.Store().AllProviders()), 5, "those of the other have expired")
	for i := range 10 {
		_, provided := l.k.ownProvider(fmt.Appendf(nil, "key %d", i))
		require.Equal(t, i%2 == 0, provided)
	}
	l.step(Input{Kind: OpStopProviding, Key: []byte("key 2")})
	l.pass(12 * Hour)
	require.Equal(t, 4, l.runs()[ResRepublishProvider])

	cfg.ProvideInterval = -1
	off := newLone(t, cfg)
	off.step(Input{Kind: OpStartProviding, Key: []byte("key")})
	off.pass(13*Hour - 1)
	require.NotEmpty(t, slices.Collect(off.k.Store().AllProviders()))
	off.pass(1)
	require.Empty(t, slices.Collect(off.k.Store().AllProviders()))
}

// Limits.JobQueries run at once and Limits.JobStarts begin in one Step, and yet every key has its turn and no Tick is for
// nothing. A run whose end comes after the next is due is followed by that at once.
func TestJobLimits(t *testing.T) {
	cfg := giver()
	cfg.PublicationInterval = 2 * Minute
	cfg.Limits = Limits{JobQueries: 7, JobStarts: 3}
	l := newLone(t, cfg)
	l.peer()
	for i := range 100 {
		l.hold(fmt.Sprintf("key %02d", i), "", 0)
	}
	l.hang = true
	ticks, most, seen := 0, 0, []string{}
	for first := l.k.jobs.list[jobPublish].next; len(l.k.jobs.list[jobPublish].keysLeft()) > 0 || l.now < first; ticks++ {
		require.Less(t, ticks, 1000)
		l.now = max(l.now, l.k.Wake())
		last := l.k.lastQuery
		l.step(Input{Kind: Tick})
		require.LessOrEqual(t, l.k.lastQuery-last, QueryID(3))
		for _, q := range l.k.queries {
			if q.id > last {
				seen = append(seen, string(q.key))
			}
		}
		most = max(most, l.k.jobs.running)
		require.Equal(t, len(l.k.queries), l.k.jobs.running)
		if l.k.jobs.list[jobPublish].run != nil {
			require.Equal(t, l.k.jobs.running == 7, l.k.jobsWake() > l.now, "full, or there is something to do")
		}
	}
	require.Equal(t, 7, most)
	require.Len(t, seen, 100)
	require.True(t, slices.IsSorted(seen), "in the order of the keys")
	require.Less(t, ticks, 100+100/7*8, "a Tick begins queries or ends them")
	run, began := l.k.jobs.list[jobPublish], l.now
	require.Less(t, run.next, began, "15 times 10 s are more than two minutes")
	l.pass(10 * Second)
	require.Greater(t, l.k.jobs.list[jobPublish].since, began-1, "so the next one has begun")
}

// keysLeft are those of the run that is under way.
func (j *job) keysLeft() [][]byte {
	if j.run == nil {
		return nil
	}
	return j.run.keys
}

// Half of the queries are the application's, whatever the jobs have to do; and jobs leave theirs to it when it has more.
func TestJobsLeaveRoom(t *testing.T) {
	cfg := giver()
	cfg.Limits = Limits{Queries: 10}
	l := newLone(t, cfg)
	l.peer()
	for i := range 100 {
		l.hold(fmt.Sprintf("key %02d", i), "", 0)
	}
	l.hang = true
	l.now = l.k.jobs.list[jobPublish].next
	l.step(Input{Kind: Tick})
	require.Len(t, l.k.queries, 5)
	for range 5 {
		require.NotZero(t, l.step(Input{Kind: OpGetClosestPeers, Key: []byte("k")}))
	}
	l.step(Input{Kind: OpGetClosestPeers, Key: []byte("k")})
	require.ErrorIs(t, l.out.Err, ErrTooManyQueries)
	id := l.k.queries[0].id
	require.True(t, l.k.queries[0].job)
	l.step(Input{Kind: OpFinish, Query: id}) // it was looking: it goes on to give, and has found nobody
	require.Equal(t, 4, l.k.jobs.running)
	require.NotZero(t, l.step(Input{Kind: OpGetClosestPeers, Key: []byte("k")}))
	require.Greater(t, l.k.jobsWake(), l.now, "there is no room for another, and nothing to be done at once")
	l.hang = false
	l.pass(5 * Minute)
	require.Empty(t, l.k.queries)
	require.Equal(t, 100, l.runs()[ResRepublishRecord])
}

// A run of more keys than it holds at a time takes them batch by batch, each once, whatever the store's own order is.
func TestRunInBatches(t *testing.T) {
	cfg := giver()
	cfg.Limits.Records = 3*maxBatch + 1
	l := newLone(t, cfg)
	want := 2*maxBatch + 100
	for i := range want {
		l.hold(fmt.Sprintf("key %04d", (i*1234567)%10_000), "", 0)
	}
	l.now = l.k.jobs.list[jobPublish].next
	for n := 0; l.k.jobsWake() <= l.now; n++ {
		require.Less(t, n, want)
		l.step(Input{Kind: Tick})
		require.LessOrEqual(t, len(l.k.jobs.list[jobPublish].keysLeft()), maxBatch)
	}
	keys := map[string]bool{}
	for _, e := range l.ended {
		keys[string(e.Key)] = true
	}
	require.Len(t, keys, want)
	require.Len(t, l.ended, want)
}

// What has gone since the run began is skipped: removed, expired, of another by now, or, of another, just come.
func TestRunSkipsWhatHasGone(t *testing.T) {
	cfg := giver()
	cfg.PublicationInterval, cfg.ProvideInterval = Hour, Hour
	cfg.Limits = Limits{JobStarts: 1}
	l := newLone(t, cfg)
	l.peer()
	l.now++
	for _, key := range []string{"a", "removed", "expires", "another's", "z"} {
		l.hold(key, "", 0)
		require.NoError(t, l.k.provideHere(ProviderRecord{Key: []byte(key), Provider: l.k.self}))
		l.hold("other's "+key, "other", 0)
	}
	for r := range l.k.Store().Records() {
		r.Received = 1
		require.NoError(t, l.k.Store().Put(r))
	}
	for kind := range numJobs {
		l.k.jobs.list[kind].next = l.now
	}
	l.step(Input{Kind: Tick})
	for _, prefix := range []string{"", "other's "} {
		l.k.Store().Remove([]byte(prefix + "removed"))
		rec, _ := l.k.Store().Get([]byte(prefix + "expires"))
		rec.Expires = l.now
		require.NoError(t, l.k.Store().Put(rec))
	}
	l.hold("another's", "other", 0)
	l.hold("other's another's", "other", 0) // it has come again
	l.k.Store().RemoveProvider([]byte("removed"), l.k.self)
	require.NoError(t, l.k.Store().AddProvider(ProviderRecord{Key: []byte("expires"), Provider: l.k.self, Expires: l.now}))
	began := map[string]bool{"a": true}
	l.hang = true
	for n := 0; l.k.jobsWake() <= l.now; n++ {
		require.Less(t, n, 100)
		l.k.work(l.now, &l.out)
		for _, q := range l.k.queries {
			began[fmt.Sprint(q.kind, " ", string(q.key))] = true
		}
	}
	for _, q := range []string{
		fmt.Sprint(ResRepublishRecord, " z"), fmt.Sprint(ResRepublishProvider, " z"), fmt.Sprint(ResNone, " other's a"),
		fmt.Sprint(ResNone, " other's z"), fmt.Sprint(ResRepublishProvider, " another's"), fmt.Sprint(ResRepublishProvider, " a"),
	} {
		require.True(t, began[q], q)
		delete(began, q)
	}
	require.Equal(t, map[string]bool{"a": true}, began, "and no others")
}

// What came since the last run is replicated by whoever did not get it; what the store refused does not count as come.
func TestReplicationSkipsWhatCame(t *testing.T) {
	cfg := giver()
	cfg.Limits = Limits{Records: 1}
	l := newLone(t, cfg)
	l.peer()
	put := func(key, value string) {
		v, err := Validate(AcceptAll{}, Record{Key: []byte(key), Value: []byte(value), Publisher: []byte("other")}, l.now)
		require.NoError(t, err)
		l.step(Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("other")}, Valid: v})
	}
	replicated := func() int {
		last := l.k.lastQuery
		l.pass(Duration(l.k.jobs.list[jobReplicate].next - l.now))
		return int(l.k.lastQuery - last)
	}
	put("k", "v")
	require.Equal(t, RespondPutRecord, l.out.Commands[0].Kind)
	require.Equal(t, 0, replicated(), "it came since the start")
	put("k", string(make([]byte, 70_000))) // too large
	require.Equal(t, Reset, l.out.Commands[0].Kind)
	require.Equal(t, 1, replicated(), "what was refused has not come")
	require.Equal(t, 1, replicated(), "and again, after each interval")
	put("k", "v")
	require.Equal(t, 0, replicated(), "it came from another holder")
	require.Equal(t, 1, replicated())
	require.Empty(t, l.ended, "and nobody is told")
}
