package bench

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is that of /proc/stat, on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// machineCPU is the time for which the processors have not been idle, that of a hypervisor's other guests included, and how
// many processors those are: this process may be confined to fewer.
func machineCPU() (busy time.Duration, processors int, ok bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	return busyOf(string(b))
}

func busyOf(stat string) (busy time.Duration, processors int, ok bool) {
	all, rest, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(all) // cpu user nice system idle iowait irq softirq steal guest guest_nice
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, false
	}
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, 0, false
		}
		busy += time.Duration(n) * tick
	}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "cpu") {
			break
		}
		processors++
	}
	return busy, processors, processors > 0
}

// setTimerSlack is how much later than asked the kernel may wake a thread, in nanoseconds, so that it wakes several at once: 50
// µs unless it is told otherwise, which would be most of a request's latency from due.
const setTimerSlack = 29 // PR_SET_TIMERSLACK

// nap sleeps for a short time, on a thread of its own: off by 4 µs on a machine that has time. Which thread that is Go chooses
// each time, so each time it is told; that takes 0.1 µs.
func nap(d time.Duration) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil)
}
