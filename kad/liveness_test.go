package kad

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// probed steps a node through a time, tick by tick as Wake says, and returns the probes that it sent, with their moments.
func probed(k *Kademlia, now *Time, span Duration) (sent []Command, at []Time) {
	var out Output
	for end := *now + Time(span); ; {
		wake := k.Wake()
		if wake == 0 || wake > end {
			*now = end
			return sent, at
		}
		*now = max(*now, wake)
		k.Step(*now, Input{Kind: Tick}, &out)
		for _, c := range out.Commands {
			if c.Kind == SendFindNode {
				sent, at = append(sent, c), append(at, *now)
			}
		}
	}
}

// liveConfig has nothing but probes.
func liveConfig() Config {
	return Config{Mode: ModeServer, BootstrapInterval: -1, BootstrapThrottle: -1,
		ReplicationInterval: -1, PublicationInterval: -1, ProvideInterval: -1}
}

// filled fills a table in one moment, which it returns. It is past the beginning of the table's time.
func filled(t *testing.T, k *Kademlia, n int) Time {
	now := tableEpoch + Time(Hour)
	var out Output
	for i := range n {
		p := PeerInfo{ID: fmt.Appendf(nil, "peer %d", i)}
		k.Step(now, Input{Kind: OpAddAddress, Peer: p, Addr: fmt.Appendf(nil, "/mem/%d", i)}, &out)
	}
	require.NotZero(t, k.table.Len())
	return now
}

// A table that was filled in one moment is asked little by little, no more than one peer in a 1024th of the interval, and no
// more than 8 are awaited at once; each is asked for our own id, and none of it is a query.
func TestProbesAreSpread(t *testing.T) {
	k := newNode(t, liveConfig())
	now := filled(t, k, 200)
	begin := now
	var out Output
	sent, at := probed(k, &now, 10*Minute+Second)
	require.NotEmpty(t, sent)
	require.Less(t, len(sent), 4)
	for len(sent) < k.table.Len() {
		for _, c := range sent[len(sent)-1:] {
			require.Equal(t, k.dir.ID(k.self), c.Key)
			require.NotEmpty(t, c.Peer.Addrs)
			require.Empty(t, k.queries)
			k.Step(now, Input{Kind: FindNodeRes, Peer: c.Peer, Query: c.Query, Closer: []PeerInfo{{ID: []byte("named")}}}, &out)
			require.Empty(t, out.Events)
		}
		more, when := probed(k, &now, Second/2)
		sent, at = append(sent, more...), append(at, when...)
	}
	seen := map[Peer]bool{}
	for i, c := range sent {
		require.False(t, seen[c.Peer.Peer], "asked twice")
		seen[c.Peer.Peer] = true
		if i > 0 {
			require.GreaterOrEqual(t, at[i]-at[i-1], Time(10*Minute/probeSpread))
		}
	}
	require.Zero(t, k.dir.Find([]byte("named")), "whom the answer to a probe names is not remembered")
	require.Less(t, now, begin+Time(13*Minute))
}

// No answers at all: never more than eight are awaited.
func TestProbesAreBounded(t *testing.T) {
	k := newNode(t, liveConfig())
	now := filled(t, k, 100)
	n := k.table.Len()
	most := 0
	for range 300 {
		probed(k, &now, 10*Second)
		most = max(most, len(k.probes.asked))
	}
	require.Equal(t, maxProbes, most)
	require.Equal(t, n, k.table.Len(), "nobody testifies against anybody")
}

// Only the one that was asked can answer a probe, and only by the answer to FIND_NODE.
func TestProbeAnswers(t *testing.T) {
	k := newNode(t, liveConfig())
	now := filled(t, k, 2)
	sent, _ := probed(k, &now, 10*Minute+2*Second)
	require.Len(t, sent, 2)
	var out Output
	k.Step(now, Input{Kind: FindNodeRes, Peer: sent[1].Peer, Query: sent[0].Query}, &out)
	require.Len(t, k.probes.asked, 2, "another's answer")
	k.Step(now, Input{Kind: GetRecordRes, Peer: sent[0].Peer, Query: sent[0].Query}, &out)
	require.Len(t, k.probes.asked, 2, "the answer to another request")
	k.Step(now, Input{Kind: FindNodeRes, Peer: sent[0].Peer, Query: sent[0].Query}, &out)
	require.Len(t, k.probes.asked, 1)
	k.Step(now, Input{Kind: DialFailed, Peer: sent[1].Peer}, &out)
	require.Empty(t, k.probes.asked)
	require.Len(t, k.probes.suspects, 1)
	k.Step(now, Input{Kind: OpRemovePeer, Peer: sent[1].Peer}, &out)
	k.Step(now, Input{Kind: OpAddAddress, Peer: sent[1].Peer, Addr: []byte("again")}, &out)
	require.Empty(t, k.probes.suspects, "who enters anew has no past")
}

