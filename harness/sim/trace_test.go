package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

var update = flag.Bool("update", false, "write the traces in testdata anew")

// tiny is a world of n nodes, 50 ms from each other, of which only the first is a seed, with a lookup by node 2 after a second.
func tiny(n int, ops ...Operation) Config {
	if ops == nil {
		ops = []Operation{{At: 1e9, Kind: Lookup, Key: 1, Node: 2}}
	}
	list := script(ops)
	return Config{Seed: 1, Nodes: n, Shards: 2, Seeds: 1, Kad: quietConfig(), Load: &list, For: ops[len(ops)-1].At + 1e9}
}

// told runs a world and writes down the steps of the nodes that Config.Trace has, and the rows.
func told(t *testing.T, cfg Config) string {
	var b strings.Builder
	cfg.Watch.Step = func(at kad.Duration, node kad.Peer, in string, out []string) {
		fmt.Fprintf(&b, "%8.3f #%d %s\n", float64(at)/1e9, node, in)
		for _, line := range out {
			fmt.Fprintf(&b, "            %s\n", line)
		}
	}
	res, rows := run(t, cfg)
	for _, r := range rows {
		fmt.Fprintf(&b, "row: kind %d of #%d began %.3f took %.3f: %d requests, %d failed, %d hops, found %d, true %d of %d, ok %v, timed out %v, censored %v\n",
			r.Op.Kind, r.Node, float64(r.Began)/1e9, float64(r.Took)/1e9, r.Requests, r.Failed, r.Hops, r.Found, r.True, r.Sought, r.OK, r.TimedOut, r.Censored)
	}
	fmt.Fprintf(&b, "%d sent, %d of them lost\n", res.Sent, res.Lost)
	return b.String()
}

// TestTrace: what a host makes of requests, as the traces in testdata/trace tell it; each begins with what it shows.
func TestTrace(t *testing.T) {
	by1 := func(c *Config, kinds ...OpKind) { // instead of by node 2, and a second apart
		list := script{}
		for i, kind := range kinds {
			list = append(list, Operation{At: kad.Duration(i+1) * 1e9, Kind: kind, Key: 1, Node: 1})
		}
		c.Load, c.For = &list, kad.Duration(len(kinds)+1)*1e9
	}
	for _, c := range []struct {
		name, shows string
		change      func(*Config)
		want        []string // what must stand in it, whatever is written anew
		not         []string
	}{
		{"lookup", "A request takes a round trip for the dial and one for itself: 200 ms.", func(*Config) {},
			[]string{"1.150 #1 < find_node_req", "1.200 #2 < find_node_res"}, nil},
		{"undialled", "Without round trips for a dial it takes 100 ms.", func(c *Config) { c.Links.Dial = -1 },
			[]string{"1.050 #1 < find_node_req", "1.100 #2 < find_node_res"}, nil},
		{"records", "A record is put and got, a provider announced and found; an announcement has no answer.", func(c *Config) {
			by1(c, Put, Get, Provide, Find)
			c.Trace = []kad.Peer{1}
		}, []string{"put_record_res", "get_record_res", "add_provider #", "providers=["}, []string{"query_error"}},
		{"dead", "All but node 1 left half a second before it asks: a dial fails after 5 s.", func(c *Config) {
			c.Faults = []Fault{{Kind: Exit, Share: One, At: 5e8}}
			by1(c, Lookup)
		}, []string{"6.000 #1 < dial_failed"}, []string{"find_node_res"}},
		{"unreachable", "Nobody can dial nodes 2 and 3, who dial others as ever.", func(c *Config) {
			c.Links.Unreachable, c.Links.DialTimeout = One, 3e9
		}, []string{"1.150 #1 < find_node_req #2", "1.200 #2 < find_node_res #1", "4.000 #2 < dial_failed #3"}, []string{"res #3"}},
		{"slow", "All but node 1 answer 2 s later than others.", func(c *Config) { c.Links.Slow = One },
			[]string{"1.200 #2 < find_node_res #1", "3.200 #2 < find_node_res #3"}, nil},
		{"late", "They answer 12 s later, 10 s after which their asker's host has given up: no answer, but a failure.", func(c *Config) {
			c.Links.Slow, c.Links.SlowBy = One, 12e9
		}, []string{"11.000 #2 < query_error #3"}, []string{"find_node_res #3"}},
		{"lost", "Every message is lost for a second and a half: its asker gives up after 10 s.", func(c *Config) {
			c.Faults = []Fault{{Kind: Lossy, Share: One, At: 0, Until: 15e8}}
			by1(c, Lookup, Lookup)
			c.Trace = []kad.Peer{1}
		}, []string{"11.000 #1 < query_error #2 query=1", "2.200 #1 < find_node_res"}, nil},
		{"cut", "Node 1 is cut from node 2, not from node 3: a dial across is as one of nobody.", func(c *Config) {
			c.Trace = []kad.Peer{1}
			c.Faults = []Fault{{Kind: Partition, Share: One / 2, At: 0, Until: 15e8}}
			by1(c, Lookup, Lookup)
		}, []string{"6.000 #1 < dial_failed #2", "1.200 #1 < find_node_res #3", "2.200 #1 < find_node_res #2"}, nil},
		{"idle", "Connections are kept, and closed at both ends 3 s after the last message; the second lookup needs no dial.", func(c *Config) {
			c.Links.Idle = 3e9
			by1(c, Lookup, Lookup)
			c.For = 10e9
		}, []string{"1.150 #2 < connection_established #1", "1.200 #1 < connection_established #2", "2.100 #1 < find_node_res", "5.100 #1 < connection_closed", "5.050 #2 < connection_closed #1"}, nil},
		{"clients", "Nodes 2 and 3 are clients: node 1 answers them and does not take them into its table.", func(c *Config) {
			c.Clients = One
			c.Load = &script{{At: 1e9, Kind: Lookup, Key: 1, Node: 2}, {At: 2e9, Kind: Lookup, Key: 1, Node: 1}}
			c.For = 3e9
		}, []string{"1.200 #2 < find_node_res #1"}, []string{"> find_node #2", "> find_node #3"}},
		{"former life", "Node 2 vanishes while it waits, and is back before the answer, which it does not get.", func(c *Config) {
			c.Faults = []Fault{{Kind: Crash, Share: One, At: 1_100e6, Until: 1_180e6}}
		}, []string{"1.150 #1 < find_node_req #2", "censored true"}, []string{"find_node_res"}},
		{"growth", "Node 1 is there at first, a second later the next two: they ask it, and so each comes to know the other.", func(c *Config) {
			c.Tables, c.Growth = Grown, Growth{First: 1, Batch: 2, Every: 1e9}
			c.Kad.BootstrapThrottle = 0
			c.Load, c.For, c.Trace = &script{{At: 4e9, Kind: Lookup, Key: 1, Node: 2}}, 5e9, []kad.Peer{2}
		}, []string{"1.000 #2 < op_add_address", "peers=[#1 #3]"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := tiny(3)
			cfg.Trace = []kad.Peer{1, 2}
			c.change(&cfg)
			got := "# " + c.shows + "\n" + told(t, cfg)
			for _, want := range c.want {
				assert.Contains(t, got, want)
			}
			for _, not := range c.not {
				assert.NotContains(t, got, not)
			}
			path := filepath.Join("testdata", "trace", strings.ReplaceAll(c.name, " ", "-")+".txt")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}
