package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of a load.
const (
	maxCount = 1_000_000_000 // operations: a month of a processor
	maxKeys  = 1_000_000_000
)

// Bounds of a load of requests.
const (
	maxConnections = 1024 // each takes two descriptors
	maxStreams     = 4096 // of a connection: what yamux can have open
	maxTurn        = time.Hour
	maxValue       = 4<<20 - 1<<10 // a frame has 4 MiB at most, with the key and what else is in it
)

// loadVerbs are the rows of the table of verbs for what is asked of a simulated network, and what must come of it.
func loadVerbs() []verb {
	return []verb{
		{Name: "load", Usage: "load lookup | provide | find | put | get | bootstrap [name=value…]\nload FIND_NODE | PUT_VALUE | … [name=value…]", own: true, parse: parseLoad, explain: tellLoad,
			Kinds: askKinds, Terms: terms(loadSettings),
			Meaning: "what nodes are asked to do, or what a target is asked (in a real world without nodes), how often, and about which keys. Lines run side by side; one without rate=, for= and count= shares the rate of the line above, by their weights"},
		{Name: "need", Usage: "need recall@20>=0.999 p99<5s get.success>0.99 …", own: true, parse: parseNeed, explain: tellNeed, Terms: figureTerms(),
			Meaning: "figures that must come out, or the run fails: a figure, for one kind of operation with the kind before it, and its bound"},
		{Name: "sweep", Usage: "sweep alpha=1,3,10 k=10,20 liar.share=5%,20% …", own: true, parse: parseSweep, explain: tellSweep,
			Meaning: "the plan runs for each combination of these values. A word of `world`, `link` or `churn` stands by itself, one of `faults` or `load` behind the kind of its line"},
	}
}

var loadKinds = []term{
	{"lookup", "lookup", "the k closest peers to a key", "look up the closest peers to a key", inNodes},
	{"provide", "provide", "to announce itself as a provider of a key, and again from then on", "announce themselves as providers of a key", inNodes},
	{"find", "find", "the providers of a key", "look for the providers of a key", inNodes},
	{"put", "put", "to publish a record, and again from then on", "publish a record", inNodes},
	{"get", "get", "to find a record", "look for a record", inNodes},
	{"bootstrap", "bootstrap", "to look for itself", "look for themselves", inNodes},
}

// requestKinds are what one peer is asked: the types of the messages.
var requestKinds = []term{
	{"FIND_NODE", "FIND_NODE", "the closest peers to a key", "for the closest peers to a key", inLoad},
	{"GET_VALUE", "GET_VALUE", "a record, or the closest peers", "for a record", inLoad},
	{"PUT_VALUE", "PUT_VALUE", "to store a record, under a key of the namespace `/v/`", "to store a record", inLoad},
	{"GET_PROVIDERS", "GET_PROVIDERS", "the providers of a key, and the closest peers", "for the providers of a key", inLoad},
	{"ADD_PROVIDER", "ADD_PROVIDER", "to store a provider; nothing answers it", "to store a provider of a key", inLoad},
	{"PING", "PING", "nothing but an answer", "for an answer", inLoad},
}

// askKinds are all that a load line may begin with.
var askKinds = slices.Concat(loadKinds, requestKinds)

// only is the one kind of operation that a load line names.
func only(w *Workload) *Part { return &w.Mix[0] }

