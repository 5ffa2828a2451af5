package plan

import (
	"fmt"
	"strings"
	"time"
)

// Bounds of a load.
const (
	maxCount = 1_000_000_000 // operations: a month of a processor
	maxKeys  = 1_000_000_000
)

// loadVerbs are the rows of the table of verbs for what is asked of a simulated network, and what must come of it.
func loadVerbs() []verb {
	return []verb{
		{Name: "load", Usage: "load lookup | provide | find | put | get | bootstrap [name=value…]", own: true, parse: parseLoad, explain: tellLoad,
			Kinds: loadKinds, Terms: terms(loadSettings),
			Meaning: "what nodes are asked to do, how often, and about which keys. Lines run side by side; one without rate=, for= and count= shares the rate of the line above, by their weights"},
		{Name: "need", Usage: "need recall@20>=0.999 p99<5s get.success>0.99 …", own: true, parse: parseNeed, explain: tellNeed, Terms: figureTerms(),
			Meaning: "figures that must come out, or the run fails: a figure, for one kind of operation with the kind before it, and its bound"},
		{Name: "sweep", Usage: "sweep alpha=1,3,10 k=10,20 liar.share=5%,20% …", own: true, parse: parseSweep, explain: tellSweep,
			Meaning: "the plan runs for each combination of these values. A word of `world`, `link` or `churn` stands by itself, one of `faults` or `load` behind the kind of its line"},
	}
}

var loadKinds = []term{
	{"lookup", "lookup", "the k closest peers to a key", "look up the closest peers to a key"},
	{"provide", "provide", "to announce itself as a provider of a key, and again from then on", "announce themselves as providers of a key"},
	{"find", "find", "the providers of a key", "look for the providers of a key"},
	{"put", "put", "to publish a record, and again from then on", "publish a record"},
	{"get", "get", "to find a record", "look for a record"},
	{"bootstrap", "bootstrap", "to look for itself", "look for themselves"},
}

// only is the one kind of operation that a load line names.
func only(w *Workload) *Part { return &w.Mix[0] }

var loadSettings = []setting[Workload]{
	{term{"key", "key=zipf", "which keys: `uniform` gives each the same chance, `zipf` prefers low numbers, `hot` a few; uniform if it is not written", "%s keys"},
		choice(func(w *Workload) *string { return &only(w).Key }, "uniform", "zipf", "hot")},
	{term{"keys", "keys=1000", "how many keys there are; without it none comes twice", "%s keys in all"}, whole(func(w *Workload) *uint64 { return &only(w).Keys }, 1, maxKeys)},
	{term{"skew", "skew=1.1", "of zipf: the exponent; 1 if it is not written", "the exponent %s"}, millionths(func(w *Workload) *uint32 { return &only(w).Skew })},
	{term{"share", "share=90%", "of hot: how many of the operations are about the hot keys; 90% if it is not written", "%s about the hot ones"}, share(func(w *Workload) *uint32 { return &only(w).Share })},
	{term{"hot", "hot=10", "of hot: how many keys are; 1 if it is not written", "%s of them hot"}, whole(func(w *Workload) *uint64 { return &only(w).HotOf }, 1, maxKeys)},
	{term{"published", "published", "find and get: only keys which this plan has provided or put", "only keys that were published"}, nil},
	{term{"lag", "lag=1m", "of published: so long before at least", "%s before at least"}, span(func(w *Workload) *time.Duration { return &only(w).Lag }, 0)},
	{term{"rate", "rate=50/s", "how many begin in a second, a minute or an hour, all nodes together", "%s"}, rate(func(w *Workload) *Rate { return &w.Rate })},
	{term{"to", "to=100/s", "the rate at the end of for=, reached in a straight line", "rising to %s"}, rate(func(w *Workload) *Rate { return &w.To })},
	{term{"poisson", "poisson", "they begin independently of each other; without it at even distances", "independently of each other"}, nil},
	{term{"from", "from=10m", "when the first begins", "from %s"}, span(func(w *Workload) *time.Duration { return &w.From }, 0)},
	{term{"for", "for=12h", "for how long operations begin", "for %s"}, span(func(w *Workload) *time.Duration { return &w.For }, minDelay)},
	{term{"count", "count=1000", "how many at most", "%s at most"}, whole(func(w *Workload) *uint64 { return &w.Count }, 1, maxCount)},
	{term{"weight", "weight=3", "beside those of the lines that share the rate; 1 if it is not written", "with the weight %s"}, whole(func(w *Workload) *uint32 { return &only(w).Weight }, 1, 1_000_000)},
	{term{"node", "node=7", "who is asked, always; without it somebody by chance", "asked of node %s"}, whole(func(w *Workload) *uint32 { return &only(w).Node }, 1, maxNodes)},
}

func parseLoad(c *cursor) Stmt {
	w := Workload{Mix: make([]Part, 1)}
	if c.more() && contains(MessageTypes, c.words[c.at].text) {
		c.fail(c.words[c.at].line, "this version of the suite does not carry out \"load %s\" (load on sockets); a simulated node is asked to %s", c.words[c.at].text, strings.Join(termNames(loadKinds), ", "))
	}
	kind := c.kind(loadKinds)
	w.Mix[0].Kind = kind.text
	settings(c, loadSettings, &w, func(bare string) bool {
		w.Poisson = w.Poisson || bare == "poisson"
		w.Mix[0].Published = w.Mix[0].Published || bare == "published"
		return bare == "poisson" || bare == "published"
	})
	if c.err != nil {
		return w
	}
	err := w.check()
	if err == nil {
		err = w.Mix[0].check()
	}
	if err != nil {
		c.fail(kind.line, "%s: %w", w.Mix[0].Kind, err)
	}
	return w
}

// shares says whether a load line has no rate of its own.
func (w Workload) shares() bool { return w.Rate.Count == 0 && w.For == 0 && w.Count == 0 }

// check holds a line's words about time against each other.
func (w Workload) check() error {
	switch {
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
func (p Part) check() error {
	seeks := p.Kind == "find" || p.Kind == "get"
	switch {
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
	case seeks && p.Keys == 0 && !p.Published:
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
