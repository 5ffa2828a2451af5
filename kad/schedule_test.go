package kad

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// lone is a node whose peers all fail at once: what it does by itself, and when.
type lone struct {
	t    *testing.T
	k    *Kademlia
	out  Output
	now  Time
	hang bool // peers do not answer

	begun []Duration // when bootstraps began, from the start
	ended []Event    // the last events of queries
}

// loneStart is when a lone node has its first Step.
const loneStart = Time(1000 * Hour)

func newLone(t *testing.T, cfg Config) *lone {
	l := &lone{t: t, k: newNode(t, cfg), now: loneStart}
	l.step(Input{Kind: Tick})
	return l
}

// step gives one input, lets whoever is asked by it fail, and returns the query that was begun.
func (l *lone) step(in Input) QueryID {
	before := l.k.lastQuery
	l.k.Step(l.now, in, &l.out)
	begun := l.out.Query
	if q := l.k.query(l.k.lastQuery); l.k.lastQuery > before && q != nil && q.kind == ResBootstrap {
		l.begun = append(l.begun, Duration(l.now-loneStart))
	}
	var asked []Command
	for _, c := range l.out.Commands {
		if c.Query != 0 && !l.hang {
			asked = append(asked, c)
		}
	}
	for _, e := range l.out.Events {
		if e.Step.Last {
			e.Key = append([]byte(nil), e.Key...)
			l.ended = append(l.ended, e)
		}
	}
	for _, c := range asked {
		l.step(Input{Kind: QueryError, Peer: c.Peer, Query: c.Query, Key: c.Key, Err: ErrDial})
	}
	return begun
}

// peer enters one more peer into the table.
func (l *lone) peer() {
	id := fmt.Appendf(nil, "peer %d", l.k.table.Len())
	l.step(Input{Kind: OpAddAddress, Peer: PeerInfo{ID: id}, Addr: []byte("a")})
}

// pass lets time pass, in as many Ticks as the node wants.
func (l *lone) pass(d Duration) {
	end := l.now + Time(d)
	for n := 0; l.k.Wake() != 0 && l.k.Wake() <= end; n++ {
		require.Less(l.t, n, 10_000, "it comes to rest")
		l.now = max(l.now, l.k.Wake())
		l.step(Input{Kind: Tick})
	}
	l.now = end
}

// periods are the spans between the bootstraps that have begun.
func (l *lone) periods() (spans []Duration) {
	for i := 1; i < len(l.begun); i++ {
		spans = append(spans, l.begun[i]-l.begun[i-1])
	}
	return spans
}

