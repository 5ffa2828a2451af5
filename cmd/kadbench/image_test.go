//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestImageEndsWithTheRun: what runs an image ends when kadbench is interrupted, and also when it is killed and cannot see to
// it: then its stdin ends. The stand-in for the engine becomes `kadbench node`, and leaves its process id.
func TestImageEndsWithTheRun(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			self, err := filepath.Abs(os.Args[0])
			require.NoError(t, err)
			kadbench := filepath.Join(dir, "kadbench") // the test binary is the command by this name
			require.NoError(t, os.Symlink(self, kadbench))
			engine := filepath.Join(dir, "engine")
			script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = run ]; then echo $$ >>%s/pids; exec %s node; fi\n", dir, kadbench)
			require.NoError(t, os.WriteFile(engine, []byte(script), 0o755))
			cmd := exec.Command(kadbench, "check", "image:x", "--engine", engine, "--case", "ping/*", "--repeat", "10000", "--out", filepath.Join(dir, "out"))
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill()
			line, err := bufio.NewReader(stderr).ReadString('\n')
			require.NoError(t, err)
			require.Regexp(t, `^x: \d+ cases`, line)
			pids, err := os.ReadFile(filepath.Join(dir, "pids"))
			require.NoError(t, err)

			require.NoError(t, cmd.Process.Signal(sig))
			assert.Error(t, cmd.Wait())
			for _, field := range strings.Fields(string(pids)) {
				pid, err := strconv.Atoi(field)
				require.NoError(t, err)
				require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 20*time.Second, 10*time.Millisecond,
					"the process of the image lives on")
			}
		})
	}
}
