//go:build !race

package nettest

const race = false
