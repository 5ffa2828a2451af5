package kad_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/kadtest"
)

// A network of servers with the default settings, which does nothing but what its nodes do by themselves.
type idle struct {
	*kadtest.World
	nodes []*kadtest.Node
	steps int // since the last pass
}

// newIdle makes a network whose nodes all start in the same instant, each knowing one of the first three.
func newIdle(t *testing.T, seed uint64, count int, cfg kad.Config) *idle {
	cfg.Mode = kad.ModeServer
	w := &idle{World: kadtest.NewWorld(t, seed)}
	w.MinDelay, w.MaxDelay = kad.Second/100, kad.Second/10
	w.nodes = w.Add(count, cfg)
	w.Stepped = func(*kadtest.Node) { w.steps++ }
	for i, n := range w.nodes[1:] {
		w.Connect(n, w.nodes[w.Rand().IntN(min(i+1, 3))])
	}
	return w
}

// traffic is what was seen in a time.
type traffic struct {
	requests   int // that were served, of all nodes
	worst      int // of them in one second
	bootstraps int // that ended
	steps      int
	evicted    map[*kadtest.Node]int // peers that each node evicted
	asked      map[*kadtest.Node]int // requests of each node
}

// pass lets a time pass, second by second.
func (w *idle) pass(d kad.Duration) traffic {
	got := traffic{evicted: map[*kadtest.Node]int{}, asked: map[*kadtest.Node]int{}}
	names := map[string]*kadtest.Node{}
	for _, n := range w.nodes {
		names[string(n.ID)] = n
	}
	w.steps = 0
	for ; d > 0; d -= kad.Second {
		w.Run(min(d, kad.Second))
		second := 0
		for _, n := range w.nodes {
			for _, ev := range w.Events(n) {
				switch {
				case ev.Kind == kad.InboundRequest:
					second++
					got.asked[names[string(ev.Peer.ID)]]++
				case ev.Kind == kad.PeerEvicted || ev.Kind == kad.RoutingUpdated && len(ev.Old.ID) > 0:
					got.evicted[n]++
				case ev.Kind == kad.QueryProgressed && ev.Step.Last:
					got.bootstraps++
				}
			}
		}
		got.requests += second
		got.worst = max(got.worst, second)
	}
	got.steps = w.steps
	return got
}

// What 50 idle nodes send. Each bootstraps every 4.5 to 5 minutes, which is some six lookups of 20 requests each: 1,650 requests
// an hour, one in two seconds. libp2p-kad, whose interval and buckets are the same, sends as many; Amino, whose interval is
// that of go-libp2p-kad-dht, sends half. As long as bootstraps keep all peers in mind nobody is probed. They do not fire
// together: an average second has 23 requests, the worst some 300, which is two bootstraps and a part. Nothing spins: a
// request costs two steps, one where it arrives and one where its answer does.
func TestIdleTraffic(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg        kad.Config
		requests   int // of a node in an hour, at most
		bootstraps int
	}{
		"Current": {kad.Current(), 1800, 14},
		"Amino":   {kad.Amino(), 1000, 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := newIdle(t, 1, 50, c.cfg)
			start := w.pass(kad.Minute)
			require.LessOrEqual(t, start.worst, 80*len(w.nodes), "all start at once")
			w.pass(20 * kad.Minute)
			hour := w.pass(kad.Hour)
			t.Logf("in the first minute %d requests, %d in one second; then in an hour each node: %d requests, %.1f bootstraps, %d steps; in one second of all %d requests",
				start.requests, start.worst, hour.requests/50, float64(hour.bootstraps)/50, hour.steps/50, hour.worst)
			require.LessOrEqual(t, hour.requests, c.requests*len(w.nodes))
			require.LessOrEqual(t, hour.bootstraps, c.bootstraps*len(w.nodes))
			require.LessOrEqual(t, hour.worst, 10*len(w.nodes))
			require.LessOrEqual(t, hour.steps, 2*hour.requests+hour.requests/10)
			require.Empty(t, hour.evicted)
		})
	}
}

