package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/harness/record"
)

var update = flag.Bool("update", false, "write the expected files of the scripts anew")

// TestMain lets the test binary stand for the command, and for programs which are no adapters: the scripts run them as
// a shell would.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"kadbench": main,
		"rubbish":  func() { fmt.Println("Listening on port 4001 ..."); bufio.NewReader(os.Stdin).ReadString(0) },
		"crash":    func() { fmt.Fprintln(os.Stderr, "panic: no such key"); os.Exit(7) },
	})
}

// TestScripts runs testdata/script/*.txt. Beside testscript's own commands there are
//
//	exits CODE PROGRAM ARG...   the program ends with just this exit code
//	wholelog FILE CODE          the results log can be read, has its summary, and that names this exit code
//	samedigest FILE FILE        the last lines of both, summaries of sim --json, have the same digest
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		UpdateScripts:      *update,
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "")
			root, err := filepath.Abs(filepath.Join("..", ".."))
			e.Setenv("ROOT", root)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "wholelog": wholeLog, "samedigest": sameDigest},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, wanted %d", code, want)
	}
}

func wholeLog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: wholelog FILE CODE")
	}
	r, err := record.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer r.Close()
	var last record.Entry
	for e, err := range r.Entries() {
		ts.Check(err)
		last = e
	}
	if !r.Ended() || r.Torn() {
		ts.Fatalf("%s: its last line is of type %s", args[0], last.Type)
	}
	if got := strconv.Itoa(last.Summary.Exit); got != args[1] {
		ts.Fatalf("%s: its summary names exit code %s, wanted %s", args[0], got, args[1])
	}
}

func sameDigest(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: samedigest FILE FILE")
	}
	var digests []string
	for _, name := range args {
		lines := strings.Split(strings.TrimSpace(ts.ReadFile(name)), "\n")
		var s record.SimulationSummary
		ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &s))
		digests = append(digests, s.Digest)
	}
	if same := digests[0] == digests[1]; same == neg || len(digests[0]) != 16 {
		ts.Fatalf("digests %q", digests)
	}
}

// TestServe: the node says where it is in one line of JSON, can be dialled there, and ends cleanly on a signal.
func TestServe(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "serve", "--json", "--seed", "1", "--listen", "/ip4/127.0.0.1/tcp/0", "--protocol", "/x/kad/1.0.0")
			cmd.Args[0] = "kadbench" // by this name TestMain knows what it is
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill()
			lines := bufio.NewReader(out)
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			var r ready
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			assert.Equal(t, "/x/kad/1.0.0", r.Protocol)
			require.Len(t, r.Addrs, 1)
			assert.Regexp(t, `^/ip4/127\.0\.0\.1/tcp/\d+/p2p/`+r.Peer+`$`, r.Addrs[0])
			assert.Equal(t, "12D3Koo", r.Peer[:7])

			require.NoError(t, cmd.Process.Signal(sig))
			_, err = lines.ReadString('\n')
			assert.Error(t, err, "nothing follows the line")
			assert.NoError(t, cmd.Wait(), "exit code 0")
		})
	}
}

// TestInterruptedSimulation: it stops between two windows, reports what it has, and leaves a whole log that says where.
func TestInterruptedSimulation(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "long.plan")
	require.NoError(t, os.WriteFile(file, []byte("id sim/long\nworld sim nodes=300\nload lookup rate=10/s for=1000h\nneed unfinished=0\n"), 0o644))
	cmd := exec.Command(os.Args[0], "sim", file, "--out", dir, "--trace", "1")
	cmd.Args[0] = "kadbench"
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Regexp(t, `^ +\d+\.\d{9}s #1`, line, "it runs")

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	out, err := io.ReadAll(lines)
	require.NoError(t, err)
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	assert.Equal(t, 130, exit.ExitCode())
	assert.Contains(t, string(out), "interrupted at ")
	assert.Contains(t, string(out), " of 1000h")
	assert.True(t, strings.HasSuffix(stderr.String(), "kadbench: interrupted\n"), stderr.String())

	r, err := record.Open(dir)
	require.NoError(t, err)
	defer r.Close()
	var outcome *record.Outcome
	for e, err := range r.Entries() {
		require.NoError(t, err)
		if e.Outcome != nil {
			outcome = e.Outcome
		}
	}
	assert.True(t, r.Ended(), "the log has its summary")
	require.NotNil(t, outcome)
	assert.True(t, outcome.Stopped)
	assert.Positive(t, outcome.Until)
	assert.Empty(t, outcome.Needs, "not judged")
}

// TestInterruptedCheck: an interrupted run exits with 130, reports what it has, and leaves a whole log.
func TestInterruptedCheck(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "check", "ref:", "--case", "ping/*", "--repeat", "10000", "--out", dir)
	cmd.Args[0] = "kadbench"
	var out strings.Builder
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Regexp(t, `^ref: \d+ cases`, line)

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	assert.Equal(t, "report: "+filepath.Join(dir, "report.html")+"\nkadbench: interrupted\n", string(rest))
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	assert.Equal(t, 130, exit.ExitCode())
	assert.Contains(t, out.String(), "note: the run was interrupted")

	r, err := record.Open(dir)
	require.NoError(t, err)
	defer r.Close()
	for _, err := range r.Entries() {
		require.NoError(t, err)
	}
	assert.True(t, r.Ended(), "the log has its summary")
}
