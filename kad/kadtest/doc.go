// Package kadtest is the script environment of kad's tests: N participants, a clock and a queue of messages that you can
// see. A script is a text file of blocks, each some commands, a line of four dashes and what they print:
//
//	nodes A=00 B=01 C=11
//	connect A B
//	----
//	A! routing_updated B new bucket=1
//	B! routing_updated A new bucket=1
//
//	op A get_closest_peers key=foo
//	----
//	query 1
//	A> find_node B query=1 key=foo
//
// Lines of output begin with the node they speak of: "<" is an input, ">" a command to its handler, "!" an event for its
// application. Messages wait in the queue until deliver, drop or stabilize takes them. Time stands still until advance
// or run moves it. Usage of all verbs: see the verb_*.go files, one a verb.
//
// RunScripts runs all scripts of a folder, and with update writes what they print back into them. Every slice lent to a
// Step is poisoned as soon as the Step has returned, and one Output is shared by all nodes, so that memory which is
// kept longer than it may be shows up as garbage.
//
// A World is the same without the text: a network of Go calls, whose messages take seeded times, for properties that hold
// of many nodes.
//
// TestStore is the suite that any kad.Store must pass.
package kadtest
