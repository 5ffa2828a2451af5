package kad

// search is what a query drives while it looks for the peers nearest to a key: a Lookup, or a Disjoint. Both are pointers
// into the query, so that nothing is allocated for it.
type search interface {
	Begin(dir *Directory, target Key, want int, cfg *Config)
	Seed(near []Near) (more bool)
	Next(now Time) (p Peer, ok bool)
	Postpone(p Peer) bool
	Expect(p Peer, dialled bool, patience Duration)
	Hasten(dialled bool, patience Duration)
	Excuse(d Duration)
	Reply(p Peer, closer []Peer) bool
	Fail(p Peer) bool
	Finish()
	FinishPath(p Peer) // the one that asked p; of a Lookup there is one
	Done() bool
	Short() bool
	Deadline() Time
	Awaited() int
	Asked(p Peer) bool
	Has(p Peer) bool
	Result(dst []Peer) (result []Peer, hops int)

	awaits(p Peer) bool
	size() int
	request(p Peer) *inFlight
	requests(f func(*inFlight))
	visit(mark func(Peer))
}
