//go:build unix

package network

import "syscall"

// openFiles is how many descriptors this process may open. The Go runtime has raised the soft limit to the hard one.
func openFiles() (limit int, ok bool) {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0, false
	}
	return int(min(uint64(r.Cur), 1<<31)), true
}
