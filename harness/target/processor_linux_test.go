package target

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProcessorTime: what a program has used is its own time and that of what it has started, of which it may be the shell.
func TestProcessorTime(t *testing.T) {
	const work = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; read end"
	for name, script := range map[string]string{
		"itself":     work,
		"its shell":  `sh -c "$WORK"; true`,
		"two levels": `sh -c 'sh -c "$WORK"; true'; true`,
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", script)
			cmd.Env = append(os.Environ(), "WORK="+work)
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			_, err = io.ReadFull(out, make([]byte, len("done\n")))
			require.NoError(t, err)
			if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid)); err != nil {
				t.Skip("this kernel does not tell what a process has started")
			}
			least, err := timeOf(cmd.Process.Pid)
			require.NoError(t, err)
			all, err := processorTime(cmd.Process.Pid)
			require.NoError(t, err)
			own, err := timeOf(cmd.Process.Pid)
			require.NoError(t, err)
			if name == "itself" { // it may be on its way from the last echo to the read yet
				require.GreaterOrEqual(t, all, least)
				require.LessOrEqual(t, all, own)
			} else {
				require.Greater(t, all, 3*own, "a shell that waits has used next to nothing")
			}
			require.NoError(t, in.Close())
			_ = cmd.Wait() // read finds the end
			_, err = processorTime(cmd.Process.Pid)
			require.Error(t, err, "it has ended")
		})
	}
}
