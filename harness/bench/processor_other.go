//go:build !linux

package bench

import "time"

// Elsewhere than on Linux nobody is asked what processors did.
func machineCPU() (time.Duration, int, bool) { return 0, 0, false }

func nap(d time.Duration) { time.Sleep(d) }
