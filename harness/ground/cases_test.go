package ground

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kadbench/kadbench/harness/network"
	"github.com/kadbench/kadbench/harness/run"
	"github.com/kadbench/kadbench/plans"
)

// play runs a case with its instances as goroutines.
func play(t *testing.T, c *Case, n int, params map[string]string, groups ...Group) (*Run, error) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	all := map[string]string{}
	if c.param("pace") != nil {
		all["pace"] = "0s" // which keeps a machine free that these few do not fill
	}
	if c.param("min_recall") != nil {
		all["min_recall"] = "0.6" // a network of 8 in two parts has 0.57 at the most; a busy machine has what is slow left out
	}
	for name, value := range params {
		all[name] = value
	}
	return Local(t.Context(), Config{Case: c.Name, Instances: n, Groups: groups, Params: all, Out: t.TempDir()})
}

// measured are the points of a name of all instances.
func measured(r *Run, name string) (values []float64) {
	for _, o := range r.Instances {
		for _, p := range o.Points {
			if p.Name == name {
				values = append(values, p.Value)
			}
		}
	}
	return values
}

func points(t *testing.T, r *Run, name string, count int) {
	t.Helper()
	assert.Len(t, measured(r, name), count, "points %s", name)
}

// pair is two implementations in one network.
var pair = []Group{{ID: "ref", Count: 3, Params: map[string]string{"kind": "ref"}}, {ID: "go", Count: 3, Params: map[string]string{"kind": "go"}}}

// TestCases: each passes with instances of both implementations on TCP, and with some clients in memory, and has measured what
// it is for.
func TestCases(t *testing.T) {
	for _, x := range []struct {
		c        *Case
		measured map[string]int // by how many of each there are for an instance; -1: an unknown number
	}{
		{bootstrapNetwork, map[string]int{"lookup_ms": 2}},
		{churn, map[string]int{"lookup_ms": -1, "found_dead": -1, "rejoin_ms": -1}},
		{findPeers, map[string]int{"lookup_ms": -1}},
		{findProviders, map[string]int{"provide_ms": 5, "lookup_ms": 5, "recall": 5, "first_provider_ms": 5}},
		{getClosestPeers, map[string]int{"lookup_ms": 5, "recall": 5, "found": 5}},
		{provideStress, map[string]int{"provide_ms": 40, "provides_per_s": 1, "lookup_ms": 10}},
		{storeGetValue, map[string]int{"put_ms": 5, "get_ms": 5}},
	} {
		for where, params := range map[string]map[string]string{
			"on TCP":    {"leave": "0.5", "rounds": "4"},
			"in memory": {"leave": "0.5", "rounds": "4", "transport": "mem", "clients": "0.34"},
		} {
			if x.c != churn {
				delete(params, "leave")
				delete(params, "rounds")
			}
			t.Run(x.c.Name+" "+where, func(t *testing.T) {
				r, err := play(t, x.c, 0, params, pair...)
				require.NoError(t, err)
				n := len(r.Instances)
				require.Equal(t, 6, n)
				for _, name := range []string{"bootstrap_ms", "table_entries"} {
					points(t, r, name, n)
				}
				points(t, r, "group_success", 2)
				points(t, r, "group_p99_ms", 2)
				for name, each := range x.measured {
					if each < 0 {
						assert.NotEmpty(t, measured(r, name), "points %s", name)
					} else {
						points(t, r, name, each*n)
					}
				}
			})
		}
	}
}

// TestConformance: the smoke cases, shared among those who judge, find nothing wrong with either implementation.
func TestConformance(t *testing.T) {
	r, err := play(t, conformance, 0, nil, pair...)
	require.NoError(t, err)
	sum := func(name string) (total float64) {
		for _, v := range measured(r, name) {
			total += v
		}
		return total
	}
	ids, err := plans.Smoke()
	require.NoError(t, err)
	assert.EqualValues(t, 2*len(ids), sum("cases_passed")+sum("cases_warned")+sum("cases_unsupported"), "each case once for each implementation")
	assert.Greater(t, sum("cases_passed"), float64(len(ids)))
	points(t, r, "judging_ms", 4)
}

// TestConformanceOfBoth: a case that one implementation fails does not keep the other from being judged.
func TestConformanceOfBoth(t *testing.T) {
	groups := []Group{
		{ID: "go", Count: 3, Params: map[string]string{"kind": "go", "profile": "amino", "cases": "table/newcomers-evict-nobody"}},
		{ID: "ref", Count: 2, Params: map[string]string{"cases": "find-node/*,get-providers/*,put-value/*", "jobs": "1"}},
	}
	r, err := play(t, conformance, 0, nil, groups...)
	require.ErrorContains(t, err, "(group go): conformance: a case failed")
	assert.Equal(t, 1, r.Count("go")[Failed])
	ref := &Instance{GroupSeq: 2, GroupCount: 2, Case: conformance}
	ref.Params, err = conformance.Parse(groups[1].Params)
	require.NoError(t, err)
	cfg, err := suite(ref)
	require.NoError(t, err)
	judged := 0.0
	for _, m := range r.Metrics("ref") {
		if strings.HasPrefix(m.Name, "cases_") {
			judged += m.Max
		}
	}
	assert.InDelta(t, len(run.Select(&cfg)), judged, 5, "known failures are none of these")
}