// A fifth of a table dies. Within one interval and the time of a few probes all of them are gone, and nobody else.
func TestTheDeadLeave(t *testing.T) {
	k := newNode(t, liveConfig())
	now := filled(t, k, 500)
	end := now + Time(25*Minute)
	dead := map[Peer]bool{}
	for i, e := range k.table.entries {
		dead[e.peer] = i%5 == 0
	}
	live := 0
	for _, d := range dead {
		if !d {
			live++
		}
	}
	var out Output
	evicted := 0
	for now < end {
		sent, _ := probed(k, &now, Second/4)
		for _, c := range sent {
			kind := FindNodeRes
			if dead[c.Peer.Peer] {
				kind = DialFailed
			}
			k.Step(now, Input{Kind: kind, Peer: c.Peer, Query: c.Query}, &out)
			for _, ev := range out.Events {
				require.Equal(t, PeerEvicted, ev.Kind)
				require.True(t, dead[ev.Peer.Peer])
				evicted++
			}
		}
	}
	require.Equal(t, live, k.table.Len())
	require.Equal(t, len(dead)-live, evicted)
	require.Empty(t, k.probes.suspects)
}

// What is said of a peer and of a request that waits refers to a handle: a sweep must not give it to somebody else.
func TestSweepKeepsWhoIsAsked(t *testing.T) {
	cfg := liveConfig()
	cfg.FilterRecords = true
	cfg.PeerTimeout = Hour
	k := newNode(t, cfg)
	now := filled(t, k, 2)
	sent, _ := probed(k, &now, 10*Minute+2*Second)
	require.Len(t, sent, 2)
	var out Output
	k.Step(now, Input{Kind: DialFailed, Peer: sent[1].Peer}, &out)
	for _, c := range sent {
		k.Step(now, Input{Kind: OpRemovePeer, Peer: c.Peer}, &out)
	}
	k.Step(now, Input{Kind: PutRecord, Peer: PeerInfo{ID: []byte("asker")}, Request: 1, Valid: valid(t, "k", "v")}, &out)
	require.True(t, out.Events[0].Held)
	for range 3 {
		k.Step(k.nextSweep, Input{Kind: Tick}, &out)
	}
	require.NotZero(t, k.dir.Find(sent[0].Peer.ID), "it is asked")
	require.NotZero(t, k.dir.Find([]byte("asker")), "its request waits")
	require.Zero(t, k.dir.Find(sent[1].Peer.ID), "it has left the table: its failures are forgotten")
}

// Whoever is asked is asked over and over, ever more rarely, but never less than once in the interval.
func TestProbesGrowRare(t *testing.T) {
	k := newNode(t, liveConfig())
	now, last := filled(t, k, 1), Time(0)
	end := now + Time(4*Hour)
	var out Output
	var gaps []string
	for now < end {
		sent, at := probed(k, &now, Second)
		for i, c := range sent {
			if last != 0 {
				gaps = append(gaps, fmt.Sprint((at[i]-last)/Time(Second)))
			}
			last = at[i]
			k.Step(last, Input{Kind: QueryError, Err: ErrDial, Peer: c.Peer, Query: c.Query}, &out)
		}
	}
	require.Equal(t, []string{"5", "10", "20", "40", "80", "160", "320", "600", "600", "600"}, gaps[:10])
	require.Equal(t, 1, k.table.Len())
}

