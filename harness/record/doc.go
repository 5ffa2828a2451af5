// Package record keeps what happened in a run: an append-only log of JSON lines, and the inputs beside it.
//
// A run writes as it goes and judges nothing here; every report is made from the log afterwards. The order of a log:
// the first line has type run (versions, seed, command, host), the last one type summary, and between them stand the
// lines of the run: target, case, frame, stream, operation, peers, note, detail and result. A log of simulations has
// simulation, sample and outcome instead, one simulation and one outcome for each point of a sweep; a log of loads on
// sockets has bench, turn and measured, one bench and one measured for each target of each point, and a turn for each
// round.
//
//	w, err := record.Create(dir, record.Run{Version: "0.1.0", Command: os.Args, Seed: 7})
//	w.Input("plans/conformance/ping/echo.plan", source)
//	w.Write(record.Entry{Type: record.TypeFrame, Case: "ping/echo", Stream: "s", Dir: record.Sent, Bytes: frame})
//	w.Result(record.Result{Target: "go", Case: "ping/echo", Profile: "base", Level: "must", Verdict: record.Pass})
//	err = w.Close(summary)
//
// Each line is handed to the system whole, in one write, so a run that is killed leaves whole lines. A reader tolerates
// a torn last line (a full disk, a power cut) and says that the run did not end:
//
//	r, err := record.Open(dir)
//	for e, err := range r.Entries() {
//		...
//	}
//	if !r.Ended() { ... }
package record
