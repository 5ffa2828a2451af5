package run

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/kadbench/kadbench/harness/sim"
)

// A world that does not fit in memory would not fail but swap, or have the system kill something: so it is refused before
// it begins.

// AvailableMemory is how many bytes this process may still take: what the system has available (MemAvailable: free, and what
// it would give up without swapping), or what the limit of its control group leaves, whichever is less. 0: this system
// does not say.
func AvailableMemory() uint64 { return availableMemory(os.ReadFile) }

func availableMemory(read func(string) ([]byte, error)) uint64 {
	least := uint64(0)
	note := func(n uint64) {
		if least == 0 || n < least {
			least = max(1, n)
		}
	}
	if text, err := read("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			var kib uint64
			if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
				note(kib << 10)
			}
		}
	}
	for _, group := range []struct{ limit, used, stat string }{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.stat"}, // version 1
	} {
		limit, err := readNumber(read, group.limit)
		if err != nil {
			continue // no control group, or "max": no limit
		}
		used, _ := readNumber(read, group.used)
		stat, _ := read(group.stat)
		for line := range strings.Lines(string(stat)) { // pages of files that nobody needs: the system gives them up
			var n uint64
			if got, _ := fmt.Sscanf(line, "inactive_file %d", &n); got == 1 {
				used -= min(used, n)
			}
		}
		note(limit - min(limit, used))
	}
	return least
}

func readNumber(read func(string) ([]byte, error), name string) (uint64, error) {
	text, err := read(name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// ErrMemory: a world needs more memory than there is.
var ErrMemory = errors.New("not enough memory")

// fits refuses a world that needs more than have bytes (0: unknown), and says how many nodes would fit.
func fits(cfg sim.Config, have uint64) error {
	need := cfg.Memory()
	if have == 0 || need <= have {
		return nil
	}
	n := NodesThatFit(cfg, have)
	hint := "not even one node fits"
	if n > 0 {
		hint = fmt.Sprintf("--nodes %d would fit", n)
	}
	return fmt.Errorf("%w: %d nodes need about %s, and this machine has %s available; %s", ErrMemory, cfg.Nodes, Bytes(need), Bytes(have), hint)
}

// NodesThatFit is how many nodes of a world fit in so many bytes, in two digits, since an estimate has no more.
func NodesThatFit(cfg sim.Config, have uint64) int {
	low, high := 0, sim.MaxNodes
	for low < high {
		cfg.Nodes = (low + high + 1) / 2
		if cfg.Memory() <= have {
			low = cfg.Nodes
		} else {
			high = cfg.Nodes - 1
		}
	}
	unit := 1
	for low/unit >= 100 {
		unit *= 10
	}
	return low / unit * unit
}

// Bytes is a size as people say it.
func Bytes(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