// When a bootstrap begins by itself: the cases of libp2p-kad's bootstrap scheduler.
func TestSchedule(t *testing.T) {
	const ms = Second / 1000
	with := func(interval, throttle Duration) Config {
		cfg := quiet(Config{Mode: ModeServer})
		cfg.BootstrapInterval, cfg.BootstrapThrottle = interval, throttle
		return cfg
	}
	t.Run("ImmediatelyAfterANewPeer", func(t *testing.T) {
		l := newLone(t, with(-1, 1))
		l.peer()
		l.pass(Hour)
		require.Equal(t, []Duration{1}, l.begun)
	})
	t.Run("AutomaticBeforePeriodic", func(t *testing.T) {
		l := newLone(t, with(Second, 5*ms))
		l.pass(Minute)
		require.Empty(t, l.begun, "nobody is known")
		l.peer()
		l.pass(Second)
		require.Len(t, l.begun, 2)
		require.Equal(t, Minute+5*ms, l.begun[0])
		require.InDelta(t, Second, l.periods()[0], float64(Second/10))
		require.LessOrEqual(t, l.periods()[0], Second)
	})
	t.Run("WithoutPeriodicAgainAtTheNextPeer", func(t *testing.T) {
		l := newLone(t, with(-1, 5*ms))
		l.peer()
		l.pass(Hour)
		l.peer()
		l.pass(Hour)
		require.Equal(t, []Duration{5 * ms, Hour + 5*ms}, l.begun)
	})
	t.Run("PeriodicCountsFromTheLast", func(t *testing.T) {
		l := newLone(t, with(Hour, 5*ms))
		l.peer()
		l.pass(50 * Minute)
		l.peer() // whose bootstrap sets the hour back
		l.pass(53 * Minute)
		require.Equal(t, []Duration{5 * ms, 50*Minute + 5*ms}, l.begun)
		l.pass(8 * Minute)
		require.Len(t, l.begun, 3)
	})
	t.Run("AtEachNewPeer", func(t *testing.T) {
		l := newLone(t, with(Hour, 5*ms))
		for range 3 {
			l.peer()
			l.pass(Second)
		}
		require.Equal(t, []Duration{5 * ms, Second + 5*ms, 2*Second + 5*ms}, l.begun)
	})
	t.Run("PeriodicAlone", func(t *testing.T) {
		l := newLone(t, with(Minute, -1))
		l.peer()
		l.pass(10 * Minute)
		require.InDelta(t, 10, len(l.begun), 1)
		distinct := map[Duration]bool{}
		for _, span := range l.periods() {
			require.Greater(t, span, 54*Second)
			require.LessOrEqual(t, span, Minute)
			distinct[span] = true
		}
		require.Greater(t, len(distinct), 5, "a little early, by chance")
	})
	t.Run("PeriodicWhateverEnters", func(t *testing.T) {
		l := newLone(t, with(Minute, -1))
		for range 13 {
			l.peer()
			l.pass(50 * Second)
		}
		require.GreaterOrEqual(t, len(l.begun), 10)
	})
	t.Run("PeriodicFromTheEndOfALongOne", func(t *testing.T) {
		l := newLone(t, with(20*Second, -1))
		l.hang = true
		l.peer()
		l.pass(100 * Second)
		require.Greater(t, len(l.begun), 2)
		for _, span := range l.periods() {
			require.GreaterOrEqual(t, span, (10+18)*Second, "10 s until nobody has answered")
		}
	})
	t.Run("ThrottleStartsAnewAtEachOfManyPeers", func(t *testing.T) {
		l := newLone(t, with(-1, 5*ms))
		for range 6 {
			l.peer()
			l.pass(4 * ms)
		}
		require.Empty(t, l.begun)
		l.pass(ms)
		require.Equal(t, []Duration{25 * ms}, l.begun)
	})
	t.Run("ManualInPlaceOfThePeriodic", func(t *testing.T) {
		l := newLone(t, with(Minute, -1))
		l.peer()
		for range 10 {
			l.pass(50 * Second)
			require.NotZero(t, l.step(Input{Kind: OpBootstrap}))
		}
		require.Len(t, l.begun, 10, "none but those")
		l.pass(Minute)
		require.Len(t, l.begun, 11)
	})
	t.Run("NotWhileTheTableHasEnough", func(t *testing.T) {
		cfg := with(-1, 5*ms)
		cfg.K = 3
		l := newLone(t, cfg)
		l.peer()
		l.peer()
		l.pass(Second)
		require.Len(t, l.begun, 1)
		l.peer()
		require.Equal(t, 3, l.k.table.Len())
		l.pass(Hour)
		require.Len(t, l.begun, 1)
	})
	t.Run("NotWhileOneRuns", func(t *testing.T) {
		l := newLone(t, with(20*Second, 5*ms))
		l.hang = true
		l.peer()
		l.step(Input{Kind: OpBootstrap})
		l.peer()
		l.pass(9 * Second) // a peer has 10 s
		require.Len(t, l.begun, 1)
		require.Zero(t, l.k.refreshWake())
		require.NotZero(t, l.step(Input{Kind: OpBootstrap}), "but the application may")
		require.Len(t, l.begun, 2)
	})
	t.Run("NewListenAddress", func(t *testing.T) {
		l := newLone(t, with(-1, 5*ms))
		l.step(Input{Kind: ListenAddr, Addr: []byte("a")})
		require.Zero(t, l.k.refreshWake(), "nobody is known")
		l.peer()
		l.pass(Second)
		require.Len(t, l.begun, 1)
		l.step(Input{Kind: ListenAddr, Addr: []byte("b")})
		l.pass(Second)
		require.Len(t, l.begun, 2)
		l.step(Input{Kind: InConnected, Peer: PeerInfo{ID: []byte("peer 0")}})
		l.step(Input{Kind: ListenAddr, Addr: []byte("c")})
		l.pass(Second)
		require.Len(t, l.begun, 2, "somebody is connected")
	})
	t.Run("AnEmptyTableWaitsForAPeer", func(t *testing.T) {
		l := newLone(t, with(Minute, 5*ms))
		l.step(Input{Kind: OpBootstrap})
		require.ErrorIs(t, l.out.Err, ErrNoKnownPeers)
		require.Zero(t, l.k.refreshWake())
		l.peer()
		l.pass(Second)
		require.Len(t, l.begun, 1)
		l.step(Input{Kind: OpRemovePeer, Peer: PeerInfo{ID: []byte("peer 0")}})
		l.pass(Hour)
		require.Len(t, l.begun, 1)
		require.Zero(t, l.k.refreshWake(), "and no Tick is wanted for it")
		require.Empty(t, l.out.Err)
		l.peer()
		l.pass(Second)
		require.Len(t, l.begun, 2)
	})
	t.Run("WhoWaitedForAPlaceIsANewPeerToo", func(t *testing.T) {
		cfg := with(Minute, -1)
		cfg.K = 1
		l := newLone(t, cfg)
		l.peer()
		head := l.k.dir.Key(l.k.dir.Find([]byte("peer 0")))
		for i := 1; l.k.table.NextPending() == 0; i++ { // one of its bucket, which has no room
			id := fmt.Appendf(nil, "peer %d", i)
			if key := KeyOf(id); l.k.table.local.CommonPrefix(&key) == l.k.table.local.CommonPrefix(head) {
				l.step(Input{Kind: InConnected, Peer: PeerInfo{ID: id}})
				l.step(Input{Kind: OpAddAddress, Peer: PeerInfo{ID: id}, Addr: []byte("a")})
			}
		}
		l.step(Input{Kind: OpRemovePeer, Peer: PeerInfo{ID: []byte("peer 0")}})
		l.step(Input{Kind: OpBootstrap})
		require.ErrorIs(t, l.out.Err, ErrNoKnownPeers)
		require.Zero(t, l.k.refreshWake())
		l.pass(3 * Minute)
		require.Equal(t, 1, l.k.table.Len())
		require.NotEmpty(t, l.begun)
	})
	t.Run("NoRoomForAQuery", func(t *testing.T) {
		cfg := with(Minute, 5*ms)
		cfg.Limits.Queries = 1
		l := newLone(t, cfg)
		l.hang = true
		l.peer()
		l.step(Input{Kind: OpGetClosestPeers, Key: []byte("k")})
		l.pass(Second)
		require.Empty(t, l.begun)
		require.NoError(t, l.out.Err)
		l.pass(Minute)
		require.Len(t, l.begun, 1, "the next time")
	})
	t.Run("NeverWhenTurnedOff", func(t *testing.T) {
		l := newLone(t, with(-1, -1))
		l.peer()
		l.step(Input{Kind: ListenAddr, Addr: []byte("a")})
		l.pass(100 * Hour)
		require.Empty(t, l.begun)
	})
}
