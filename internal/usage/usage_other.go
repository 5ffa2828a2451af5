//go:build !unix

package usage

import "time"

// CPU is the processor time that the process has used so far: unknown here.
func CPU() time.Duration { return 0 }

// PeakMemory is the most memory that the process has had, in bytes: unknown here.
func PeakMemory() uint64 { return 0 }
