// Package plan is the language of the cases: it parses a plan, prints it, criticises it, tells it in prose, and turns its
// values and frames into bytes. It judges nothing and opens no connection; harness/run carries a plan out.
//
// A plan is one text file. Comment lines say what a peer must do; a header names the clause; peer lines say who takes
// part; then one event stands on each line, in the order in which they must happen; fixtures come last:
//
//	# A peer that is asked for nodes near a key answers with the twenty nearest it knows.
//	id        find-node/twenty-nearest
//	catalogue FN-01
//	spec      ipfs-kad L353-L356
//	level     must
//
//	peer   T target
//	peer   A
//	peer   S1..S40 serving
//	seat   S1..S40 in T
//	open   s A -> T
//	send   s FIND_NODE key=@K
//	want   s FIND_NODE closerPeers=nearest(20,@K,S1..S40) within=5s
//	or     s reset why="ruling 2"
//	  open r A -> T
//	-- K --
//	sha256("twenty-nearest")
//
// A deeper line belongs to the block of the line above it; or lines are alternatives to the want above. docs/plan-language.md
// is the user's page; its tables are those of this package (Verbs, HeaderLines, PeerWords, Functions, Changes), which the
// parser itself reads, so that nothing can be written that is not in them.
//
// The driving loop of whoever carries a plan out:
//
//	p, err := plan.Load(fsys, "conformance/find-node/twenty-nearest.plan", "plans/")
//	for i := range values of p.Header.Each {
//		q, err := p.Bound(i)                  // $i is in its place everywhere
//		ev := plan.NewEvaluator(q, env)       // env knows the peers, the captures, the seed
//		for _, line := range q.Script {
//			switch s := line.Stmt.(type) {    // line.Sides: one statement for each name of a range
//			case plan.Send:
//				frame, err := ev.EncodeFrame(s.Frame)
//			case plan.EachLoop:
//				block, err := line.Iterate(j) // its lines for one value
//			}
//		}
//	}
//
// A plan whose lines are world, link, churn, faults, load, need and sweep is no case: Plan.Kind says whether its world is
// simulated, a network of real nodes, or one target under a load of requests. It has no script to walk: Plan.Simulations
// gives plain values, one *Simulation for each point of its sweep, which harness/run makes into worlds. The rows of their
// words (terms.go) are what the parser reads, explain tells with and Words lists; each says in which worlds it stands.
//
// Every complaint is an *Error with file, line, and what was expected; errors.Is(err, ErrPlan) tells them from others.
package plan
