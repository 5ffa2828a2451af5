package target

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// standIn is an engine whose images are the programs of this test binary, and the file with its calls.
func standIn(t *testing.T) (engine string, calls func() []string) {
	self, err := os.Executable()
	require.NoError(t, err)
	log := filepath.Join(t.TempDir(), "calls")
	t.Setenv("ENGINE_LOG", log)
	t.Setenv("ENGINE_PROGRAM", self)
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	return "./testdata/engine.sh", func() []string {
		b, err := os.ReadFile(log)
		require.NoError(t, err)
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
}

// nameIn is the name of the container that a call of run gives it.
func nameIn(t *testing.T, call string) string {
	_, rest, ok := strings.Cut(call, " --name ")
	require.True(t, ok, call)
	name, _, _ := strings.Cut(rest, " ")
	require.Regexp(t, `^kadbench-[a-z0-9]{12}$`, name)
	return name
}

func TestImage(t *testing.T) {
	engine, calls := standIn(t)
	f, err := Images{Engine: engine}.Parse("image:node:1.2")
	require.NoError(t, err)
	require.Equal(t, "node", f.Name())
	require.True(t, f.(*factory).Private())
	require.False(t, f.Remote())
	node, err := f.New(testDeadline(t))
	require.NoError(t, err)
	s, err := node.Start(testDeadline(t), StartParams{Seed: SeedText([32]byte{1}), Mode: "server"})
	require.NoError(t, err)
	require.Contains(t, s.Addrs[0], "/ip4/127.0.0.1/tcp/")
	require.NoError(t, node.Close(), "it ends when stdin does")
	name := nameIn(t, calls()[0])
	require.Equal(t, []string{"run --rm --interactive --init --pull never --name " + name + " --network host node:1.2"}, calls())

	p, err := OpenPipes(f)
	require.NoError(t, err)
	p.In.Close()
	<-p.Exited
	require.NoError(t, p.State())
	p.Out.Close()
	require.NotEqual(t, name, nameIn(t, calls()[1]), "each container has a name of its own")
}

func TestImageBridged(t *testing.T) {
	engine, calls := standIn(t)
	t.Setenv("ENGINE_ADDRESS", "127.0.0.9")
	f, err := Images{Engine: engine + " --context 'the other'", Puppets: "127.0.0.1"}.Parse("image:node")
	require.NoError(t, err)
	node, err := f.New(testDeadline(t))
	require.NoError(t, err)
	s, err := node.Start(testDeadline(t), StartParams{Seed: SeedText([32]byte{1}), Mode: "server"})
	require.NoError(t, err)
	require.Contains(t, s.Addrs[0], "/ip4/127.0.0.9/tcp/", "the container's address")
	require.NoError(t, node.Stop(testDeadline(t)))
	_, err = node.Start(testDeadline(t), StartParams{Seed: SeedText([32]byte{1}), Mode: "server", Listen: "/ip4/127.0.0.2"})
	require.ErrorIs(t, err, ErrUnsupported)
	require.NoError(t, node.Close())
	name := nameIn(t, calls()[0])
	require.Equal(t, []string{
		"--context the other run --rm --interactive --init --pull never --name " + name + " node",
		"--context the other inspect --format {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}} " + name,
	}, calls())

	t.Setenv("ENGINE_ADDRESS", " ")
	_, err = f.New(testDeadline(t))
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, "the container has no address")
}

func TestImageFailures(t *testing.T) {
	engine, calls := standIn(t)
	parse := func(text string) Factory {
		f, err := Images{Engine: engine}.Parse(text)
		require.NoError(t, err)
		return f
	}
	_, err := parse("image:absent:1").New(testDeadline(t))
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, `the engine did not start the container: its process ended (exit status 125); last on stderr: "docker: No such image: absent:1"`)

	dying, err := parse("image:panics").New(testDeadline(t))
	require.NoError(t, err)
	err = dying.Call(testDeadline(t), "stop", nil, nil)
	require.ErrorIs(t, err, ErrDied)
	require.ErrorContains(t, err, "its process ended")
	<-dying.Died()
	require.NoError(t, dying.Close())

	before := len(calls())
	p, err := OpenPipes(parse("image:hangs"))
	require.NoError(t, err)
	_, err = io.WriteString(p.In, `{"jsonrpc":"2.0","id":1,"method":"hello"}`+"\n")
	require.NoError(t, err)
	_, err = bufio.NewReader(p.Out).ReadString('\n')
	require.NoError(t, err, "it runs, so the call of run has been noted")
	p.Kill()
	<-p.Exited
	require.Error(t, p.State())
	p.In.Close()
	p.Out.Close()
	last := calls()[before:]
	require.Len(t, last, 2)
	require.Equal(t, "rm --force "+nameIn(t, last[0]), last[1], "the end of the engine's command is not that of the container")
}

func TestNoEngine(t *testing.T) {
	f, err := Parse("image:node")
	require.NoError(t, err)
	t.Setenv("PATH", t.TempDir())
	_, err = f.New(testDeadline(t))
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, "unsupported here: no container engine: neither docker nor podman is on the PATH")
	f, err = Images{Engine: "nerdctl"}.Parse("image:node")
	require.NoError(t, err)
	_, err = f.New(testDeadline(t))
	require.ErrorContains(t, err, `unsupported here: no container engine "nerdctl"`)

	podman := filepath.Join(os.Getenv("PATH"), "podman")
	require.NoError(t, os.WriteFile(podman, []byte("#!/bin/sh\n"), 0o755))
	words, err := Images{}.EngineCommand()
	require.NoError(t, err)
	require.Equal(t, []string{"podman"}, words)

	require.ErrorContains(t, Images{Engine: `x "`}.Check(), `engine "x \""`)
	require.ErrorContains(t, Images{Puppets: "docker0"}.Check(), "expected an IP address")
	_, err = Images{Puppets: "docker0"}.Parse("image:node")
	require.ErrorIs(t, err, ErrForm)
}
