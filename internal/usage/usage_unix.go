//go:build unix

package usage

import (
	"runtime"
	"syscall"
	"time"
)

// CPU is the processor time that the process has used so far, of all processors.
func CPU() time.Duration {
	u, ok := resources()
	if !ok {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// PeakMemory is the most memory that the process has had, in bytes.
func PeakMemory() uint64 {
	u, ok := resources()
	switch {
	case !ok:
		return 0
	case runtime.GOOS == "darwin":
		return uint64(u.Maxrss) // bytes there, kilobytes elsewhere
	}
	return uint64(u.Maxrss) << 10
}

func resources() (u syscall.Rusage, ok bool) {
	ok = syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil
	return u, ok
}