// One failure is enough where the configuration says so, but only if somebody was heard of in the last ten seconds before it:
// otherwise it could be our own.
func TestEvictAtOnce(t *testing.T) {
	for age, want := range map[Duration]bool{0: true, 10*Second - 1: true, 10 * Second: false, -1: false} {
		cfg := liveConfig()
		cfg.EvictAfter = 1
		k := newNode(t, cfg)
		now := filled(t, k, 10)
		p := k.dir.Info(k.table.entries[3].peer)
		var out Output
		if age >= 0 {
			k.Step(now, Input{Kind: InConnected, Peer: PeerInfo{ID: []byte("somebody")}}, &out)
		}
		k.Step(now+Time(age), Input{Kind: DialFailed, Peer: p}, &out)
		present, _ := k.table.Contains(p.Peer)
		require.Equal(t, want, !present, "%d ns after a sign of life", age)
	}
}

// Nothing is asked where nobody would be evicted, or where probes are turned off.
func TestNoProbes(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"never evicted": func(c *Config) { c.EvictAfter = -1 },
		"never probed":  func(c *Config) { c.ProbeInterval = -1 },
	} {
		cfg := liveConfig()
		change(&cfg)
		k := newNode(t, cfg)
		now := filled(t, k, 10)
		p := k.dir.Info(k.table.entries[0].peer)
		var out Output
		for range 5 {
			k.Step(now, Input{Kind: DialFailed, Peer: p}, &out)
			k.Step(now+1, Input{Kind: InConnected, Peer: PeerInfo{ID: []byte("somebody")}}, &out)
			k.Step(now+1, Input{Kind: InDisconnected, Peer: PeerInfo{ID: []byte("somebody")}}, &out)
			sent, _ := probed(k, &now, Hour)
			require.Empty(t, sent, name)
		}
		present, _ := k.table.Contains(p.Peer)
		require.Equal(t, cfg.EvictAfter < 0, present, name)
	}
}

// As many failures as the configuration says, up to seven, with a sign of life of somebody before each.
func TestEvictAfter(t *testing.T) {
	for after, want := range map[int]int{0: 2, 1: 1, 2: 2, 3: 3, 7: 7} {
		cfg := liveConfig()
		cfg.EvictAfter, cfg.ProbeInterval = after, -1
		k := newNode(t, cfg)
		now := filled(t, k, 10)
		p := k.dir.Info(k.table.entries[3].peer)
		var out Output
		failures := 0
		for ; ; now += Time(Minute) {
			k.Step(now, Input{Kind: InConnected, Peer: PeerInfo{ID: []byte("somebody")}}, &out)
			k.Step(now, Input{Kind: InDisconnected, Peer: PeerInfo{ID: []byte("somebody")}}, &out)
			k.Step(now+1, Input{Kind: DialFailed, Peer: p}, &out)
			failures++
			if present, _ := k.table.Contains(p.Peer); !present {
				break
			}
		}
		require.Equal(t, want, failures, "EvictAfter %d", after)
		require.Equal(t, PeerEvicted, out.Events[0].Kind)
		require.Equal(t, p.ID, out.Events[0].Peer.ID)
	}
}

// The witness is the peer that was heard of last, and a Tick that comes early asks no ninth.
func TestWitness(t *testing.T) {
	k := newNode(t, liveConfig())
	now := filled(t, k, 40) + Time(100*Second)
	var out Output
	fails, heard := k.table.entries[0].peer, k.table.entries[5].peer
	k.table.Touch(now, heard)
	k.peerFailed(now, fails, ErrDial, &out)
	p, due := k.nextProbe()
	require.Equal(t, heard, p)
	require.LessOrEqual(t, due, now)
	for i := range maxProbes {
		k.askWhetherAlive(now, k.table.entries[10+i].peer, &out)
	}
	k.probes.next, k.probes.witness = now, true
	k.Step(now, Input{Kind: Tick}, &out)
	require.Empty(t, out.Commands)
	require.Len(t, k.probes.asked, maxProbes)
}

