package bench

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestBusy: the processors are the machine's, however few of them this process may use.
func TestBusy(t *testing.T) {
	stat := "cpu  10 20 30 4000 500 6 7 8 0 0\ncpu0 5 10 15 2000 250 3 3 4 0 0\ncpu1 5 10 15 2000 250 3 4 4 0 0\nintr 1 2 3\n"
	busy, processors, ok := busyOf(stat)
	assert.True(t, ok)
	assert.Equal(t, 810*time.Millisecond, busy, "neither idle nor waiting for a disk")
	assert.Equal(t, 2, processors)
	for _, cut := range []string{"", "cpu", "intr 1", "cpu a b c d e f g h i j\ncpu0", strings.SplitAfter(stat, "\n")[0]} {
		_, _, ok := busyOf(cut)
		assert.False(t, ok, "%q", cut)
	}
}

// TestNap: the thread that sleeps wakes when it is due.
func TestNap(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	nap(time.Nanosecond)
	const getTimerSlack = 30 // PR_GET_TIMERSLACK
	slack, _, failed := syscall.RawSyscall(syscall.SYS_PRCTL, getTimerSlack, 0, 0)
	assert.Zero(t, failed)
	assert.Equal(t, uintptr(1), slack)
}
