package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// generations of programs that a target starts, which start others: a shell, a package manager, a runtime, the node.
const generations = 8

// processorTime of a process and of those that it has started: a target is often started by a shell or a package manager,
// which wait while it works. One that has ended is not counted any more.
func processorTime(pid int) (time.Duration, error) { return timeOfTree(pid, generations) }

func timeOfTree(pid, depth int) (time.Duration, error) {
	sum, err := timeOf(pid)
	if err != nil || depth == 0 {
		return sum, err
	}
	// Each thread lists the processes that it has started; where the kernel lists none, there are none as far as we know.
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		started, _ := os.ReadFile(list) // empty of a thread that has ended
		for _, word := range strings.Fields(string(started)) {
			if child, err := strconv.Atoi(word); err == nil {
				used, _ := timeOfTree(child, depth-1) // 0 of one that has just ended
				sum += used
			}
		}
	}
	return sum, nil
}

// timeOf a process, in nanoseconds of the scheduler's clock: /proc counts in hundredths of a second.
func timeOf(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: what the process ran, not samples of it
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
