package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestInterruptedTestground: either runner ends on a signal, says so in a line, and leaves a whole log.
func TestInterruptedTestground(t *testing.T) {
	for _, runner := range []string{"--local", "--procs"} {
		t.Run(runner, func(t *testing.T) {
			out := t.TempDir()
			path, err := exec.LookPath("kadbench")
			require.NoError(t, err)
			cmd := exec.Command(path, "testground", "find-peers", runner, "3", "--param", "pace=9m", "--out", out, "-q")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill()
			require.Eventually(t, func() bool { // all of them have joined
				joined := 0
				files, _ := filepath.Glob(filepath.Join(out, "kadbench/*/single/*/results.out"))
				for _, f := range files {
					if text, _ := os.ReadFile(f); strings.Contains(string(text), "bootstrap_ms") {
						joined++
					}
				}
				return joined == 3
			}, time.Minute, 10*time.Millisecond, "%s", &stderr)
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			cmd.Wait()
			assert.Equal(t, 130, cmd.ProcessState.ExitCode())
			assert.Equal(t, "kadbench: interrupted\n", stderr.String())
			log, err := os.ReadFile(filepath.Join(out, "results.jsonl"))
			require.NoError(t, err)
			assert.Contains(t, string(log), `"exit":130}`)
		})
	}
}

// TestSyncService: it says where it is, serves, and ends cleanly on a signal.
func TestSyncService(t *testing.T) {
	cmd := exec.Command(os.Args[0], "testground", "--sync-service", "127.0.0.1:0")
	cmd.Args[0] = "kadbench"
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(stderr).ReadString('\n')
	require.NoError(t, err)
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "sync service at ")
	require.True(t, ok, line)
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, cmd.Wait(), "exit code 0, though somebody is connected")
}