// Whoever leaves the table, by whatever way, is no suspect any more: what is remembered of failures never outgrows the table.
func TestSuspectsLeaveWithTheTable(t *testing.T) {
	cfg := liveConfig()
	cfg.ProbeInterval, cfg.BucketSize = -1, 1
	k := newNode(t, cfg)
	now := filled(t, k, 30)
	var out Output
	suspect := func() PeerInfo {
		p := k.dir.Info(k.table.entries[0].peer)
		k.Step(now, Input{Kind: QueryError, Err: ErrTimeout, Peer: p, Query: 1}, &out)
		require.Len(t, k.probes.suspects, 1)
		return p
	}
	k.Step(now, Input{Kind: OpRemovePeer, Peer: suspect()}, &out)
	require.Empty(t, k.probes.suspects)

	p := suspect()
	for _, addr := range []string{"", "x"} {
		for a := range k.dir.Addrs(p.Peer).All() {
			k.Step(now, Input{Kind: OpRemoveAddress, Peer: p, Addr: append([]byte(addr), a...)}, &out)
		}
	}
	require.Empty(t, k.probes.suspects)

	// Somebody else gets its place.
	p = suspect()
	b := k.table.bucketOf(p.Peer)
	for i := 0; len(k.table.pending) == 0; i++ {
		next := PeerInfo{ID: fmt.Appendf(nil, "next %d", i)}
		if key := KeyOf(next.ID); k.table.local.CommonPrefix(&key) == b {
			k.Step(now, Input{Kind: InConnected, Peer: next}, &out)
			k.Step(now, Input{Kind: OpAddAddress, Peer: next, Addr: []byte("/mem/next")}, &out)
		}
	}
	k.Step(now+Time(Minute), Input{Kind: Tick}, &out)
	require.Equal(t, p.ID, out.Events[0].Old.ID)
	require.Empty(t, k.probes.suspects)
}

// What says nothing of whether a peer lives is no failure of it: a request that was reset or answered by rubbish, a second
// failure within a second, even with a sign of life between, and whatever befalls somebody who is not in the table.
func TestNoFailure(t *testing.T) {
	cfg := liveConfig()
	cfg.ProbeInterval = -1
	k := newNode(t, cfg)
	now := filled(t, k, 10)
	p := k.dir.Info(k.table.entries[3].peer)
	var out Output
	alive := func() {
		k.Step(now, Input{Kind: InConnected, Peer: PeerInfo{ID: []byte("somebody")}}, &out)
		k.Step(now, Input{Kind: InDisconnected, Peer: PeerInfo{ID: []byte("somebody")}}, &out)
	}
	for _, why := range []ErrorKind{ErrReset, ErrInvalid, ErrReset, ErrInvalid} {
		alive()
		now += Time(Minute)
		k.Step(now, Input{Kind: QueryError, Err: why, Peer: p, Query: 9}, &out)
		require.Empty(t, k.probes.suspects)
	}
	k.Step(now, Input{Kind: QueryError, Err: ErrTimeout, Peer: PeerInfo{ID: []byte("somebody")}, Query: 9}, &out)
	require.Empty(t, k.probes.suspects, "it is not in the table")

	k.Step(now, Input{Kind: QueryError, Err: ErrTimeout, Peer: p, Query: 9}, &out)
	now++
	alive()
	now += together - 2
	k.Step(now, Input{Kind: QueryError, Err: ErrTimeout, Peer: p, Query: 9}, &out)
	require.Empty(t, out.Events)
	now++
	k.Step(now, Input{Kind: QueryError, Err: ErrTimeout, Peer: p, Query: 9}, &out)
	require.Equal(t, PeerEvicted, out.Events[0].Kind)
}

// Probes that are out of time together fail in one Tick. A probe says whether its peer is connected, and one witness is
// enough.
func TestProbesFailTogether(t *testing.T) {
	k := newNode(t, liveConfig())
	now := filled(t, k, 10)
	var out Output
	connected, other := k.table.entries[0].peer, k.table.entries[1].peer
	k.Step(now, Input{Kind: InConnected, Peer: PeerInfo{Peer: connected}}, &out)
	k.probes.witness = true
	out.reset(false)
	k.askWhetherAlive(now, connected, &out)
	require.False(t, k.probes.witness)
	k.askWhetherAlive(now, other, &out)
	require.Equal(t, Connected, out.Commands[0].Peer.Connection)
	require.Equal(t, NotConnected, out.Commands[1].Peer.Connection)
	k.probes.next = 0
	k.Step(k.probes.asked[1].deadline, Input{Kind: Tick}, &out)
	require.Len(t, k.probes.suspects, 2)
}
