//go:build unix && !linux

package ground

import (
	"os/exec"
	"syscall"
)

// ownGroup gives a child a process group. When we end without a word, it notices by its connection to the sync service.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
