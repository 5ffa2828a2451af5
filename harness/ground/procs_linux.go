package ground

import (
	"os/exec"
	"syscall"
)

// ownGroup gives a child a process group, so that what it starts ends with it, and lets it end when we do, however that
// happens.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
