package ground

import (
	"fmt"
	"slices"
	"time"

	"github.com/kadbench/kadbench/harness/network"
)

// How an instance chooses whom it dials first: bs_strategy.
const (
	toSeeds  = "seeds"  // all seeds
	toOne    = "one"    // one of the seeds, by chance
	toRandom = "random" // as many servers as there are seeds, by chance
	toRing   = "ring"   // the next server
)

// How it joins: join.
const (
	joinSelf = "self" // looks for itself
	joinFull = "full" // refreshes its whole table too
)

// common are the parameters of the cases on a network. Their names are those of the specification, and those of Testground's
// old DHT plan where they say what they are.
var common = []Param{
	{"kind", "string", "", "ref", "The implementation: ref (kadbench's own) or go (go-libp2p-kad-dht)."},
	{"transport", "string", "", "tcp", "tcp, quic, or mem: a network in memory, for instances in one process."},
	{"k", "int", "peers", "0", "The size of a bucket and of a result; 0: the implementation's own, 20."},
	{"alpha", "int", "requests", "0", "Requests of a lookup at once; 0: the implementation's own."},
	{"beta", "int", "peers", "0", "How many of the nearest must have answered; 0: the implementation's own."},
	{"client_mode", "bool", "", "false", "The instances of this group are clients."},
	{"clients", "float", "", "0", "The share of clients among the instances of this group."},
	{"latency", "duration", "", "0s", "Of a link, one way: by the sidecar where there is one, else where a connection is dialled."},
	{"refresh", "duration", "", "0s", "The interval of refreshing the table; 0s: never."},
	{"bs_strategy", "string", "", "seeds", "Whom an instance dials first: seeds, one (of the seeds), random (as many servers), ring (the next)."},
	{"seeds", "int", "peers", "3", "The first so many servers are the seeds."},
	{"join", "string", "", "self", "How an instance joins: self (it looks for itself) or full (it refreshes its whole table too)."},
	{"window", "int", "instances", "16", "So many join at once."},
	{"pace", "duration", "", "100ms", "The operations of the instances begin by chance within this time for each of them: within 10 s if they are 100. Above 500, it grows with their number: within 200 s if they are 1,000, and half of timeout at the most."},
	{"connections", "int", "", "0", "After an operation a node closes connections, by chance, until it has so many, requests of others on them included; 0: none. It halves the memory of 300 nodes."},
	{"seed", "int", "", "1", "Of identities, keys and choices."},
	{"op_timeout", "duration", "", "1m", "Of one operation, which has failed then."},
	{"timeout", "duration", "", "9m", "Of the whole case; Testground's own limit is 10 minutes."},
}

// Thresholds, each of them of a group's instances together.
var (
	minSuccess = Param{"min_success", "float", "", "0.95", "The share of operations that must succeed."}
	minRecall  = Param{"min_recall", "float", "", "0.9", "The mean share of the true answers that must be found."}
)

const maxP99Name = "max_p99_ms"

// maxP99 is the threshold of the times which a point has.
func maxP99(point string) Param {
	return Param{maxP99Name, "float", "ms", "0", "The 99th percentile of " + point + " may be so much; 0: any."}
}

// Common are the parameters of all cases on a network.
func Common() []Param { return slices.Clone(common) }

// Own are the parameters of a case without those that it has in common with all cases on a network.
func (c *Case) Own() []Param {
	if c.param("bs_strategy") == nil { // it is on none
		return c.Params
	}
	return slices.DeleteFunc(slices.Clone(c.Params), func(p Param) bool { return slices.Contains(common, p) })
}

// with is the common parameters and those of a case. One of a common name takes its place.
func with(own ...Param) []Param {
	all := slices.Clone(common)
	for _, o := range own {
		if i := slices.IndexFunc(all, func(c Param) bool { return c.Name == o.Name }); i >= 0 {
			all[i] = o
		} else {
			all = append(all, o)
		}
	}
	return all
}

// settings are what the cases on a network have in common.
type settings struct {
	kind           network.Kind
	transport      string
	k, alpha, beta int

	client  bool
	clients float64
	latency time.Duration
	refresh time.Duration

	strategy string
	seeds    int
	join     string
	window   int
	pace     time.Duration
	keep     int // connections; 0: all

	seed    uint64
	timeout time.Duration // of the whole case
	patient time.Duration // of one operation
}

