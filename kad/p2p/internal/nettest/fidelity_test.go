package nettest

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
	"github.com/kadbench/kadbench/plans"
)

// looked is what came of lookups: sorted lists.
type looked struct {
	hops, requests []float64
	took           []float64 // milliseconds
}

func (l *looked) add(hops, requests, took float64) {
	l.hops, l.requests, l.took = append(l.hops, hops), append(l.requests, requests), append(l.took, took)
}

// row is a line of the comparison.
func (l *looked) row(name string) string {
	text := fmt.Sprintf("%-9s %4d lookups", name, len(l.hops))
	for _, of := range []struct {
		name   string
		values []float64
	}{{"hops", l.hops}, {"requests", l.requests}, {"ms", l.took}} {
		slices.Sort(of.values)
		sum := 0.0
		for _, v := range of.values {
			sum += v
		}
		text += fmt.Sprintf("   %s p10 %.4g p50 %.4g p90 %.4g mean %.4g", of.name,
			at(of.values, 0.1), at(of.values, 0.5), at(of.values, 0.9), sum/float64(len(of.values)))
	}
	return text + "\n"
}

func at(sorted []float64, q float64) float64 { return sorted[int(q*float64(len(sorted)-1))] }

// TestFidelity holds the simulator against real hosts: the plan sim/fidelity, and a network of 50
// go-libp2p hosts over QUIC with the same core, links and load. Hops and requests of a lookup agree at the median within
// 5 %; identities differ, so the rest of the distribution may by a little. Latencies are shown and not held: a real dial over
// QUIC takes one round trip, as the plan's does, but identify and the negotiation of the protocol come to it on a first
// connection.
func TestFidelity(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 100 hosts")
	}
	t.Parallel()
	const networks, each = 1, 4
	var sim, hosts looked
	for seed := range uint64(networks) {
		simulate(t, seed, &sim)
		inWorld(t, byte(seed), 50, func(t *testing.T, w *world) {
			w.grow(repeat(current, 50)...)
			w.pass(settle)
			w.lookUp(each, &hosts)
		})
	}
	text := sim.row("simulator") + hosts.row("hosts")
	t.Log("\n" + text)
	require.Len(t, sim.hops, networks*50*each)
	require.Len(t, hosts.hops, networks*50*each)
	require.InEpsilon(t, at(hosts.hops, 0.5), at(sim.hops, 0.5), 0.05, "hops")
	require.InEpsilon(t, at(hosts.requests, 0.5), at(sim.requests, 0.5), 0.05, "requests")
}

// simulate runs the plan and takes the operations from its rows.
func simulate(t *testing.T, seed uint64, out *looked) {
	all, err := plan.LoadAll(plans.FS, "sim", "plans/")
	require.NoError(t, err)
	i := slices.IndexFunc(all, func(p *plan.Plan) bool { return p.Header.ID == "sim/fidelity" })
	require.GreaterOrEqual(t, i, 0)
	var rows bytes.Buffer
	_, err = run.Simulate(context.Background(), run.SimConfig{Plans: all[i : i+1], Seed: &seed, Rows: &rows})
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
		out.add(column(line, "hops"), column(line, "requests"), column(line, "took_ns")/1e6)
	}
}

// current is a node of the settings that the plan has.
func current(t *testing.T, h *countingHost) *member {
	n, err := p2p.New(p2p.Config{Host: h, Kad: kad.Config{Mode: kad.ModeServer}, Validators: p2p.Namespaces("v", "pk")})
	require.NoError(t, err)
	require.NoError(t, n.Start(t.Context()))
	return &member{host: h, Routing: n, table: n.Table, close: n.Close}
}

// lookUp lets each node look up some keys, a second apart.
func (w *world) lookUp(each int, out *looked) {
	var mu sync.Mutex
	var done sync.WaitGroup
	for round := range each {
		for i, m := range w.members {
			done.Go(func() {
				began := time.Now()
				got, err := m.Routing.(*p2p.Node).GetClosestPeers(w.t.Context(), fmt.Appendf(nil, "key %d of node %d", round, i), 0)
				if err != nil {
					w.t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				out.add(float64(got.Stats.Hops), float64(got.Stats.Requests), float64(time.Since(began).Microseconds())/1e3)
			})
			w.pass(time.Second)
		}
	}
	done.Wait()
}
