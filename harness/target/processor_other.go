//go:build !linux

package target

import "time"

func processorTime(int) (time.Duration, error) { return 0, ErrUnsupported }