// TestThresholds: what a case demands and does not get fails it, in words.
func TestThresholds(t *testing.T) {
	for _, x := range []struct {
		c      *Case
		params map[string]string
		want   string
	}{
		{getClosestPeers, map[string]string{"min_recall": "1.1"},
			"threshold missed: recall is 1.000, the mean of 20 operations, expected at least min_recall 1.1"},
		{findPeers, map[string]string{"min_success": "1.5"},
			"threshold missed: 12 of 12 operations succeeded (1.000), expected at least min_success 1.5"},
		{storeGetValue, map[string]string{"max_p99_ms": "0.000001"}, "expected at most max_p99_ms 1e-06"},
		{bootstrapNetwork, map[string]string{"min_table": "3", "k": "1", "settle": "10ms", "min_recall": "2"}, "threshold missed: "},
		{storeGetValue, map[string]string{"op_timeout": "1ns"}, "join: "},
		{churn, map[string]string{"timeout": "1ms"}, "the case took longer than its timeout, 1ms"},
		{conformance, map[string]string{"cases": "nonsense/*"}, "no case matches"},
	} {
		t.Run(x.c.Name, func(t *testing.T) {
			params := map[string]string{}
			if x.c != conformance {
				params["transport"] = "mem"
			}
			for name, value := range x.params {
				params[name] = value
			}
			_, err := play(t, x.c, 4, params)
			assert.ErrorContains(t, err, x.want)
		})
	}
}

// TestRefuses: a value that a case cannot work with is named, with what was expected, before anything begins.
func TestRefuses(t *testing.T) {
	for _, x := range []struct {
		c                     *Case
		name, value, expected string
	}{
		{getClosestPeers, "transport", "pigeon", "tcp, quic or mem"},
		{getClosestPeers, "bs_strategy", "3", "seeds, one, random or ring"},
		{getClosestPeers, "join", "later", "self or full"},
		{getClosestPeers, "k", "-1", "0 to 255"},
		{getClosestPeers, "alpha", "256", "0 to 255"},
		{getClosestPeers, "clients", "2", "a share from 0 to 1"},
		{getClosestPeers, "kind", "rust", "expected ref or go"},
		{getClosestPeers, "lookups", "0", "1 to 100000"},
		{getClosestPeers, "max_p99_ms", "-1", "0 or more"},
		{getClosestPeers, "transport", "quic", "0s with quic"},
		{findPeers, "n_find_peers", "0", "1 to 100000"},
		{storeGetValue, "record_count", "0", "1 to 100000"},
		{provideStress, "record_count", "1000000000000", "1 to 100000"},
		{findProviders, "search_records", "-1", "0 to 100000"},
		{findProviders, "providers", "4", "1 to 3"},
		{provideStress, "concurrency", "257", "1 to 256"},
		{churn, "rounds", "1001", "1 to 1000"},
		{churn, "lookups", "1001", "1 to 1000"},
		{churn, "leave", "1", "a share from 0 on, below 1"},
		{bootstrapNetwork, "min_table", "4", "0 to 3"},
		{conformance, "transport", "mem", "the puppets have sockets"},
		{conformance, "profile", "best", "best"},
		{conformance, "jobs", "0", "1 to 64"},
		{conformance, "kind", "rust", "expected ref or go"},
		{conformance, "timeout", "0s", "more than 0s"},
	} {
		t.Run(x.name+" "+x.value, func(t *testing.T) {
			params := map[string]string{x.name: x.value}
			if x.value == "quic" {
				params["latency"] = "1ms"
			}
			err := Config{Case: x.c.Name, Instances: 4, Params: params, Out: t.TempDir()}.Check()
			assert.ErrorContains(t, err, "usage: parameter ")
			assert.ErrorContains(t, err, x.expected)
			assert.Equal(t, 2, run.ExitCode(err))
		})
	}
	err := Config{Case: "conformance", Out: t.TempDir(), Groups: []Group{{ID: "a", Count: 2}, {ID: "b", Count: 1}}}.Check()
	assert.EqualError(t, err, "usage: group b of 1 instance, expected 2 or more: the server, and who judges it")
	_, err = play(t, getClosestPeers, 4, map[string]string{"clients": "1"})
	assert.ErrorContains(t, err, "0 of 4 instances are servers, expected 2 or more")
}

// TestConnections: nodes that keep few connections keep few, and find nearly as much: requests of others go down with some of them.
func TestConnections(t *testing.T) {
	r, err := play(t, getClosestPeers, 24, map[string]string{"transport": "mem", "connections": "4", "min_recall": "0.8"})
	require.NoError(t, err)
	points(t, r, "found", 5*24)

	p := &party{chance: rand.New(rand.NewPCG(1, 1)), set: settings{keep: 3}}
	mem := network.NewMem(0)
	kind, err := network.Find("ref")
	require.NoError(t, err)
	for seq := range 8 {
		h, err := mem.Host(seedOf(1, seq))
		require.NoError(t, err)
		defer h.Close()
		n, err := kind.New(t.Context(), network.Spec{Seed: seedOf(1, seq), Host: h, Server: true})
		require.NoError(t, err)
		defer n.Close()
		if seq == 0 {
			p.node = n
			continue
		}
		require.NoError(t, n.Connect(t.Context(), p.node.Info()))
	}
	require.Len(t, p.node.Host().Network().Peers(), 7)
	p.trim()
	assert.Len(t, p.node.Host().Network().Peers(), 3)
}

// TestStrategies: by whatever door the instances enter, the network is one.
func TestStrategies(t *testing.T) {
	for _, strategy := range []string{toSeeds, toOne, toRandom, toRing} {
		for _, window := range []string{"1", "16"} {
			seeds := "2"
			if window == "1" { // the first instance is the only seed then, and has nobody to dial
				seeds = "1"
			}
			t.Run(strategy+" "+window, func(t *testing.T) {
				_, err := play(t, getClosestPeers, 8, map[string]string{
					"transport": "mem", "bs_strategy": strategy, "seeds": seeds, "window": window, "min_success": "1",
				})
				assert.NoError(t, err)
			})
		}
	}
}
