//go:build !unix

package network

import "time"

func openFiles() (limit int, ok bool) { return 0, false }
func processorTime() time.Duration    { return 0 }
func peakMemory() uint64              { return 0 }