var loadSettings = []setting[Workload]{
	{term{"key", "key=zipf", "which keys: `uniform` gives each the same chance, `zipf` prefers low numbers, `hot` a few; uniform if it is not written", "%s keys", inAll},
		choice(func(w *Workload) *string { return &only(w).Key }, "uniform", "zipf", "hot")},
	{term{"keys", "keys=1000", "how many keys there are; without it none comes twice", "%s keys in all", inAll}, whole(func(w *Workload) *uint64 { return &only(w).Keys }, 1, maxKeys)},
	{term{"skew", "skew=1.1", "of zipf: the exponent; 1 if it is not written", "the exponent %s", inAll}, millionths(func(w *Workload) *uint32 { return &only(w).Skew })},
	{term{"share", "share=90%", "of hot: how many of the operations are about the hot keys; 90% if it is not written", "%s about the hot ones", inAll}, share(func(w *Workload) *uint32 { return &only(w).Share })},
	{term{"hot", "hot=10", "of hot: how many keys are; 1 if it is not written", "%s of them hot", inAll}, whole(func(w *Workload) *uint64 { return &only(w).HotOf }, 1, maxKeys)},
	{term{"published", "published", "find and get, GET_PROVIDERS and GET_VALUE: only keys which this plan has provided or put", "only keys that were published", inAll}, nil},
	{term{"lag", "lag=1m", "of published: so long before at least", "%s before at least", inAll}, span(func(w *Workload) *time.Duration { return &only(w).Lag }, 0)},
	{term{"rate", "rate=50/s", "how many begin in a second, a minute or an hour, all nodes together", "%s", inAll}, rate(func(w *Workload) *Rate { return &w.Rate })},
	{term{"to", "to=100/s", "the rate at the end of for=, reached in a straight line", "rising to %s", inAll}, rate(func(w *Workload) *Rate { return &w.To })},
	{term{"poisson", "poisson", "they begin independently of each other; without it at even distances", "independently of each other", inAll}, nil},
	{term{"from", "from=10m", "when the first begins", "from %s", inAll}, span(func(w *Workload) *time.Duration { return &w.From }, 0)},
	{term{"for", "for=12h", "for how long operations begin", "for %s", inAll}, span(func(w *Workload) *time.Duration { return &w.For }, minDelay)},
	{term{"count", "count=1000", "how many at most", "%s at most", inAll}, whole(func(w *Workload) *uint64 { return &w.Count }, 1, maxCount)},
	{term{"weight", "weight=3", "beside those of the lines that share the rate; 1 if it is not written", "with the weight %s", inAll}, whole(func(w *Workload) *uint32 { return &only(w).Weight }, 1, 1_000_000)},
	{term{"closed", "closed", "no rate: each stream asks as soon as it was answered, for=5s long", "each stream as soon as it was answered", inLoad}, nil},
	{term{"size", "size=1KiB", "of the value of a PUT_VALUE; 100 bytes if it is not written", "values of the size %s", inLoad}, size(func(w *Workload) *int { return &only(w).Size }, maxValue)},
	{term{"warmup", "warmup=5s", "the same load for so long before, which is not measured; all lines share it, and the next three", "after a warm-up of %s", inLoad},
		span(func(w *Workload) *time.Duration { return &w.Warmup }, 0)},
	{term{"connections", "connections=4", "each from a peer of its own; 4 if it is not written", "%s connections", inLoad}, whole(func(w *Workload) *int { return &w.Connections }, 1, maxConnections)},
	{term{"streams", "streams=16", "of each connection: at most so many requests at once; 32 if it is not written", "%s streams on each", inLoad}, whole(func(w *Workload) *int { return &w.Streams }, 1, maxStreams)},
	{term{"reuse", "reuse=connections", "what one request leaves for the next: its stream (`streams`), its connection and not the stream (`connections`), or `nothing`; streams if it is not written",
		"with what one request leaves for the next: %s", inLoad}, choice(func(w *Workload) *string { return &w.Reuse }, "streams", "connections", "nothing")},
	{term{"node", "node=7", "who is asked, always; without it somebody by chance", "asked of node %s", inNodes}, whole(func(w *Workload) *uint32 { return &only(w).Node }, 1, maxNodes)},
}

func parseLoad(c *cursor) Stmt {
	w := Workload{Mix: make([]Part, 1)}
	kind := c.kind(askKinds)
	w.Mix[0].Kind = kind.text
	settings(c, loadSettings, &w, func(bare string) bool {
		word := map[string]*bool{"poisson": &w.Poisson, "published": &only(&w).Published, "closed": &w.Closed}[bare]
		if word != nil {
			*word = true
		}
		return word != nil
	})
	if c.err != nil {
		return w
	}
	err := w.check()
	if err == nil && c.world == LoadWorld {
		err = w.checkTurn()
	}
	if err == nil {
		err = w.Mix[0].check(c.world)
	}
	if err != nil {
		c.fail(kind.line, "%s: %w", w.Mix[0].Kind, err)
	}
	return w
}

