// Package nettest holds tests of whole networks: nodes of ours and of go-libp2p-kad-dht, in virtual time and on loopback.
// It has no code but tests.
//
//	latency_test.go   how long a lookup takes and what it costs, of ours and of theirs, in networks of equal shape
//	mixed_test.go     both in one network: every operation from each side to each side, and while a quarter dies
//	longrun_test.go   three days of virtual time: what is published and provided again, what expires, and what must not
//
// A member is a node of either kind behind what both can do (member_test.go); a world is a simulated network whose nodes
// can fall silent (world_test.go).
package nettest
