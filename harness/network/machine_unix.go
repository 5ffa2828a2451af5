//go:build unix

package network

import (
	"runtime"
	"syscall"
	"time"
)

// openFiles is how many descriptors this process may open. The Go runtime has raised the soft limit to the hard one.
func openFiles() (limit int, ok bool) {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0, false
	}
	return int(min(uint64(r.Cur), 1<<31)), true
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// peakMemory is the most that this process ever had, in bytes: Linux counts KiB.
func peakMemory() uint64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return uint64(r.Maxrss)
	}
	return uint64(r.Maxrss) << 10
}
