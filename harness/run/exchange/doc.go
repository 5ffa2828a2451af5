// Package exchange writes down what a peer answers, as a plan, and holds another peer to it.
//
//	recording, err := exchange.Record(ctx, exchange.Config{Seed: 1}, "my.plan", source, factory)
//	os.WriteFile("recorded.plan", recording.Source, 0o644)
//	difference, err := exchange.Replay(ctx, exchange.Config{Seed: 1}, "recorded.plan", recording.Source, other)
//
// A recording is the plan itself with its want lines written anew: what came, field by field, in the plan's own words
// where these say it (@K, pk(A), nearest(20,@K,S1..S40)), so that it holds with other identities too.
//
// A Listener is the other way round: a server of the harness's that a client talks to, and a plan of what the client did.
package exchange