// checkTurn holds the words of a load of requests against each other.
func (w Workload) checkTurn() error {
	switch {
	case w.Closed && (w.Rate.Count != 0 || w.To.Count != 0 || w.Count != 0 || w.From != 0 || w.Poisson):
		return fmt.Errorf("closed asks as soon as it was answered, from the beginning: it takes for=, and none of rate=, to=, count=, from= and poisson")
	case w.From+w.For > maxTurn || w.Warmup > maxTurn:
		return fmt.Errorf("from= with for=, and warmup=, are %s at most: they pass on the clock", ShortTime(maxTurn))
	}
	return nil
}

// shares says whether a load line has no rate of its own.
func (w Workload) shares() bool { return w.Rate.Count == 0 && w.For == 0 && w.Count == 0 }

// check holds a line's words about time against each other.
func (w Workload) check() error {
	switch {
	case w.Closed && w.For == 0:
		return fmt.Errorf("closed has no end of its own: for=5s was expected")
	case w.Closed:
	case w.shares() && (w.From != 0 || w.To.Count != 0 || w.Poisson):
		return fmt.Errorf("from=, to= and poisson need a rate=, or a count= with for=; a line without them shares the rate of the line above")
	case w.shares():
	case w.Rate.Count != 0 && w.For == 0 && w.Count == 0:
		return fmt.Errorf("its end is missing: for=12h or count=1000")
	case w.Rate.Count == 0 && w.Count == 0:
		return fmt.Errorf("how many is missing: rate=50/s or count=1000")
	case w.Rate.Count == 0 && w.Poisson && w.For == 0:
		return fmt.Errorf("poisson needs a rate=, or for= beside count=")
	case w.To.Count != 0 && (w.Rate.Count == 0 || w.For == 0):
		return fmt.Errorf("to= needs rate= and for=: from where it rises, and how long")
	}
	return nil
}

// check holds a part's words about keys against each other.
func (p Part) check(world WorldKind) error {
	seeks := slices.Contains([]string{"find", "get", "GET_PROVIDERS", "GET_VALUE"}, p.Kind)
	switch {
	case p.Size != 0 && p.Kind != "PUT_VALUE":
		return fmt.Errorf("size= belongs to PUT_VALUE")
	case p.Published && !seeks && world == LoadWorld:
		return fmt.Errorf("published belongs to GET_PROVIDERS and GET_VALUE")
	case p.Kind == "PING" && (p.Key != "" || p.Keys != 0):
		return fmt.Errorf("it has no key")
	case p.Skew != 0 && p.Key != "zipf":
		return fmt.Errorf("skew= belongs to key=zipf")
	case (p.Share != 0 || p.HotOf != 0) && p.Key != "hot":
		return fmt.Errorf("share= and hot= belong to key=hot")
	case p.Published && !seeks:
		return fmt.Errorf("published belongs to find and get")
	case p.Lag != 0 && !p.Published:
		return fmt.Errorf("lag= belongs to published")
	case p.Kind == "bootstrap" && (p.Key != "" || p.Keys != 0):
		return fmt.Errorf("a node looks for itself, so there are no keys to choose")
	case (p.Key == "zipf" || p.Key == "hot") && p.Keys == 0 && !p.Published:
		return fmt.Errorf("keys= is missing: among how many keys")
	case p.HotOf != 0 && p.Keys != 0 && p.HotOf > p.Keys:
		return fmt.Errorf("hot=%d of keys=%d", p.HotOf, p.Keys)
	case seeks && p.Keys == 0 && !p.Published && world != LoadWorld:
		return fmt.Errorf("nobody has published a key that comes once: published, or keys= as many as are published, was expected")
	}
	return nil
}

// parseSweep reads the axes; whether their words fit is seen when they are put into their lines.
func parseSweep(c *cursor) Stmt {
	var s Sweep
	seen := map[string]bool{}
	for c.more() {
		w := c.next("")
		name, list, ok := strings.Cut(w.text, "=")
		values := strings.Split(list, ",")
		if !ok || contains(values, "") {
			c.fail(w.line, "%q: a word and its values were expected, as alpha=1,3,10", w.text)
			break
		}
		if seen[name] {
			c.fail(w.line, "%s stands twice", name)
		}
		seen[name] = true
		s.Axes = append(s.Axes, Axis{Name: name, Values: values})
	}
	if c.err == nil && len(s.Axes) == 0 {
		c.fail(c.line, "what is varied is missing, as alpha=1,3,10")
	}
	return s
}
