//go:build !unix

package sim

import "time"

// Elsewhere the system is not asked: both stay 0, and a report leaves them out.

func processorTime() time.Duration { return 0 }

func peakRSS() uint64 { return 0 }
