package nettest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/plans"
)

// TestFidelity holds the simulator against real hosts: the plan sim/fidelity at each point of its sweep, and a network of
// go-libp2p hosts over QUIC with the same core, settings, identities and links. Hops and requests of a lookup agree within 5 % at
// the median, and nearly so in the mean.
//
// Identities matter: among fifty whose ids lie unevenly lookups are shorter by a tenth and more, in the simulator as among
// hosts. Who knows whom, who asks and for what is left to chance on both sides; in the simulator it has several seeds.
// Latencies are shown and not held: what identify and the negotiation of a protocol cost is not simulated.
func TestFidelity(t *testing.T) {
	if testing.Short() || race {
		t.Skip("starts 200 hosts, with which the race detector takes minutes; TestLatency has the same goroutines")
	}
	t.Parallel()
	all, err := plan.LoadAll(plans.FS, "sim", "plans/")
	require.NoError(t, err)
	at := slices.IndexFunc(all, func(p *plan.Plan) bool { return p.Header.ID == "sim/fidelity" })
	require.GreaterOrEqual(t, at, 0)
	const seeds, rounds = 16, 8
	for i, s := range all[at].Simulations() {
		t.Run(s.At(), func(t *testing.T) {
			t.Parallel()
			var ids [][]byte
			for j := range s.World.Nodes {
				id, err := peer.IDFromPrivateKey(identity(t, byte(i), j))
				require.NoError(t, err)
				ids = append(ids, []byte(id))
			}
			var sim, hosts looked
			for seed := range uint64(seeds) {
				sim.simulate(t, run.SimConfig{Plans: all[at : at+1], Point: s.At(), Seed: &seed, IDs: ids})
			}
			inWorld(t, byte(i), s.World.Nodes, func(t *testing.T, w *world) {
				w.grow(repeat(settings(&s.World), s.World.Nodes)...)
				for j, m := range w.members {
					require.Equal(t, ids[j], []byte(m.host.ID()))
				}
				w.pass(settle)
				hosts.lookUp(w, rounds)
			})
			t.Logf("%s\n%s%s", s.At(), sim.row("simulator"), hosts.row("hosts"))
			require.Len(t, sim.hops, seeds*int(s.Loads[0].Count))
			require.Len(t, hosts.hops, rounds*s.World.Nodes)
			assert.InEpsilon(t, median(hosts.hops), median(sim.hops), 0.05, "hops, median")
			assert.InEpsilon(t, median(hosts.requests), median(sim.requests), 0.05, "requests, median")
			assert.InEpsilon(t, mean(hosts.hops), mean(sim.hops), 0.07, "hops, mean")
			assert.InEpsilon(t, mean(hosts.requests), mean(sim.requests), 0.07, "requests, mean")
		})
	}
}

// looked is what lookups cost.
type looked struct {
	hops, requests []float64
	took           []float64 // milliseconds
}

func (l *looked) add(hops, requests, took float64) {
	l.hops, l.requests, l.took = append(l.hops, hops), append(l.requests, requests), append(l.took, took)
}

// simulate runs a point of a plan and takes the lookups from its rows.
func (l *looked) simulate(t *testing.T, c run.SimConfig) {
	var rows bytes.Buffer
	c.Rows = &rows
	_, err := run.Simulate(t.Context(), c)
	require.NoError(t, err)
	lines, err := csv.NewReader(&rows).ReadAll()
	require.NoError(t, err)
	column := func(line []string, name string) float64 {
		i := slices.Index(lines[0], name)
		require.GreaterOrEqual(t, i, 0, name)
		v, err := strconv.ParseFloat(line[i], 64)
		require.NoError(t, err)
		return v
	}
	for _, line := range lines[1:] {
		l.add(column(line, "hops"), column(line, "requests"), column(line, "took_ns")/1e6)
	}
}

// settings are nodes with what a plan says of them.
func settings(w *plan.World) join {
	cfg := kad.Current()
	if w.Preset == "amino" {
		cfg = kad.Amino()
	}
	cfg.Mode, cfg.K = kad.ModeServer, w.K
	return func(t *testing.T, h *countingHost) *member {
		n, err := p2p.New(p2p.Config{Host: h, Kad: cfg, Validators: p2p.Namespaces("v", "pk")})
		require.NoError(t, err)
		require.NoError(t, n.Start(t.Context()))
		return &member{host: h, Routing: n, table: n.Table, close: n.Close}
	}
}

// lookUp lets each node in turn look for a key, one a second, and all again.
func (l *looked) lookUp(w *world, rounds int) {
	var mu sync.Mutex
	var done sync.WaitGroup
	for round := range rounds {
		for i, m := range w.members {
			done.Go(func() {
				began := time.Now()
				got, err := m.Routing.(*p2p.Node).GetClosestPeers(w.t.Context(), fmt.Appendf(nil, "key %d of node %d", round, i), 0)
				took := time.Since(began)
				mu.Lock()
				defer mu.Unlock()
				if assert.NoError(w.t, err) {
					l.add(float64(got.Stats.Hops), float64(got.Stats.Requests), float64(took.Microseconds())/1e3)
				}
			})
			w.pass(time.Second)
		}
	}
	done.Wait()
}

// row is a line of the comparison.
func (l *looked) row(name string) string {
	text := fmt.Sprintf("%-9s %4d lookups", name, len(l.hops))
	for _, of := range []struct {
		name   string
		values []float64
	}{{"hops", l.hops}, {"requests", l.requests}, {"ms", l.took}} {
		sorted := slices.Sorted(slices.Values(of.values))
		text += fmt.Sprintf("   %s p10 %.4g p50 %.4g p90 %.4g mean %.4g", of.name,
			sorted[len(sorted)/10], sorted[len(sorted)/2], sorted[len(sorted)*9/10], mean(of.values))
		if of.name != "ms" {
			text += fmt.Sprintf(" median %.4g", median(of.values))
		}
	}
	return text + "\n"
}

func mean(of []float64) (sum float64) {
	for _, v := range of {
		sum += v / float64(len(of))
	}
	return sum
}

// median of counts, as of grouped data: a count c stands for all between c-½ and c+½. Among fifty nodes half of the lookups
// take one hop and half two, so that the bare middle one would be 1 or 2 by the toss of a coin.
func median(counts []float64) float64 {
	sorted := slices.Sorted(slices.Values(counts))
	middle := sorted[len(sorted)/2]
	below, _ := slices.BinarySearch(sorted, middle)
	upTo, _ := slices.BinarySearch(sorted, middle+1)
	return middle - 0.5 + (float64(len(sorted))/2-float64(below))/float64(upTo-below)
}