// A laptop sleeps for eight hours. It wakes with everything overdue, and every clock that it looks at has jumped: it evicts
// nobody, and does no more than it does when it starts. The others, who had evicted it, have it again.
func TestSleep(t *testing.T) {
	t.Parallel()
	w := newIdle(t, 2, 25, kad.Config{})
	w.pass(20 * kad.Minute)
	sleeper := w.nodes[17]
	known := sleeper.K.Table().Len()
	require.Equal(t, 24, known)
	w.Kill(sleeper)
	w.pass(kad.Hour)
	require.Zero(t, w.knownBy(sleeper), "the others have evicted it")
	w.Kill(w.nodes...) // a world asleep takes no time
	w.Run(7 * kad.Hour)
	w.Resume(w.nodes...)
	awake := w.pass(kad.Minute)
	t.Logf("in the first minute it sent %d requests", awake.asked[sleeper])
	require.Zero(t, awake.evicted[sleeper])
	require.LessOrEqual(t, awake.asked[sleeper], 300, "one bootstrap")
	later := w.pass(20 * kad.Minute)
	require.Zero(t, later.evicted[sleeper])
	require.Equal(t, known, sleeper.K.Table().Len())
	require.Equal(t, known, w.knownBy(sleeper))
}

// knownBy is how many others have a node in their tables.
func (w *idle) knownBy(n *kadtest.Node) (count int) {
	for _, other := range w.nodes {
		if present, _ := other.K.Table().Contains(other.K.Directory().Find(n.ID)); present && other != n {
			count++
		}
	}
	return count
}

// All nodes sleep and wake in the same moment, as after a power cut or a pause of the virtual machines that they run on: nobody
// is evicted, and they do no more at once than when they started.
func TestAllSleep(t *testing.T) {
	t.Parallel()
	w := newIdle(t, 3, 25, kad.Config{})
	w.pass(20 * kad.Minute)
	w.Kill(w.nodes...)
	w.Run(8 * kad.Hour)
	w.Resume(w.nodes...)
	awake := w.pass(kad.Minute)
	t.Logf("in the first minute %d requests, %d in one second", awake.requests, awake.worst)
	require.Empty(t, awake.evicted)
	require.LessOrEqual(t, awake.worst, 80*len(w.nodes))
	require.Empty(t, w.pass(30*kad.Minute).evicted)
}

// The network falls into two halves. Each evicts the other and no one of its own, without a word of a host that anything
// has failed: probes alone find out. After that one connection between the halves makes one network of them again.
func TestPartition(t *testing.T) {
	t.Parallel()
	for after, within := range map[int]kad.Duration{1: 15 * kad.Minute, 2: 15 * kad.Minute, 7: 25 * kad.Minute} {
		w := newIdle(t, 4, 30, kad.Config{EvictAfter: after})
		w.pass(20 * kad.Minute)
		half := map[*kadtest.Node]bool{}
		for _, n := range w.nodes[:15] {
			half[n] = true
		}
		w.Cut = func(a, b *kadtest.Node) bool { return half[a] != half[b] }
		apart := w.pass(within)
		for _, n := range w.nodes {
			for _, other := range w.nodes {
				present, _ := n.K.Table().Contains(n.K.Directory().Find(other.ID))
				if half[n] != half[other] {
					require.False(t, present, "EvictAfter %d: %s has %s", after, n.Name, other.Name)
				}
			}
			require.Equal(t, 14, n.K.Table().Len(), "EvictAfter %d: %s has lost some of its own half", after, n.Name)
		}
		t.Logf("EvictAfter %d: %d requests in %d min, %d in the worst second", after, apart.requests, within/kad.Minute, apart.worst)
		w.Cut = nil
		w.Disconnect(w.nodes[3], w.nodes[20])
		w.Connect(w.nodes[3], w.nodes[20])
		w.pass(20 * kad.Minute)
		for _, n := range w.nodes {
			require.Equal(t, 29, n.K.Table().Len(), "EvictAfter %d: the halves are one again", after)
		}
	}
}
