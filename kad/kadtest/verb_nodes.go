package kadtest

import (
	"fmt"
	"strings"

	"github.com/kadbench/kadbench/kad"
)

var verbNodes = verb{
	usage: "nodes NAME… NAME=BITS… [preset=classic|amino] [mode=client|auto] [LIMIT=N] [SPAN=DURATION] [group=TEXT] [FLAG] (with group=G they listen at /mem/G/NAME, and with the flag diverse they limit the peers of one G)",
	do: func(e *Env, a args) error {
		cfg, err := config(&a)
		if err != nil {
			return err
		}
		group := a.get("group", "")
		if err := a.done(len(a.words)); err != nil {
			return err
		}
		for _, word := range a.words {
			name, bits, _ := strings.Cut(word, "=")
			if _, err := e.Node(name); err == nil {
				return fmt.Errorf("node %q is there already", name)
			}
			if err := e.add(name, bits, group, cfg); err != nil {
				return err
			}
		}
		return nil
	},
}

// config reads a configuration. Nodes of scripts are servers unless they say otherwise.
func config(a *args) (kad.Config, error) {
	cfg := kad.Config{}
	switch p := a.get("preset", ""); p {
	case "":
	case "classic":
		cfg = kad.Classic()
	case "amino":
		cfg = kad.Amino()
	default:
		return cfg, fmt.Errorf("no preset %q", p)
	}
	var err error
	if cfg.Mode, err = mode(a.get("mode", "server")); err != nil {
		return cfg, err
	}
	for name, field := range map[string]*int{
		"k": &cfg.K, "bucket": &cfg.BucketSize, "alpha": &cfg.Alpha, "beta": &cfg.Beta, "records": &cfg.Limits.Records,
		"providers": &cfg.Limits.ProvidersPerKey, "queries": &cfg.Limits.Queries, "held": &cfg.Limits.Held,
		"job_queries": &cfg.Limits.JobQueries, "job_starts": &cfg.Limits.JobStarts, "group_peers": &cfg.Limits.GroupPeers,
		"group_bucket_peers": &cfg.Limits.GroupBucketPeers, "cache": &cfg.CacheCandidates, "evict": &cfg.EvictAfter,
	} {
		if a.get(name, "") == "" {
			continue
		}
		n, err := a.number(name)
		if err != nil {
			return cfg, err
		}
		*field = n
	}
	// What a node does by itself would stand in the way of most scripts: those that want it say so.
	for name, s := range map[string]struct {
		field *kad.Duration
		job   bool
	}{
		"query_timeout": {&cfg.QueryTimeout, false}, "peer_timeout": {&cfg.PeerTimeout, false}, "patience": {&cfg.Patience, false},
		"record_ttl": {&cfg.RecordTTL, false}, "provider_ttl": {&cfg.ProviderTTL, false}, "addr_ttl": {&cfg.ProviderAddrTTL, false},
		"replicate": {&cfg.ReplicationInterval, true}, "publish": {&cfg.PublicationInterval, true},
		"provide": {&cfg.ProvideInterval, true}, "bootstrap": {&cfg.BootstrapInterval, true},
		"throttle": {&cfg.BootstrapThrottle, true}, "probe": {&cfg.ProbeInterval, true},
	} {
		switch v := a.get(name, ""); {
		case v != "":
			d, err := span(name+"=", v)
			if err != nil {
				return cfg, err
			}
			*s.field = d
		case s.job:
			*s.field = -1
		}
	}
	if a.get("evict", "") == "" {
		cfg.EvictAfter = -1
	}
	cfg.ManualInserts = a.flag("manual")
	cfg.FilterRecords = a.flag("filter")
	cfg.DisjointPaths = a.flag("disjoint")
	if a.flag("diverse") {
		cfg.Group = group
	}
	cfg.EchoAddProvider = a.flag("echo")
	cfg.NoCorrection = a.flag("nocorrection")
	cfg.FlatExpiry = cfg.FlatExpiry || a.flag("flat")
	return cfg, cfg.Check()
}

// mode reads a mode by its name.
func mode(name string) (kad.Mode, error) {
	m, ok := map[string]kad.Mode{"client": kad.ModeClient, "server": kad.ModeServer, "auto": kad.ModeAuto}[name]
	if !ok {
		return m, fmt.Errorf("no mode %q", name)
	}
	return m, nil
}

// group is the network of an address of the form /mem/G/NAME: a number made of G. Other addresses are of none.
func group(addr []byte) uint64 {
	parts := strings.Split(string(addr), "/")
	if len(parts) != 4 || parts[1] != "mem" {
		return 0
	}
	key := kad.KeyOf([]byte(parts[2]))
	return key.Prefix64()
}

// add makes a node that listens at /mem/NAME, or at /mem/GROUP/NAME.
func (e *Env) add(name, bits, group string, cfg kad.Config) error {
	id, err := Grind(name, bits)
	if err != nil {
		return err
	}
	n := &Node{Name: name, ID: id, Addr: []byte("/mem/" + name)}
	if group != "" {
		n.Addr = []byte("/mem/" + group + "/" + name)
	}
	k, err := kad.New(n.ID, kad.NewDirectory(), cfg)
	if err != nil {
		return err
	}
	n.K = k
	e.nodes = append(e.nodes, n)
	e.Step(n, kad.Input{Kind: kad.ListenAddr, Addr: n.Addr}, false)
	return nil
}
