//go:build !unix

package ground

import "os/exec"

// Without process groups only the child itself ends.
func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
