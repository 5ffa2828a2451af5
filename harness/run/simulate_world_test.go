package run

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/sim"
	"github.com/kadbench/kadbench/kad"
)

// golden holds what a test made of the first file of each archive in a directory against the second, called as it is
// named; -update writes it anew.
func golden(t *testing.T, dir, want string, made func(t *testing.T, source string) string) {
	files, err := filepath.Glob(filepath.Join("testdata", "simulate", dir, "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			require.NoError(t, err)
			got := made(t, string(ar.Comment))
			if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
				ar.Files = []txtar.File{{Name: want, Data: []byte(got)}}
				require.NoError(t, os.WriteFile(file, txtar.Format(ar), 0o644))
			}
			require.Len(t, ar.Files, 1)
			assert.Equal(t, string(ar.Files[0].Data), got)
		})
	}
}

// simulationOf parses a plan whose fixtures begin with == instead of --, since it stands in an archive itself.
func simulationOf(t *testing.T, source string) *plan.Plan {
	t.Helper()
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\n== ", "\n-- "), " ==\n", " --\n")
	p, err := plan.Parse("x.plan", []byte(source))
	require.NoError(t, err)
	require.True(t, p.Simulated())
	return p
}

// TestWorldOf: what a plan says, as a world's configuration, field by field; of the core's, what differs from Current.
func TestWorldOf(t *testing.T) {
	golden(t, "world", "config", func(t *testing.T, source string) string {
		p := simulationOf(t, source)
		var b strings.Builder
		for _, s := range p.Simulations() {
			cfg, err := worldOf(p, s, &SimConfig{Shards: 1})
			require.NoError(t, err)
			if at := s.At(); at != "" {
				fmt.Fprintf(&b, "%s\n", at)
			}
			show(&b, "", reflect.ValueOf(cfg), reflect.ValueOf(sim.Config{Kad: kad.Current()}))
			for range 3 {
				if cfg.Load == nil {
					break
				}
				op, ok := cfg.Load.Next()
				fmt.Fprintf(&b, "next %v %+v\n", ok, op)
			}
		}
		return b.String()
	})
}

// show prints the fields of a value that differ from another's.
func show(b *strings.Builder, name string, v, other reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				show(b, strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), v.Field(i), other.Field(i))
			}
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			show(b, fmt.Sprintf("%s[%d]", name, i), v.Index(i), reflect.Zero(v.Type().Elem()))
		}
	case v.Kind() == reflect.Func, v.Kind() == reflect.Interface:
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			fmt.Fprintf(b, "%s is there\n", name)
		}
	case v.Type() == reflect.TypeFor[kad.Duration]():
		if v.Int() != other.Int() {
			fmt.Fprintf(b, "%s %s\n", name, time.Duration(v.Int()))
		}
	case !reflect.DeepEqual(v.Interface(), other.Interface()):
		fmt.Fprintf(b, "%s %v\n", name, v.Interface())
	}
}

// TestCommandWins: what the command chooses stands in place of the plan's.
func TestCommandWins(t *testing.T) {
	p := simulationOf(t, `id sim/x
world sim nodes=1000 seed=3 shards=4 first=900 batch=10 every=1s
load lookup rate=1/s for=100s
load lookup count=5 for=10s from=80s
load put count=7
load bootstrap rate=1/s count=100
`)
	seed := uint64(9)
	c := SimConfig{Seed: &seed, Nodes: 50, Shards: 2, For: time.Minute, Wire: true, Trace: []kad.Peer{7}}
	cfg, err := worldOf(p, p.Simulations()[0], &c)
	require.NoError(t, err)
	assert.Equal(t, uint64(9), cfg.Seed)
	assert.Equal(t, 50, cfg.Nodes)
	assert.Equal(t, 50, cfg.Growth.First, "all that there are")
	assert.Equal(t, 2, cfg.Shards)
	assert.True(t, cfg.Wire)
	assert.Equal(t, kad.Minute, cfg.For)
	assert.Equal(t, []kad.Peer{7}, cfg.Trace)
	kinds := map[sim.OpKind]int{}
	for op, ok := cfg.Load.Next(); ok; op, ok = cfg.Load.Next() {
		kinds[op.Kind]++
		assert.LessOrEqual(t, op.At, kad.Minute)
	}
	assert.Equal(t, map[sim.OpKind]int{sim.Lookup: 60, sim.Put: 7, sim.Bootstrap: 61}, kinds)
}

// TestEndOf: a run lasts as long as the last of its loads, faults and joins.
func TestEndOf(t *testing.T) {
	for _, test := range []struct {
		lines string
		end   time.Duration
	}{
		{"load lookup rate=1/s for=100s from=10s", 110 * time.Second},
		{"load lookup rate=3/h count=7", 7 * time.Hour / 3},
		{"load lookup count=7", 0},
		{"load lookup count=7\nfaults exit share=10% at=5m", 5 * time.Minute},
		{"load lookup count=7\nfaults crash share=10% at=5m until=6m", 6 * time.Minute},
		{"load lookup rate=10000000/s count=1000000000", 100 * time.Second},
		{"load lookup rate=1/h count=1000000000", 1<<63 - 1},
	} {
		s := simulationOf(t, "id sim/x\nworld sim nodes=10\n"+test.lines+"\n").Simulations()[0]
		assert.Equal(t, test.end, endOf(s, 10), test.lines)
	}
	s := simulationOf(t, "id sim/x\nworld sim nodes=1000 first=1 batch=10 every=2s\nload lookup count=1\n").Simulations()[0]
	assert.Equal(t, 200*time.Second, endOf(s, 1000), "99.9 joins of ten")
}

// TestWorldSettings: what a reader is told of a world, without what the sweep or the command chose.
func TestWorldSettings(t *testing.T) {
	p := simulationOf(t, `id sim/x
world sim nodes=10 tables=ideal k=20 alpha=3
link uniform 10ms..20ms loss=1%
faults liar share=5%
load lookup rate=10/s for=100s
sweep alpha=1 loss=2% liar.share=10%
`)
	r := &SimRun{Plan: p, Point: p.Simulations()[0].Point}
	say := func(c SimConfig) (out []string) {
		for _, s := range c.worldSettings(r) {
			out = append(out, s.Name+": "+s.Value)
		}
		return out
	}
	assert.Equal(t, []string{"tables: ideal", "k: 20", "link: uniform 10ms..20ms", "faults: liar", "load: lookup rate=10/s for=100s"}, say(SimConfig{}))
	assert.Equal(t, []string{"tables: ideal", "k: 20", "link: uniform 10ms..20ms", "faults: liar", "load: lookup rate=10/s", "for: 40s"}, say(SimConfig{For: 40 * time.Second}))
}
