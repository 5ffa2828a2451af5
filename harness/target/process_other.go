//go:build !unix

package target

import "os/exec"

// Without process groups only the program itself ends.
func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