// readSettings reads the common parameters, whose types are those that they should be. Shaped says that there is a sidecar.
func readSettings(p Params, shaped bool) (settings, error) {
	s := settings{
		transport: p.Text("transport"),
		k:         p.Int("k"), alpha: p.Int("alpha"), beta: p.Int("beta"),
		client: p.Bool("client_mode"), clients: p.Float("clients"),
		latency: p.Duration("latency"), refresh: p.Duration("refresh"),
		strategy: p.Text("bs_strategy"), seeds: p.Int("seeds"), join: p.Text("join"), window: p.Int("window"), pace: p.Duration("pace"), keep: p.Int("connections"),
		seed: uint64(p.Int("seed")), timeout: p.Duration("timeout"), patient: p.Duration("op_timeout"),
	}
	for _, c := range []struct {
		name     string
		ok       bool
		expected string
	}{
		{"transport", slices.Contains([]string{"tcp", "quic", "mem"}, s.transport), "tcp, quic or mem"},
		{"k", s.k >= 0 && s.k <= maxPeers, upTo(0, maxPeers)},
		{"alpha", s.alpha >= 0 && s.alpha <= maxPeers, upTo(0, maxPeers)},
		{"beta", s.beta >= 0 && s.beta <= maxPeers, upTo(0, maxPeers)},
		{"clients", s.clients >= 0 && s.clients <= 1, "a share from 0 to 1"},
		{"latency", s.latency >= 0, "0s or more"},
		{"refresh", s.refresh >= 0, "0s or more"},
		{"bs_strategy", slices.Contains([]string{toSeeds, toOne, toRandom, toRing}, s.strategy), "seeds, one, random or ring"},
		{"seeds", s.seeds > 0, "1 or more"},
		{"join", s.join == joinSelf || s.join == joinFull, "self or full"},
		{"window", s.window > 0, "1 or more"},
		{"pace", s.pace >= 0, "0s or more"},
		{"connections", s.keep >= 0, "0 or more"},
		{"op_timeout", s.patient > 0, "more than 0s"},
		{"timeout", s.timeout > 0, "more than 0s"},
	} {
		if !c.ok {
			return s, refuse(p, c.name, c.expected)
		}
	}
	for _, name := range []string{minSuccess.Name, minRecall.Name, maxP99Name} {
		if _, has := p[name]; has && p.Float(name) < 0 { // it could not be missed
			return s, refuse(p, name, "0 or more")
		}
	}
	if s.transport == "quic" && s.latency > 0 && !shaped {
		return s, refuse(p, "latency", "0s with quic, whose packets only a sidecar can hold back")
	}
	var err error
	if s.kind, err = network.Find(p.Text("kind")); err != nil {
		return s, fmt.Errorf("parameter kind: %w", err)
	}
	return s, nil
}

// fewEnough is how many instances may have their pace as it is. An operation among more of them opens connections to strangers
// most of the time, and costs several times as much: 16 ms of a processor among 1,000.
const fewEnough = 500

// spread is the time within which the operations of so many instances begin. What is left of the timeout is for joining, and
// for the operations themselves.
func (s *settings) spread(count int) time.Duration {
	within := float64(s.pace) * float64(count) * max(1, float64(count)/fewEnough)
	return time.Duration(min(within, float64(s.timeout/2)))
}

// bound is what a case allows for a parameter of its own.
type bound struct {
	name      string
	low, high int
}

// maxOperations of one kind are what an instance may do: of the ten minutes of a run, 6 ms are left for each.
const maxOperations = 100_000

// maxPeers is the largest k, alpha and beta: kad's own limit, and more than any network uses.
const maxPeers = 255

// fits is what a case on a network asks of its parameters: those that all have, and its own.
func fits(own ...bound) func(in *Instance) error {
	return func(in *Instance) error {
		if _, err := readSettings(in.Params, in.Shape != nil); err != nil {
			return err
		}
		for _, b := range own {
			if v := in.Params.Int(b.name); v < b.low || v > b.high {
				return refuse(in.Params, b.name, upTo(b.low, b.high))
			}
		}
		return nil
	}
}

func upTo(low, high int) string { return fmt.Sprintf("%d to %d", low, high) }

// refuse is the error of a value that cannot be.
func refuse(p Params, name, expected string) error {
	return fmt.Errorf("parameter %s %q, expected %s", name, p[name], expected)
}

// resultSize is how many peers a lookup returns.
func (s *settings) resultSize() int {
	if s.k > 0 {
		return s.k
	}
	return 20
}

// isClient says whether the instance at this place of its group is a client. They are spread evenly, and the first is one
// only if all are.
func (s *settings) isClient(place int) bool {
	return s.client || int(float64(place)*s.clients) > int(float64(place-1)*s.clients)
}
