// Package run executes plans against targets and judges what comes back.
//
// A Config says what to check; Check does it:
//
//	f, err := target.Parse("go=cmd:bin/go-libp2p")
//	p, err := plan.Parse("plans/conformance/ping/answered.plan", source)
//	report, err := run.Check(ctx, run.Config{Targets: []target.Factory{f}, Plans: []*plan.Plan{p}, Seed: 7})
//	for _, r := range report.Results {
//		fmt.Println(r.Verdict, r.Case, r.Profile, r.Why)
//	}
//	os.Exit(run.ExitCode(err))
//
// # The way of a case
//
//	Check     one target after the other; the report, the exit code                     run.go
//	runner    its cases: who runs when, on which node, once more alone after a crash     runner.go
//	pool      processes of the target and their nodes, started and stopped               pool.go, node.go
//	attempt   one case from its first line to its verdict in each profile                attempt.go
//	world     who takes part: puppets cast from the ground pool, streams, captures       world.go, cast.go, env.go
//	script    the lines in order; blocks, ranges, retry, each                            script.go, verbs.go, seat.go
//	want      what came on a stream against all that is accepted                         accept.go, want.go, event.go, silence.go
//	hearing   what the target sent to the puppets, and whom it dialled                    hearing.go
//	when      what a puppet answers instead of its honest answer; time that passes        when.go
//	op        operations of the target beside the script, and their results               operation.go
//	saw       what was heard, looking back; at the end never and inflight                 saw.go
//
// A script runs once and yields a verdict in each profile. At each want, every accepted alternative is held against the
// same events; a profile in which none matches has failed there, and the script goes on for the others, along the block
// of the first alternative that matched. When all profiles have failed, it ends.
//
// # A scripted network
//
// A case may have the target be the client: an op asks it for something over its control channel, and the puppets are the
// network that it finds. Each puppet tells the case what it hears, as it hears it, into one list for all (hearing); saw,
// never and inflight read that list, from its beginning on, and an answer held until another puppet was heard waits for it.
// A puppet that hears a request asks the case for its answer before it reads on: the first when in force that matches and
// is not used up says what goes out (target.Act), else the puppet is honest. A request is in flight from the moment when
// it was read to the moment before its answer is written, so that no honest client seems to have more open than it has.
//
// A result may hold null where an implementation cannot tell. Such a part is not judged, and a case in which nothing else
// was judged is unsupported. A clock jumps where the target has one; else the node was started with its periods divided
// by 36,000, and the line waits.
//
// # Isolation
//
// Cases share one node of the target, eight side by side, since most of a case is waiting. A case that gives the target
// parameters or fills its table gets a node of its own: a start and a stop on a process that is kept for the next. All
// nodes of a run have the same identity, drawn from the seed, so that a seed brings back every place in the keyspace.
//
// A target whose process ends fails the case, and a new one is started. When several cases ran on it, each of them runs
// again alone: whoever brings it down once more has failed; when nobody does, all of them have. A case that misses a must
// or should beside others runs again on a node of its own, and that counts: the others may have used up what the target
// has for all. After a line that waited in vain the target is asked for a sign of life, and one that gives none counts as
// ended.
//
// # Simulations
//
// Simulate runs the plans of simulated worlds (harness/sim), where time is a number and every node the reference
// implementation itself. Before anything begins, each point of each sweep is turned into a configuration, and what cannot be
// is refused. A run writes its line into the log when it begins, its samples as they come, and its outcome at the end, also
// when it is interrupted or a node panics. Shrink looks for the smallest plan that fails as a given one does.
//
//	Simulate   each point of each plan: world, figures, needs, log            simulate.go, simulate_log.go
//	worldOf    what a plan says as a sim.Config, and its loads as a schedule  simulate_world.go
//	figures    operations and samples as the figures that needs are about     outcome.go
//	Digests    digests that are known                                         simulate_digest.go
//	fits       memory, before it is too late                                  simulate_memory.go
//	Shrink     drafts of a plan, smaller and smaller                          simulate_shrink.go, simulate_draft.go
//
// # Errors
//
// What the suite itself gets wrong (no identity left, a plan that names an unopened stream) is the verdict error, never
// fail: a failure says something about the target, and nothing else.
package run
