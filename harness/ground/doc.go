// Package ground runs test cases in the form of Testground's, with and without its daemon, and is the only importer of
// Testground's modules: they are old, so one wall stands around them.
//
// A Case is what every instance of a run does. Its code sees an Instance: its number, its parameters, the others by Sync, and
// a Recorder for what it measures. It does not see who runs it:
//
//	Local   goroutines of this process: thousands, with the race detector if need be, on sockets or on a network in memory
//	Procs   processes, which can crash and be killed one by one
//	Main    the instance of Testground's own runners, and of Procs: the process that TEST_PLAN in its environment makes of us
//
//	run, err := ground.Local(ctx, ground.Config{Case: "find-peers", Instances: 100, Out: "out",
//		Params: map[string]string{"transport": "mem"}})
//	var failed *ground.Failure
//	if errors.As(err, &failed) {
//		fmt.Println(failed) // instance 7 of 100 (group single): threshold missed: …
//	}
//	for _, m := range run.Metrics("") {
//		fmt.Println(m.Name, m)
//	}
//
// # A case
//
//	var ring = &ground.Case{
//		Name: "ring", About: "Each instance dials the next.", Min: 2, Max: 1000, Default: 8,
//		Params: []ground.Param{{Name: "transport", Type: "string", Default: "tcp"}},
//		Run: func(ctx context.Context, in *ground.Instance) error {
//			…
//			in.Out.Point("dial_ms", took)
//			return in.Barrier(ctx, "dialled") // until all have
//		},
//	}
//
// An error, a panic or a point that is no number fails its instance, and the first failure ends the run: it enters the state
// abort, for which every instance waits, and their contexts end. So no barrier hangs because of one who will never come.
// Whoever does not heed its context is left behind after two seconds (Local, Main) or killed (Procs).
//
// # Outputs
//
// An instance writes what Testground's SDK would, in Out/kadbench/<run>/<group>/<index>: events to run.out, points to
// results.out. Load reads them back, whoever wrote them; all that is reported comes from there.
//
// # The sync service
//
// Local's instances share a hub of states and topics in memory. Processes reach one over Testground's own protocol: ServeSync
// is the service, and the client is ours too, because the SDK's (v0.3.0) ends the process when the connection is lost, panics
// when a subscription is left while an item comes, loses the error of a barrier, and ends on a message of 32,769 bytes. Either
// side works with Testground's other: our instances with its service, its SDK with ours. Ours with ours know one thing more: an
// instance leaves a will with the service, by which the others hear of it when it was killed and can tell them nothing.
package ground
