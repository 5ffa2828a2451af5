// Package sim is a network of kad.Kademlia in simulated time: up to millions of nodes, each the core that also serves on real
// hosts, without a goroutine, a socket or a clock of its own. A run depends on its Config alone: not on the machine, its load,
// or the number of processors that share the work. Plans in text become a Config in harness/run; `kadbench sim` runs them.
//
// # The driving loop
//
// A Config says what a world is, as data; New makes the nodes and their tables; Run lets the time pass until all operations
// have ended; an Observer is told meanwhile, and the Result sums up:
//
//	cfg := sim.Config{Seed: 1, Nodes: 1000, Load: load, For: 100 * kad.Second}
//	cfg.Watch.Row = func(r sim.Row) { … } // what became of one operation
//	w, err := sim.New(ctx, cfg)
//	result, err := w.Run(ctx)
//
// What is zero is its default: ideal tables, 50 ms from anybody to anybody, nobody leaves. Config.Check says
// what is wrong with a configuration, Config.Memory what it will take. An Observer is called from one goroutine at a time, while
// the world stands still. When the context ends, Run stops between two windows and returns what there is, with
// Result.Stopped set. The Example runs a small world.
//
// # Events and their order
//
// An event is one thing that happens to one node: a message arrives, its wake is due, or the world does something to it (it
// joins, it leaves, its application asks for something). Events are ordered by time, then by the node, then by who caused
// them (the world is 0, and comes first), then by that one's own count. So two events at one node and moment have an order
// that depends on their causes and on nothing else; those at different nodes of one moment cannot influence each other, as
// each message takes 1 ms at least. No event is drawn from a generator with a state: every chance is a hash of the seed,
// of what is drawn for, and of whom it is about (chance.go). Times, chances and delays are integers throughout.
//
// # Windows and shards
//
// The nodes are dealt out to the shards by their handles. A window is as long as the shortest delay of a link: within it no
// message that is sent can arrive, so each shard lets happen what is due to its own nodes without a word to the others, and
// hands what it has for them over when the window ends. Within a window a shard reads of other nodes only what changes
// between windows, so there is no lock. What concerns all happens between two windows, on one goroutine: the load is handed
// out, faults strike, samples are taken, rows are told in an order of their own. A window ends early at the next fault or
// sample. Empty time is skipped. 1 ms is the shortest delay that Check accepts, as shorter windows would cost more than the
// events in them.
//
// # What a host is here
//
// A core wants a host around it, which dials, sends, waits and tells it how that ended. Here that is deliver.go and
// connection.go:
//
//   - Each request has exactly one end, which its core is told: an answer, or a failure of a kind that a real host would see.
//     A host needs no timers for it, as the world knows at once what will become of a message: the word of a failure is an
//     event like any other, at the moment when the host would have noticed.
//   - Who is not connected dials first: Links.Dial round trips (one, as in QUIC) before the request's own. A dial of somebody
//     who is not there or cannot be reached fails after Links.DialTimeout, 5 s.
//   - What is lost on the way, or not answered, fails kad.Config.PeerTimeout after it was asked, 10 s; so does an answer that
//     would come later.
//   - Without Links.Idle no connection is kept: each request dials. With it each end keeps up to 160, and closes one that has
//     carried nothing for so long by its own clock; the core is told of both.
//   - A peer that answers, or that asks and is no client, is one whose protocols are known: so it comes into the table. Where no
//     connections are kept that is told only to a core whose bucket has room, as it could do nothing with it otherwise.
//   - A node that leaves says nothing. It takes its table, its store and its operations with it; when it comes back it is new,
//     with its old id, and an answer to a question of its former life does not reach it.
//
// # Tables and the beginning
//
// Ideal tables hold in each bucket K peers drawn by chance from all servers that belong there, or all of them: what a network
// that has long been at rest looks like. Grown tables are the protocol's own work, from three seeds that a newcomer is told
// of. With churn a world begins as if it had run for long: the share of nodes that is there, and how long each will stay yet,
// are drawn from the equilibrium of the sessions (session.go).
//
// # The oracle
//
// The world knows who is there, so it can say what an operation ought to have found: the closest servers to a key that lived
// from its beginning to its end and can be reached, providers that live, the newest record. It reads an index of all keys in
// their order (index.go); no node ever does.
//
// # The digest
//
// Each node folds what it is stepped with and what comes of it into 64 bits, and Result.Digest folds those of all nodes. Two
// runs with one digest were the same, step by step. It is equal for any number of shards, with Config.Wire and without; it
// changes when the core's behaviour does.
//
// # What is not simulated
//
// Bandwidth and queues: a message of 4 MB takes as long as one of 40 bytes. Processing time: a step takes none. Handshakes
// beyond their round trips, negotiation, streams and their limits. NAT traversal: an unreachable node is one that nobody can
// dial and that dials others freely. Addresses: each node has one that never changes, and its whole network knows it.
// Clocks that differ. Signatures: a record is genuine by a check of its own (records.go).
package sim
