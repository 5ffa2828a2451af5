//go:build race

package nettest

// race: the detector makes a virtual day take minutes; what days have beyond minutes is time, not goroutines.
const race = true
