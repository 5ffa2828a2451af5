// Package bench loads a Kademlia server on real sockets with requests, and measures how long each takes.
//
//	d := &bench.Driver{Config: bench.Config{Server: info, Load: schedule, Span: 10 * time.Second}}
//	r, err := d.Turn(ctx, 1)
//	r.Due.Quantile(0.99)
//
// A turn is some peers of the harness's own with some streams each, under load for a while. An open load begins its
// requests when its schedule says, whatever became of those before: a request that finds no free stream waits, and its
// latency counts from the moment at which it was due, so that a server which stalls for two seconds shows them in every
// request that fell into them. A closed load asks on each stream as soon as the answer before came. It shows how much a
// server can do, and its latencies say little: while the server stalls, nobody asks.
//
// What the generator itself adds is measured too (Result.Start, Result.Late), and so is what it and the server took of the
// processors, and what others took of them meanwhile: on a machine that is shared, processor time a request is the figure
// that stays the same from run to run.
//
// Requests are frames of kad/wire; the answers' types are looked at, and a share of those of FIND_NODE is compared with the
// true nearest (Truth). Nothing else of an answer is decoded: that would take longer than the server takes to make it.
package bench
