package network

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/load"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

var (
	nodesFlag   = flag.Int("nodes", 12, "nodes of each network of TestVirtual and TestLoopback")
	lookupsFlag = flag.Int("lookups", 100, "lookups in each")
	roundsFlag  = flag.Int("rounds", 1, "networks of each kind, in turn")
	kindsFlag   = flag.String("kinds", "ref,go", "whose networks")
	holdFlag    = flag.Bool("hold", false, "costs must be no higher than theirs")
	profileFlag = flag.Bool("profile", false, "TestLoopback tells where processor time goes")
)

// lookups are so many lookups, one each so often, by load's schedule.
type lookups struct{ *load.Load }

func (l lookups) Next() (op sim.Operation, ok bool) {
	shot, ok := l.Load.Next()
	return sim.Operation{At: kad.Duration(shot.Due), Kind: sim.Lookup, Key: shot.Op.Key}, ok
}

func lookupsOf(t *testing.T, count int, span time.Duration) lookups {
	l, err := load.New(load.Config{Seed: 1, Lines: []load.Line{{Count: uint64(count), For: span, Mix: []load.Part{{Kind: load.Lookup}}}}})
	require.NoError(t, err)
	return lookups{l}
}

// figures are what a network came to.
type figures struct {
	took, requests   []float64
	hops             []uint32
	true, sought, ok int
	*Result
}

func (f *figures) row(r sim.Row) {
	f.took = append(f.took, float64(r.Took)/1e6)
	f.requests = append(f.requests, float64(r.Requests))
	f.hops = append(f.hops, r.Hops)
	f.true += r.True
	f.sought += r.Sought
	if r.OK {
		f.ok++
	}
}

func (f *figures) line(name string) string {
	at := func(of []float64, p int) float64 {
		s := slices.Sorted(slices.Values(of))
		return s[min(len(s)*p/100, len(s)-1)]
	}
	c := &f.Cost
	line := fmt.Sprintf("%-4s | %7.0f KB | %5.0f | %5.1f | %5.1f | %8.1f ms | %7.2f ms | %5.2f | %6.1f %6.1f ms | %5.1f | %4.2f | %.4f | %d of %d",
		name, c.Heap/1e3, c.Goroutines, c.Connections, c.Entries, c.BootstrapCPU, c.OperationCPU, *c.Dials, at(f.took, 50), at(f.took, 99),
		at(f.requests, 50), mean(f.hops), float64(f.true)/float64(max(f.sought, 1)), f.ok, len(f.took))
	for _, s := range c.Shares {
		line += fmt.Sprintf(" %s %.0f %%", s.What, s.Of*100)
	}
	return line
}

const tableHead = "     |  heap/node | gor.  | conns | table | boot CPU/nd | CPU/lookup | dials | took p50    p99    | rpcs  | hops | recall | ok"

// measure runs a network of each kind in turn, and tells all.
func measure(t *testing.T, c Config) (of map[string]*figures) {
	of = map[string]*figures{}
	text := []string{tableHead}
	for range *roundsFlag {
		for name := range strings.SplitSeq(*kindsFlag, ",") {
			k, err := Find(name)
			require.NoError(t, err)
			f := &figures{}
			each := c
			each.Kinds, each.Load, each.Watch = []Kind{k}, lookupsOf(t, *lookupsFlag, c.For), sim.Observer{Row: f.row}
			f.Result, err = Run(t.Context(), each)
			require.NoError(t, err)
			require.NoError(t, f.Failed)
			text = append(text, f.line(name))
			of[name] = f
		}
	}
	t.Logf("%d nodes, %d lookups\n%s", c.Nodes, *lookupsFlag, strings.Join(text, "\n"))
	return of
}

// holds wants every lookup to end by itself, and in virtual time ours to find no less than theirs with no more requests: on a
// busy machine answers are late, and a lookup of ours waits for no more than is usual. With -hold, for a machine that has
// nothing else to do, nodes cost no more and lookups half the processor time too. Two in a hundred of what is found are chance
// in networks as small as the test's own.
func holds(t *testing.T, of map[string]*figures, virtual bool) {
	for name, f := range of {
		assert.Len(t, f.took, *lookupsFlag, name)
		assert.Equal(t, *lookupsFlag, f.ok, name)
		assert.Positive(t, sum(f.requests), name)
		assert.Positive(t, f.true, name)
		assert.GreaterOrEqual(t, slices.Min(f.hops), uint32(1), name)
		assert.LessOrEqual(t, slices.Max(f.hops), uint32(6), name)
	}
	our, their := of["ref"], of["go"]
	if our == nil || their == nil {
		return
	}
	share := func(f *figures) float64 { return float64(f.true) / float64(f.sought) }
	if virtual {
		assert.GreaterOrEqual(t, share(our), share(their)-0.02, "recall")
		assert.LessOrEqual(t, sum(our.requests), sum(their.requests), "requests")
	}
	if !*holdFlag {
		return
	}
	assert.GreaterOrEqual(t, share(our), share(their), "recall")
	assert.LessOrEqual(t, sum(our.requests), sum(their.requests), "requests")
	assert.LessOrEqual(t, our.Cost.OperationCPU, their.Cost.OperationCPU/2, "processor time of a lookup")
	assert.LessOrEqual(t, our.Cost.Connections, their.Cost.Connections, "connections")
	assert.LessOrEqual(t, our.Cost.Goroutines, their.Cost.Goroutines, "goroutines")
	assert.LessOrEqual(t, our.Cost.Heap, their.Cost.Heap, "heap")
}

func sum(of []float64) (n float64) {
	for _, v := range of {
		n += v
	}
	return n
}

func mean(of []uint32) (m float64) {
	for _, v := range of {
		m += float64(v) / float64(len(of))
	}
	return m
}

// refreshEvery is that of both implementations by default.
const refreshEvery = 10 * time.Minute

// TestVirtual sets networks of both implementations side by side in memory and in virtual time, where the load of the
// machine shows in processor time alone: go test ./harness/network -run TestVirtual -nodes 300 -lookups 1000 -v
func TestVirtual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{Nodes: *nodesFlag, Seed: 1, Mem: true, Node: Spec{Delay: 25 * time.Millisecond, Refresh: refreshEvery},
			For: time.Minute, Settle: 10 * time.Second}
		holds(t, measure(t, c), true)
	})
}

// TestLoopback does the same on sockets, in real time.
func TestLoopback(t *testing.T) {
	c := Config{Nodes: *nodesFlag, Seed: 1, Node: Spec{Refresh: refreshEvery, Unlimited: true},
		For: time.Duration(*lookupsFlag) * 10 * time.Millisecond, Settle: time.Second, Profile: *profileFlag}
	holds(t, measure(t, c), false)
}
