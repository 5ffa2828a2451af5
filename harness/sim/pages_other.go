//go:build !linux

package sim

// hugePages asks for larger pages where the system has such a call.
func hugePages(uint64) {}
