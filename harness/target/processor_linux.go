package target

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime of a process, in nanoseconds of the scheduler's clock: /proc counts in hundredths of a second.
func processorTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: what the process ran, not samples of it
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
