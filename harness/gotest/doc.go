// Package gotest will run the suite as subtests of go test, for teams whose node is written in Go:
//
//	gotest.Run(t, target)
//
// Nothing stands here yet; `kadbench check` runs the same cases.
package gotest
