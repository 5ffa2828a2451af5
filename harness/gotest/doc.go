// Package gotest runs the conformance suite as subtests of go test, for teams whose node is written in Go. The node is
// started by the test itself, as a DHT server on loopback, and checked where it listens:
//
//	func TestKademlia(t *testing.T) {
//		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
//		...
//		gotest.Run(t, gotest.Host(h))
//	}
//
// Each case is a subtest, TestKademlia/base/find-node/own-id, so that go test -run 'TestKademlia/base/find-node' chooses
// an area. A case that misses a must fails its subtest, with the same words as kadbench check; a should that is missed
// is logged; what the node cannot do is skipped, with the reason.
//
// The target may also be text as on the command line: "addr:/ip4/…/p2p/…", or "cmd:./adapter", a program that speaks the
// control protocol. Then the cases run too which start a node with settings of their own, or have it look for something.
//
// Config has the rest: another profile, a choice of cases, the failures that are known.
//
//	gotest.Config{Profile: "amino", Known: []string{"testdata/known.toml"}}.Run(t, "cmd:./adapter")
package gotest
