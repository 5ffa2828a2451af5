package exchange_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/plan"
	"github.com/kadbench/kadbench/harness/run/exchange"
	"github.com/kadbench/kadbench/harness/target"
)

var update = flag.Bool("update", false, "write the expected files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func factory(t *testing.T, text string) target.Factory {
	t.Helper()
	f, err := target.Parse(text)
	require.NoError(t, err)
	return f
}

// sound says that lint has no fault to find.
func sound(t *testing.T, file string, src []byte) {
	t.Helper()
	p, err := plan.Parse(file, src)
	require.NoError(t, err)
	require.Empty(t, plan.Lint(p))
}

// What is recorded from the reference lints, holds against it with any seed, and shows what a mutant does otherwise.
func TestRoundTrip(t *testing.T) {
	for _, id := range []string{"find-node/nearest-twenty", "get-value/known-key"} {
		t.Run(id, func(t *testing.T) {
			src, err := os.ReadFile(filepath.Join("testdata", filepath.Base(id)+".plan"))
			require.NoError(t, err)
			ctx, c, file := t.Context(), exchange.Config{Seed: 1}, id+".plan"
			rec, err := exchange.Record(ctx, c, file, src, factory(t, "ref:"))
			require.NoError(t, err)
			require.Empty(t, rec.Passed)
			golden(t, filepath.Base(id)+".recorded", rec.Source)
			sound(t, file, rec.Source)
			for _, seed := range []uint64{1, 2} {
				d, _, err := exchange.Replay(ctx, exchange.Config{Seed: seed}, file, rec.Source, factory(t, "ref:"))
				require.NoError(t, err)
				require.Nil(t, d)
			}
			d, _, err := exchange.Replay(ctx, c, file, rec.Source, factory(t, "ref:mutant=lists-nineteen"))
			require.NoError(t, err)
			require.NotNil(t, d)
			var out bytes.Buffer
			require.NoError(t, d.Write(&out))
			require.Contains(t, out.String(), "frame 1 of stream")
			require.Contains(t, out.String(), "missing: S")
			require.Regexp(t, `closerPeers\[0\]\.id +S\d+ `, out.String())
		})
	}
}

// Sends without wants get them; the end of a stream and silence are answers too.
func TestRecordWritesWants(t *testing.T) {
	src := []byte(`# Whatever it says.
id    mine/three
spec  libp2p-kad L490-L492
level info

peer  T target
peer  A
open  s A -> T
send  s FIND_NODE key=@k
send  s ADD_PROVIDER key=@k

# Ends it.
open  g A -> T
raw   g hex:ff
half  g
want  g FIND_NODE

-- k --
hex:00
`)
	rec, err := exchange.Record(t.Context(), exchange.Config{}, "mine/three.plan", src, factory(t, "ref:"))
	require.NoError(t, err)
	require.Equal(t, 3, rec.Answers)
	golden(t, "three.recorded", rec.Source)
}

func TestRecordRefuses(t *testing.T) {
	head := "id a/b\nspec libp2p-kad L490-L492\nlevel info\npeer T target\npeer A\n"
	for src, says := range map[string]string{
		head + "open s A -> T\n": "nothing is sent on a stream",
		head + "each i=1..3\nopen s A -> T\nsend s FIND_NODE key=A\n":                     "each",
		head + "open s A -> T\nsend s FIND_NODE key=A times=101\nwant s eof\n":            "",
		strings.Replace(head, "level", "needs restart\nlevel", 1) + "open s A -> T\nhm\n": "hm",
	} {
		_, err := exchange.Record(t.Context(), exchange.Config{}, "a/b.plan", []byte(src), factory(t, "ref:"))
		if says == "" {
			require.NoError(t, err, src)
			continue
		}
		require.ErrorContains(t, err, says, src)
	}
	require.ErrorContains(t, exchange.Config{Timeout: -1}.Check(), "timeout")
	require.ErrorContains(t, exchange.ListenConfig{For: time.Second}.Check(), "frames 0")
	require.ErrorContains(t, exchange.ListenConfig{Frames: 1, For: 2 * time.Hour}.Check(), "for 2h0m0s")
}

// A client's requests become saw lines; the listener ends with the last that it may take.
func TestListen(t *testing.T) {
	l, err := exchange.Listen(exchange.ListenConfig{Seed: 1, For: time.Minute, Frames: 3})
	require.NoError(t, err)
	defer l.Close()
	client, err := target.NewPuppet(target.PuppetConfig{Kind: target.Client})
	require.NoError(t, err)
	defer client.Close()
	server, err := peer.AddrInfoFromString(l.Addrs()[0])
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, client.Connect(ctx, *server))
	s, err := client.Open(ctx, server.ID, "/ipfs/kad/1.0.0")
	require.NoError(t, err)
	for _, frame := range []string{"\x05\x08\x04\x12\x01k", "\x05\x08\x04\x12\x01m", "\x05\x08\x03\x12\x01k"} {
		require.NoError(t, s.Write(ctx, []byte(frame)))
		_, err := s.Next(ctx)
		require.NoError(t, err)
	}
	l.Wait(ctx)
	require.NoError(t, ctx.Err(), "it ended by itself")
	src, heard, err := l.Plan("mine/client")
	require.NoError(t, err)
	require.Equal(t, 3, heard)
	golden(t, "client.recorded", src)
	sound(t, "mine/client.plan", src)
}
